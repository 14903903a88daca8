namespace FogCompute.Domain.Tokenomics.Governance;

/// <summary>Where a proposal stands. Names and order follow OpenZeppelin's Governor, with two more ends of its execution.</summary>
public enum ProposalState
{
    /// <summary>The delay runs; nobody votes yet and stakes still count if they come now.</summary>
    Pending,
    Active,
    /// <summary>Quorum or approval was missed. Final.</summary>
    Defeated,
    /// <summary>Carried, not yet queued: a moment.</summary>
    Succeeded,
    /// <summary>Waits for the end of the timelock.</summary>
    Queued,
    /// <summary>Its payload ran, once. Final.</summary>
    Executed,
    /// <summary>Its payload could not run any more; nothing was changed. Final.</summary>
    ExecutionFailed,
    /// <summary>Nobody executed it in time. Final.</summary>
    Expired,
    /// <summary>By its proposer while pending, or by a guardian before its execution. Final.</summary>
    Cancelled,
}
