namespace FogCompute.Domain.Scheduler.Verification;

/// <summary>What a report led to.</summary>
public abstract record TaskOutcome
{
    private TaskOutcome() { }

    /// <summary>Nothing final: other replicas are out, or a slot was opened again.</summary>
    public sealed record Open : TaskOutcome
    {
        public static readonly Open Instance = new();
    }

    /// <summary>A digest won. Losers returned another digest for the same work.</summary>
    /// <param name="Verified">At least two devices agreed, so winners and losers say something about their devices.</param>
    /// <param name="Metering">What the cost follows from.</param>
    public sealed record Accepted(
        long CostMicro, TimeSpan Wall, IReadOnlyList<Attempt> Winners, IReadOnlyList<Attempt> Losers, IReadOnlyList<Attempt> CutShort, bool Verified, Metering Metering) : TaskOutcome;

    /// <summary>Retries or the tie-break limit are used up.</summary>
    public sealed record Failed(string Reason, IReadOnlyList<Attempt> CutShort) : TaskOutcome;
}

/// <summary>What the execution of a task needs to know of its job.</summary>
public sealed record JobTerms(TierTerms Tier, PriceTerms Price, int Retries, int CpuMillicores, long MemoryBytes, long HoldPerTaskMicro)
{
    public static JobTerms Of(Job job) => new(job.Terms, job.Price, job.Retries, job.CpuMillicores, job.MemoryBytes, job.HoldPerTaskMicro);
}

/// <summary>
/// A task together with its attempts: every change of either goes through here, so that slots, counters and states stay in step.
/// Load it under the task's row lock with all its live, reported, accepted and rejected attempts.
/// </summary>
public sealed class TaskExecution(JobTask task, List<Attempt> attempts, JobTerms terms)
{
    public JobTask Task { get; } = task;
    public IReadOnlyList<Attempt> Attempts => attempts;

    /// <summary>Attempts leased by this object, not yet stored.</summary>
    public IReadOnlyList<Attempt> NewAttempts => _new;
    private readonly List<Attempt> _new = [];

    /// <summary>Stored attempts that changed.</summary>
    public IReadOnlyCollection<Attempt> ChangedAttempts => _changed;
    private readonly HashSet<Attempt> _changed = [];
    public JobTerms Terms { get; } = terms;

    private int Live => attempts.Count(a => a.State.IsLive());

    private (int Agree, int Max) Quorum => Task.Audited ? (Math.Max(2, Terms.Tier.Agree), Math.Max(3, Terms.Tier.MaxReplicas)) : (Terms.Tier.Agree, Terms.Tier.MaxReplicas);

    /// <summary>Gives an open slot to a device.</summary>
    public Attempt Lease(AttemptId id, string deviceId, DateTimeOffset now, TimeSpan duration)
    {
        var used = attempts.Where(a => a.State.IsLive() || a.State == AttemptState.Reported).Select(a => (int)a.Replica).ToHashSet();
        var replica = 0;
        while (used.Contains(replica))
            replica++;
        var attempt = Task.Lease(id, deviceId, replica, now, duration);
        attempts.Add(attempt);
        _new.Add(attempt);
        return attempt;
    }

    /// <summary>The device is staging, running or uploading. Ignored when the attempt moved on already (reports overtake progress).</summary>
    public void Progress(Attempt attempt, AttemptState state, DateTimeOffset? startedAt, string? logTail, long logBytes)
    {
        if (!attempt.State.IsLive() || state < attempt.State)
            return;
        _changed.Add(attempt);
        attempt.Progress(state, startedAt, logTail, logBytes);
        if (state >= AttemptState.Running)
            Task.Started(startedAt ?? attempt.LeasedAt);
    }

