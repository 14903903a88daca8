using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Domain.Tokenomics.Staking;

/// <summary>What was staked at once, and what is left of it.</summary>
public sealed class StakeLot(Guid id, long initialMicro, long amountMicro, DateTimeOffset stakedAt, DateTimeOffset lockedUntil)
{
    public Guid Id { get; } = id;
    public long InitialMicro { get; } = initialMicro;
    public long AmountMicro { get; private set; } = amountMicro;
    public DateTimeOffset StakedAt { get; } = stakedAt;
    public DateTimeOffset LockedUntil { get; } = lockedUntil;

    internal long Take(long most)
    {
        var taken = Math.Min(most, AmountMicro);
        AmountMicro -= taken;
        return taken;
    }
}

/// <summary>What was unstaked at once and waits to be claimed.</summary>
public sealed class Unbonding(Guid id, long initialMicro, long amountMicro, DateTimeOffset startedAt, DateTimeOffset availableAt)
{
    public Guid Id { get; } = id;
    public long InitialMicro { get; } = initialMicro;
    public long AmountMicro { get; private set; } = amountMicro;
    public DateTimeOffset StartedAt { get; } = startedAt;
    public DateTimeOffset AvailableAt { get; } = availableAt;
    public DateTimeOffset? ClaimedAt { get; private set; }

    public bool IsClaimable(DateTimeOffset at) => ClaimedAt is null && AmountMicro > 0 && AvailableAt <= at;

    internal void Claim(DateTimeOffset at) => ClaimedAt = at;

    internal long Take(long most)
    {
        var taken = Math.Min(most, AmountMicro);
        AmountMicro -= taken;
        return taken;
    }
}

/// <summary>What a slash took, and how long it would have stayed where it was.</summary>
/// <param name="LockedUntil">Latest lock of the lots; null when nothing came from them.</param>
/// <param name="AvailableAt">Latest date of the unbondings; null when nothing came from them.</param>
public readonly record struct SlashTake(long FromStaked, long FromUnbonding, DateTimeOffset? LockedUntil, DateTimeOffset? AvailableAt);

/// <summary>
/// One owner's open lots and unclaimed unbondings, oldest first. Every change returns the transfer that moves the credits with it. Load it under the lock
/// of the owner's staked and unbonding accounts, and count the interest up to now (<see cref="Accrue"/>) before the first change.
/// </summary>
public sealed class OwnerStake
{
    /// <summary>Open lots, and unclaimed unbondings, that one owner may have: what a slash has to look through stays small.</summary>
    public const int MostOpen = 1_000;

    private readonly List<StakeLot> _lots;
    private readonly List<Unbonding> _unbondings;

    public OwnerStake(AccountId owner, IEnumerable<StakeLot> lots, IEnumerable<Unbonding> unbondings, StakeAccrual? accrual)
    {
        Owner = owner;
        _lots = [.. lots.OrderBy(l => l.StakedAt).ThenBy(l => l.Id)];
        _unbondings = [.. unbondings.OrderBy(u => u.StartedAt).ThenBy(u => u.Id)];
        Accrual = accrual;
    }

    public AccountId Owner { get; }

    public IReadOnlyList<StakeLot> Lots => _lots;

    public IReadOnlyList<Unbonding> Unbondings => _unbondings;

    /// <summary>Null before the first stake.</summary>
    public StakeAccrual? Accrual { get; private set; }

    public long StakedMicro => _lots.Sum(l => l.AmountMicro);

    public long UnbondingMicro => _unbondings.Where(u => u.ClaimedAt is null).Sum(u => u.AmountMicro);

    public long UnlockedMicro(DateTimeOffset at) => _lots.Where(l => l.LockedUntil <= at).Sum(l => l.AmountMicro);

    public void Accrue(YieldCurve yield, bool poolEmpty, DateTimeOffset at) => Accrual?.Accrue(StakedMicro, yield, poolEmpty, at);

    /// <summary>Available → staked, as one lot.</summary>
    /// <exception cref="FogException">409 <c>tokenomics.too_many_stakes</c>.</exception>
    public Transfer Stake(Guid id, long micro, TimeSpan lockFor, DateTimeOffset at)
    {
        if (_lots.Count(l => l.AmountMicro > 0) >= MostOpen)
            throw new FogException(TokenomicsErrors.TooManyStakes(MostOpen));
        Accrual ??= StakeAccrual.Begin(Owner, at);
        _lots.Add(new StakeLot(id, micro, micro, at, at + lockFor));
        return Transfer.Create(TransferKind.Stake, $"stake:{id:D}", [new(LedgerAccount.Available(Owner), -micro), new(LedgerAccount.Staked(Owner), micro)], at);
    }

