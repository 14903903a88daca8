namespace FogCompute.Domain.Tokenomics.Governance;

public enum VoteChoice
{
    Against,
    For,
    /// <summary>Counts for the quorum, not for the approval.</summary>
    Abstain,
}
