using System.Runtime.CompilerServices;
using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Tokenomics;
using FogCompute.Infrastructure.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace FogCompute.Infrastructure.Tokenomics;

/// <summary>
/// Sealing without a lock that settlements would feel. Transfers draw their numbers from a sequence and commit in any order, so a block may
/// only end at a number below which nothing can appear any more:
/// <list type="number">
/// <item>read the last number drawn, U;</item>
/// <item>take a transaction id, Y. Every writer that drew a number ≤ U has an older id (a trigger takes it before the first number is drawn);</item>
/// <item>wait until no transaction older than Y runs (<c>pg_snapshot_xmin ≥ Y</c>): all numbers ≤ U are now committed or will stay unused for ever.</item>
/// </list>
/// The sequence and the ids survive crashes and dumps: nothing of this is stored, only the resulting range.
/// </summary>
internal sealed class PostgresJournal(FogDbContext db) : IJournal
{
    private const long SealLock = 0x666F_675F_7365_616C; // "fog_seal"

    public async Task<JournalBlock?> SealAsync(int maxTransfers, TimeSpan patience, DateTimeOffset now, CancellationToken cancel)
    {
        if (!await db.ScalarSqlAsync<bool>("SELECT pg_try_advisory_xact_lock($1)", cancel, SealLock))
            return null;
        var head = (await BlocksAsync("ORDER BY number DESC LIMIT 1", cancel)).SingleOrDefault();
        var first = (head?.Last ?? 0) + 1;
        // An idle pool costs neither transaction ids nor waiting.
        if (!await db.ScalarSqlAsync<bool>("SELECT EXISTS (SELECT FROM tokenomics.transfers WHERE number >= $1)", cancel, first))
            return null;
        var drawn = await db.ScalarSqlAsync<long>("SELECT pg_sequence_last_value('tokenomics.transfers_number_seq'::regclass)", cancel);
        if (!await OlderTransactions.EndAsync(db, patience, cancel))
            return null;
        var last = await db.ScalarSqlAsync<long>(
            "SELECT max(number) FROM (SELECT number FROM tokenomics.transfers WHERE number BETWEEN $1 AND $2 ORDER BY number LIMIT $3) AS next",
            cancel, first, drawn, maxTransfers);
        if (last == 0)
            return null;
        // Microseconds are what the column keeps; hashing more would not verify.
        var sealedAt = new DateTimeOffset(now.UtcTicks / TimeSpan.TicksPerMicrosecond * TimeSpan.TicksPerMicrosecond, TimeSpan.Zero);
        var number = (head?.Number ?? 0) + 1;
        var previous = head?.Hash ?? JournalHash.Origin;
        using var hash = new JournalHash();
        hash.Begin(previous, number, first, last, sealedAt);
        var totals = new JournalTotals();
        await foreach (var transfer in TransfersAsync(first, last, cancel))
        {
            hash.Append(transfer);
            totals.Append(transfer);
        }
        var block = new JournalBlock(number, first, last, hash.Transfers, previous, hash.End(), sealedAt);
        await db.ExecuteSqlAsync(
            "INSERT INTO tokenomics.blocks (number, first_transfer, last_transfer, transfers, previous_hash, hash, sealed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            cancel, block.Number, block.First, block.Last, block.Transfers, block.PreviousHash, block.Hash, block.SealedAt);
        await db.ExecuteSqlAsync(
            """
            INSERT INTO tokenomics.block_totals (block, sealed_at, settlements, charged, paid, metered, core_ms, staking_rewards, treasury_grants)
            SELECT $1, $2, coalesce(b.settlements, 0) + $3, coalesce(b.charged, 0) + $4, coalesce(b.paid, 0) + $5, coalesce(b.metered, 0) + $6, coalesce(b.core_ms, 0) + $7,
                   coalesce(b.staking_rewards, 0) + $8, coalesce(b.treasury_grants, 0) + $9
            FROM (SELECT) AS one LEFT JOIN (SELECT * FROM tokenomics.block_totals WHERE block < $1 ORDER BY block DESC LIMIT 1) AS b ON true
            ON CONFLICT (block) DO NOTHING
            """, cancel, block.Number, block.SealedAt, totals.Settlements, totals.Charged, totals.Paid, totals.Metered, totals.CoreMs, totals.StakingRewards, totals.TreasuryGrants);
        return block;
    }

    public async Task<ChainVerification> VerifyAsync(long fromBlock, long maxTransfers, ChainAnchor? anchor, CancellationToken cancel)
    {
        var head = (await BlocksAsync("ORDER BY number DESC LIMIT 1", cancel)).SingleOrDefault();
        var from = fromBlock > (head?.Number ?? 0) ? 1 : fromBlock;
        var checkedTransfers = 0L;
        var verifiedTo = from - 1;

        ChainVerification Answer(long? broken, string? reason) => new(from, verifiedTo, head?.Number ?? 0, head?.Hash, checkedTransfers, broken, reason);

        if (anchor is not null)
        {
            var then = (await BlocksAsync("WHERE number = $1", cancel, anchor.Block)).SingleOrDefault();
            if (then is null || !then.Hash.AsSpan().SequenceEqual(anchor.Hash))
                return Answer(anchor.Block, then is null ? "the block is gone since the last reconciliation" : "the block has another hash than at the last reconciliation");
        }
        var before = from == 1 ? null : (await BlocksAsync("WHERE number = $1", cancel, from - 1)).SingleOrDefault();
        if (from > 1 && before is null)
            return Answer(from - 1, "the block is missing");
        var blocks = await BlocksAsync(
            "WHERE number >= $1 AND number <= coalesce((SELECT min(number) FROM (SELECT number, sum(transfers) OVER (ORDER BY number) AS upto FROM tokenomics.blocks WHERE number >= $1) AS run WHERE upto >= $2), 9223372036854775807) ORDER BY number",
            cancel, from, maxTransfers);
        if (blocks.Count == 0)
            return Answer(null, null);
        // Ranges are laid out first: a broken layout would send transfers to the wrong block.
        var (previous, end) = (before?.Hash ?? JournalHash.Origin, before?.Last ?? 0);
        var sound = 0;
        string? fault = null;
        foreach (var block in blocks)
        {
            fault = block.Number != from + sound ? "the block before it is missing"
                : block.First != end + 1 || block.Last < block.First ? "its range does not follow the block before it"
                : !block.PreviousHash.AsSpan().SequenceEqual(previous) ? "it does not point to the block before it"
                : null;
            if (fault is not null)
                break;
            (previous, end) = (block.Hash, block.Last);
            sound++;
        }
        using var hash = new JournalHash();
        await using var transfers = TransfersAsync(blocks[0].First, end, cancel).GetAsyncEnumerator(cancel);
        var more = sound > 0 && await transfers.MoveNextAsync();
        foreach (var block in blocks.Take(sound))
        {
            hash.Begin(block.PreviousHash, block.Number, block.First, block.Last, block.SealedAt);
            while (more && transfers.Current.Number <= block.Last)
            {
                hash.Append(transfers.Current);
                more = await transfers.MoveNextAsync();
            }
            var count = hash.Transfers;
            if (!hash.End().AsSpan().SequenceEqual(block.Hash) || count != block.Transfers)
                return Answer(block.Number, $"its content hashes differently ({count} transfers now, {block.Transfers} sealed)");
            checkedTransfers += count;
            verifiedTo = block.Number;
        }
        return fault is null ? Answer(null, null) : Answer(verifiedTo + 1, fault);
    }

    private Task<List<JournalBlock>> BlocksAsync(string where, CancellationToken cancel, params object?[] values) =>
        db.QuerySqlAsync(
            $"SELECT number, first_transfer, last_transfer, transfers, previous_hash, hash, sealed_at FROM tokenomics.blocks {where}",
            r => new JournalBlock(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt32(3), r.GetFieldValue<byte[]>(4), r.GetFieldValue<byte[]>(5), r.GetFieldValue<DateTimeOffset>(6)),
            cancel, values);

    /// <summary>
    /// Streams transfers in number order, 50 000 at a time: per stretch one query for the accounts that occur, one for the transfers with their
    /// postings as arrays. That moves a quarter of the bytes that one joined row per posting would.
    /// </summary>
    private async IAsyncEnumerable<JournalTransfer> TransfersAsync(long first, long last, [EnumeratorCancellation] CancellationToken cancel)
    {
        const int stretch = 50_000;
        await db.Database.OpenConnectionAsync(cancel);
        while (first <= last)
        {
            var end = await db.ScalarSqlAsync<long>(
                "SELECT max(number) FROM (SELECT number FROM tokenomics.transfers WHERE number BETWEEN $1 AND $2 ORDER BY number LIMIT $3) AS next", cancel, first, last, stretch);
            if (end == 0)
                yield break;
            var accounts = (await db.QuerySqlAsync(
                "SELECT id, kind, owner FROM tokenomics.accounts WHERE id IN (SELECT account_id FROM tokenomics.postings WHERE transfer BETWEEN $1 AND $2)",
                r => (Id: r.GetInt64(0), Kind: r.GetString(1), Owner: r.IsDBNull(2) ? (Guid?)null : r.GetGuid(2)),
                cancel, first, end)).ToDictionary(a => a.Id, a => (a.Kind, a.Owner));
            await using var command = new NpgsqlCommand(
                """
                SELECT t.number, t.kind, t.idempotency_key, t.job_id, t.task_index, t.cause::text, t.created_at, p.accounts, p.amounts
                FROM tokenomics.transfers t
                LEFT JOIN (
                    SELECT transfer, array_agg(account_id) AS accounts, array_agg(amount) AS amounts
                    FROM tokenomics.postings WHERE transfer BETWEEN $1 AND $2 GROUP BY transfer) AS p ON p.transfer = t.number
                WHERE t.number BETWEEN $1 AND $2
                ORDER BY t.number
                """, (NpgsqlConnection)db.Database.GetDbConnection(), (NpgsqlTransaction?)db.Database.CurrentTransaction?.GetDbTransaction());
            command.Parameters.Add(new NpgsqlParameter { Value = first });
            command.Parameters.Add(new NpgsqlParameter { Value = end });
            await using var r = await command.ExecuteReaderAsync(cancel);
            while (await r.ReadAsync(cancel))
            {
                yield return new JournalTransfer(
                    r.GetInt64(0), r.GetString(1), r.GetString(2), r.IsDBNull(3) ? null : r.GetGuid(3), r.IsDBNull(4) ? null : r.GetInt32(4),
                    r.IsDBNull(5) ? null : r.GetString(5), r.GetFieldValue<DateTimeOffset>(6),
                    r.IsDBNull(7) ? [] : Postings(r.GetFieldValue<long[]>(7), r.GetFieldValue<long[]>(8), accounts));
            }
            first = end + 1;
        }
    }

    private static JournalPosting[] Postings(long[] rows, long[] amounts, Dictionary<long, (string Kind, Guid? Owner)> accounts)
    {
        // The aggregate promises no order; the hash needs one.
        Array.Sort(rows, amounts);
        var postings = new JournalPosting[rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            var (kind, owner) = accounts.GetValueOrDefault(rows[i], ("missing", null));
            postings[i] = new JournalPosting(rows[i], kind, owner, amounts[i]);
        }
        return postings;
    }
}
