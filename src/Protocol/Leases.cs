namespace FogCompute.Protocol;

/// <summary>
/// <c>POST /api/scheduler/nodes/{id}/poll</c>: the agent says what it holds and how it is; the server answers as soon as there is a new
/// lease or a revocation, at the latest after <see cref="WaitSeconds"/>. Delivery is repeatable: whatever the agent does not name in
/// <see cref="Held"/> and the server still counts as its live lease is sent again. A poll also counts as heartbeat and renews held leases.
/// </summary>
public sealed record LeasePollRequest
{
    /// <summary>Longest wait, 0–30 s. Agents use 15 ± 20 %.</summary>
    public double WaitSeconds { get; init; }

    /// <summary>Live attempts that this agent knows, at most 1 024.</summary>
    public IReadOnlyList<HeldLease> Held { get; init; } = [];

    /// <summary>The owner's policy verdict and sensors now.</summary>
    public required DeviceCondition Condition { get; init; }
}

/// <summary>One lease the agent holds.</summary>
/// <param name="Noticed">True once the agent acts on a <see cref="Notice"/> for it, which is then not repeated.</param>
public sealed record HeldLease(Guid AttemptId, int Epoch, bool? Noticed = null);

/// <summary>What the agent's harvest policy says now, and the sensor values it used; a sensor that does not exist is null.</summary>
public sealed record DeviceCondition
{
    /// <summary><c>eligible</c>, <c>contributing</c>, <c>ineligible</c>, <c>suspending</c> or <c>disabled</c>. Only the first two take new leases.</summary>
    public required string State { get; init; }

    /// <summary>Typed reason when not eligible, for example <c>on_battery</c>; see docs/reasons.md.</summary>
    public string? Reason { get; init; }

    /// <summary>Leases (running + queued) the device takes at once under its present limits.</summary>
    public required int Slots { get; init; }

    public double? BatteryPercent { get; init; }
    public bool? Charging { get; init; }
    public double? TemperatureCelsius { get; init; }

    /// <summary>CPU used by processes that are not ours, 0–1 of all cores.</summary>
    public double? OtherCpu { get; init; }

    public double? UserIdleSeconds { get; init; }
}

/// <summary>Answer to a poll.</summary>
public sealed record LeasePollResponse
{
    public required IReadOnlyList<LeaseMessage> Leases { get; init; }

    /// <summary>Attempts the agent must stop now; each was cancelled, paused, preempted or has expired.</summary>
    public required IReadOnlyList<Revocation> Revoked { get; init; }

    /// <summary>Attempts that will be taken back; an agent that does not know this member loses them when the notice is over.</summary>
    public IReadOnlyList<Notice> Notices { get; init; } = [];

    /// <summary>Server time, UTC.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>Expiry of every held lease after this poll, UTC; the agent counts from its own clock: <c>ExpiresInSeconds</c> from receipt.</summary>
    public required double LeaseSeconds { get; init; }
}

/// <summary>An attempt the agent must stop, with a typed reason (<c>cancelled</c>, <c>paused</c>, <c>expired</c>, <c>unknown_lease</c>).</summary>
public sealed record Revocation(Guid AttemptId, string Reason);

/// <summary>
/// The attempt will be taken back for <paramref name="Reason"/> (<c>preempted</c>): a payload with a checkpoint gets SIGTERM now and SIGKILL
/// <paramref name="GraceSeconds"/> later; one without is stopped at once.
/// </summary>
public sealed record Notice(Guid AttemptId, string Reason, double GraceSeconds);

/// <summary>Where the payload keeps its state, and the state to begin with.</summary>
/// <param name="Path">Relative to the work folder.</param>
/// <param name="Sha256">Archive to restore before the start; null: begin from scratch.</param>
/// <param name="Kept">False: the control plane does not take checkpoints of this job (several replicas), so there is nothing to upload.</param>
public sealed record LeaseCheckpoint(string Path, string? Sha256, bool Kept);

/// <summary>Right of this device to run one attempt until it expires unrenewed.</summary>
public sealed record LeaseMessage
{
    public required Guid AttemptId { get; init; }
    public required Guid JobId { get; init; }
    public required int TaskIndex { get; init; }
    public required int TaskCount { get; init; }

    /// <summary>Replica number within the task, 0-based.</summary>
    public required int Replica { get; init; }

    /// <summary>Fencing token: strictly increasing per task; a result under an older epoch is refused.</summary>
    public required int Epoch { get; init; }

    public required double ExpiresInSeconds { get; init; }
    public required PayloadSpec Payload { get; init; }
    public IReadOnlyList<InputSpec> Inputs { get; init; } = [];

    /// <summary>Globs relative to the work folder.</summary>
    public IReadOnlyList<string> Outputs { get; init; } = [];

    /// <summary>Null: exit code 85 is a failure like any other.</summary>
    public LeaseCheckpoint? Checkpoint { get; init; }

    /// <summary>Resolved limits: no member is null.</summary>
    public required LimitsSpec Limits { get; init; }

    public required int CpuMillicores { get; init; }
    public required long MemoryBytes { get; init; }

    /// <summary>Weakest isolation the requester accepts.</summary>
    public required string Isolation { get; init; }

    /// <summary><c>none</c> or <c>full</c>.</summary>
    public required string Network { get; init; }
}
