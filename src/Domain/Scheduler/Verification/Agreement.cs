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
/// Which accepted-at-once results are re-executed elsewhere first. A device with ≥ 10 consecutive verified results earns a lower rate: 1/streak, never
/// above its tier's rate, floor 0.5 % (adaptive replication, after BOINC).
/// </summary>
public static class AuditPolicy
{
    public const int StreakNeeded = 10;
    public const double Floor = 0.005;

    public static double Rate(double tierRate, int verifiedStreak) =>
        tierRate <= 0 || verifiedStreak < StreakNeeded ? tierRate : Math.Max(Floor, Math.Min(tierRate, 1.0 / verifiedStreak));
}
