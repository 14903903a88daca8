using System.Collections.Concurrent;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Identity;

/// <summary>
/// Finds the holder of a secret by its hash, with a small memory of hits: agents call thousands of times a second with a handful of keys.
/// Each lookup opens and closes its own scope, so that a long poll holds no database connection on behalf of its authentication.
/// </summary>
internal sealed class Credentials(IServiceScopeFactory scopes, TimeProvider clock) : ICredentials
{
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(5);
    private const int MostEntries = 10_000;
    private const int LongestSecret = 128;

    private static readonly IReadOnlySet<string> DevicePermissions = new HashSet<string>(Permissions.Device, StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, (Credential Credential, DateTimeOffset Until)> _known = new(StringComparer.Ordinal);

    public async Task<Credential?> FindAsync(string secret, CancellationToken cancel)
    {
        if (secret.Length > LongestSecret)
            return null;
        var now = clock.GetUtcNow();
        var hash = AccessSecret.HashOf(secret);
        var slot = Convert.ToBase64String(hash);
        if (_known.TryGetValue(slot, out var hit) && hit.Until > now)
            return hit.Credential;

        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<FogDbContext>();
        var found = secret switch
        {
            _ when secret.StartsWith(AccessSecret.ApiKeyPrefix, StringComparison.Ordinal) => await AccessKeyAsync(db, AccessKeyKind.ApiKey, hash, now, cancel),
            _ when secret.StartsWith(AccessSecret.EnrolmentPrefix, StringComparison.Ordinal) => await AccessKeyAsync(db, AccessKeyKind.EnrolmentToken, hash, now, cancel),
            _ when secret.StartsWith(AccessSecret.DevicePrefix, StringComparison.Ordinal) => await DeviceAsync(db, hash, cancel),
            _ => null,
        };
        if (found is null)
        {
            _known.TryRemove(slot, out _);
            return null;
        }
        if (_known.Count >= MostEntries)
            _known.Clear();
        var until = now + Freshness;
        _known[slot] = (found, found.ExpiresAt < until ? found.ExpiresAt.Value : until);
        return found;
    }

    private static async Task<Credential?> AccessKeyAsync(FogDbContext db, AccessKeyKind kind, byte[] hash, DateTimeOffset now, CancellationToken cancel)
    {
        const string sql = """
            SELECT id, account_id, permissions, expires_at FROM identity.access_keys
            WHERE secret_hash = $1 AND kind = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
            """;
        var rows = await db.QuerySqlAsync(
            sql,
            r => new Credential(
                kind == AccessKeyKind.ApiKey ? CallerKind.ApiKey : CallerKind.EnrolmentToken,
                new AccountId(r.GetGuid(1)),
                DeviceId: null,
                new AccessKeyId(r.GetGuid(0)),
                new HashSet<string>(r.GetFieldValue<string[]>(2), StringComparer.Ordinal),
                r.IsDBNull(3) ? null : r.GetFieldValue<DateTimeOffset>(3)),
            cancel, hash, kind.ToString(), now);
        return rows.SingleOrDefault();
    }

    private static async Task<Credential?> DeviceAsync(FogDbContext db, byte[] hash, CancellationToken cancel)
    {
        var rows = await db.QuerySqlAsync(
            "SELECT id, account_id FROM idle_compute.devices WHERE key_hash = $1 AND unregistered_at IS NULL",
            r => new Credential(CallerKind.Device, new AccountId(r.GetGuid(1)), r.GetString(0), Key: null, DevicePermissions, ExpiresAt: null),
            cancel, hash);
        return rows.SingleOrDefault();
    }
}
