using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

/// <summary>
/// Writes the ledger inside the current transaction, set-based. Lock order, everywhere: holds by job id, then journal keys in ordinal order,
/// then accounts by descending row id. So transactions with one ledger event, or with accepted tasks and the end of one of their jobs, cannot
/// deadlock. Any other mix of events in one transaction (accepting tasks of one job, closing another) is as correct, but two such transactions
/// may have to be told apart by the database; the unit of work then starts one of them over.
/// </summary>
public interface ILedger
{
    /// <summary>Opens the four accounts of an owner; a repeat changes nothing.</summary>
    Task OpenOwnerAsync(AccountId owner, string address, DateTimeOffset at, CancellationToken cancel);

    /// <summary>Locks the accounts to the end of the transaction and returns their balances in micro-credits.</summary>
    /// <exception cref="Domain.Common.FogException">404 <c>tokenomics.account_missing</c>.</exception>
    Task<IReadOnlyDictionary<LedgerAccount, long>> LockAsync(IReadOnlyCollection<LedgerAccount> accounts, CancellationToken cancel);

    /// <summary>
    /// Records the transfers and moves the balances: one statement each for transfers, locks, and postings with balances, whatever the number.
    /// A transfer that is on record already changes nothing. Returns how many were new.
    /// </summary>
    /// <param name="transfers">Meant for up to some hundred; each account's balance is updated once per call.</param>
    /// <param name="alsoLock">Accounts that a later event of this transaction will move: locking them now keeps the lock order.</param>
    /// <param name="cancel">Ends the statement.</param>
    /// <exception cref="Domain.Common.FogException">
    /// 409 <c>tokenomics.insufficient_funds</c>, 409 <c>tokenomics.transfer_key_reused</c> (same key, other content), 404 <c>tokenomics.account_missing</c>.
    /// </exception>
    Task<int> PostAsync(IReadOnlyCollection<Transfer> transfers, IReadOnlyCollection<LedgerAccount> alsoLock, CancellationToken cancel);

    /// <summary>What is on record under these idempotency keys.</summary>
    Task<IReadOnlyDictionary<string, Transfer>> FindAsync(IReadOnlyCollection<string> keys, CancellationToken cancel);
}

/// <summary>The holds of jobs, locked by whoever changes them.</summary>
public interface IHolds
{
    /// <summary>Writes the holds of jobs that have none yet, in one statement; returns these jobs.</summary>
    Task<IReadOnlySet<JobId>> AddAsync(IReadOnlyCollection<Hold> holds, CancellationToken cancel);

    /// <summary>Locks the holds in job-id order; jobs without a hold are absent.</summary>
    Task<IReadOnlyDictionary<JobId, Hold>> LockAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel);

    /// <summary>Saves all of them in one statement.</summary>
    Task SaveAsync(IReadOnlyCollection<Hold> holds, CancellationToken cancel);
}