    /// <summary>Staked → unbonding, out of the oldest lots whose lock is over.</summary>
    /// <param name="mustStay">What has to stay staked for another reason than a lot's lock, until when at the earliest, and why; null: nothing.</param>
    /// <exception cref="FogException">409 <c>tokenomics.insufficient_stake</c>, <c>tokenomics.stake_locked</c>, <c>tokenomics.too_many_unbondings</c>.</exception>
    public Transfer Unstake(Guid id, long micro, TimeSpan unbonding, (long Micro, DateTimeOffset Until, string Why)? mustStay, DateTimeOffset at)
    {
        var staked = StakedMicro;
        if (micro > staked)
            throw new FogException(TokenomicsErrors.InsufficientStake(staked, micro));
        var lots = _lots.Where(l => l.LockedUntil <= at).ToList();
        var unlocked = lots.Sum(l => l.AmountMicro);
        var free = mustStay is { } stays ? Math.Min(unlocked, Math.Max(0, staked - stays.Micro)) : unlocked;
        if (micro > free)
            throw new FogException(TokenomicsErrors.StakeLocked(staked, free, micro, AvailableFrom(micro, staked, mustStay), free < unlocked ? mustStay?.Why : null));
        if (_unbondings.Count(u => u.ClaimedAt is null && u.AmountMicro > 0) >= MostOpen)
            throw new FogException(TokenomicsErrors.TooManyUnbondings(MostOpen));
        var left = micro;
        foreach (var lot in lots)
            left -= lot.Take(left);
        _unbondings.Add(new Unbonding(id, micro, micro, at, at + unbonding));
        return Transfer.Create(TransferKind.Unstake, $"unstake:{id:D}", [new(LedgerAccount.Staked(Owner), -micro), new(LedgerAccount.Unbonding(Owner), micro)], at);
    }

    /// <summary>Unbonding → available: everything whose time has come.</summary>
    /// <param name="id">Of the transfer.</param>
    /// <exception cref="FogException">409 <c>tokenomics.nothing_to_claim</c>.</exception>
    public Transfer Claim(Guid id, DateTimeOffset at)
    {
        var claimable = _unbondings.Where(u => u.IsClaimable(at)).ToList();
        var open = _unbondings.Where(u => u.ClaimedAt is null && u.AmountMicro > 0).ToList();
        if (claimable.Count == 0)
            throw new FogException(TokenomicsErrors.NothingToClaim(open.Sum(u => u.AmountMicro), open.Count == 0 ? null : open.Min(u => u.AvailableAt)));
        foreach (var unbonding in claimable)
            unbonding.Claim(at);
        var micro = claimable.Sum(u => u.AmountMicro);
        return Transfer.Create(TransferKind.Claim, $"claim:{id:D}", [new(LedgerAccount.Unbonding(Owner), -micro), new(LedgerAccount.Available(Owner), micro)], at);
    }

    /// <summary>Takes a share of staked + unbonding, rounded up: staked first, then unbonding, each the oldest first, locked or not. Zero when there is nothing.</summary>
    public SlashTake Slash(long basisPoints)
    {
        var whole = (Int128)StakedMicro + UnbondingMicro;
        var left = (long)(((whole * basisPoints) + 9_999) / 10_000);
        var (fromStaked, fromUnbonding) = (0L, 0L);
        DateTimeOffset? lockedUntil = null, availableAt = null;
        foreach (var lot in _lots.Where(l => l.AmountMicro > 0).TakeWhile(_ => left > 0))
        {
            var taken = lot.Take(left);
            (left, fromStaked) = (left - taken, fromStaked + taken);
            lockedUntil = Later(lockedUntil, lot.LockedUntil);
        }
        foreach (var unbonding in _unbondings.Where(u => u.ClaimedAt is null && u.AmountMicro > 0).TakeWhile(_ => left > 0))
        {
            var taken = unbonding.Take(left);
            (left, fromUnbonding) = (left - taken, fromUnbonding + taken);
            availableAt = Later(availableAt, unbonding.AvailableAt);
        }
        return new SlashTake(fromStaked, fromUnbonding, lockedUntil, availableAt);
    }

    /// <summary>Puts back what a slash took: into a lot that is locked as long as what it was taken from, and an unbonding that ends when that would have.</summary>
    public void Restore(SlashTake taken, Guid lot, Guid unbonding, DateTimeOffset at)
    {
        if (taken.FromStaked > 0)
            _lots.Add(new StakeLot(lot, taken.FromStaked, taken.FromStaked, at, taken.LockedUntil ?? at));
        if (taken.FromUnbonding > 0)
            _unbondings.Add(new Unbonding(unbonding, taken.FromUnbonding, taken.FromUnbonding, at, taken.AvailableAt ?? at));
    }

    private static DateTimeOffset Later(DateTimeOffset? one, DateTimeOffset other) => one > other ? one.Value : other;

    /// <summary>When so much will be unlocked, as things are.</summary>
    private DateTimeOffset AvailableFrom(long micro, long staked, (long Micro, DateTimeOffset Until, string Why)? mustStay)
    {
        var (sum, from) = (0L, DateTimeOffset.MinValue);
        foreach (var lot in _lots.OrderBy(l => l.LockedUntil).TakeWhile(_ => sum < micro))
            (sum, from) = (sum + lot.AmountMicro, lot.LockedUntil);
        return mustStay is { } stays && micro > staked - stays.Micro ? Later(from, stays.Until) : from;
    }
}
