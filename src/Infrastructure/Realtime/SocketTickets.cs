using System.Text.Json;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Realtime;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Realtime;

/// <summary>Tickets in an unlogged table that all control planes share.</summary>
internal sealed class SocketTickets(FogDbContext db, TimeProvider time) : ISocketTickets
{
    private sealed record Holder(string Kind, Guid Account, string? Device, string[] Permissions);

    public Task KeepAsync(byte[] hash, Caller caller, DateTimeOffset expires, CancellationToken cancel) => db.ExecuteSqlAsync(
        """
        WITH expired AS (DELETE FROM realtime.tickets WHERE hash IN (SELECT hash FROM realtime.tickets WHERE expires_at < $4 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED))
        INSERT INTO realtime.tickets (hash, issued_to, expires_at) VALUES ($1, $2, $3)
        """,
        cancel, hash, Sql.Json(JsonSerializer.Serialize(new Holder(caller.Kind.ToString(), caller.Account.Value, caller.DeviceId, [.. caller.Permissions]))), expires, time.GetUtcNow());

    public async Task<Caller?> RedeemAsync(byte[] hash, CancellationToken cancel)
    {
        // Deleting is what makes it good once: the second of two at once finds nothing.
        var holder = (await db.QuerySqlAsync(
            "DELETE FROM realtime.tickets WHERE hash = $1 RETURNING issued_to::text, expires_at > $2", r => (Text: r.GetString(0), Alive: r.GetBoolean(1)), cancel, hash, time.GetUtcNow())).SingleOrDefault();
        return holder is { Alive: true } && JsonSerializer.Deserialize<Holder>(holder.Text) is { } caller
            ? new Caller(Enum.Parse<CallerKind>(caller.Kind), new AccountId(caller.Account), caller.Device, new HashSet<string>(caller.Permissions, StringComparer.Ordinal))
            : null;
    }
}
