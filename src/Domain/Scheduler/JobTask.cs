namespace FogCompute.Domain.Scheduler;

/// <summary>Addresses a task: its job and its array index.</summary>
public readonly record struct TaskKey(JobId Job, int Index);

/// <summary>
/// An independently runnable unit of a job. <see cref="OpenSlots"/> says how many replicas still need a device: placement takes from it,
/// losses and tie-breaks give to it.
/// </summary>
public sealed class JobTask
{
    private JobTask() { }

    public JobId JobId { get; private set; }
    public int Index { get; private set; }
    public TaskState State { get; private set; }
    public short OpenSlots { get; private set; }

    /// <summary>Fencing token: grows with each lease of this task.</summary>
    public int Epoch { get; private set; }

    /// <summary>Failures of the payload itself; they spend the requester's retries.</summary>
    public short JobErrors { get; private set; }

    /// <summary>Devices that vanished or broke.</summary>
    public short DeviceLosses { get; private set; }

    /// <summary>Owners that took their machine back.</summary>
    public short Evictions { get; private set; }

    /// <summary>Chosen for re-execution: needs two equal results although its tier asks for one.</summary>
    public bool Audited { get; private set; }

    /// <summary>A copy of it was asked for because it ran long.</summary>
    public bool Speculated { get; private set; }
    public DateTimeOffset EligibleAt { get; private set; }
    public DateTimeOffset? StartedAt { get; private set; }
    public DateTimeOffset? FinishedAt { get; private set; }
    public string? OutputDigest { get; private set; }
    public string? FailureReason { get; private set; }
    public long CostMicro { get; private set; }

    /// <summary>Archive of the newest checkpoint; the next lease starts from it.</summary>
    public string? CheckpointSha256 { get; private set; }

    /// <summary>The lease it came from.</summary>
    public int? CheckpointEpoch { get; private set; }

    /// <summary>Restarts in a row that the payload asked for without having got anywhere.</summary>
    public short IdleCheckpoints { get; private set; }

    public TaskKey Key => new(JobId, Index);

    /// <summary>A task as a submit writes it (the database writes arrays set-based with these same values).</summary>
    public static JobTask Create(JobId job, int index, int replicas, bool ready, DateTimeOffset now) => new()
    {
        JobId = job, Index = index, State = ready ? TaskState.Ready : TaskState.Pending, OpenSlots = (short)(ready ? replicas : 0), EligibleAt = now,
    };

    internal Attempt Lease(AttemptId id, string deviceId, int replica, DateTimeOffset now, TimeSpan duration)
    {
        if (OpenSlots <= 0)
            throw new InvalidOperationException($"Task {JobId}/{Index} has no open slot.");
        OpenSlots--;
        Epoch++;
        if (State == TaskState.Ready)
            State = Transitions.Task.Move(State, TaskState.Leased);
        return Attempt.Lease(id, this, deviceId, replica, now, duration);
    }

    internal void MoveTo(TaskState state)
    {
        if (State != state)
            State = Transitions.Task.Move(State, state);
    }

    internal void Started(DateTimeOffset at)
    {
        StartedAt ??= at;
        if (State == TaskState.Leased)
            MoveTo(TaskState.Executing);
    }

    internal void OpenSlot(DateTimeOffset eligibleAt)
    {
        OpenSlots++;
        EligibleAt = eligibleAt;
    }

    internal void CloseSlots() => OpenSlots = 0;

    internal void Speculate(DateTimeOffset now)
    {
        Speculated = true;
        OpenSlot(now);
    }

    /// <summary>The copy is no longer one: it stands in for a replica that ended.</summary>
    internal void AdoptCopy() => Speculated = false;

    internal void CountJobError() => JobErrors++;

    internal void CountDeviceLoss() => DeviceLosses++;

    internal void CountEviction() => Evictions++;

    internal void KeepCheckpoint(string sha256, int epoch) => (CheckpointSha256, CheckpointEpoch) = (sha256, epoch);

    internal void DropCheckpoint() => (CheckpointSha256, CheckpointEpoch) = (null, null);

    internal void CountRestart(bool progress) => IdleCheckpoints = progress ? (short)0 : (short)(IdleCheckpoints + 1);

    /// <param name="copyOut">A copy is out or waits for a device: its result is the second one.</param>
    internal void Audit(bool copyOut, DateTimeOffset now)
    {
        Audited = true;
        if (!copyOut)
            OpenSlots++;
        EligibleAt = now;
    }

    internal void WaiveAudit()
    {
        Audited = false;
        CloseSlots();
    }

    internal void Succeed(string digest, long costMicro, DateTimeOffset now)
    {
        MoveTo(TaskState.Succeeded);
        CloseSlots();
        (OutputDigest, CostMicro, FinishedAt) = (digest, costMicro, now);
    }

    internal void Fail(string reason, DateTimeOffset now)
    {
        MoveTo(TaskState.Failed);
        CloseSlots();
        (FailureReason, FinishedAt) = (reason, now);
    }
}
