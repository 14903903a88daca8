using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Operations;

// GET /api/ops/failures?cursor=&limit=50
// Attempts that did not succeed and jobs that ended without their result, newest first.

/// <summary>Failed attempts and jobs with their reasons, newest first. For operators.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record ListFailuresQuery : IQuery<FailureList>
{
    /// <summary>1–200.</summary>
    public int Limit { get; init; } = 50;

    /// <summary>The <c>next</c> of the page before.</summary>
    public string? Cursor { get; init; }
}

/// <param name="Next">Cursor of the next page; null at the end.</param>
public sealed record FailureList(IReadOnlyList<FailureItem> Failures, string? Next);

public sealed record FailureItem
{
    /// <summary>Of the attempt or the job.</summary>
    public required Guid Id { get; init; }

    /// <summary>attempt or job.</summary>
    public required string Kind { get; init; }
    public required Guid JobId { get; init; }
    public required string JobName { get; init; }

    /// <summary>Null for a job.</summary>
    public int? TaskIndex { get; init; }

    /// <summary>Null for a job.</summary>
    public string? Device { get; init; }

    /// <summary>rejected, declined, evicted, preempted, timed_out, crashed or lost for an attempt; failed or expired for a job.</summary>
    public required string State { get; init; }

    /// <summary>See docs/reasons.md; null where the state says it all.</summary>
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public int? ExitCode { get; init; }
    public DateTimeOffset? Started { get; init; }
    public required DateTimeOffset Finished { get; init; }

    /// <summary>Attempts of this task so far that failed; null for a job.</summary>
    public int? FailedAttempts { get; init; }

    /// <summary>retried: it goes on; succeeded: a later attempt did; final: the task or job ended with it; cancelled: nobody waits for it any more.</summary>
    public required string Outcome { get; init; }

    /// <summary>End of what it printed, at most 4 000 characters; null: nothing.</summary>
    public string? LogTail { get; init; }
}

internal sealed class ListFailuresValidator : AbstractValidator<ListFailuresQuery>
{
    public ListFailuresValidator()
    {
        RuleFor(q => q.Limit).InclusiveBetween(1, 200);
        RuleFor(q => q.Cursor).Must(c => PageMark.TryParse(c) is not null).When(q => q.Cursor is not null).WithMessage("must be the next of the page before.");
    }
}

internal sealed class ListFailuresHandler(IOperationsFigures figures) : IQueryHandler<ListFailuresQuery, FailureList>
{
    public async Task<FailureList> Handle(ListFailuresQuery query, CancellationToken cancellationToken)
    {
        var page = await figures.FailuresAsync(PageMark.TryParse(query.Cursor), query.Limit + 1, cancellationToken);
        return page.Count > query.Limit
            ? new FailureList([.. page.Take(query.Limit)], new PageMark(page[query.Limit - 1].Finished, page[query.Limit - 1].Id).ToString())
            : new FailureList(page, null);
    }
}
