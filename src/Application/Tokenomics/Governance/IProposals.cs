using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics.Governance;

namespace FogCompute.Application.Tokenomics.Governance;

/// <summary>The proposals on record. Lock order: a proposal before ledger accounts.</summary>
public interface IProposals
{
    /// <summary>False when there is one of that id, in whatever state.</summary>
    Task<bool> AddAsync(Proposal proposal, CancellationToken cancel);

    Task<Proposal?> FindAsync(string id, CancellationToken cancel);

    /// <summary>The same, locked to the end of the transaction.</summary>
    Task<Proposal?> LockAsync(string id, CancellationToken cancel);

    /// <summary>Locks the proposal that has been due longest and that nobody else has locked; null: none.</summary>
    Task<Proposal?> ClaimDueAsync(DateTimeOffset now, CancellationToken cancel);

    /// <param name="dueAt">When to look at it again; as a rule its own <see cref="Proposal.DueAt"/>.</param>
    Task SaveAsync(Proposal proposal, DateTimeOffset? dueAt, CancellationToken cancel);

    /// <summary>Adds a line to its history.</summary>
    Task RecordAsync(string id, DateTimeOffset at, ProposalState state, string why, CancellationToken cancel);

    Task<IReadOnlyList<ProposalEvent>> HistoryAsync(string id, CancellationToken cancel);

    /// <summary>Newest first; <c>Total</c> counts all that match.</summary>
    /// <param name="before">Number of the last one of the page before; null: from the newest.</param>
    Task<(IReadOnlyList<(long Number, Proposal Proposal)> Page, int Total)> ListAsync(ProposalState? state, DateTimeOffset now, int limit, long? before, CancellationToken cancel);

    /// <summary>Lets one transaction at a time propose for this account, and says how the account stands.</summary>
    Task<ProposerStanding> LockProposerAsync(AccountId proposer, CancellationToken cancel);

    /// <summary>Micro-credits that executed proposals took from the treasury since then.</summary>
    Task<long> GrantedSinceAsync(DateTimeOffset since, CancellationToken cancel);
}

/// <summary>Micro-credits staked and of the whole supply, and unfinished proposals; all as committed before this transaction.</summary>
public sealed record ProposerStanding(long StakedMicro, long SupplyMicro, int OpenProposals);

public sealed record ProposalEvent(DateTimeOffset At, ProposalState State, string Why);

/// <summary>What a proposal would set, for whoever wants to try it beforehand.</summary>
public interface IProposedParameters
{
    /// <summary>Null: there is no such proposal, or it sets no parameter.</summary>
    Task<ProposedParameter?> OfAsync(string proposal, CancellationToken cancel);
}

/// <param name="Value">In the parameter's unit.</param>
/// <param name="End">Null: it may still come into force.</param>
public sealed record ProposedParameter(string Name, long Value, ProposalState? End);
