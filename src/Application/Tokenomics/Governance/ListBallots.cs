using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics.Governance;

// GET /api/tokenomics/proposals/{id}/ballots?limit=100&cursor=
// Promises: every ballot as it stands, in the order in which the accounts first voted.

[RequiresPermission(Permissions.LedgerRead)]
public sealed record ListBallotsQuery : IQuery<BallotList>
{
    [JsonIgnore]
    public string ProposalId { get; init; } = "";

    /// <summary>1–1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>The <c>next</c> of the page before.</summary>
    public long? Cursor { get; init; }
}

/// <param name="Next">Cursor of the next page; null at the end.</param>
public sealed record BallotList(IReadOnlyList<BallotDto> Ballots, long? Next);

/// <param name="Voter">Ledger address.</param>
/// <param name="Vote">for, against or abstain.</param>
/// <param name="Power">Credits that it carries: the voter's stake at the snapshot, and of those who delegated to them and did not vote themselves.</param>
public sealed record BallotDto(string Voter, string Vote, decimal Power, string? Reason, DateTimeOffset At);

internal sealed class ListBallotsValidator : AbstractValidator<ListBallotsQuery>
{
    public ListBallotsValidator() => RuleFor(q => q.Limit).InclusiveBetween(1, 1000);
}

internal sealed class ListBallotsHandler(IProposals proposals, IBallots ballots) : IQueryHandler<ListBallotsQuery, BallotList>
{
    public async Task<BallotList> Handle(ListBallotsQuery query, CancellationToken cancellationToken)
    {
        if (await proposals.FindAsync(query.ProposalId, cancellationToken) is null)
            throw new FogException(TokenomicsErrors.ProposalNotFound);
        var page = await ballots.ListAsync(query.ProposalId, query.Limit, query.Cursor ?? 0, cancellationToken);
        return new BallotList([.. page.Select(b => new BallotDto(b.Voter, LedgerWords.Of(b.Choice), Credits.FromMicro(b.PowerMicro), b.Reason, b.At))], page.Count == query.Limit ? page[^1].Number : null);
    }
}
