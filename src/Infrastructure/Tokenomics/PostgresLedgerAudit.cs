using System.Text.Json;
using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Tokenomics;
using FogCompute.Infrastructure.Persistence;
using Npgsql;

namespace FogCompute.Infrastructure.Tokenomics;

internal sealed class PostgresLedgerAudit(FogDbContext db, TimeProvider time) : ILedgerAudit
{
    /// <summary>Differences listed per check, at most.</summary>
    private const int Listed = 100;

    /// <summary>Jobs are ended every second; a hold that is open so long after its end was forgotten.</summary>
    private static readonly TimeSpan HoldGrace = TimeSpan.FromMinutes(10);

    public async Task<LedgerFindings> InspectAsync(CancellationToken cancel)
    {
        var differences = new List<LedgerDifference>();
        var now = time.GetUtcNow();
        var figures = (await db.QuerySqlAsync(
            """
            SELECT coalesce(sum(balance) FILTER (WHERE kind <> 'Issuance'), 0)::bigint, coalesce(-sum(balance) FILTER (WHERE kind = 'Issuance'), 0)::bigint,
                   coalesce(sum(balance) FILTER (WHERE kind = 'Burned'), 0)::bigint, coalesce(sum(balance) FILTER (WHERE kind = 'Fees'), 0)::bigint,
                   coalesce(sum(balance) FILTER (WHERE kind = 'Held'), 0)::bigint, count(*),
                   (SELECT count(*) FROM tokenomics.holds WHERE state = 'Open'), (SELECT count(*) FROM tokenomics.transfers), (SELECT count(*) FROM tokenomics.postings),
                   (SELECT count(*) FROM tokenomics.transfers WHERE number > coalesce((SELECT max(last_transfer) FROM tokenomics.blocks), 0)),
                   coalesce(sum(balance) FILTER (WHERE kind IN ('Treasury', 'Sovereign', 'RewardsPool', 'Faucet')), 0)::bigint
            FROM tokenomics.accounts
            """,
            r => new LedgerFindings(
                r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(10), r.GetInt64(3), r.GetInt64(4), r.GetInt64(6), r.GetInt64(5), r.GetInt64(7), r.GetInt64(8), r.GetInt64(9), differences),
            cancel)).Single();
        if (figures.Supply != Genesis.CapMicro)
            differences.Add(Differs("supply", "all accounts but issuance", Genesis.CapMicro, figures.Supply));
        if (figures.Issued != Genesis.CapMicro)
            differences.Add(Differs("supply", "issuance", -Genesis.CapMicro, -figures.Issued));

        await FindAsync("transfer_balance",
            "SELECT 'transfer ' || transfer, 0, sum(amount) FROM tokenomics.postings GROUP BY transfer HAVING sum(amount) <> 0 LIMIT $1");
        // One pass over the postings for three checks.
        foreach (var account in await db.QuerySqlAsync(
            """
            SELECT 'account ' || coalesce(a.id, p.account_id) || ' (' || coalesce(a.kind, 'missing') || ')', coalesce(p.total, 0)::text, coalesce(a.balance, 0)::text,
                   (CASE WHEN a.kind = 'Available' THEN coalesce(p.earned, 0) ELSE 0 END)::text, coalesce(a.earned, 0)::text,
                   (CASE WHEN a.id IS NULL THEN p.lines ELSE coalesce(p.orphans, 0) END)::text
            FROM tokenomics.accounts a
            FULL JOIN (
                SELECT p.account_id, sum(p.amount) AS total, sum(p.amount) FILTER (WHERE t.kind = 'Settlement' AND p.amount > 0) AS earned,
                       count(*) FILTER (WHERE t.number IS NULL) AS orphans, count(*) AS lines
                FROM tokenomics.postings p LEFT JOIN tokenomics.transfers t ON t.number = p.transfer
                GROUP BY p.account_id) AS p ON p.account_id = a.id
            WHERE a.id IS NULL OR p.orphans > 0 OR a.balance <> coalesce(p.total, 0)
               OR a.earned <> CASE WHEN a.kind = 'Available' THEN coalesce(p.earned, 0) ELSE 0 END
            LIMIT $1
            """,
            r => (Subject: r.GetString(0), Total: r.GetString(1), Balance: r.GetString(2), EarnedTotal: r.GetString(3), Earned: r.GetString(4), Orphans: r.GetString(5)),
            cancel, Listed))
        {
            if (account.Total != account.Balance)
                differences.Add(new LedgerDifference("account_balance", account.Subject, account.Total, account.Balance));
            if (account.EarnedTotal != account.Earned)
                differences.Add(new LedgerDifference("earned", account.Subject, account.EarnedTotal, account.Earned));
            if (account.Orphans != "0")
                differences.Add(new LedgerDifference("orphan_posting", account.Subject, "0", account.Orphans));
        }
        await FindAsync("running_balance",
            """
            SELECT 'account ' || account_id || ', transfer ' || transfer, before + amount, balance FROM (
                SELECT account_id, transfer, amount, balance, lag(balance, 1, 0::bigint) OVER (PARTITION BY account_id ORDER BY at, transfer) AS before FROM tokenomics.postings) AS line
            WHERE balance <> before + amount LIMIT $1
            """);
        await FindAsync("below_zero",
            "SELECT 'account ' || id || ' (' || kind || ')', 0, balance FROM tokenomics.accounts WHERE kind <> 'Issuance' AND balance < 0 LIMIT $1");
        await FindAsync("held",
            """
            SELECT 'owner ' || a.owner, coalesce(h.remaining, 0), a.balance FROM tokenomics.accounts a
            LEFT JOIN (SELECT owner, sum(remaining) AS remaining FROM tokenomics.holds GROUP BY owner) AS h ON h.owner = a.owner
            WHERE a.kind = 'Held' AND a.balance <> coalesce(h.remaining, 0) LIMIT $1
            """);
        // The states in which a job may still cost something. A job whose funds are being held is Submitted until its own transaction commits.
        await FindAsync("hold_without_open_job",
            """
            SELECT 'hold of job ' || h.job_id, 0, h.remaining FROM tokenomics.holds h
            LEFT JOIN scheduler.jobs j ON j.id = h.job_id AND j.state IN ('Submitted', 'Admitted', 'Running', 'Paused')
            WHERE h.state = 'Open' AND j.id IS NULL LIMIT $1
            """);
        foreach (var (check, kind, sum) in new[]
        {
            ("staked", "Staked", "SELECT owner, sum(amount) AS total FROM tokenomics.stakes WHERE amount > 0 GROUP BY owner"),
            ("unbonding", "Unbonding", "SELECT owner, sum(amount) AS total FROM tokenomics.unbondings WHERE claimed_at IS NULL AND amount > 0 GROUP BY owner"),
        })
        {
            await FindAsync(check,
                $"""
                SELECT 'owner ' || a.owner, coalesce(s.total, 0), a.balance FROM tokenomics.accounts a
                LEFT JOIN ({sum}) AS s ON s.owner = a.owner WHERE a.kind = '{kind}' AND a.balance <> coalesce(s.total, 0) LIMIT $1
                """);
        }
        await FindAsync("slashed",
            """
            SELECT 'account ' || a.id || ' (Slashed)', s.total, a.balance FROM tokenomics.accounts a,
                   (SELECT coalesce(sum(from_staked + from_unbonding), 0) AS total FROM tokenomics.slashes WHERE state IN ('Escrowed', 'Appealed')) AS s
            WHERE a.kind = 'Slashed' AND a.balance <> s.total LIMIT $1
            """);
        await FindAsync("staking_rewards",
            """
            SELECT 'owner ' || coalesce(s.owner, p.owner), coalesce(p.total, 0), coalesce(s.paid, 0) FROM tokenomics.stake_accruals s
            FULL JOIN (
                SELECT a.owner, sum(p.amount) AS total FROM tokenomics.transfers t
                JOIN tokenomics.postings p ON p.transfer = t.number JOIN tokenomics.accounts a ON a.id = p.account_id AND a.kind = 'Available'
                WHERE t.kind = 'StakingReward' GROUP BY a.owner) AS p ON p.owner = s.owner
            WHERE coalesce(s.paid, 0) <> coalesce(p.total, 0) LIMIT $1
            """);
        await FindAsync("hold_overdue",
            "SELECT 'hold of job ' || job_id || ', expired ' || expires_at, 0, remaining FROM tokenomics.holds WHERE state = 'Open' AND expires_at < $2 LIMIT $1", now - HoldGrace);
        return figures;

        async Task FindAsync(string check, string sql, params object?[] more) =>
            differences.AddRange(await db.QuerySqlAsync(
                $"SELECT subject, expected::text, found::text FROM ({sql}) AS odd (subject, expected, found)",
                r => new LedgerDifference(check, r.GetString(0), r.GetString(1), r.GetString(2)), cancel, [Listed, .. more]));
    }

