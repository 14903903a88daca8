using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Domain.Tokenomics.Governance;

/// <summary>The rules that were in force when a proposal was made. They stay its rules: a later change moves no clock and revives no defeat.</summary>
/// <param name="QuorumBp">Basis points of the supply at the snapshot.</param>
/// <param name="ApprovalBp">Basis points of for + against.</param>
public sealed record ProposalTerms(TimeSpan Delay, TimeSpan Voting, long QuorumBp, long ApprovalBp, TimeSpan LateQuorum, TimeSpan Timelock, TimeSpan Grace)
{
    public static ProposalTerms Of(ParameterValues values) => new(
        values.Span(ParameterCatalogue.VotingDelay), values.Span(ParameterCatalogue.VotingPeriod), values[ParameterCatalogue.Quorum], values[ParameterCatalogue.Approval],
        values.Span(ParameterCatalogue.LateQuorumExtension), values.Span(ParameterCatalogue.Timelock), values.Span(ParameterCatalogue.Grace));
}
