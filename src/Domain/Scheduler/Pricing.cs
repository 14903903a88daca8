namespace FogCompute.Domain.Scheduler;

/// <summary>
/// Price = (cores × 0.10 + GiB × 0.05) credits × hours × tier multiplier. Integer micro-credits, rounded up once at the end
/// (never in the payer's favour), at least 1 micro-credit; metered time counts from 1 s.
/// </summary>
public static class Pricing
{
    public const long MicroPerCredit = 1_000_000;
    public const long MicroPerCoreHour = 100_000;
    public const long MicroPerGibHour = 50_000;
    private const long Gib = 1L << 30;

    /// <summary>Holds are this much above the quote.</summary>
    public const decimal HoldMargin = 1.1m;

    /// <summary>Micro-credits for one task that runs <paramref name="duration"/>.</summary>
    public static long Task(int cpuMillicores, long memoryBytes, TierTerms terms, TimeSpan duration)
    {
        var milliseconds = Math.Max(1_000, (long)Math.Ceiling(duration.TotalMilliseconds));
        return Math.Max(1, (long)Math.Ceiling(PerHour(cpuMillicores, memoryBytes, terms) * milliseconds / 3_600_000m));
    }

    /// <summary>Micro-credits for one task and hour.</summary>
    public static decimal PerHour(int cpuMillicores, long memoryBytes, TierTerms terms) =>
        (cpuMillicores * (decimal)MicroPerCoreHour / 1000m + memoryBytes * (decimal)MicroPerGibHour / Gib) * terms.PriceTenths / 10m;

    /// <summary>Micro-credits set aside for one task: its quote × 1.1, rounded up.</summary>
    public static long Hold(long taskQuote) => (long)Math.Ceiling(taskQuote * HoldMargin);

    /// <summary>Credits with 6 decimals.</summary>
    public static decimal Credits(long micro) => micro / (decimal)MicroPerCredit;
}