    /// <summary>A live attempt ended.</summary>
    /// <param name="audit">Whether this result, if it would be accepted alone, is to be re-executed elsewhere first.</param>
    /// <param name="jitter">Uniform 0–1, for the back-off.</param>
    public TaskOutcome Report(Attempt attempt, AttemptResult result, bool audit, double jitter, DateTimeOffset now)
    {
        _changed.Add(attempt);
        attempt.End(result, now);
        switch (result.End)
        {
            case AttemptState.Reported:
                Task.Started(result.StartedAt ?? attempt.LeasedAt);
                return Verify(audit, now);
            case AttemptState.Crashed:
            case AttemptState.TimedOut:
                Task.CountJobError();
                // Never begun: what it was to start from is of no use, the next one starts from scratch.
                if (result is { Reason: Checkpoints.Invalid, StartedAt: null })
                    Task.DropCheckpoint();
                if (Task.JobErrors > Terms.Retries)
                    return Fail(result.Reason ?? "crashed", now);
                return Reopen(now + RetryBackoff.After(Task.JobErrors, jitter));
            case AttemptState.Evicted:
                Task.CountEviction();
                KeepCheckpoint(attempt, result);
                return Reopen(now);
            case AttemptState.Preempted:
                var progress = KeepCheckpoint(attempt, result);
                if (result.Reason == Checkpoints.Asked)
                    Task.CountRestart(progress);
                return Task.IdleCheckpoints > Checkpoints.MostIdle ? Fail(Checkpoints.Loop, now) : Reopen(now);
            case AttemptState.Declined:
                return Reopen(now + TimeSpan.FromSeconds(1));
            case AttemptState.Lost:
                Task.CountDeviceLoss();
                // A first loss is bad luck and goes on at once; a task that keeps losing devices waits longer and longer.
                return Reopen(Task.DeviceLosses <= 3 ? now : now + RetryBackoff.After(Task.DeviceLosses - 3, jitter));
            default:
                return Reopen(now);
        }
    }

    /// <summary>The device fell silent or its lease ran out.</summary>
    public TaskOutcome Lose(Attempt attempt, string reason, DateTimeOffset now) =>
        Report(attempt, new AttemptResult { End = AttemptState.Lost, Reason = reason }, audit: false, jitter: 0, now);

    /// <summary>Takes a running attempt back for the pool (pause); it costs nobody anything.</summary>
    public void Preempt(Attempt attempt, string reason, DateTimeOffset now)
    {
        Close(attempt, AttemptState.Preempted, reason, now);
        Reopen(now);
    }

    /// <summary>Whether the checkpoint is another than before, after a run of some length.</summary>
    private bool KeepCheckpoint(Attempt attempt, AttemptResult result)
    {
        if (result.CheckpointSha256 is not { } sha256 || !Terms.Tier.TakesCheckpoints || attempt.Epoch != Task.Epoch)
            return false;
        var progress = sha256 != Task.CheckpointSha256 && result.WallMs >= Checkpoints.LeastRun.TotalMilliseconds;
        Task.KeepCheckpoint(sha256, attempt.Epoch);
        return progress;
    }

    /// <summary>No second device came for an audit within its time: the single result stands. Two results that differ are never decided this way.</summary>
    public TaskOutcome WaiveAudit(DateTimeOffset now)
    {
        if (!Task.Audited || Live > 0 || attempts.Count(a => a.State == AttemptState.Reported) != 1)
            return TaskOutcome.Open.Instance;
        Task.WaiveAudit();
        return Verify(audit: false, now);
    }

    /// <summary>Whether it waits for as many results as it needs and for none more: then one slow device holds it up.</summary>
    public bool MayBeCopied => !Task.Speculated && !Task.Audited && !Task.State.IsFinal() && Task.OpenSlots == 0 && Live > 0
        && Live + attempts.Count(a => a.State == AttemptState.Reported) == Quorum.Agree;

    /// <summary>
    /// Opens one slot more for a task whose device is slow or unlikely to finish; one at a time. The first results that agree win, the rest is cut short, and the
    /// requester pays once, because a task is paid by the mean of its winners.
    /// </summary>
    /// <returns>False when it may not be copied; nothing has changed then.</returns>
    public bool Speculate(DateTimeOffset now)
    {
        if (!MayBeCopied)
            return false;
        Task.Speculate(now);
        return true;
    }

