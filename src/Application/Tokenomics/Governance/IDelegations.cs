using FogCompute.Domain.Identity;

namespace FogCompute.Application.Tokenomics.Governance;

/// <summary>Who votes for whom. One step deep: what was delegated to somebody is not passed on when they delegate.</summary>
public interface IDelegations
{
    Task<AccountId?> CurrentAsync(AccountId owner, CancellationToken cancel);

    /// <summary>Needs the voting lock (<see cref="IVotingPower.ShareAsync"/>) before.</summary>
    /// <param name="to">Null: takes the vote back.</param>
    Task AppendAsync(AccountId owner, AccountId? to, DateTimeOffset at, CancellationToken cancel);

    /// <summary>Last number of the log; 0: it is empty. With the voting lock held alone, nothing can appear below it later.</summary>
    Task<long> LastAsync(CancellationToken cancel);

    Task<DelegationView> ViewAsync(AccountId owner, CancellationToken cancel);
}

/// <summary>As it stands now; amounts in micro-credits staked.</summary>
public sealed record DelegationView(string? Delegate, long StakedMicro, IReadOnlyList<(string Address, long StakedMicro)> Delegators);
