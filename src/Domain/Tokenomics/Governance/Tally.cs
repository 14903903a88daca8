namespace FogCompute.Domain.Tokenomics.Governance;

/// <summary>
/// Micro-credits behind each choice. All of it is integer arithmetic on whole sums, in 128 bits: no share is ever rounded, so many small ballots
/// weigh exactly what one of their sum does.
/// </summary>
public readonly record struct Tally(long For, long Against, long Abstain)
{
    private const int Whole = 10_000;

    public Tally Add(VoteChoice choice, long amount) => choice switch
    {
        VoteChoice.For => this with { For = checked(For + amount) },
        VoteChoice.Against => this with { Against = checked(Against + amount) },
        VoteChoice.Abstain => this with { Abstain = checked(Abstain + amount) },
        _ => throw new ArgumentOutOfRangeException(nameof(choice), choice, "Not a choice."),
    };

    /// <summary>For + abstain reach the share of the supply, and somebody is for it: with no supply or a quorum of 0, silence decides nothing.</summary>
    public bool ReachesQuorum(long supplyMicro, long quorumBp) => For >= 1 && ((Int128)For + Abstain) * Whole >= (Int128)supplyMicro * quorumBp;

    /// <summary>More for than against, and the share for of both is what was asked. A tie fails.</summary>
    public bool IsApproved(long approvalBp) => For > Against && (Int128)For * Whole >= ((Int128)For + Against) * approvalBp;

    /// <summary>Least for + abstain that reach the quorum, rounded up.</summary>
    public static long QuorumMicro(long supplyMicro, long quorumBp) => (long)((((Int128)supplyMicro * quorumBp) + Whole - 1) / Whole);
}
