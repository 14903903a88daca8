using FogCompute.Application.Tokenomics.Staking;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics.Governance;

namespace FogCompute.Application.Tokenomics.Governance;

/// <summary>Ballots and whose stake each carries. Everything that writes needs the proposal locked.</summary>
public interface IBallots
{
    /// <summary>Whose stake a ballot of this voter carries: the voter's own, and of everybody who delegated to them by then and has no ballot of their own.</summary>
    Task<IReadOnlyList<AccountId>> ContributorsAsync(string proposal, AccountId voter, long delegation, CancellationToken cancel);

    /// <summary>Keeps these stakes from leaving until the end of the transaction; micro-credits staked now.</summary>
    Task<IReadOnlyDictionary<AccountId, long>> LockStakesAsync(IReadOnlyCollection<AccountId> owners, CancellationToken cancel);

    /// <summary>
    /// Writes the ballot, or changes it, with exactly these powers; takes the voter's own stake out of a delegate's ballot that carried it. Returns
    /// all votes of the proposal, added up from whose stake counts.
    /// </summary>
    Task<Tally> CastAsync(string proposal, Ballot ballot, IReadOnlyCollection<(AccountId Owner, long AmountMicro)> powers, CancellationToken cancel);

    /// <summary>In the order of each one's first ballot.</summary>
    Task<IReadOnlyList<CastBallot>> ListAsync(string proposal, int limit, long after, CancellationToken cancel);

    Task<int> CountAsync(string proposal, CancellationToken cancel);

    /// <summary>Votes of this owner's stake in proposals without an end.</summary>
    Task<IReadOnlyList<OpenVote>> OpenVotesAsync(AccountId owner, CancellationToken cancel);
}

public sealed record Ballot(AccountId Voter, VoteChoice Choice, string? Reason, DateTimeOffset At);

/// <param name="PowerMicro">What it carries now.</param>
public sealed record CastBallot(long Number, string Voter, VoteChoice Choice, long PowerMicro, string? Reason, DateTimeOffset At);

/// <param name="Until">End of the vote, or of the timelock once it is queued.</param>
public sealed record OpenVote(string Proposal, string Title, long AmountMicro, DateTimeOffset Until);

/// <summary>
/// A stake that voted stays until the proposal has ended, in whatever ballot it counted. One stake may vote in several proposals, so what must stay is the
/// largest of them.
/// </summary>
internal sealed class VotedStakeLock(IBallots ballots) : IStakeLock
{
    public async Task<StakeLocked?> OfAsync(AccountId owner, CancellationToken cancel)
    {
        var votes = await ballots.OpenVotesAsync(owner, cancel);
        if (votes.Count == 0)
            return null;
        var most = votes.MaxBy(v => v.AmountMicro)!;
        return new StakeLocked(most.AmountMicro, votes.Where(v => v.AmountMicro == most.AmountMicro).Max(v => v.Until),
            votes.Count == 1 ? $"It voted on the proposal '{most.Title}', which has not ended." : $"It voted on {votes.Count} proposals that have not ended, among them '{most.Title}'.");
    }
}