    private TaskOutcome Verify(bool audit, DateTimeOffset now)
    {
        var reported = attempts.Where(a => a.State == AttemptState.Reported).ToList();
        var (agree, max) = Quorum;
        var (verdict, digest) = Agreement.Decide([.. reported.Select(a => a.OutputDigest!)], Live + Task.OpenSlots, agree, max);
        Advance();
        switch (verdict)
        {
            case Verdict.Agreed when audit && agree == 1 && !Task.Audited:
                Task.Audit(copyOut: Live + Task.OpenSlots > 0, now);
                return TaskOutcome.Open.Instance;
            case Verdict.Agreed:
                return Accept(reported, digest!, agree, now);
            case Verdict.TieBreak:
                Task.OpenSlot(now);
                return TaskOutcome.Open.Instance;
            case Verdict.NoAgreement:
                foreach (var attempt in reported)
                    Close(attempt, AttemptState.Rejected, "no_agreement", now);
                return Fail("no_agreement", now);
            default:
                return TaskOutcome.Open.Instance;
        }
    }

    private TaskOutcome.Accepted Accept(List<Attempt> reported, string digest, int agree, DateTimeOffset now)
    {
        var winners = reported.Where(a => a.OutputDigest == digest).ToList();
        var losers = reported.Where(a => a.OutputDigest != digest).ToList();
        foreach (var winner in winners)
        {
            _changed.Add(winner);
            winner.Accept();
        }
        foreach (var loser in losers)
            Close(loser, AttemptState.Rejected, "digest_mismatch", now);
        var cut = CutShort("not_needed", now);
        // The charge is metered: mean measured wall time of the agreeing replicas at the job's price, never above the task's hold.
        var wall = TimeSpan.FromMilliseconds(winners.Average(a => (double)a.WallMs));
        var cost = Math.Min(Terms.HoldPerTaskMicro, Pricing.Task(Terms.CpuMillicores, Terms.MemoryBytes, Terms.Price, wall));
        Task.Succeed(digest, cost, now);
        return new TaskOutcome.Accepted(cost, wall, winners, losers, cut, Verified: agree > 1, Metering.Of(Terms, wall, reported.Count, Task.Audited));
    }

    private TaskOutcome.Failed Fail(string reason, DateTimeOffset now)
    {
        foreach (var attempt in attempts.Where(a => a.State == AttemptState.Reported).ToList())
            Close(attempt, AttemptState.Cancelled, "task_failed", now);
        var cut = CutShort("task_failed", now);
        Task.Fail(reason, now);
        return new TaskOutcome.Failed(reason, cut);
    }

    private List<Attempt> CutShort(string reason, DateTimeOffset now)
    {
        var live = attempts.Where(a => a.State.IsLive()).ToList();
        foreach (var attempt in live)
            Close(attempt, AttemptState.Cancelled, reason, now);
        return live;
    }

    private void Close(Attempt attempt, AttemptState end, string reason, DateTimeOffset now)
    {
        _changed.Add(attempt);
        attempt.Close(end, reason, now);
    }

    private TaskOutcome.Open Reopen(DateTimeOffset eligibleAt)
    {
        // Where a copy is out or wanted, it takes the place of what was lost.
        if (Task.Speculated && Live + Task.OpenSlots > 0)
            Task.AdoptCopy();
        else
            Task.OpenSlot(eligibleAt);
        Advance();
        return TaskOutcome.Open.Instance;
    }

    /// <summary>The task's state is what its attempts add up to.</summary>
    private void Advance()
    {
        if (attempts.Exists(a => a.State == AttemptState.Reported))
            Task.MoveTo(TaskState.Verifying);
        else if (attempts.Exists(a => a.State is AttemptState.Running or AttemptState.Uploading))
            Task.MoveTo(TaskState.Executing);
        else if (Live > 0)
            Task.MoveTo(TaskState.Leased);
        else
            Task.MoveTo(TaskState.Ready);
    }
}
