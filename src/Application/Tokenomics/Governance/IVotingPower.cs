using FogCompute.Domain.Identity;

namespace FogCompute.Application.Tokenomics.Governance;

/// <summary>
/// Voting power as the journal tells it. Whatever moves a staked account takes a shared lock before it draws a journal number (the ledger does so by
/// itself), a snapshot takes it alone: so no stake can appear below a snapshot afterwards.
/// </summary>
public interface IVotingPower
{
    /// <summary>Takes the lock alone, to the end of the transaction, and names the place in the journal up to which stakes count.</summary>
    Task<VotingSnapshot> SnapshotAsync(CancellationToken cancel);

    /// <summary>Takes the lock shared, to the end of the transaction: for changes that count for votes without moving a stake (delegations).</summary>
    Task ShareAsync(CancellationToken cancel);

    /// <summary>Micro-credits each owner had staked at that place; owners without any are absent. Cost: the owners' own stake postings.</summary>
    Task<IReadOnlyDictionary<AccountId, long>> StakedAtAsync(IReadOnlyCollection<AccountId> owners, long transfer, CancellationToken cancel);
}

/// <param name="Transfer">Last journal number that counts.</param>
/// <param name="SupplyMicro">All credits that are not burned, then.</param>
public readonly record struct VotingSnapshot(long Transfer, long SupplyMicro);