    public async Task<Reconciliation?> LatestAsync(CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT at, elapsed_ms, difference_count, differences::text, supply, head_block, head_hash, chain_verified_to
            FROM tokenomics.reconciliations ORDER BY id DESC LIMIT 1
            """, Read, cancel)).SingleOrDefault();

    public async Task RecordAsync(Reconciliation outcome, TimeSpan keep, CancellationToken cancel)
    {
        await db.ExecuteSqlAsync(
            """
            INSERT INTO tokenomics.reconciliations (at, elapsed_ms, difference_count, differences, supply, head_block, head_hash, chain_verified_to)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """, cancel,
            outcome.At.ToUniversalTime(), outcome.ElapsedMs, outcome.DifferenceCount, Sql.Json(JsonSerializer.Serialize(outcome.Differences)), outcome.Supply, outcome.HeadBlock,
            Sql.Typed(outcome.HeadHash, NpgsqlTypes.NpgsqlDbType.Bytea), outcome.ChainVerifiedTo);
        await db.ExecuteSqlAsync("DELETE FROM tokenomics.reconciliations WHERE at < $1 AND difference_count = 0", cancel, (outcome.At - keep).ToUniversalTime());
    }

    private static LedgerDifference Differs(string check, string subject, long expected, long found) =>
        new(check, subject, expected.ToString(), found.ToString());

    private static Reconciliation Read(NpgsqlDataReader r) => new(
        r.GetFieldValue<DateTimeOffset>(0), r.GetInt32(1), r.GetInt32(2), JsonSerializer.Deserialize<LedgerDifference[]>(r.GetString(3))!, r.GetInt64(4), r.GetInt64(5),
        r.IsDBNull(6) ? null : r.GetFieldValue<byte[]>(6), r.GetInt64(7));
}
