using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics.Governance;

// POST /api/tokenomics/delegate
// Lets another account vote with this one's stake, for snapshots from now on. Voting oneself takes one's own stake back for that proposal.

/// <summary>Let another account vote with your stake in proposals whose snapshot is still to come, or take that back.</summary>
[RequiresPermission(Permissions.Govern)]
[Audited("tokenomics.delegated", Subject = nameof(DelegateAnswer.Address), Details = [nameof(DelegateAnswer.Delegate)])]
public sealed record DelegateCommand : ICommand<DelegateAnswer>
{
    /// <summary>The caller's own ledger address; absent: the same.</summary>
    public string? Address { get; init; }

    /// <summary>Ledger address of who votes; null, absent or one's own: one votes oneself.</summary>
    public string? To { get; init; }
}

/// <param name="Delegate">Ledger address; null: the account votes itself.</param>
public sealed record DelegateAnswer(bool Success, string Address, string? Delegate);

internal sealed class DelegateValidator : AbstractValidator<DelegateCommand>
{
    public DelegateValidator()
    {
        RuleFor(c => c.Address).Length(1, 100);
        RuleFor(c => c.To).Length(1, 100);
    }
}

internal sealed class DelegateHandler(IDelegations delegations, IVotingPower power, ILedgerBook book, CallerContext context, TimeProvider time) : ICommandHandler<DelegateCommand, DelegateAnswer>
{
    public async Task<DelegateAnswer> Handle(DelegateCommand command, CancellationToken cancellationToken)
    {
        var owner = await GovernanceAccess.OwnAsync(book, context.Caller.Account, command.Address, "address", cancellationToken);
        var other = command.To is null ? null : await book.FindAsync(command.To, cancellationToken) ?? throw TokenomicsErrors.DelegateUnknown.On("to");
        AccountId? to = other is null || other.Owner == owner.Owner ? null : other.Owner;
        // Before a number of the log is drawn: a snapshot must not have to expect more of them below it.
        await power.ShareAsync(cancellationToken);
        if (await delegations.CurrentAsync(owner.Owner, cancellationToken) != to)
            await delegations.AppendAsync(owner.Owner, to, time.Now(), cancellationToken);
        return new DelegateAnswer(true, owner.Address, to is null ? null : other!.Address);
    }
}
