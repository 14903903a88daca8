using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Staking;

// POST /api/tokenomics/unstake
// Takes the amount out of the caller's oldest unlocked lots; it earns nothing from then on and can be claimed when the unbonding period in force now is over.
// Refused with figures and date while too little is unlocked, or while a vote keeps it. Repeatable under an Idempotency-Key.

/// <summary>Take credits out of the stake; they can be claimed when the unbonding period is over.</summary>
[RequiresPermission(Permissions.LedgerWrite)]
[Audited("tokenomics.unstaked", Subject = nameof(UnstakeResult.Address), Details = [nameof(UnstakeResult.UnstakedAmount)])]
public sealed record UnstakeCommand : ICommand<UnstakeResult>, IIdempotentCommand, IAmount
{
    /// <summary>The caller's own ledger address, 1–100 characters; absent: the same.</summary>
    public string? Address { get; init; }

    /// <summary>Credits, 0.000001–1 000 000 with at most six decimals.</summary>
    public required decimal Amount { get; init; }

    [JsonIgnore]
    public string? IdempotencyKey { get; init; }
}

/// <summary>Credits with six places.</summary>
/// <param name="AvailableAt">From when it can be claimed.</param>
public sealed record UnstakeResult(bool Success, string Address, decimal UnstakedAmount, decimal TotalStaked, DateTimeOffset AvailableAt);

internal sealed class UnstakeValidator : AmountValidator<UnstakeCommand>;

internal sealed class UnstakeHandler(
    StakeDesk desk, ILedgerBook book, IParameters parameters, IEnumerable<IStakeLock> locks, CallerContext context) : ICommandHandler<UnstakeCommand, UnstakeResult>
{
    public async Task<UnstakeResult> Handle(UnstakeCommand request, CancellationToken cancellationToken)
    {
        var owner = await LedgerAccess.OwnAsync(book, context.Caller, request.Address, cancellationToken);
        var micro = (long)(request.Amount * Credits.MicroPerCredit);
        var period = (await parameters.CurrentAsync(cancellationToken)).Span(ParameterCatalogue.Unbonding);
        var (stake, now) = await desk.OpenAsync(owner.Owner, cancellationToken);
        var kept = await StakeLocks.GreatestAsync(locks, owner.Owner, cancellationToken);
        var transfer = stake.Unstake(Guid.CreateVersion7(now), micro, period, kept is null ? null : (kept.AmountMicro, kept.Until, kept.Why), now);
        await desk.CloseAsync([stake], [transfer], cancellationToken);
        return new UnstakeResult(true, owner.Address, Credits.FromMicro(micro), Credits.FromMicro(stake.StakedMicro), stake.Unbondings[^1].AvailableAt);
    }
}

internal static class StakeLocks
{
    /// <summary>Each reason wants an amount to stay, not one beside the others: the greatest satisfies them all.</summary>
    public static async Task<StakeLocked?> GreatestAsync(IEnumerable<IStakeLock> locks, AccountId owner, CancellationToken cancel)
    {
        StakeLocked? greatest = null;
        foreach (var reason in locks)
        {
            if (await reason.OfAsync(owner, cancel) is { AmountMicro: > 0 } locked && !(greatest?.AmountMicro >= locked.AmountMicro))
                greatest = locked;
        }
        return greatest;
    }
}
