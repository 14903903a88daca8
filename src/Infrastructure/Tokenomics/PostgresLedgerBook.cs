using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Infrastructure.Persistence;
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

    // Each of the owner's four accounts gives its newest lines straight from the index; only those are merged and sorted.
    public async Task<IReadOnlyList<LedgerLine>> LinesAsync(AccountId owner, int limit, LedgerCursor? before, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT p.transfer, p.account_id, t.created_at, t.kind, p.kind, p.amount, t.job_id, t.task_index, t.cause::text
            FROM (
                SELECT newest.transfer, newest.account_id, a.kind, newest.amount
                FROM tokenomics.accounts a
                CROSS JOIN LATERAL (
                    SELECT transfer, account_id, amount FROM tokenomics.postings
                    WHERE account_id = a.id AND transfer <= $3 AND (transfer < $3 OR account_id < $4)
                    ORDER BY transfer DESC LIMIT $2) AS newest
                WHERE a.owner = $1
                ORDER BY newest.transfer DESC, newest.account_id DESC LIMIT $2) AS p
            JOIN tokenomics.transfers t ON t.number = p.transfer
            ORDER BY p.transfer DESC, p.account_id DESC
            """,
            r => new LedgerLine(
                r.GetInt64(0), r.GetInt64(1), r.GetFieldValue<DateTimeOffset>(2), Enum.Parse<TransferKind>(r.GetString(3)), Enum.Parse<AccountKind>(r.GetString(4)), r.GetInt64(5),
                r.IsDBNull(6) ? null : r.GetGuid(6), r.IsDBNull(7) ? null : r.GetInt32(7), r.IsDBNull(8) ? null : r.GetString(8)),
            cancel, owner.Value, limit,
            Sql.Typed(before?.Transfer ?? long.MaxValue, NpgsqlDbType.Bigint), Sql.Typed(before?.AccountRow ?? long.MaxValue, NpgsqlDbType.Bigint));

    private static OwnerBalances ReadBalances(NpgsqlDataReader r) => new(
        new AccountId(r.GetGuid(0)), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5), r.GetInt64(6), r.GetFieldValue<DateTimeOffset>(7));
}
