namespace FogCompute.Domain.Tokenomics.Governance;

/// <summary>Limits that are a share of a sum. What is asked of somebody rounds up, what is allowed rounds down.</summary>
public static class StakeShare
{
    private const int Whole = 10_000;

    /// <summary>Micro-credits that a proposer must have staked.</summary>
    public static long Threshold(long supplyMicro, long thresholdBp) => Tally.QuorumMicro(supplyMicro, thresholdBp);

    /// <summary>
    /// Micro-credits that may still leave the treasury: its share as it is now, less everything that proposals took in the last thirty days. So a
    /// row of small grants drains no faster than one, and each grant makes the next smaller.
    /// </summary>
    /// <param name="grantedMicro">Executed grants of the last thirty days.</param>
    public static long TreasuryAllowance(long treasuryMicro, long treasuryBp, long grantedMicro) =>
        long.Max(0, (long)((Int128)treasuryMicro * treasuryBp / Whole) - grantedMicro);

    /// <summary>Over which executed grants are added up.</summary>
    public static readonly TimeSpan TreasuryWindow = TimeSpan.FromDays(30);
}
