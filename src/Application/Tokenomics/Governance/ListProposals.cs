using System.Diagnostics.CodeAnalysis;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;

namespace FogCompute.Application.Tokenomics.Governance;

// GET /api/tokenomics/proposals?status=&limit=100&cursor=
// Promises: every proposal ever made, newest first, in the state it has at this moment.

[RequiresPermission(Permissions.LedgerRead)]
public sealed record ListProposalsQuery : IQuery<ProposalList>
{
    /// <summary>pending, active, defeated, succeeded, queued, executed, execution_failed, expired or cancelled.</summary>
    public string? Status { get; init; }

    /// <summary>1–1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>The <c>next</c> of the page before.</summary>
    public long? Cursor { get; init; }
}

/// <param name="Total">All proposals that match, not only this page.</param>
/// <param name="Next">Cursor of the next page; null at the end.</param>
public sealed record ProposalList(IReadOnlyList<ProposalItem> Proposals, int Total, long? Next);

/// <summary>Amounts are credits with six places.</summary>
public record ProposalItem
{
    public required string Id { get; init; }
    public required string Title { get; init; }
    public required string Description { get; init; }

    /// <summary>Ledger address.</summary>
    public required string Proposer { get; init; }
    public required string Status { get; init; }
    public required decimal VotesFor { get; init; }
    public required decimal VotesAgainst { get; init; }
    public required decimal VotesAbstain { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When stakes are looked at; while pending: when that is due.</summary>
    public required DateTimeOffset SnapshotAt { get; init; }

    /// <summary>First instant at which no ballot is taken; a late quorum moves it.</summary>
    public required DateTimeOffset VotingEndsAt { get; init; }

    /// <summary>Credits that must vote for or abstain; null before the snapshot.</summary>
    public decimal? Quorum { get; init; }
    public required bool QuorumReached { get; init; }

    /// <summary>Share of for + against that must be for, 0–1.</summary>
    public required decimal Approval { get; init; }

    /// <summary>What runs when it is carried; null: a resolution.</summary>
    public ProposalActionDto? Action { get; init; }

    /// <summary>First instant at which it is executed; null: not queued.</summary>
    public DateTimeOffset? Eta { get; init; }

    /// <summary>Why it ended without being executed: a code; null otherwise.</summary>
    public string? Reason { get; init; }

    /// <summary>The same as a sentence, or in the words of who cancelled it; null before the end.</summary>
    public string? Why { get; init; }

    [SetsRequiredMembers]
    internal ProposalItem(Proposal p, DateTimeOffset now)
    {
        (Id, Title, Description, Proposer, Status) = (p.Id, p.Title, p.Description, AccountAddress.Of(p.Proposer), LedgerWords.Of(p.StateAt(now)));
        (VotesFor, VotesAgainst, VotesAbstain) = (Credits.FromMicro(p.Votes.For), Credits.FromMicro(p.Votes.Against), Credits.FromMicro(p.Votes.Abstain));
        (CreatedAt, SnapshotAt, VotingEndsAt, Eta) = (p.CreatedAt, p.SnapshotAt, p.VotingEndsAt, p.Eta);
        Quorum = p.Snapshot is { } snapshot ? Credits.FromMicro(Tally.QuorumMicro(snapshot.SupplyMicro, p.Terms.QuorumBp)) : null;
        QuorumReached = p.QuorumReached;
        Approval = p.Terms.ApprovalBp / 10_000m;
        Action = ProposalActionDto.Of(ProposalAction.Parse(p.Payload));
        (Reason, Why) = (p.End?.Reason, p.End?.Why);
    }
}

/// <summary>What a proposal does; members of other types are null.</summary>
/// <param name="Type">set_parameter, treasury_transfer or decide_slash.</param>
/// <param name="Value">In the parameter's unit.</param>
/// <param name="Amount">Credits with six places.</param>
public sealed record ProposalActionDto(string Type, string? Name, long? Value, string? To, decimal? Amount, Guid? SlashId, bool? Uphold)
{
    internal static ProposalActionDto? Of(ProposalAction? action) => action switch
    {
        ProposalAction.SetParameter set => new(ProposalAction.SetParameterType, set.Name, set.Value, null, null, null, null),
        ProposalAction.TreasuryTransfer transfer => new(ProposalAction.TreasuryTransferType, null, null, transfer.To, Credits.FromMicro(transfer.AmountMicro), null, null),
        ProposalAction.DecideSlash decide => new(ProposalAction.DecideSlashType, null, null, null, null, decide.Slash, decide.Uphold),
        _ => null,
    };
}

internal sealed class ListProposalsValidator : AbstractValidator<ListProposalsQuery>
{
    public ListProposalsValidator()
    {
        RuleFor(q => q.Limit).InclusiveBetween(1, 1000);
        RuleFor(q => q.Status).Must(s => s is null || ProposalWords.State(s) is not null).WithMessage($"must be one of {string.Join(", ", ProposalWords.States)}.");
    }
}

internal sealed class ListProposalsHandler(IProposals proposals, TimeProvider time) : IQueryHandler<ListProposalsQuery, ProposalList>
{
    public async Task<ProposalList> Handle(ListProposalsQuery query, CancellationToken cancellationToken)
    {
        var now = time.Now();
        var (page, total) = await proposals.ListAsync(query.Status is null ? null : ProposalWords.State(query.Status), now, query.Limit, query.Cursor, cancellationToken);
        return new ProposalList([.. page.Select(p => new ProposalItem(p.Proposal, now))], total, page.Count == query.Limit ? page[^1].Number : null);
    }
}
