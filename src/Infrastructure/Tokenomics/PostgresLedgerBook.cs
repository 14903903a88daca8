using System.Data;
using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Infrastructure.Persistence;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Tokenomics;

internal sealed class PostgresLedgerBook(FogDbContext db) : ILedgerBook
{
    private const string Balances =
        """
        SELECT o.id, o.address,
               coalesce(sum(a.balance) FILTER (WHERE a.kind = 'Available'), 0)::bigint, coalesce(sum(a.balance) FILTER (WHERE a.kind = 'Held'), 0)::bigint,
               coalesce(sum(a.balance) FILTER (WHERE a.kind = 'Staked'), 0)::bigint, coalesce(sum(a.balance) FILTER (WHERE a.kind = 'Unbonding'), 0)::bigint,
               coalesce(sum(a.earned), 0)::bigint, coalesce(max(a.updated_at), o.opened_at)
        FROM tokenomics.owners o LEFT JOIN tokenomics.accounts a ON a.owner = o.id
        """;

    public async Task<OwnerBalances?> FindAsync(AccountId owner, CancellationToken cancel) =>
        (await db.QuerySqlAsync($"{Balances} WHERE o.id = $1 GROUP BY o.id", ReadBalances, cancel, owner.Value)).SingleOrDefault();

    public async Task<OwnerBalances?> FindAsync(string address, CancellationToken cancel) =>
        (await db.QuerySqlAsync($"{Balances} WHERE o.address = $1 GROUP BY o.id", ReadBalances, cancel, address)).SingleOrDefault();

    // Four probes of one index, however long the history.
    public async Task<BalancesThen> AtAsync(AccountId owner, DateTimeOffset at, CancellationToken cancel)
    {
        var then = (await db.QuerySqlAsync(
            """
            SELECT a.kind, last.balance, last.at FROM tokenomics.accounts a
            CROSS JOIN LATERAL (SELECT balance, at FROM tokenomics.postings WHERE account_id = a.id AND at <= $2 ORDER BY at DESC, transfer DESC LIMIT 1) AS last
            WHERE a.owner = $1
            """,
            r => (Kind: Enum.Parse<AccountKind>(r.GetString(0)), Balance: r.GetInt64(1), At: r.GetFieldValue<DateTimeOffset>(2)), cancel, owner.Value, at.ToUniversalTime())).ToDictionary(a => a.Kind);
        return new BalancesThen(Of(AccountKind.Available), Of(AccountKind.Held), Of(AccountKind.Staked), Of(AccountKind.Unbonding), then.Count == 0 ? null : then.Values.Max(a => a.At));

        long Of(AccountKind kind) => then.TryGetValue(kind, out var account) ? account.Balance : 0;
    }

