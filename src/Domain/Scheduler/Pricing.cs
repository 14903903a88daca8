namespace FogCompute.Domain.Scheduler;

/// <summary>What the work of a job is priced by. A job keeps those in force when it was submitted or, under a named quote, quoted.</summary>
/// <param name="CoreHourMicro">Micro-credits for one core and hour at multiplier 1.</param>
/// <param name="GibHourMicro">Micro-credits for one GiB of memory and hour at multiplier 1.</param>
/// <param name="TierTenths">The tier's multiplier × 10 (integers keep money exact).</param>
/// <param name="HoldMarginBp">What is set aside as a share of the quote, in hundredths of a percent.</param>
/// <param name="FormulaVersion">Version of the pool's parameters that these are of; settlements name it.</param>
public sealed record PriceTerms(long CoreHourMicro, long GibHourMicro, int TierTenths, int HoldMarginBp, long FormulaVersion)
{
    private const int Whole = 10_000;

    /// <summary>Micro-credits set aside for one task: its quote × the margin, rounded up.</summary>
    public long Hold(long taskQuote) => (long)Math.Ceiling((decimal)taskQuote * HoldMarginBp / Whole);

    /// <summary>
    /// How long a run is quoted as. A wall limit beyond the estimate × the margin is quoted as what it may really cost, so that a hold always covers its charge.
    /// </summary>
    public TimeSpan QuotedRun(TimeSpan estimate, int wallSeconds) => TimeSpan.FromSeconds(Math.Max(estimate.TotalSeconds, wallSeconds / (HoldMarginBp / (double)Whole)));
}

/// <summary>
/// Price = (cores × core-hour + GiB × GiB-hour) × hours × tier multiplier. Integer micro-credits, rounded up once at the end
/// (never in the payer's favour), at least 1 micro-credit; metered time counts from 1 s.
/// </summary>
public static class Pricing
{
    public const long MicroPerCredit = 1_000_000;
    private const long Gib = 1L << 30;

    /// <summary>Micro-credits for one task that runs <paramref name="duration"/>.</summary>
    public static long Task(int cpuMillicores, long memoryBytes, PriceTerms price, TimeSpan duration)
    {
        var milliseconds = Math.Max(1_000, (long)Math.Ceiling(duration.TotalMilliseconds));
        return Math.Max(1, (long)Math.Ceiling(PerHour(cpuMillicores, memoryBytes, price) * milliseconds / 3_600_000m));
    }

    /// <summary>Micro-credits for one task and hour.</summary>
    public static decimal PerHour(int cpuMillicores, long memoryBytes, PriceTerms price) =>
        (cpuMillicores * (decimal)price.CoreHourMicro / 1000m + memoryBytes * (decimal)price.GibHourMicro / Gib) * price.TierTenths / 10m;

    /// <summary>Credits with 6 decimals.</summary>
    public static decimal Credits(long micro) => micro / (decimal)MicroPerCredit;
}
