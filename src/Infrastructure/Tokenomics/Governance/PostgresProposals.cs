using FogCompute.Application.Tokenomics;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics.Governance;
using FogCompute.Infrastructure.Persistence;
using Npgsql;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Tokenomics.Governance;

internal sealed class PostgresProposals(FogDbContext db, TimeProvider time) : IProposals, IProposedParameters, IGovernanceFigures
{
    public async Task<GovernanceFigures> ReadAsync(CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            $"SELECT count(*), count(*) FILTER (WHERE ({State}) = 'Active'), (SELECT count(DISTINCT voter) FROM tokenomics.ballots) FROM tokenomics.proposals",
            r => new GovernanceFigures(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2)), cancel, time.GetUtcNow())).Single();

    private const string Columns =
        """
        id, proposer, title, description, payload, actions_hash, delay_seconds, voting_seconds, quorum_bp, approval_bp, late_quorum_seconds, timelock_seconds, grace_seconds,
        created_at, snapshot_at, snapshot_transfer, snapshot_supply, snapshot_delegation, voting_ends_at, votes_for, votes_against, votes_abstain, eta,
        end_state, end_reason, end_why, ended_at, granted, number
        """;

    /// <summary><see cref="Proposal.StateAt"/> over a row, with the time as $1; a test holds the two together.</summary>
    private const string State =
        """
        CASE WHEN end_state IS NOT NULL THEN end_state
             WHEN snapshot_transfer IS NULL OR $1 < snapshot_at THEN 'Pending'
             WHEN $1 < voting_ends_at THEN 'Active'
             WHEN eta IS NULL THEN CASE WHEN votes_for >= 1 AND votes_for > votes_against
                  AND (votes_for::numeric + votes_abstain) * 10000 >= snapshot_supply::numeric * quorum_bp
                  AND votes_for::numeric * 10000 >= (votes_for::numeric + votes_against) * approval_bp THEN 'Succeeded' ELSE 'Defeated' END
             WHEN $1 < eta + grace_seconds * interval '1 second' THEN 'Queued'
             ELSE 'Expired' END
        """;

    public async Task<bool> AddAsync(Proposal proposal, CancellationToken cancel) =>
        await db.ExecuteSqlAsync(
            """
            INSERT INTO tokenomics.proposals (id, proposer, title, description, payload, actions_hash, delay_seconds, voting_seconds, quorum_bp, approval_bp,
                late_quorum_seconds, timelock_seconds, grace_seconds, created_at, snapshot_at, voting_ends_at, due_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT (id) DO NOTHING
            """, cancel,
            proposal.Id, proposal.Proposer.Value, proposal.Title, proposal.Description, proposal.Payload, proposal.ActionsHash,
            Seconds(proposal.Terms.Delay), Seconds(proposal.Terms.Voting), proposal.Terms.QuorumBp, proposal.Terms.ApprovalBp, Seconds(proposal.Terms.LateQuorum),
            Seconds(proposal.Terms.Timelock), Seconds(proposal.Terms.Grace), proposal.CreatedAt, proposal.SnapshotAt, proposal.VotingEndsAt, proposal.DueAt) == 1;

    public async Task<Proposal?> FindAsync(string id, CancellationToken cancel) =>
        (await db.QuerySqlAsync($"SELECT {Columns} FROM tokenomics.proposals WHERE id = $1", Read, cancel, id)).SingleOrDefault();

    public async Task<Proposal?> LockAsync(string id, CancellationToken cancel) =>
        (await db.QuerySqlAsync($"SELECT {Columns} FROM tokenomics.proposals WHERE id = $1 FOR NO KEY UPDATE", Read, cancel, id)).SingleOrDefault();

    public async Task<Proposal?> ClaimDueAsync(DateTimeOffset now, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            $"SELECT {Columns} FROM tokenomics.proposals WHERE due_at <= $1 ORDER BY due_at, number LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED", Read, cancel, now)).SingleOrDefault();

    public async Task SaveAsync(Proposal proposal, DateTimeOffset? dueAt, CancellationToken cancel)
    {
        var written = await db.ExecuteSqlAsync(
            """
            UPDATE tokenomics.proposals SET snapshot_at = $2, snapshot_transfer = $3, snapshot_supply = $4, snapshot_delegation = $5, voting_ends_at = $6, votes_for = $7, votes_against = $8,
                votes_abstain = $9, eta = $10, end_state = $11, end_reason = $12, end_why = $13, ended_at = $14, granted = $15, due_at = $16
            WHERE id = $1
            """, cancel,
            proposal.Id, proposal.SnapshotAt, Number(proposal.Snapshot?.Transfer), Number(proposal.Snapshot?.SupplyMicro), Number(proposal.Snapshot?.Delegation), proposal.VotingEndsAt,
            proposal.Votes.For, proposal.Votes.Against, proposal.Votes.Abstain, Instant(proposal.Eta),
            Text(proposal.End?.State.ToString()), Text(proposal.End?.Reason), Text(proposal.End?.Why), Instant(proposal.End?.At), proposal.GrantedMicro, Instant(dueAt));
        if (written != 1)
            throw new InvalidOperationException($"Proposal {proposal.Id} is not on record.");
    }

    public Task RecordAsync(string id, DateTimeOffset at, ProposalState state, string why, CancellationToken cancel) =>
        db.ExecuteSqlAsync("INSERT INTO tokenomics.proposal_history (proposal, at, state, why) VALUES ($1, $2, $3, $4)", cancel, id, at, state.ToString(), why);

    public async Task<IReadOnlyList<ProposalEvent>> HistoryAsync(string id, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            "SELECT at, state, why FROM tokenomics.proposal_history WHERE proposal = $1 ORDER BY number",
            r => new ProposalEvent(r.GetFieldValue<DateTimeOffset>(0), Enum.Parse<ProposalState>(r.GetString(1)), r.GetString(2)), cancel, id);

    public async Task<(IReadOnlyList<(long Number, Proposal Proposal)> Page, int Total)> ListAsync(ProposalState? state, DateTimeOffset now, int limit, long? before, CancellationToken cancel)
    {
        var matches = $"$2::text IS NULL OR $2 = {State}";
        var page = await db.QuerySqlAsync(
            $"SELECT {Columns} FROM tokenomics.proposals WHERE ($1::timestamptz IS NOT NULL AND ({matches})) AND ($3::bigint IS NULL OR number < $3) ORDER BY number DESC LIMIT $4",
            r => (r.GetInt64(28), Read(r)), cancel, now, Text(state?.ToString()), Number(before), limit);
        var total = await db.ScalarSqlAsync<long>($"SELECT count(*) FROM tokenomics.proposals WHERE $1::timestamptz IS NOT NULL AND ({matches})", cancel, now, Text(state?.ToString()));
        return (page, (int)total);
    }

    public async Task<ProposerStanding> LockProposerAsync(AccountId proposer, CancellationToken cancel)
    {
        await db.ExecuteSqlAsync("SELECT FROM tokenomics.owners WHERE id = $1 FOR NO KEY UPDATE", cancel, proposer.Value);
        return (await db.QuerySqlAsync(
            """
            SELECT (SELECT balance FROM tokenomics.accounts WHERE owner = $1 AND kind = 'Staked'),
                   (SELECT -sum(balance)::bigint FROM tokenomics.accounts WHERE owner IS NULL AND kind IN ('Issuance', 'Burned')),
                   (SELECT count(*)::int FROM tokenomics.proposals WHERE proposer = $1 AND end_state IS NULL)
            """, r => new ProposerStanding(r.GetInt64(0), r.GetInt64(1), r.GetInt32(2)), cancel, proposer.Value)).Single();
    }

    public Task<long> GrantedSinceAsync(DateTimeOffset since, CancellationToken cancel) =>
        db.ScalarSqlAsync<long>("SELECT coalesce(sum(granted), 0)::bigint FROM tokenomics.proposals WHERE granted > 0 AND ended_at > $1", cancel, since);

    public async Task<ProposedParameter?> OfAsync(string proposal, CancellationToken cancel) =>
        await FindAsync(proposal, cancel) is { } found && ProposalAction.Parse(found.Payload) is ProposalAction.SetParameter set ? new ProposedParameter(set.Name, set.Value, found.End?.State) : null;

    private static Proposal Read(NpgsqlDataReader r) => new()
    {
        Id = r.GetString(0), Proposer = new AccountId(r.GetGuid(1)), Title = r.GetString(2), Description = r.GetString(3), Payload = r.GetString(4), ActionsHash = r.GetString(5),
        Terms = new ProposalTerms(Span(r.GetInt64(6)), Span(r.GetInt64(7)), r.GetInt64(8), r.GetInt64(9), Span(r.GetInt64(10)), Span(r.GetInt64(11)), Span(r.GetInt64(12))),
        CreatedAt = r.GetFieldValue<DateTimeOffset>(13), SnapshotAt = r.GetFieldValue<DateTimeOffset>(14),
        Snapshot = r.IsDBNull(15) ? null : new ProposalSnapshot(r.GetInt64(15), r.GetInt64(16), r.GetInt64(17)), VotingEndsAt = r.GetFieldValue<DateTimeOffset>(18),
        Votes = new Tally(r.GetInt64(19), r.GetInt64(20), r.GetInt64(21)), Eta = r.IsDBNull(22) ? null : r.GetFieldValue<DateTimeOffset>(22),
        End = r.IsDBNull(23) ? null : new ProposalEnd(Enum.Parse<ProposalState>(r.GetString(23)), r.IsDBNull(24) ? null : r.GetString(24), r.GetString(25), r.GetFieldValue<DateTimeOffset>(26)),
        GrantedMicro = r.GetInt64(27),
    };

    private static long Seconds(TimeSpan span) => span.Ticks / TimeSpan.TicksPerSecond;

    private static TimeSpan Span(long seconds) => TimeSpan.FromSeconds(seconds);

    private static NpgsqlParameter Text(string? value) => Sql.Typed(value, NpgsqlDbType.Text);

    private static NpgsqlParameter Number(long? value) => Sql.Typed(value, NpgsqlDbType.Bigint);

    private static NpgsqlParameter Instant(DateTimeOffset? value) => Sql.Typed(value, NpgsqlDbType.TimestampTz);
}
