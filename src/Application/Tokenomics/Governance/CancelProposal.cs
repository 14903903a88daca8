using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Governance;

namespace FogCompute.Application.Tokenomics.Governance;

// POST /api/tokenomics/proposals/{id}/cancel
// Its proposer withdraws it while it is pending; a guardian stops it before it is executed. The reason is public. A cancellation is the only
// thing a guardian can do, and nothing undoes it.

/// <summary>Cancel a proposal: its proposer while it is pending, a guardian until it is executed.</summary>
[RequiresPermission(Permissions.LedgerRead)]
[Audited("tokenomics.proposal_cancelled", Subject = nameof(ProposalId), Details = [nameof(CancelProposalCommand.Reason)])]
public sealed record CancelProposalCommand : ICommand<ProposalItem>
{
    [JsonIgnore]
    public string ProposalId { get; init; } = "";

    /// <summary>10–1000 characters, public.</summary>
    public required string Reason { get; init; }
}

internal sealed class CancelProposalValidator : AbstractValidator<CancelProposalCommand>
{
    public CancelProposalValidator() => RuleFor(c => c.Reason).Length(10, 1000);
}

internal sealed class CancelProposalHandler(IProposals proposals, CallerContext context, TimeProvider time) : ICommandHandler<CancelProposalCommand, ProposalItem>
{
    public async Task<ProposalItem> Handle(CancelProposalCommand command, CancellationToken cancellationToken)
    {
        var proposal = await proposals.LockAsync(command.ProposalId, cancellationToken) ?? throw new FogException(TokenomicsErrors.ProposalNotFound);
        var caller = context.Caller;
        var now = time.Now();
        var isProposer = proposal.Proposer == caller.Account && caller.Permissions.Contains(Permissions.Govern);
        var isGuardian = caller.Permissions.Contains(Permissions.Guard);
        if (!isProposer && !isGuardian)
            throw new FogException(TokenomicsErrors.CancelRefused);
        var cancelled = isProposer && (!isGuardian || proposal.StateAt(now) == ProposalState.Pending) ? proposal.Withdraw(command.Reason, now) : proposal.Stop(command.Reason, now);
        await proposals.SaveAsync(cancelled, cancelled.DueAt, cancellationToken);
        await proposals.RecordAsync(proposal.Id, now, ProposalState.Cancelled, command.Reason, cancellationToken);
        return new ProposalItem(cancelled, now);
    }
}
