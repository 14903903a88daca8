using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Operations;

// GET /api/ops/jobs
// What the control plane does unasked, how it fares and when it is next.

/// <summary>The recurring jobs of the control plane: schedule, who leads, last and next run, pauses. For operators.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record ListRecurringJobsQuery : IQuery<RecurringJobList>;

/// <param name="Jobs">By name.</param>
public sealed record RecurringJobList(IReadOnlyList<RecurringJobItem> Jobs);

public sealed record RecurringJobItem
{
    public required string Name { get; init; }

    /// <summary>pump: drains a queue, woken by signals; schedule: at intervals, by Quartz.</summary>
    public required string Kind { get; init; }

    /// <summary>What it is for, one sentence.</summary>
    public required string Why { get; init; }

    /// <summary>When it runs, in words.</summary>
    public required string Schedule { get; init; }

    /// <summary>Longest time from the end of one run to the start of the next, seconds.</summary>
    public required double PeriodSeconds { get; init; }

    /// <summary>The server that leads a pump; of a schedule the one that ran it last. Null: none is known.</summary>
    public string? Server { get; init; }

    /// <summary>A run of it was going on when its server said so last (two seconds ago at most).</summary>
    public required bool Running { get; init; }

    /// <summary>Null: it has never ended.</summary>
    public RecurringLastRun? LastRun { get; init; }

    /// <summary>Of a schedule; null for pumps, for paused ones and while it runs.</summary>
    public DateTimeOffset? NextRun { get; init; }
    public required bool Paused { get; init; }
    public DateTimeOffset? PausedSince { get; init; }

    /// <summary>Name of the account that paused it.</summary>
    public string? PausedBy { get; init; }

    /// <summary>Ever.</summary>
    public required long Runs { get; init; }

    /// <summary>Ever.</summary>
    public required long Failures { get; init; }

    /// <summary>Median of its latest runs (up to 256), milliseconds; null before the first.</summary>
    public double? P50Ms { get; init; }

    /// <summary>95th percentile of its latest runs, milliseconds; null before the first.</summary>
    public double? P95Ms { get; init; }

    /// <summary>Durations of its newest entries in the history, oldest first, at most 24, milliseconds.</summary>
    public required IReadOnlyList<double> Recent { get; init; }
}

/// <param name="Outcome">succeeded or failed.</param>
public sealed record RecurringLastRun(DateTimeOffset Started, double? DurationMs, string Outcome, string? Error);

internal sealed class ListRecurringJobsHandler(IRecurringJobs jobs, TimeProvider time) : IQueryHandler<ListRecurringJobsQuery, RecurringJobList>
{
    public async Task<RecurringJobList> Handle(ListRecurringJobsQuery query, CancellationToken cancellationToken) =>
        new(await jobs.ListAsync(name: null, time.GetUtcNow(), cancellationToken));
}
