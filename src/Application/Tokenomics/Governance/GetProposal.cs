using System.Diagnostics.CodeAnalysis;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;

namespace FogCompute.Application.Tokenomics.Governance;

// GET /api/tokenomics/proposals/{id}
// Promises: the very text that will run, its hash, and everything that has happened to the proposal.

[RequiresPermission(Permissions.LedgerRead)]
public sealed record GetProposalQuery(string Id) : IQuery<ProposalDetail>;

public sealed record ProposalDetail : ProposalItem
{
    /// <summary>SHA-256 of the payload, hex.</summary>
    public required string ActionsHash { get; init; }

    /// <summary>The very text that runs: a JSON list of actions, amounts in micro-credits.</summary>
    public required string Payload { get; init; }

    /// <summary>Accounts that have a ballot.</summary>
    public required int Ballots { get; init; }

    /// <summary>What a rehearsal of its parameter has shown; null: there was none.</summary>
    public RehearsalAnswer? Rehearsal { get; init; }

    /// <summary>Oldest first.</summary>
    public required IReadOnlyList<ProposalEventDto> History { get; init; }

    [SetsRequiredMembers]
    internal ProposalDetail(Proposal proposal, DateTimeOffset now, int ballots, RehearsalAnswer? rehearsal, IReadOnlyList<ProposalEvent> history)
        : base(proposal, now)
    {
        (ActionsHash, Payload, Ballots, Rehearsal) = (proposal.ActionsHash, proposal.Payload, ballots, rehearsal);
        History = [.. history.Select(e => new ProposalEventDto(e.At, LedgerWords.Of(e.State), e.Why))];
    }
}

/// <param name="State">The state that it had from then on.</param>
public sealed record ProposalEventDto(DateTimeOffset At, string State, string Why);

internal sealed class GetProposalHandler(ProposalReader reader) : IQueryHandler<GetProposalQuery, ProposalDetail>
{
    public Task<ProposalDetail> Handle(GetProposalQuery query, CancellationToken cancellationToken) => reader.ReadAsync(query.Id, cancellationToken);
}

/// <summary>A proposal with all that belongs to it.</summary>
internal sealed class ProposalReader(IProposals proposals, IBallots ballots, IRehearsals rehearsals, TimeProvider time)
{
    public async Task<ProposalDetail> ReadAsync(string id, CancellationToken cancel)
    {
        var proposal = await proposals.FindAsync(id, cancel) ?? throw new FogException(TokenomicsErrors.ProposalNotFound);
        return new ProposalDetail(proposal, time.Now(), await ballots.CountAsync(id, cancel), await rehearsals.LatestAsync(id, cancel), await proposals.HistoryAsync(id, cancel));
    }
}
