using System.Text.Json;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;

namespace FogCompute.Application.Tokenomics.Governance;

// POST /api/tokenomics/vote
// One ballot per account, changeable until the vote closes. Each stake counts once, through one ballot, with what it was at the snapshot.

/// <summary>Vote, or change the vote, with what was staked at the proposal's snapshot and still is. That stake then stays until the proposal has ended.</summary>
[RequiresPermission(Permissions.Govern)]
[Audited("tokenomics.voted", Subject = nameof(VoteAnswer.ProposalId), Details = [nameof(VoteAnswer.Vote), nameof(VoteAnswer.Power)])]
public sealed record VoteCommand : ICommand<VoteAnswer>
{
    /// <summary>64 hexadecimal digits.</summary>
    public required string ProposalId { get; init; }

    /// <summary>The caller's own ledger address; absent: the same.</summary>
    public string? Voter { get; init; }

    /// <summary>true, false, "for", "against" or "abstain"; abstaining counts for the quorum only.</summary>
    public required JsonElement Vote { get; init; }

    /// <summary>At most 1000 characters, public.</summary>
    public string? Reason { get; init; }
}

/// <param name="Vote">for, against or abstain.</param>
/// <param name="Power">Credits that the ballot carries.</param>
public sealed record VoteAnswer(bool Success, string ProposalId, string Vote, decimal Power);

internal sealed class VoteValidator : AbstractValidator<VoteCommand>
{
    public VoteValidator()
    {
        RuleFor(c => c.ProposalId).Must(ProposalIdentity.IsWellFormed).WithMessage("must be 64 hexadecimal digits in lower case.");
        RuleFor(c => c.Voter).Length(1, 100);
        RuleFor(c => c.Vote).Must(v => ProposalWords.Choice(v) is not null).WithMessage("must be true, false, 'for', 'against' or 'abstain'.");
        RuleFor(c => c.Reason).MaximumLength(1000);
    }
}

internal sealed class VoteHandler(IProposals proposals, IBallots ballots, IVotingPower power, ILedgerBook book, CallerContext context, TimeProvider time) : ICommandHandler<VoteCommand, VoteAnswer>
{
    public async Task<VoteAnswer> Handle(VoteCommand command, CancellationToken cancellationToken)
    {
        var voter = (await GovernanceAccess.OwnAsync(book, context.Caller.Account, command.Voter, "voter", cancellationToken)).Owner;
        var choice = ProposalWords.Choice(command.Vote)!.Value;
        var proposal = await proposals.LockAsync(command.ProposalId, cancellationToken) ?? throw new FogException(TokenomicsErrors.ProposalNotFound);
        // After the lock: whoever waited for it past the end of the vote is late.
        var now = time.Now();
        if (proposal.StateAt(now) != ProposalState.Active)
            throw new FogException(TokenomicsErrors.ProposalIs(proposal.StateAt(now), ProposalState.Active, proposal));

        var snapshot = proposal.Snapshot!;
        var owners = await ballots.ContributorsAsync(proposal.Id, voter, snapshot.Delegation, cancellationToken);
        var staked = await ballots.LockStakesAsync(owners, cancellationToken);
        var then = await power.StakedAtAsync(owners, snapshot.Transfer, cancellationToken);
        // What has left since then does not vote: it could not be kept until the end any more.
        var powers = owners.Select(o => (Owner: o, Amount: long.Min(then.GetValueOrDefault(o), staked.GetValueOrDefault(o)))).Where(p => p.Amount > 0).ToList();
        if (powers.Count == 0)
            throw new FogException(TokenomicsErrors.NoVotingPower(proposal.SnapshotAt));

        var votes = await ballots.CastAsync(proposal.Id, new Ballot(voter, choice, command.Reason, now), powers, cancellationToken);
        var counted = proposal.Count(votes, now);
        await proposals.SaveAsync(counted, counted.DueAt, cancellationToken);
        if (counted.VotingEndsAt != proposal.VotingEndsAt)
            await proposals.RecordAsync(proposal.Id, now, ProposalState.Active, "The quorum was reached late: the vote is longer, so that everybody can answer.", cancellationToken);
        return new VoteAnswer(true, proposal.Id, LedgerWords.Of(choice), Credits.FromMicro(powers.Sum(p => p.Amount)));
    }
}
