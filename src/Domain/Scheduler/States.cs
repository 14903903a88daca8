using FogCompute.Domain.Common;

namespace FogCompute.Domain.Scheduler;

public enum JobState { Submitted, Admitted, Running, Paused, Completed, Failed, Cancelled, Expired, Rejected }

/// <summary><c>Pending</c> waits for other jobs; <c>Ready</c> waits for a device.</summary>
public enum TaskState { Pending, Ready, Leased, Executing, Verifying, Succeeded, Failed, Cancelled }

public enum AttemptState
{
    Leased, Staging, Running, Uploading, Reported,
    Accepted, Rejected,
    Declined, Evicted, Preempted, TimedOut, Crashed, Lost, Cancelled,
}

/// <summary>Every allowed state change, in one place per entity.</summary>
public static class Transitions
{
    public static readonly TransitionTable<JobState> Job = new("job",
        (JobState.Submitted, [JobState.Admitted, JobState.Rejected]),
        (JobState.Admitted, [JobState.Running, JobState.Paused, JobState.Cancelled, JobState.Failed, JobState.Expired]),
        (JobState.Running, [JobState.Completed, JobState.Paused, JobState.Cancelled, JobState.Failed, JobState.Expired]),
        (JobState.Paused, [JobState.Running, JobState.Admitted, JobState.Completed, JobState.Cancelled, JobState.Failed, JobState.Expired]));

    public static readonly TransitionTable<TaskState> Task = new("task",
        (TaskState.Pending, [TaskState.Ready, TaskState.Failed, TaskState.Cancelled]),
        (TaskState.Ready, [TaskState.Leased, TaskState.Failed, TaskState.Cancelled]),
        (TaskState.Leased, [TaskState.Executing, TaskState.Ready, TaskState.Verifying, TaskState.Failed, TaskState.Cancelled]),
        (TaskState.Executing, [TaskState.Verifying, TaskState.Leased, TaskState.Ready, TaskState.Failed, TaskState.Cancelled]),
        (TaskState.Verifying, [TaskState.Succeeded, TaskState.Executing, TaskState.Leased, TaskState.Failed, TaskState.Cancelled]));

    public static readonly TransitionTable<AttemptState> Attempt = new("attempt",
        (AttemptState.Leased, [AttemptState.Staging, AttemptState.Running, AttemptState.Uploading, AttemptState.Reported, .. Ends]),
        (AttemptState.Staging, [AttemptState.Running, AttemptState.Uploading, AttemptState.Reported, .. Ends]),
        (AttemptState.Running, [AttemptState.Uploading, AttemptState.Reported, .. Ends]),
        (AttemptState.Uploading, [AttemptState.Reported, .. Ends]),
        (AttemptState.Reported, [AttemptState.Accepted, AttemptState.Rejected, AttemptState.Cancelled]));

    private static AttemptState[] Ends =>
        [AttemptState.Declined, AttemptState.Evicted, AttemptState.Preempted, AttemptState.TimedOut, AttemptState.Crashed, AttemptState.Lost, AttemptState.Cancelled];

    /// <summary>States in which a device holds the lease.</summary>
    public static bool IsLive(this AttemptState state) => state is AttemptState.Leased or AttemptState.Staging or AttemptState.Running or AttemptState.Uploading;

    public static bool IsOpen(this JobState state) => state is JobState.Submitted or JobState.Admitted or JobState.Running or JobState.Paused;

    public static bool IsFinal(this TaskState state) => state is TaskState.Succeeded or TaskState.Failed or TaskState.Cancelled;
}
