using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics.Staking;

// POST /api/tokenomics/claim
// Moves everything of the caller whose unbonding is over to available; refused with the next date while there is nothing. Repeatable under an Idempotency-Key.

/// <summary>Claim everything whose unbonding is over.</summary>
[RequiresPermission(Permissions.LedgerWrite)]
[Audited("tokenomics.unbonded_claimed", Subject = nameof(ClaimResult.Address), Details = [nameof(ClaimResult.ClaimedAmount)])]
public sealed record ClaimUnbondedCommand : ICommand<ClaimResult>, IIdempotentCommand
{
    /// <summary>The caller's own ledger address, 1–100 characters; absent: the same.</summary>
    public string? Address { get; init; }

    [JsonIgnore]
    public string? IdempotencyKey { get; init; }
}

/// <summary>Credits with six places.</summary>
/// <param name="Balance">What can be spent now.</param>
public sealed record ClaimResult(bool Success, string Address, decimal ClaimedAmount, decimal Balance);

internal sealed class ClaimUnbondedValidator : AbstractValidator<ClaimUnbondedCommand>
{
    public ClaimUnbondedValidator() => RuleFor(c => c.Address).Length(1, 100);
}

internal sealed class ClaimUnbondedHandler(StakeDesk desk, ILedgerBook book, CallerContext context) : ICommandHandler<ClaimUnbondedCommand, ClaimResult>
{
    public async Task<ClaimResult> Handle(ClaimUnbondedCommand request, CancellationToken cancellationToken)
    {
        var owner = await LedgerAccess.OwnAsync(book, context.Caller, request.Address, cancellationToken);
        var (stake, now) = await desk.OpenAsync(owner.Owner, cancellationToken);
        var transfer = stake.Claim(Guid.CreateVersion7(now), now);
        await desk.CloseAsync([stake], [transfer], cancellationToken);
        var balance = await book.FindAsync(owner.Owner, cancellationToken);
        return new ClaimResult(true, owner.Address, Credits.FromMicro(transfer.Postings.Max(p => p.Amount)), Credits.FromMicro(balance!.Available));
    }
}
