using System.Text.Json;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Platform;
using FogCompute.Domain.Common;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Persistence;

/// <summary>
/// Remembered answers in platform.idempotency_keys, inside the command's own transaction. The unique key makes a second caller wait until the
/// first has committed (then it gets the answer) or rolled back (then it takes the key itself).
/// </summary>
internal sealed class IdempotencyStore(FogDbContext db, TimeProvider time) : IIdempotencyStore, IIdempotencyKeys
{
    public async Task<EarlierAnswer<T>> ReserveAsync<T>(IdempotencyReservation reservation, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        while (true)
        {
            // A key past its retention that nobody has deleted yet is as good as gone: it is taken over.
            var taken = await db.ExecuteSqlAsync(
                """
                INSERT INTO platform.idempotency_keys AS k (account_id, command, key, fingerprint, created_at) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (account_id, command, key) DO UPDATE SET fingerprint = excluded.fingerprint, answer = NULL, created_at = excluded.created_at
                WHERE k.created_at < $6
                """,
                cancel,
                reservation.Account.Value, reservation.Command, reservation.Key, reservation.Fingerprint, now, now - IdempotencyRetention.Kept);
            if (taken == 1)
                return default;

            var earlier = await db.QuerySqlAsync(
                "SELECT fingerprint, answer::text FROM platform.idempotency_keys WHERE account_id = $1 AND command = $2 AND key = $3",
                row => (Fingerprint: row.GetFieldValue<byte[]>(0), Answer: row.IsDBNull(1) ? null : row.GetString(1)),
                cancel,
                reservation.Account.Value, reservation.Command, reservation.Key);
            if (earlier.Count == 0)
                continue; // Deleted by the retention job between the two statements.
            var (fingerprint, answer) = earlier[0];
            if (!fingerprint.AsSpan().SequenceEqual(reservation.Fingerprint))
                throw new FogException(IdempotencyErrors.KeyReused);
            if (answer is null)
                throw new InvalidOperationException($"{reservation.Command} committed under an idempotency key without an answer.");
            return new EarlierAnswer<T>(Found: true, JsonSerializer.Deserialize<T>(answer));
        }
    }

    public async Task RememberAsync<T>(IdempotencyReservation reservation, T answer, CancellationToken cancel)
    {
        var written = await db.ExecuteSqlAsync(
            "UPDATE platform.idempotency_keys SET answer = $4 WHERE account_id = $1 AND command = $2 AND key = $3",
            cancel,
            reservation.Account.Value, reservation.Command, reservation.Key, Sql.Typed(JsonSerializer.Serialize(answer), NpgsqlDbType.Jsonb));
        if (written != 1)
            throw new InvalidOperationException($"The idempotency key of {reservation.Command} was not reserved in this transaction.");
    }

    public Task ReleaseAsync(IdempotencyReservation reservation, CancellationToken cancel) => db.ExecuteSqlAsync(
        "DELETE FROM platform.idempotency_keys WHERE account_id = $1 AND command = $2 AND key = $3 AND answer IS NULL",
        cancel, reservation.Account.Value, reservation.Command, reservation.Key);

    public Task<int> ForgetAsync(DateTimeOffset before, int atMost, CancellationToken cancel) => db.ExecuteSqlAsync(
        """
        DELETE FROM platform.idempotency_keys k USING
            (SELECT account_id, command, key FROM platform.idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) old
        WHERE k.account_id = old.account_id AND k.command = old.command AND k.key = old.key
        """,
        cancel, before, atMost);
}
