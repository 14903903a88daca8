using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Tokenomics;
using FogCompute.Infrastructure.Persistence;
using Npgsql;

namespace FogCompute.Infrastructure.Tokenomics;

internal sealed class PostgresCheckpoints(FogDbContext db) : ICheckpoints
{
    private const string Columns = "SELECT day, block, head_hash, supply, balances_hash, at, signed, signature, key_id, public_key FROM tokenomics.checkpoints";

    public async Task<SignedCheckpoint?> FindAsync(DateOnly day, CancellationToken cancel) =>
        (await db.QuerySqlAsync($"{Columns} WHERE day = $1", Read, cancel, day)).SingleOrDefault();

    public async Task<IReadOnlyList<SignedCheckpoint>> ListAsync(DateOnly before, int limit, CancellationToken cancel) =>
        await db.QuerySqlAsync($"{Columns} WHERE day < $1 ORDER BY day DESC LIMIT $2", Read, cancel, before, limit);

    public async Task<LedgerState?> StateAsync(CancellationToken cancel)
    {
        var heads = await db.QuerySqlAsync("SELECT number, hash, last_transfer FROM tokenomics.blocks ORDER BY number DESC LIMIT 1",
            r => (Block: r.GetInt64(0), Hash: r.GetFieldValue<byte[]>(1), Last: r.GetInt64(2)), cancel);
        if (heads.Count == 0)
            return null;
        using var hasher = new BalancesHasher();
        var supply = 0L;
        // Balances now less what came after the block: nothing can be added at or below its last transfer any more. One statement, so one moment.
        await db.QuerySqlAsync(
            """
            SELECT a.id, a.kind, a.owner, (a.balance - coalesce(later.amount, 0))::bigint FROM tokenomics.accounts a
            LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM tokenomics.postings WHERE transfer > $1 GROUP BY account_id) AS later ON later.account_id = a.id
            ORDER BY a.id
            """,
            r =>
            {
                var (kind, balance) = (r.GetString(1), r.GetInt64(3));
                supply += kind == nameof(AccountKind.Issuance) ? 0 : balance;
                hasher.Append(r.GetInt64(0), kind, r.IsDBNull(2) ? null : r.GetGuid(2), balance);
                return 0;
            }, cancel, heads[0].Last);
        return new LedgerState(heads[0].Block, heads[0].Hash, supply, hasher.End());
    }

    public async Task<bool> AddAsync(SignedCheckpoint checkpoint, CancellationToken cancel)
    {
        var c = checkpoint.Checkpoint;
        return await db.ExecuteSqlAsync(
            """
            INSERT INTO tokenomics.checkpoints (day, block, head_hash, supply, balances_hash, at, signed, signature, key_id, public_key)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (day) DO NOTHING
            """, cancel, c.Day, c.Block, c.HeadHash, c.SupplyMicro, c.BalancesHash, c.At.ToUniversalTime(), checkpoint.Signed, checkpoint.Signature, c.KeyId, checkpoint.PublicKey) == 1;
    }

    public async Task<IReadOnlyList<DateOnly>> OffChainAsync(CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT c.day FROM tokenomics.checkpoints c LEFT JOIN tokenomics.blocks b ON b.number = c.block AND b.hash = c.head_hash
            WHERE b.number IS NULL ORDER BY c.day
            """, r => r.GetFieldValue<DateOnly>(0), cancel);

    private static SignedCheckpoint Read(NpgsqlDataReader r) => new(
        new LedgerCheckpoint(r.GetFieldValue<DateOnly>(0), r.GetInt64(1), r.GetFieldValue<byte[]>(2), r.GetInt64(3), r.GetFieldValue<byte[]>(4), r.GetFieldValue<DateTimeOffset>(5), r.GetString(8)),
        r.GetFieldValue<byte[]>(6), r.GetFieldValue<byte[]>(7), r.GetFieldValue<byte[]>(9));
}
