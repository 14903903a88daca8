using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Operations;

// GET /api/ops/jobs/{name}/runs?cursor=&limit=50
// The history of one recurring job, newest first: the newest 1000 entries of the last seven days.

/// <summary>The history of a recurring job, newest first. For operators.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record ListRecurringRunsQuery : IQuery<RecurringRunList>
{
    /// <summary>1–200.</summary>
    public int Limit { get; init; } = 50;

    /// <summary>The <c>next</c> of the page before.</summary>
    public Guid? Cursor { get; init; }

    [System.Text.Json.Serialization.JsonIgnore]
    public string Name { get; init; } = "";
}

/// <param name="Next">Cursor of the next page; null at the end.</param>
public sealed record RecurringRunList(IReadOnlyList<RecurringRun> Runs, Guid? Next);

/// <param name="Trigger">period, signal or manual.</param>
/// <param name="Outcome">queued, running, succeeded, failed or interrupted.</param>
/// <param name="Server">host:pid; null while queued.</param>
/// <param name="Runs">Runs of a pump within a minute with the same outcome share an entry, which shows the slowest.</param>
/// <param name="AskedBy">Name of the account that asked for a manual run.</param>
public sealed record RecurringRun(
    Guid Id, string Trigger, string Outcome, string? Server, DateTimeOffset? Started, double? DurationMs, int Runs, string? AskedBy, RecurringError? Error);

/// <param name="Type">Of the exception.</param>
/// <param name="Trace">Of the exception and those inside it, at most 16 000 characters.</param>
public sealed record RecurringError(string Type, string Message, string Trace);

internal sealed class ListRecurringRunsValidator : AbstractValidator<ListRecurringRunsQuery>
{
    public ListRecurringRunsValidator() => RuleFor(q => q.Limit).InclusiveBetween(1, 200);
}

internal sealed class ListRecurringRunsHandler(IRecurringJobs jobs) : IQueryHandler<ListRecurringRunsQuery, RecurringRunList>
{
    public async Task<RecurringRunList> Handle(ListRecurringRunsQuery query, CancellationToken cancellationToken)
    {
        if (!jobs.Knows(query.Name))
            throw new FogException(OperationsErrors.UnknownJob(query.Name));
        var page = await jobs.RunsAsync(query.Name, query.Cursor, query.Limit + 1, cancellationToken);
        return page.Count > query.Limit ? new RecurringRunList([.. page.Take(query.Limit)], page[query.Limit - 1].Id) : new RecurringRunList(page, null);
    }
}
