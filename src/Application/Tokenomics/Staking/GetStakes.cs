using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics.Staking;

// GET /api/tokenomics/stakes?address=
// Promises: what is staked and unbonding, each amount with its date; 404 for an unknown address, 403 for someone else's.

/// <summary>What is staked and unbonding, with the dates from which it can be moved.</summary>
[RequiresPermission(Permissions.LedgerRead)]
public sealed record GetStakesQuery : IQuery<StakesDto>
{
    /// <summary>Ledger address, <c>fog1…</c>; absent: the caller's own account. Another's only for operators.</summary>
    public string? Address { get; init; }
}

/// <summary>Credits with six places.</summary>
/// <param name="Staked">All of it, locked or not.</param>
/// <param name="Unlocked">What can be unstaked now.</param>
/// <param name="Lots">What is left of each stake, oldest first.</param>
/// <param name="VoteLock">What must stay staked for another reason than the lots' locks; null: nothing.</param>
public sealed record StakesDto(
    string Address, decimal Staked, decimal Unlocked, IReadOnlyList<StakeLotDto> Lots, IReadOnlyList<UnbondingDto> Unbonding, StakeLockDto? VoteLock);

public sealed record StakeLotDto(decimal Amount, DateTimeOffset StakedAt, DateTimeOffset LockedUntil);

/// <param name="Claimable">Whether it can be claimed now.</param>
public sealed record UnbondingDto(Guid Id, decimal Amount, DateTimeOffset StartedAt, DateTimeOffset AvailableAt, bool Claimable);

/// <param name="Until">When it may end at the earliest.</param>
public sealed record StakeLockDto(decimal Amount, DateTimeOffset Until, string Why);

internal sealed class GetStakesValidator : AbstractValidator<GetStakesQuery>
{
    public GetStakesValidator() =>
        RuleFor(q => q.Address).MaximumLength(100).WithMessage("A ledger address has at most 100 characters.");
}

internal sealed class GetStakesHandler(IStakes stakes, ILedgerBook book, IEnumerable<IStakeLock> locks, CallerContext context, TimeProvider time) : IQueryHandler<GetStakesQuery, StakesDto>
{
    public async Task<StakesDto> Handle(GetStakesQuery request, CancellationToken cancellationToken)
    {
        var owner = await LedgerAccess.FindAsync(book, context.Caller, request.Address, cancellationToken);
        var now = time.GetUtcNow();
        var stake = (await stakes.LoadAsync([owner.Owner], cancellationToken))[owner.Owner];
        var kept = await StakeLocks.GreatestAsync(locks, owner.Owner, cancellationToken);
        var staked = stake.StakedMicro;
        var free = Math.Min(stake.UnlockedMicro(now), Math.Max(0, staked - (kept?.AmountMicro ?? 0)));
        return new StakesDto(
            owner.Address, Credits.FromMicro(staked), Credits.FromMicro(free),
            [.. stake.Lots.Select(l => new StakeLotDto(Credits.FromMicro(l.AmountMicro), l.StakedAt, l.LockedUntil))],
            [.. stake.Unbondings.Select(u => new UnbondingDto(u.Id, Credits.FromMicro(u.AmountMicro), u.StartedAt, u.AvailableAt, u.IsClaimable(now)))],
            kept is null ? null : new StakeLockDto(Credits.FromMicro(kept.AmountMicro), kept.Until, kept.Why));
    }
}
