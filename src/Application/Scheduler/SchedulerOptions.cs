using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

/// <summary>Knobs of the scheduler. Read from the environment at start; a value outside its range stops the start.</summary>
public sealed record SchedulerOptions
{
    /// <summary><c>FOG_DEVICE_SILENCE_SECONDS</c>, 2–86 400, default 90: a device silent for longer is lost and its leases are requeued.</summary>
    public int DeviceSilenceSeconds { get; init; } = 90;

    /// <summary><c>FOG_LEASE_SECONDS</c>, 5–86 400, default 600: life of a lease that is not renewed. Renewed at a third.</summary>
    public int LeaseSeconds { get; init; } = 600;

    /// <summary><c>FOG_DISTINCT_OWNERS</c>, true or false, default false: replicas of a task must run on machines of different owners.</summary>
    public bool RequireDistinctOwners { get; init; }

    /// <summary><c>FOG_AUDIT_WAIT_SECONDS</c>, 1–86 400, default 60: how long a result waits for its audit before it stands alone.</summary>
    public int AuditWaitSeconds { get; init; } = 60;

    /// <summary><c>FOG_PREEMPTION</c>, on or off, default on: running work gives way to waiting work whose priority is at least 20 higher.</summary>
    public bool Preemption { get; init; } = true;

    /// <summary>Between the notice and the end of an attempt that is taken back.</summary>
    public static readonly TimeSpan Notice = TimeSpan.FromSeconds(30);

    /// <summary>What its device gets on top to say how it ended; with a checkpoint on its way, <see cref="UploadSlack"/>.</summary>
    public static readonly TimeSpan NoticeSlack = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan UploadSlack = TimeSpan.FromMinutes(2);

    /// <summary><c>FOG_ACCOUNT_CONCURRENCY</c>, 1–1 000 000, default none: most replicas leased to one account at once.</summary>
    public int? AccountConcurrency { get; init; }

    public TimeSpan Silence => TimeSpan.FromSeconds(DeviceSilenceSeconds);
    public TimeSpan Lease => TimeSpan.FromSeconds(LeaseSeconds);

    /// <summary>How long a quote is good.</summary>
    public static readonly TimeSpan QuoteLife = TimeSpan.FromSeconds(60);

    /// <summary>Tasks looked at in one placement pass.</summary>
    public const int PassSize = 512;

    /// <summary>An array gets its next rows when fewer open ones than these are left: what some passes can place.</summary>
    public const int LowWater = 4 * PassSize;
}
