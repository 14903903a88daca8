using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler.Contracts;

/// <summary>Answers about jobs that need counting in the database.</summary>
public interface IJobInsight
{
    Task<TaskCounts> CountTasksAsync(Job job, CancellationToken cancel);

    /// <summary>Why an open job is where it is: from the same filter that placement uses, on the pool as it is now.</summary>
    Task<JobWhy> ExplainAsync(Job job, DateTimeOffset now, CancellationToken cancel);
}

/// <summary>Queue figures that <c>why</c> needs.</summary>
public interface IQueueFigures
{
    Task<TaskCounts> CountTasksAsync(JobId job, CancellationToken cancel);

    /// <summary>
    /// Where a job with open tasks stands in the order of service, and the jobs before it, at most <paramref name="limit"/>. Position from 1; null when a limit holds it back.
    /// </summary>
    Task<(int? Position, IReadOnlyList<JobAhead> First)> AheadAsync(Job job, int limit, DateTimeOffset now, CancellationToken cancel);

    /// <summary>What the job and its account hold now.</summary>
    Task<JobHoldings> HoldingsAsync(Job job, CancellationToken cancel);

    /// <summary>The job's next open task with the devices it may not use; null when it has none.</summary>
    Task<OpenTask?> NextOpenTaskAsync(JobId job, CancellationToken cancel);

    /// <summary>Attempts under notice: of this job, and of jobs over which it may be preferred.</summary>
    Task<(int Own, int Others)> UnderNoticeAsync(Job job, CancellationToken cancel);
}

/// <param name="TasksLeased">Tasks of the job with a leased replica.</param>
/// <param name="AccountLeased">Replicas leased to its account, over all jobs.</param>
/// <param name="Copies">Tasks of the job of which a copy runs or waits because they run long.</param>
public sealed record JobHoldings(int TasksLeased, int AccountLeased, int Copies);

/// <param name="OpenTasks">Tasks that wait for a device, with a row or without.</param>
public sealed record JobAhead(Guid JobId, int Priority, int OpenTasks);

public sealed record OpenTask(int Index, int OpenSlots, DateTimeOffset EligibleAt, IReadOnlyList<string> UsedDevices, string? LastReason, bool HasCheckpoint);
