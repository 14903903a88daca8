namespace FogCompute.Domain.Tokenomics.Governance;

/// <summary>What counts for a proposal: stakes and delegations up to here, and the supply then.</summary>
/// <param name="Transfer">Last journal number that counts.</param>
/// <param name="SupplyMicro">Micro-credits that were not burned.</param>
/// <param name="Delegation">Last number of the delegation log that counts.</param>
public sealed record ProposalSnapshot(long Transfer, long SupplyMicro, long Delegation);
