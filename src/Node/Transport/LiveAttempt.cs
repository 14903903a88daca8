using FogCompute.Node.State;
using FogCompute.Protocol;

namespace FogCompute.Node.Transport;

/// <summary>Where an attempt is on this machine.</summary>
internal enum AttemptPhase
{
    /// <summary>Accepted, waits for room.</summary>
    Queued,

    /// <summary>Inputs are fetched.</summary>
    Staging,
    Running,

    /// <summary>The run is over, files are on their way.</summary>
    Uploading,

    /// <summary>Waits for the acknowledgement of its report.</summary>
    Reporting,
}

/// <param name="At">Timestamp of the monotonic clock.</param>
internal sealed record StopNotice(string Outcome, string Reason, long At);

/// <summary>An attempt that this agent knows. Its members are changed under the engine's lock only.</summary>
internal sealed class LiveAttempt(LeaseMessage lease)
{
    public LeaseMessage Lease { get; } = lease;
    public Guid Id => Lease.AttemptId;
    public AttemptPhase Phase { get; set; }

    /// <summary>Timestamp of the agent's monotonic clock at which the lease lapses.</summary>
    public long ExpiresAt { get; set; }

    /// <summary>The line of the journal that holds its lease.</summary>
    public long JournalLine { get; init; }
    public DateTimeOffset? StartedAt { get; set; }
    public CancellationTokenSource? Stop { get; set; }

    /// <summary>Outcome and reason of a stop that somebody asked for; the first one counts.</summary>
    public (string Outcome, string Reason)? StopAs { get; set; }

    /// <summary>Outcome and reason of the stop that the payload was told of; null while it knows of none.</summary>
    public StopNotice? Notice { get; set; }

    /// <summary>Cancelled with <see cref="Notice"/>.</summary>
    public CancellationTokenSource Noticing { get; } = new();

    /// <summary>Whether a notice of the control plane was acted upon; it need not repeat it.</summary>
    public bool Noticed { get; set; }

    /// <summary>Timestamp of the monotonic clock at which a payload that was told is stopped.</summary>
    public long StopDue { get; set; } = long.MaxValue;

    /// <summary>Whether the attempt holds CPU and memory of the offer.</summary>
    public bool HoldsRoom { get; set; }

    /// <summary>Whether its sandbox is being set up, or may still be.</summary>
    public bool IsStarting { get; set; }
    public PendingReport? Result { get; set; }

    /// <summary>What the control plane was last told.</summary>
    public AttemptPhase? ToldPhase { get; set; }

    /// <summary>How often somebody looked whether there is something to tell.</summary>
    public int Rounds { get; set; }
    public long ToldLogBytes { get; set; }
    public long NextLogLook { get; set; }

    /// <summary>
    /// A kernel that touches no file and leaves nothing behind. Such tasks come by the thousand: they get no folders and no disk flush, because
    /// losing one only means that it is leased again.
    /// </summary>
    public bool IsTrivial => Lease.Payload is { Kind: PayloadKinds.Builtin, Kernel: BuiltinKernels.Noop } && Lease.Inputs.Count == 0;

    /// <summary>Whether its payload can save its state when it is told in time.</summary>
    public bool CanSave => Lease.Checkpoint is not null;

    /// <summary>Whether it runs in processes of its own.</summary>
    public bool NeedsSandbox => Lease.Payload.Kind != PayloadKinds.Builtin;

    /// <summary>Whether payload processes or kernels may be at work.</summary>
    public bool IsActive => Phase is AttemptPhase.Staging or AttemptPhase.Running;
}
