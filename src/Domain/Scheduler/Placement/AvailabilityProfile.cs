namespace FogCompute.Domain.Scheduler.Placement;

/// <summary>
/// When a device is there, learned from what was seen of it: seconds observed, seconds present and departures (present, then gone) for each of
/// the 168 hours of a week, UTC, Monday 00:00 first. Old weeks fade by half each four weeks where the figures are kept; here they are taken as they are.
/// </summary>
public sealed class AvailabilityProfile
{
    public const int Buckets = 168;

    /// <summary>Knows nothing: every answer is the prior's.</summary>
    public static readonly AvailabilityProfile Unknown = new(new double[Buckets], new double[Buckets], new double[Buckets]);

    /// <summary>Before anything is seen a device counts as leaving once a day and as there half of the time.</summary>
    private const double PriorDeparturesPerHour = 1.0 / 24;
    private const double PriorPresence = 0.5;

    /// <summary>Hours that the device's own average weighs in one bucket, and the prior in that average.</summary>
    private const double BucketWeight = 2, PriorWeight = 12;

    private readonly double[] _departuresPerHour = new double[Buckets];
    private readonly double[] _presence = new double[Buckets];

    // Expected departures of one week before each bucket, and of the whole week.
    private readonly double[] _departuresUntil = new double[Buckets + 1];

    /// <param name="observedSeconds">Seconds in which the device was looked at, per bucket.</param>
    /// <param name="presentSeconds">Of these, seconds in which it could take work.</param>
    /// <param name="departures">How often it stopped being present, per bucket.</param>
    /// <exception cref="ArgumentException">A list has not 168 figures, or one is negative or not finite.</exception>
    public AvailabilityProfile(IReadOnlyList<double> observedSeconds, IReadOnlyList<double> presentSeconds, IReadOnlyList<double> departures)
    {
        Require(observedSeconds, nameof(observedSeconds));
        Require(presentSeconds, nameof(presentSeconds));
        Require(departures, nameof(departures));
        ObservedHours = observedSeconds.Sum() / 3600;
        var presentHours = presentSeconds.Sum() / 3600;
        var leaving = (departures.Sum() + PriorWeight * PriorDeparturesPerHour) / (presentHours + PriorWeight);
        var present = (presentHours + PriorWeight * PriorPresence) / (ObservedHours + PriorWeight);
        for (var bucket = 0; bucket < Buckets; bucket++)
        {
            _departuresPerHour[bucket] = (departures[bucket] + BucketWeight * leaving) / (presentSeconds[bucket] / 3600 + BucketWeight);
            _departuresUntil[bucket + 1] = _departuresUntil[bucket] + _departuresPerHour[bucket];
            _presence[bucket] = (presentSeconds[bucket] / 3600 + BucketWeight * present) / (observedSeconds[bucket] / 3600 + BucketWeight);
        }
    }

    /// <summary>How much was seen.</summary>
    public double ObservedHours { get; }

    /// <summary>The bucket of this moment.</summary>
    public static int BucketOf(DateTimeOffset at)
    {
        var utc = at.UtcDateTime;
        return ((int)utc.DayOfWeek + 6) % 7 * 24 + utc.Hour;
    }

    /// <summary>Share of that hour of the week in which the device is there, 0–1.</summary>
    public double Presence(int bucket) => _presence[bucket];

    /// <summary>Departures per present hour in that hour of the week.</summary>
    public double DeparturesPerHour(int bucket) => _departuresPerHour[bucket];

    /// <summary>
    /// Probability that a device that is there at <paramref name="from"/> stays for <paramref name="seconds"/>: exp(−∫ departures per hour),
    /// departures as a Poisson process whose rate depends on the hour of the week and repeats each week. O(1).
    /// </summary>
    public double Survival(DateTimeOffset from, double seconds)
    {
        if (seconds <= 0)
            return 1;
        var begin = BucketOf(from) + from.UtcTicks % TimeSpan.TicksPerHour / (double)TimeSpan.TicksPerHour;
        return Math.Exp(ExpectedDepartures(begin) - ExpectedDepartures(begin + seconds / 3600));
    }

    /// <summary>From the beginning of a week until so many hours after it.</summary>
    private double ExpectedDepartures(double hours)
    {
        var weeks = Math.Floor(hours / Buckets);
        var within = hours - weeks * Buckets;
        var bucket = Math.Min((int)within, Buckets - 1);
        return weeks * _departuresUntil[Buckets] + _departuresUntil[bucket] + (within - bucket) * _departuresPerHour[bucket];
    }

    private static void Require(IReadOnlyList<double> figures, string name)
    {
        if (figures.Count != Buckets || figures.Any(f => !(f >= 0) || double.IsInfinity(f)))
            throw new ArgumentException($"A profile has {Buckets} finite figures, none below 0.", name);
    }
}
