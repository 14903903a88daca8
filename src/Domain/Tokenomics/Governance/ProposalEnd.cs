namespace FogCompute.Domain.Tokenomics.Governance;

/// <summary>A final state; once stored it is never computed again.</summary>
/// <param name="Reason">Code (docs/reasons.md); null for an execution.</param>
/// <param name="Why">One sentence.</param>
public sealed record ProposalEnd(ProposalState State, string? Reason, string Why, DateTimeOffset At);
