using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics.Staking;

namespace FogCompute.Application.Tokenomics.Staking;

/// <summary>Lots, unbondings and what stakes have earned. Whoever changes an owner's has locked its staked account before reading them.</summary>
public interface IStakes
{
    /// <summary>Open lots, unclaimed unbondings and the accrual of each of these owners, whether it has any or not. One statement each.</summary>
    Task<IReadOnlyDictionary<AccountId, OwnerStake>> LoadAsync(IReadOnlyCollection<AccountId> owners, CancellationToken cancel);

    /// <summary>Writes what these became: a statement each for lots, unbondings and accruals.</summary>
    Task SaveAsync(IReadOnlyCollection<OwnerStake> stakes, CancellationToken cancel);

    /// <summary>The accruals alone; owners who never staked are absent.</summary>
    Task<IReadOnlyList<StakeAccrual>> AccrualsAsync(IReadOnlyCollection<AccountId> owners, CancellationToken cancel);

    Task SaveAccrualsAsync(IReadOnlyCollection<StakeAccrual> accruals, CancellationToken cancel);

    /// <summary>Those of these owners who have anything staked or unbonding.</summary>
    Task<IReadOnlyCollection<AccountId>> OpenOwnersAsync(IReadOnlyCollection<AccountId> owners, CancellationToken cancel);

    /// <summary>Everybody who has anything staked.</summary>
    Task<IReadOnlyCollection<AccountId>> StakersAsync(CancellationToken cancel);

    /// <summary>Owners not yet paid on this day with a stake, or with a micro-credit or more from an earlier one; in the order of their ids.</summary>
    Task<IReadOnlyCollection<AccountId>> UnpaidAsync(DateOnly day, int limit, CancellationToken cancel);

    /// <summary>Micro-credits in the rewards pool, without locking it.</summary>
    Task<long> RewardsPoolAsync(CancellationToken cancel);
}

/// <summary>The slashes on record.</summary>
public interface ISlashes
{
    /// <summary>Those of the attempts that are slashed for this reason already.</summary>
    Task<IReadOnlySet<Guid>> SlashedAsync(SlashReason reason, IReadOnlyCollection<Guid> attempts, CancellationToken cancel);

    Task AddAsync(IReadOnlyCollection<Slash> slashes, CancellationToken cancel);

    /// <summary>Locks one to the end of the transaction; null when there is none. Slashes are locked before accounts.</summary>
    Task<Slash?> LockAsync(Guid id, CancellationToken cancel);

    /// <summary>Locks (skipping what others hold) slashes that nobody appealed in time, the longest overdue first.</summary>
    Task<IReadOnlyList<Slash>> ClaimUnappealedAsync(DateTimeOffset now, int limit, CancellationToken cancel);

    /// <summary>Writes state, appeal and decision of these.</summary>
    Task SaveAsync(IReadOnlyCollection<Slash> slashes, CancellationToken cancel);

    /// <summary>Newest first, with the addresses of owner and harmed.</summary>
    /// <param name="owner">Null: of every account.</param>
    /// <param name="state">Null: in any state.</param>
    Task<(IReadOnlyList<ListedSlash> Slashes, long Total)> ListAsync(AccountId? owner, SlashState? state, int limit, CancellationToken cancel);

    Task<ListedSlash?> FindAsync(Guid id, CancellationToken cancel);
}

public sealed record ListedSlash(Slash Slash, string Owner, string Harmed);
