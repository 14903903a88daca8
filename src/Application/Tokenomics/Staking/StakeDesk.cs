using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Domain.Tokenomics.Staking;

namespace FogCompute.Application.Tokenomics.Staking;

/// <summary>For whoever changes the yield.</summary>
public interface IStakeAccrual
{
    /// <summary>
    /// Counts everybody's interest up to this instant and keeps all stakes locked to the end of the transaction. Call it in the transaction that changes
    /// <c>staking.yield_bp</c>, so that nobody counts past the change without knowing it. Cost: one lock and one update of every stake.
    /// </summary>
    Task AccrueAllAsync(DateTimeOffset at, CancellationToken cancel);
}

/// <summary>
/// The one way to change stakes: locks the owners' accounts in the ledger's order, reads lots and unbondings under that lock and counts the interest up to
/// now; afterwards writes the transfers and what they say about lots.
/// </summary>
internal sealed class StakeDesk(ILedger ledger, IStakes stakes, IParameterBook parameters, TimeProvider time) : IStakeAccrual
{
    private static readonly LedgerAccount Pool = LedgerAccount.System(AccountKind.RewardsPool);

    /// <summary>One owner's stake with available, as its owner changes it. The instant is taken under the lock, so that it is not before what others did meanwhile.</summary>
    public async Task<(OwnerStake Stake, DateTimeOffset At)> OpenAsync(AccountId owner, CancellationToken cancel)
    {
        await ledger.LockAsync([LedgerAccount.Unbonding(owner), LedgerAccount.Staked(owner), LedgerAccount.Available(owner)], cancel);
        var at = time.GetUtcNow();
        return ((await LoadAsync([owner], at, cancel))[owner], at);
    }

    /// <param name="accounts">What to lock: at least the owners' staked accounts, and whatever else the transaction will move.</param>
    public async Task<IReadOnlyDictionary<AccountId, OwnerStake>> OpenAsync(
        IReadOnlyCollection<AccountId> owners, IReadOnlyCollection<LedgerAccount> accounts, DateTimeOffset at, CancellationToken cancel)
    {
        await ledger.LockAsync(accounts, cancel);
        return await LoadAsync(owners, at, cancel);
    }

    public async Task CloseAsync(IReadOnlyCollection<OwnerStake> changed, IReadOnlyCollection<Transfer> transfers, CancellationToken cancel)
    {
        await ledger.PostAsync(transfers, [], cancel);
        await stakes.SaveAsync(changed, cancel);
    }

    public async Task AccrueAllAsync(DateTimeOffset at, CancellationToken cancel) =>
        await stakes.SaveAccrualsAsync((await AccrueAsync(await stakes.StakersAsync(cancel), [], at, cancel)).Accruals, cancel);

    /// <summary>Pays these owners what is due, once each on this day; returns how many were paid.</summary>
    public async Task<int> PayAsync(IReadOnlyCollection<AccountId> owners, DateOnly day, DateTimeOffset at, CancellationToken cancel)
    {
        var (accruals, balances) = await AccrueAsync(owners, [Pool, .. owners.Select(LedgerAccount.Available)], at, cancel);
        // Another process may have paid them while this one waited for the lock.
        var unpaid = accruals.Where(a => a.PaidDay < day).ToList();
        var shares = StakeAccrual.Divide(balances[Pool], [.. unpaid.Select(a => a.DueMicro)]);
        var transfers = unpaid.Zip(shares, (accrual, share) => accrual.Pay(share, day, at)).OfType<Transfer>().ToList();
        await ledger.PostAsync(transfers, [], cancel);
        await stakes.SaveAccrualsAsync(accruals, cancel);
        return transfers.Count;
    }

    /// <summary>What the parameter was at every time: read after the lock, so a change that was committed meanwhile is in it.</summary>
    public async Task<YieldCurve> YieldAsync(CancellationToken cancel)
    {
        var changes = await parameters.HistoryAsync(ParameterCatalogue.StakeYield.Name, int.MaxValue, cancel);
        return new YieldCurve(ParameterCatalogue.StakeYield.Default, changes.OrderBy(c => c.Version).Select(c => (c.At, c.Value)));
    }

    private async Task<IReadOnlyDictionary<AccountId, OwnerStake>> LoadAsync(IReadOnlyCollection<AccountId> owners, DateTimeOffset at, CancellationToken cancel)
    {
        var (yield, empty) = (await YieldAsync(cancel), await stakes.RewardsPoolAsync(cancel) == 0);
        var open = await stakes.LoadAsync(owners, cancel);
        foreach (var stake in open.Values)
            stake.Accrue(yield, empty, at);
        return open;
    }

    private async Task<(IReadOnlyList<StakeAccrual> Accruals, IReadOnlyDictionary<LedgerAccount, long> Balances)> AccrueAsync(
        IReadOnlyCollection<AccountId> owners, IEnumerable<LedgerAccount> alsoLock, DateTimeOffset at, CancellationToken cancel)
    {
        var balances = await ledger.LockAsync([.. owners.Select(LedgerAccount.Staked), .. alsoLock], cancel);
        var (yield, empty) = (await YieldAsync(cancel), await stakes.RewardsPoolAsync(cancel) == 0);
        var accruals = await stakes.AccrualsAsync(owners, cancel);
        foreach (var accrual in accruals)
            accrual.Accrue(balances[LedgerAccount.Staked(accrual.Owner)], yield, empty, at);
        return (accruals, balances);
    }
}
