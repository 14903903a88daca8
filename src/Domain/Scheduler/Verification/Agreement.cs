namespace FogCompute.Domain.Scheduler.Verification;

/// <summary>What the results so far say.</summary>
public enum Verdict
{
    /// <summary>Replicas that were asked for are still out.</summary>
    Wait,
    /// <summary>All asked-for replicas are in and too few agree: one more is needed.</summary>
    TieBreak,
    Agreed,
    /// <summary>The tie-break limit is reached without agreement.</summary>
    NoAgreement,
}

/// <summary>
/// Quorum over output digests, after BOINC's validator: a digest that enough distinct devices returned is the result; everything else
/// reported is wrong. O(replicas).
/// </summary>
public static class Agreement
{
    /// <param name="digests">Digest of each reported replica.</param>
    /// <param name="outstanding">Replicas leased or waiting for a device.</param>
    public static (Verdict Verdict, string? Digest) Decide(IReadOnlyList<string> digests, int outstanding, int agree, int maxReplicas)
    {
        foreach (var digest in digests)
        {
            if (digests.Count(d => d == digest) >= agree)
                return (Verdict.Agreed, digest);
        }
        if (outstanding > 0)
            return (Verdict.Wait, null);
        return digests.Count < maxReplicas ? (Verdict.TieBreak, null) : (Verdict.NoAgreement, null);
    }
}

/// <summary>
/// Which accepted-at-once results are re-executed elsewhere first. A device with enough consecutive verified results earns a lower rate: 1/streak, never
/// above the tier's rate nor below the floor (adaptive replication, after BOINC).
/// </summary>
/// <param name="TierRate">Share of a tier's results, 0–1; 0: none of anybody's.</param>
/// <param name="StreakNeeded">Verified results in a row from which on a device is audited less.</param>
/// <param name="Floor">Least share of a proven device's results, 0–1; where the tier's rate is lower, that.</param>
public sealed record AuditPolicy(double TierRate, int StreakNeeded, double Floor)
{
    public double Rate(int verifiedStreak) =>
        TierRate <= 0 || verifiedStreak < StreakNeeded ? TierRate : Math.Min(TierRate, Math.Max(Floor, 1.0 / verifiedStreak));
}
