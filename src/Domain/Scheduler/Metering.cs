namespace FogCompute.Domain.Scheduler;

/// <summary>
/// All that the charge of one accepted task follows from, so that a person can compute it again:
/// <c>min(cap, ceil((cores × core-hour + GiB × GiB-hour) × multiplier × hours))</c>, at least 1 micro-credit.
/// </summary>
/// <param name="BilledMs">Mean wall milliseconds of the agreeing replicas, rounded up, at least 1000.</param>
/// <param name="PriceTenths">Multiplier of the tier × 10.</param>
/// <param name="CoreHourMicro">Micro-credits for one core and hour.</param>
/// <param name="GibHourMicro">Micro-credits for one GiB of memory and hour.</param>
/// <param name="FormulaVersion">Version of the parameters that these prices come from; 0: the defaults.</param>
/// <param name="CapMicro">What was held for the task; it is never charged more.</param>
/// <param name="Results">Results that were compared; those that did not agree are not paid.</param>
/// <param name="Audited">Whether the result was chosen for an execution on a second device.</param>
public sealed record Metering(
    long BilledMs, int CpuMillicores, long MemoryBytes, SlaTier Tier, int PriceTenths, long CoreHourMicro, long GibHourMicro, long FormulaVersion, long CapMicro, int Results, bool Audited)
{
    /// <summary>The prices that a job is charged by are taken here and nowhere else.</summary>
    public static Metering Of(Verification.JobTerms terms, TimeSpan wall, int results, bool audited) => new(
        Math.Max(1_000, (long)Math.Ceiling(wall.TotalMilliseconds)), terms.CpuMillicores, terms.MemoryBytes, terms.Tier.Tier, terms.Price.TierTenths,
        terms.Price.CoreHourMicro, terms.Price.GibHourMicro, terms.Price.FormulaVersion, terms.HoldPerTaskMicro, results, audited);

    /// <summary>The charge, from these fields alone.</summary>
    public long CostMicro()
    {
        var perHour = (CpuMillicores * (decimal)CoreHourMicro / 1000m + MemoryBytes * (decimal)GibHourMicro / (1L << 30)) * PriceTenths / 10m;
        return Math.Min(CapMicro, Math.Max(1, (long)Math.Ceiling(perHour * BilledMs / 3_600_000m)));
    }
}
