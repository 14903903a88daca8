using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.Scheduler.Verification;

/// <summary>
/// Which running attempt deserves a copy: one that is slow beside the tasks of its job that have finished, or whose device will probably leave first. After
/// the backup tasks of MapReduce (Dean and Ghemawat 2004): only near a job's end, where one machine holds everything up.
/// </summary>
public static class Straggler
{
    /// <summary>Smaller arrays have no typical run time.</summary>
    public const int LeastTasks = 4;

    /// <summary>Share of the job's tasks, in percent, that must have ended.</summary>
    public const int PercentEnded = 75;

    /// <summary>No copy of an attempt that is younger: it may end before a copy starts.</summary>
    public static readonly TimeSpan Least = TimeSpan.FromSeconds(5);

    private const double Slow = 2;
    private const double Likely = 0.5;

    /// <summary>How long it has run: from its start or, until that is known, from its lease. A device's clock cannot make it older than its lease.</summary>
    public static TimeSpan Ran(Attempt attempt, DateTimeOffset now) => now - (attempt.StartedAt > attempt.LeasedAt ? attempt.StartedAt.Value : attempt.LeasedAt);

    /// <summary>Longer than twice the median of the job's finished tasks, and than <see cref="Least"/>.</summary>
    public static bool IsSlow(TimeSpan ran, TimeSpan median) => ran > Least && ran > median * Slow;

    /// <summary>The device stays for the rest of a median run with a probability below one half. A run over the median has no rest that is known.</summary>
    public static bool IsUnlikelyToFinish(AvailabilityProfile presence, TimeSpan ran, TimeSpan median, DateTimeOffset now) =>
        ran < median && presence.Survival(now, (median - ran).TotalSeconds) < Likely;
}
