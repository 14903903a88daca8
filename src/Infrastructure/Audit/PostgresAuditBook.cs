using FogCompute.Application.Audit;
using FogCompute.Domain.Audit;
using FogCompute.Infrastructure.Persistence;
using Npgsql;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Audit;

internal sealed class PostgresAuditBook(FogDbContext db) : IAuditBook
{
    private const long SealLock = 0x666F_675F_6175_6474; // "fog_audt"

    /// <summary>Ids that are recomputed at a time; what is in memory.</summary>
    private const int Stretch = 10_000;

    private const string Columns = "e.id, e.at, e.account, e.caller, e.actor, e.action, e.subject, e.details::text";

    public Task<IReadOnlyList<SealedAuditEntry>> NewestAsync(AuditFilter filter, long? before, int limit, CancellationToken cancel) =>
        ListAsync(filter, "<", before ?? long.MaxValue, "DESC", limit, cancel);

    public Task<IReadOnlyList<SealedAuditEntry>> OldestAsync(AuditFilter filter, long after, int limit, CancellationToken cancel) =>
        ListAsync(filter, ">", after, "ASC", limit, cancel);

    private async Task<IReadOnlyList<SealedAuditEntry>> ListAsync(AuditFilter filter, string side, long bound, string order, int limit, CancellationToken cancel)
    {
        // Only conditions that restrict: "or null" would cost the indexes.
        var where = $"e.id {side} $1";
        var values = new List<object?> { bound, limit };
        void Also(string condition, object value)
        {
            values.Add(value);
            where += $" AND {condition.Replace("?", "$" + values.Count, StringComparison.Ordinal)}";
        }
        if (filter.Account is { } account)
            Also("e.account = ?", account);
        if (filter.Action is { } action)
            Also(action.EndsWith('.') ? "e.action ^@ ?" : "e.action = ?", action);
        if (filter.From is { } from)
            Also("e.at >= ?", from.ToUniversalTime());
        if (filter.To is { } to)
            Also("e.at < ?", to.ToUniversalTime());
        return await db.QuerySqlAsync(
            $"SELECT {Columns}, s.hash FROM audit.entries e LEFT JOIN audit.seals s ON s.entry = e.id WHERE {where} ORDER BY e.id {order} LIMIT $2",
            r => new SealedAuditEntry(Read(r), r.IsDBNull(8) ? null : r.GetFieldValue<byte[]>(8)), cancel, [.. values]);
    }

    public async Task<AuditSealing> SealAsync(int most, TimeSpan patience, DateTimeOffset now, CancellationToken cancel)
    {
        if (!await db.ScalarSqlAsync<bool>("SELECT pg_try_advisory_xact_lock($1)", cancel, SealLock))
            return new AuditSealing(0, 0, null);
        var (head, hash) = await HeadAsync(cancel);
        // An idle pool costs neither transaction ids nor waiting.
        if (!await db.ScalarSqlAsync<bool>("SELECT EXISTS (SELECT FROM audit.entries WHERE id > $1)", cancel, head))
            return new AuditSealing(0, head, hash);
        var drawn = await db.ScalarSqlAsync<long>("SELECT pg_sequence_last_value('audit.entries_id_seq'::regclass)", cancel);
        if (!await OlderTransactions.EndAsync(db, patience, cancel))
            return new AuditSealing(0, head, hash);
        var entries = await db.QuerySqlAsync($"SELECT {Columns} FROM audit.entries e WHERE e.id > $1 AND e.id <= $2 ORDER BY e.id LIMIT $3", Read, cancel, head, drawn, most);
        if (entries.Count == 0)
            return new AuditSealing(0, head, hash);
        var hashes = new byte[entries.Count][];
        for (var i = 0; i < hashes.Length; i++)
            hashes[i] = hash = AuditChain.HashOf(hash ?? AuditChain.Origin, entries[i]);
        await db.ExecuteSqlAsync(
            "INSERT INTO audit.seals (entry, hash, sealed_at) SELECT entry, hash, $3 FROM unnest($1, $2) AS sealed (entry, hash)", cancel,
            entries.Select(e => e.Id).ToArray(), new NpgsqlParameter { Value = hashes, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea }, now);
        return new AuditSealing(entries.Count, entries[^1].Id, hash);
    }

