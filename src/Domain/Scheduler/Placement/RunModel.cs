namespace FogCompute.Domain.Scheduler.Placement;

/// <summary>
/// What running a task on a device is expected to take, cost and risk: the one place where estimates become figures, used by placement passes,
/// quotes and benchmarks alike.
/// </summary>
public static class RunModel
{
    /// <summary>Standard deviation of ln(run time / expected run time) before any run of the like was measured.</summary>
    public const double DefaultSpread = 0.5;

    /// <summary>The score of a device of speed 1: the median of the measured ones; null when none is measured.</summary>
    public static double? ReferenceScore(IReadOnlyList<PlacementDevice> devices)
    {
        var measured = devices.Where(d => d.BenchmarkScore > 0).Select(d => d.BenchmarkScore!.Value).Order().ToArray();
        return measured.Length == 0 ? null : (measured[(measured.Length - 1) / 2] + measured[measured.Length / 2]) / 2;
    }

    /// <summary>Speed relative to the reference; 1 for a device that was never measured.</summary>
    public static double Speed(PlacementDevice device, double? referenceScore) =>
        device.BenchmarkScore is { } score and > 0 && referenceScore is { } reference and > 0 ? score / reference : 1;

    /// <summary>Expected (median) seconds of a run; an estimate holds for a device of speed 1.</summary>
    public static double Seconds(TimeSpan estimate, PlacementDevice device, double? referenceScore) => estimate.TotalSeconds / Speed(device, referenceScore);

    /// <summary>Micro-credits that a run of this length is charged, before the cap of the hold.</summary>
    public static double CostMicro(double microPerHour, double seconds) => microPerHour * Math.Max(1, seconds) / 3600;

    /// <summary>Joules above idle that a run of this length draws.</summary>
    public static double Joules(Requirements needs, PlacementDevice device, double seconds) => device.WattsPerCore * needs.CpuMillicores / 1000 * seconds;

    /// <summary>
    /// Probability that the attempt does not end well: 1 − reliability × P(the device stays) × P(in time). In time means before the deadline and the
    /// wall limit, with log-normal run times.
    /// </summary>
    public static double Risk(PlacementTask task, PlacementDevice device, double seconds, DateTimeOffset now)
    {
        var stays = device.Presence.Survival(now, seconds);
        var inTime = 1.0;
        if (task.Deadline is { } deadline)
            inTime = WithinProbability((deadline - now).TotalSeconds, seconds, task.Spread);
        if (task.WallLimit is { } wall)
            inTime = Math.Min(inTime, WithinProbability(wall.TotalSeconds, seconds, task.Spread));
        return Math.Clamp(1 - device.Reliability * stays * inTime, 0, 1);
    }

    /// <summary>P(run ≤ limit) of a log-normal run time with this median and spread.</summary>
    public static double WithinProbability(double limitSeconds, double medianSeconds, double spread)
    {
        if (limitSeconds <= 0)
            return 0;
        if (medianSeconds <= 0)
            return 1;
        return spread <= 0 ? (medianSeconds <= limitSeconds ? 1 : 0) : NormalCdf(Math.Log(limitSeconds / medianSeconds) / spread);
    }

    /// <summary>E[min(run, limit)] of a log-normal run time with this median and spread: what is metered of a run that is ended or capped at the limit.</summary>
    public static double ExpectedSeconds(double medianSeconds, double spread, double limitSeconds)
    {
        if (spread <= 0)
            return Math.Min(medianSeconds, limitSeconds);
        var z = Math.Log(limitSeconds / medianSeconds) / spread;
        return medianSeconds * Math.Exp(spread * spread / 2) * NormalCdf(z - spread) + limitSeconds * (1 - NormalCdf(z));
    }

    /// <summary>Median of what is left of a log-normal run that has taken <paramref name="elapsedSeconds"/> and has not ended; it never runs out.</summary>
    public static double RemainingSeconds(double medianSeconds, double spread, double elapsedSeconds)
    {
        if (elapsedSeconds <= 0 || spread <= 0)
            return Math.Max(0, medianSeconds - Math.Max(0, elapsedSeconds));
        var ended = WithinProbability(elapsedSeconds, medianSeconds, spread);
        return Math.Max(0, medianSeconds * Math.Exp(spread * NormalQuantile((1 + ended) / 2)) - elapsedSeconds);
    }

    /// <summary>Φ⁻¹ by bisection, for probabilities inside (0, 1); within ±6.</summary>
    public static double NormalQuantile(double probability)
    {
        var (low, high) = (-6.0, 6.0);
        for (var i = 0; i < 40; i++)
        {
            var middle = (low + high) / 2;
            (low, high) = NormalCdf(middle) < probability ? (middle, high) : (low, middle);
        }
        return (low + high) / 2;
    }

    /// <summary>Φ, by Abramowitz and Stegun 7.1.26 for erf: absolute error below 1.5e-7.</summary>
    public static double NormalCdf(double z)
    {
        var x = Math.Abs(z) / Math.Sqrt(2);
        var t = 1 / (1 + 0.3275911 * x);
        var tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.Exp(-x * x) / 2;
        return z >= 0 ? 1 - tail : tail;
    }
}
