using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Infrastructure.Persistence;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Tokenomics.Governance;

internal sealed class PostgresBallots(FogDbContext db) : IBallots
{
    public async Task<IReadOnlyList<AccountId>> ContributorsAsync(string proposal, AccountId voter, long delegation, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT $2::uuid UNION ALL
            SELECT d.owner FROM (
                SELECT DISTINCT ON (owner) owner, delegate FROM tokenomics.delegations
                WHERE number <= $3 AND owner IN (SELECT owner FROM tokenomics.delegations WHERE delegate = $2 AND number <= $3)
                ORDER BY owner, number DESC) d
            WHERE d.delegate = $2 AND NOT EXISTS (SELECT FROM tokenomics.ballots b WHERE b.proposal = $1 AND b.voter = d.owner)
            """, r => new AccountId(r.GetGuid(0)), cancel, proposal, voter.Value, delegation);

    // In the ledger's lock order. Shared: two proposals may count one stake at the same time; who moves the stake waits, or is waited for.
    public async Task<IReadOnlyDictionary<AccountId, long>> LockStakesAsync(IReadOnlyCollection<AccountId> owners, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            "SELECT owner, balance FROM tokenomics.accounts WHERE kind = 'Staked' AND owner = ANY ($1) ORDER BY id DESC FOR SHARE",
            r => (Owner: new AccountId(r.GetGuid(0)), Balance: r.GetInt64(1)), cancel, owners.Select(o => o.Value).ToArray()))
        .ToDictionary(s => s.Owner, s => s.Balance);

    public async Task<Tally> CastAsync(string proposal, Ballot ballot, IReadOnlyCollection<(AccountId Owner, long AmountMicro)> powers, CancellationToken cancel)
    {
        await db.ExecuteSqlAsync(
            """
            INSERT INTO tokenomics.ballots (proposal, voter, choice, reason, cast_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (proposal, voter) DO UPDATE SET choice = excluded.choice, reason = excluded.reason, cast_at = excluded.cast_at
            """, cancel, proposal, ballot.Voter.Value, ballot.Choice.ToString(), Sql.Typed(ballot.Reason, NpgsqlDbType.Text), ballot.At);
        await db.ExecuteSqlAsync("DELETE FROM tokenomics.ballot_powers WHERE proposal = $1 AND (through = $2 OR owner = $2)", cancel, proposal, ballot.Voter.Value);
        await db.ExecuteSqlAsync(
            """
            WITH written AS (
                INSERT INTO tokenomics.ballot_powers (proposal, owner, through, amount) SELECT $1, owner, $2, amount FROM unnest($3::uuid[], $4::bigint[]) AS p (owner, amount))
            INSERT INTO tokenomics.ballot_history (proposal, voter, choice, power, reason, cast_at) SELECT $1, $2, $5, (SELECT sum(amount) FROM unnest($4::bigint[]) AS amount), $6, $7
            """, cancel, proposal, ballot.Voter.Value, powers.Select(p => p.Owner.Value).ToArray(), powers.Select(p => p.AmountMicro).ToArray(), ballot.Choice.ToString(),
            Sql.Typed(ballot.Reason, NpgsqlDbType.Text), ballot.At);
        var votes = await db.QuerySqlAsync(
            """
            SELECT b.choice, sum(p.amount)::bigint FROM tokenomics.ballot_powers p JOIN tokenomics.ballots b ON b.proposal = p.proposal AND b.voter = p.through
            WHERE p.proposal = $1 GROUP BY b.choice
            """, r => (Choice: Enum.Parse<VoteChoice>(r.GetString(0)), Amount: r.GetInt64(1)), cancel, proposal);
        return votes.Aggregate(default(Tally), (tally, vote) => tally.Add(vote.Choice, vote.Amount));
    }

    public async Task<IReadOnlyList<CastBallot>> ListAsync(string proposal, int limit, long after, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT b.number, o.address, b.choice, coalesce((SELECT sum(amount) FROM tokenomics.ballot_powers p WHERE p.proposal = b.proposal AND p.through = b.voter), 0)::bigint, b.reason, b.cast_at
            FROM tokenomics.ballots b JOIN tokenomics.owners o ON o.id = b.voter
            WHERE b.proposal = $1 AND b.number > $2 ORDER BY b.number LIMIT $3
            """,
            r => new CastBallot(r.GetInt64(0), r.GetString(1), Enum.Parse<VoteChoice>(r.GetString(2)), r.GetInt64(3), r.IsDBNull(4) ? null : r.GetString(4), r.GetFieldValue<DateTimeOffset>(5)),
            cancel, proposal, after, limit);

    public async Task<int> CountAsync(string proposal, CancellationToken cancel) =>
        (int)await db.ScalarSqlAsync<long>("SELECT count(*) FROM tokenomics.ballots WHERE proposal = $1", cancel, proposal);

    public async Task<IReadOnlyList<OpenVote>> OpenVotesAsync(AccountId owner, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT p.id, p.title, b.amount, coalesce(p.eta, p.voting_ends_at) FROM tokenomics.ballot_powers b JOIN tokenomics.proposals p ON p.id = b.proposal
            WHERE b.owner = $1 AND p.end_state IS NULL ORDER BY p.number
            """, r => new OpenVote(r.GetString(0), r.GetString(1), r.GetInt64(2), r.GetFieldValue<DateTimeOffset>(3)), cancel, owner.Value);
}
