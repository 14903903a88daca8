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
    Task<TaskCounts> CountTasksAsync(JobId job, int total, CancellationToken cancel);

    /// <summary>Open jobs that are served before this one, in order, at most <paramref name="limit"/>, and how many there are.</summary>
    Task<(int Count, IReadOnlyList<JobAhead> First)> AheadAsync(Job job, int limit, CancellationToken cancel);

    /// <summary>The job's next open task with the devices it may not use; null when it has none.</summary>
    Task<OpenTask?> NextOpenTaskAsync(JobId job, CancellationToken cancel);

    /// <summary>Attempts under notice: of this job, and of jobs over which it may be preferred.</summary>
    Task<(int Own, int Others)> UnderNoticeAsync(Job job, CancellationToken cancel);
}

public sealed record JobAhead(Guid JobId, int Priority, int OpenTasks);

public sealed record OpenTask(int Index, int OpenSlots, DateTimeOffset EligibleAt, IReadOnlyList<string> UsedDevices, string? LastReason, bool HasCheckpoint);