    public async Task<StatementPage> StatementAsync(AccountId owner, StatementPeriod period, int limit, StatementCursor? after, CancellationToken cancel)
    {
        await using var moment = await db.Database.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancel);
        return new StatementPage(await AtAsync(owner, period.After, cancel), await AtAsync(owner, period.Until, cancel), await LinesAsync(owner, period, limit, after, cancel));
    }

    public async Task<IReadOnlyList<StatementLine>> LinesAsync(AccountId owner, StatementPeriod period, int limit, StatementCursor? after, CancellationToken cancel)
    {
        // Without a cursor the page begins above everything of the instant before the period.
        var place = after is { } given && given.At > period.After ? given : new StatementCursor(period.After, long.MaxValue, long.MaxValue);
        return await db.QuerySqlAsync(
            """
            SELECT p.transfer, p.account_id, p.at, t.kind, p.kind, p.amount, p.balance, t.idempotency_key, t.job_id, t.task_index, t.cause::text, o.id, o.address
            FROM (
                SELECT next.transfer, next.account_id, next.at, a.kind, a.owner, next.amount, next.balance
                FROM tokenomics.accounts a
                CROSS JOIN LATERAL (
                    SELECT transfer, account_id, at, amount, balance FROM tokenomics.postings
                    WHERE account_id = a.id AND at <= $4 AND (at, transfer) >= ($3, $5) AND (at, transfer, account_id) > ($3, $5, $6)
                    ORDER BY at, transfer LIMIT $2) AS next
                WHERE a.owner = $1
                ORDER BY next.at, next.transfer, next.account_id LIMIT $2) AS p
            JOIN tokenomics.transfers t ON t.number = p.transfer
            JOIN tokenomics.owners o ON o.id = p.owner
            ORDER BY p.at, p.transfer, p.account_id
            """, ReadLine, cancel, owner.Value, limit, place.At.ToUniversalTime(), period.Until.ToUniversalTime(), place.Transfer, place.AccountRow);
    }

    public async Task<IReadOnlyList<StatementLine>> JournalAsync(StatementPeriod period, int limit, LedgerCursor? after, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT p.transfer, p.account_id, p.at, t.kind, a.kind, p.amount, p.balance, t.idempotency_key, t.job_id, t.task_index, t.cause::text, o.id, o.address
            FROM (
                SELECT transfer, account_id, at, amount, balance FROM tokenomics.postings
                WHERE (transfer, account_id) > ($1, $2) AND at > $4 AND at <= $5 ORDER BY transfer, account_id LIMIT $3) AS p
            JOIN tokenomics.transfers t ON t.number = p.transfer
            JOIN tokenomics.accounts a ON a.id = p.account_id
            LEFT JOIN tokenomics.owners o ON o.id = a.owner
            ORDER BY p.transfer, p.account_id
            """, ReadLine, cancel, after?.Transfer ?? 0, after?.AccountRow ?? 0, limit, period.After.ToUniversalTime(), period.Until.ToUniversalTime());

    private static StatementLine ReadLine(NpgsqlDataReader r) => new(
        r.GetInt64(0), r.GetInt64(1), r.GetFieldValue<DateTimeOffset>(2), Enum.Parse<TransferKind>(r.GetString(3)), Enum.Parse<AccountKind>(r.GetString(4)), r.GetInt64(5), r.GetInt64(6),
        r.GetString(7), r.IsDBNull(8) ? null : r.GetGuid(8), r.IsDBNull(9) ? null : r.GetInt32(9), r.IsDBNull(10) ? null : r.GetString(10),
        r.IsDBNull(11) ? null : r.GetGuid(11), r.IsDBNull(12) ? null : r.GetString(12));

    // Each of the owner's four accounts gives its newest lines straight from the index; only those are merged and sorted.
    public async Task<IReadOnlyList<LedgerLine>> LinesAsync(AccountId owner, int limit, LedgerCursor? before, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT p.transfer, p.account_id, p.at, t.kind, p.kind, p.amount, t.job_id, t.task_index, t.cause::text
            FROM (
                SELECT newest.transfer, newest.account_id, newest.at, a.kind, newest.amount
                FROM tokenomics.accounts a
                CROSS JOIN LATERAL (
                    SELECT transfer, account_id, at, amount FROM tokenomics.postings
                    WHERE account_id = a.id AND (at, transfer) <= ($5, $3) AND (at, transfer, account_id) < ($5, $3, $4)
                    ORDER BY at DESC, transfer DESC LIMIT $2) AS newest
                WHERE a.owner = $1
                ORDER BY newest.at DESC, newest.transfer DESC, newest.account_id DESC LIMIT $2) AS p
            JOIN tokenomics.transfers t ON t.number = p.transfer
            ORDER BY p.at DESC, p.transfer DESC, p.account_id DESC
            """,
            r => new LedgerLine(
                r.GetInt64(0), r.GetInt64(1), r.GetFieldValue<DateTimeOffset>(2), Enum.Parse<TransferKind>(r.GetString(3)), Enum.Parse<AccountKind>(r.GetString(4)), r.GetInt64(5),
                r.IsDBNull(6) ? null : r.GetGuid(6), r.IsDBNull(7) ? null : r.GetInt32(7), r.IsDBNull(8) ? null : r.GetString(8)),
            cancel, owner.Value, limit,
            Sql.Typed(before?.Transfer ?? long.MaxValue, NpgsqlDbType.Bigint), Sql.Typed(before?.AccountRow ?? long.MaxValue, NpgsqlDbType.Bigint),
            before is { } line ? await TimeOfAsync(line, cancel) : DateTimeOffset.MaxValue.UtcDateTime.AddYears(-1));

    /// <summary>A cursor that names no line is before everything: its page is empty.</summary>
    private async Task<DateTime> TimeOfAsync(LedgerCursor line, CancellationToken cancel) =>
        await db.ScalarSqlAsync<DateTime?>("SELECT at FROM tokenomics.postings WHERE transfer = $1 AND account_id = $2", cancel, line.Transfer, line.AccountRow) ?? DateTime.UnixEpoch;

    private static OwnerBalances ReadBalances(NpgsqlDataReader r) => new(
        new AccountId(r.GetGuid(0)), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5), r.GetInt64(6), r.GetFieldValue<DateTimeOffset>(7));
}