    public async Task<AuditChainState> VerifyAsync(AuditAnchor? anchor, CancellationToken cancel)
    {
        var (head, headHash) = await HeadAsync(cancel);
        var unsealed = await db.ScalarSqlAsync<long>("SELECT count(*) FROM audit.entries WHERE id > $1", cancel, head);
        var recomputed = 0L;

        AuditChainState Answer(long? broken, string? reason) => new(recomputed, unsealed, head, headHash, broken, reason);

        var previous = AuditChain.Origin;
        // Both tables grow at the end only, so what lies below the head can be read in pieces.
        for (var after = long.MinValue; after < head;)
        {
            // The nearer of both sides' ends, so that neither sends more than a stretch however much of the other is gone.
            var last = await db.ScalarSqlAsync<long>(
                """
                SELECT least(
                    coalesce((SELECT id FROM audit.entries WHERE id > $1 AND id <= $2 ORDER BY id OFFSET $3 - 1 LIMIT 1), $2),
                    coalesce((SELECT entry FROM audit.seals WHERE entry > $1 AND entry <= $2 ORDER BY entry OFFSET $3 - 1 LIMIT 1), $2))
                """, cancel, after, head, Stretch);
            var rows = await db.QuerySqlAsync(
                $"""
                 SELECT {Columns}, s.hash, coalesce(e.id, s.entry)
                 FROM (SELECT * FROM audit.entries WHERE id > $1 AND id <= $2) AS e
                 FULL JOIN (SELECT * FROM audit.seals WHERE entry > $1 AND entry <= $2) AS s ON s.entry = e.id
                 ORDER BY coalesce(e.id, s.entry)
                 """,
                r => (Entry: r.IsDBNull(0) ? null : Read(r), Hash: r.IsDBNull(8) ? null : r.GetFieldValue<byte[]>(8), Id: r.GetInt64(9)), cancel, after, last);
            foreach (var row in rows)
            {
                if (row.Entry is null)
                    return Answer(row.Id, "the entry was removed after it was sealed");
                if (row.Hash is null)
                    return Answer(row.Id, "the entry has no seal although later ones have: it was added afterwards, or its seal was removed");
                if (!AuditChain.HashOf(previous, row.Entry).AsSpan().SequenceEqual(row.Hash))
                    return Answer(row.Id, "the entry hashes differently than when it was sealed, or an entry before it is gone");
                if (anchor?.Entry == row.Id && !anchor.Hash.AsSpan().SequenceEqual(row.Hash))
                    return Answer(row.Id, "the entry has another hash than the one that was noted");
                previous = row.Hash;
                recomputed++;
            }
            after = last;
        }
        if (anchor is not null && await db.ScalarSqlAsync<long>("SELECT count(*) FROM audit.seals WHERE entry = $1", cancel, anchor.Entry) == 0)
            return Answer(anchor.Entry, "the entry whose hash was noted is gone");
        return Answer(null, null);
    }

    private async Task<(long Id, byte[]? Hash)> HeadAsync(CancellationToken cancel) =>
        (await db.QuerySqlAsync("SELECT entry, hash FROM audit.seals ORDER BY entry DESC LIMIT 1", r => (r.GetInt64(0), (byte[]?)r.GetFieldValue<byte[]>(1)), cancel)).FirstOrDefault();

    private static StoredAuditEntry Read(NpgsqlDataReader r) => new(
        r.GetInt64(0), r.GetFieldValue<DateTimeOffset>(1), r.IsDBNull(2) ? null : r.GetGuid(2), r.GetString(3), r.IsDBNull(4) ? null : r.GetString(4), r.GetString(5), r.IsDBNull(6) ? null : r.GetString(6),
        r.GetString(7));
}
