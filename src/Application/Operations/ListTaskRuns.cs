using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Operations;

// GET /api/ops/tasks?view=processing&limit=50
// Single tasks of the queue, of every account.

/// <summary>Tasks that run, ended well or wait for another try. For operators.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record ListTaskRunsQuery : IQuery<TaskRunList>
{
    /// <summary>processing (longest running first), succeeded (newest first) or retrying (next try first).</summary>
    public string View { get; init; } = "processing";

    /// <summary>1–200.</summary>
    public int Limit { get; init; } = 50;
}

public enum TaskView { Processing, Succeeded, Retrying }

public sealed record TaskRunList(IReadOnlyList<TaskRunItem> Tasks);

public sealed record TaskRunItem
{
    public required Guid JobId { get; init; }
    public required string JobName { get; init; }
    public required int TaskIndex { get; init; }

    /// <summary>Of the attempt while processing, else of the task.</summary>
    public required string State { get; init; }

    /// <summary>The device that has it, or had it last; null: none.</summary>
    public string? Device { get; init; }
    public DateTimeOffset? Started { get; init; }
    public DateTimeOffset? Finished { get; init; }

    /// <summary>When it may be tried again.</summary>
    public DateTimeOffset? NextTry { get; init; }

    /// <summary>Leases so far.</summary>
    public required int Attempts { get; init; }

    /// <summary>Attempts that failed, of any cause.</summary>
    public required int FailedAttempts { get; init; }

    /// <summary>Reason of the newest failed attempt.</summary>
    public string? Reason { get; init; }
}

internal sealed class ListTaskRunsValidator : AbstractValidator<ListTaskRunsQuery>
{
    public ListTaskRunsValidator()
    {
        RuleFor(q => q.Limit).InclusiveBetween(1, 200);
        RuleFor(q => q.View).Must(v => v is not null && ListTaskRunsHandler.Views.ContainsKey(v)).WithMessage($"must be one of {string.Join(", ", ListTaskRunsHandler.Views.Keys)}.");
    }
}

internal sealed class ListTaskRunsHandler(IOperationsFigures figures, TimeProvider time) : IQueryHandler<ListTaskRunsQuery, TaskRunList>
{
    internal static readonly IReadOnlyDictionary<string, TaskView> Views = Enum.GetValues<TaskView>().ToDictionary(view => view.ToString().ToLowerInvariant(), StringComparer.Ordinal);

    public async Task<TaskRunList> Handle(ListTaskRunsQuery query, CancellationToken cancellationToken) =>
        new(await figures.TasksAsync(Views[query.View], query.Limit, time.GetUtcNow(), cancellationToken));
}
