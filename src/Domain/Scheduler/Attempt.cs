namespace FogCompute.Domain.Scheduler;

/// <summary>How an attempt ended, as the device reports it; the domain's view of the protocol's report.</summary>
public sealed record AttemptResult
{
    public required AttemptState End { get; init; }
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public int? ExitCode { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }
    public long WallMs { get; init; }
    public long CpuMs { get; init; }
    public long? PeakMemoryBytes { get; init; }
    public string? OutputDigest { get; init; }

    /// <summary>Output files and measurements, JSON.</summary>
    public string? Output { get; init; }
    public string? StdoutSha256 { get; init; }
    public string? StderrSha256 { get; init; }
    public string? LogTail { get; init; }
    public long LogBytes { get; init; }
    public string? Signature { get; init; }

    /// <summary>Archive of the state it left, with Evicted and Preempted.</summary>
    public string? CheckpointSha256 { get; init; }
}

/// <summary>One run of a task replica on one device, under a lease fenced by its epoch.</summary>
public sealed class Attempt
{
    private Attempt() { }

    public AttemptId Id { get; private set; }
    public JobId JobId { get; private set; }
    public int TaskIndex { get; private set; }
    public string DeviceId { get; private set; } = "";
    public short Replica { get; private set; }
    public int Epoch { get; private set; }
    public AttemptState State { get; private set; }
    public string? Reason { get; private set; }
    public string? Message { get; private set; }
    public DateTimeOffset LeasedAt { get; private set; }
    public DateTimeOffset ExpiresAt { get; private set; }
    public DateTimeOffset? StartedAt { get; private set; }
    public DateTimeOffset? FinishedAt { get; private set; }
    public int? ExitCode { get; private set; }
    public long WallMs { get; private set; }
    public long CpuMs { get; private set; }
    public long? PeakMemoryBytes { get; private set; }
    public string? OutputDigest { get; private set; }
    public string? Output { get; private set; }
    public string? StdoutSha256 { get; private set; }
    public string? StderrSha256 { get; private set; }
    public string? LogTail { get; private set; }
    public long LogBytes { get; private set; }
    public string? Signature { get; private set; }

    /// <summary>When the pool takes it back; null: not wanted. Written set-based, never through here.</summary>
    public DateTimeOffset? NoticeUntil { get; private set; }

    public TaskKey Task => new(JobId, TaskIndex);

    internal static Attempt Lease(AttemptId id, JobTask task, string deviceId, int replica, DateTimeOffset now, TimeSpan duration) => new()
    {
        Id = id, JobId = task.JobId, TaskIndex = task.Index, DeviceId = deviceId, Replica = (short)replica, Epoch = task.Epoch,
        State = AttemptState.Leased, LeasedAt = now, ExpiresAt = now + duration,
    };

    internal void Progress(AttemptState state, DateTimeOffset? startedAt, string? logTail, long logBytes)
    {
        if (State != state)
            State = Transitions.Attempt.Move(State, state);
        StartedAt ??= startedAt;
        if (logTail is not null && logBytes >= LogBytes)
            (LogTail, LogBytes) = (logTail, logBytes);
    }

    internal void End(AttemptResult result, DateTimeOffset now)
    {
        State = Transitions.Attempt.Move(State, result.End);
        (Reason, Message, ExitCode) = (result.Reason, result.Message, result.ExitCode);
        StartedAt = result.StartedAt ?? StartedAt;
        FinishedAt = result.FinishedAt ?? now;
        (WallMs, CpuMs, PeakMemoryBytes) = (result.WallMs, result.CpuMs, result.PeakMemoryBytes);
        (OutputDigest, Output, StdoutSha256, StderrSha256, Signature) = (result.OutputDigest, result.Output, result.StdoutSha256, result.StderrSha256, result.Signature);
        if (result.LogTail is not null)
            (LogTail, LogBytes) = (result.LogTail, result.LogBytes);
    }

    internal void Close(AttemptState end, string? reason, DateTimeOffset now)
    {
        State = Transitions.Attempt.Move(State, end);
        Reason = reason;
        FinishedAt ??= now;
    }

    internal void Accept() => State = Transitions.Attempt.Move(State, AttemptState.Accepted);
}
