using System.Collections.Concurrent;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Identity;

/// <summary>
/// Finds the holder of a secret by its hash, with a small memory of hits: agents call thousands of times a second with a handful of keys.
/// Each lookup opens and closes its own scope, so that a long poll holds no database connection on behalf of its authentication. The memory is
/// emptied whenever somebody's credentials are revoked, on every process that signals reach.
/// </summary>
internal sealed class Credentials(IServiceScopeFactory scopes, ISignals signals, TimeProvider clock) : ICredentials, IDisposable
{
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(5);
    private const int MostEntries = 10_000;
    private const int LongestSecret = 128;

    private static readonly IReadOnlySet<string> DevicePermissions = new HashSet<string>(Permissions.Device, StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, (Credential Credential, DateTimeOffset Until)> _known = new(StringComparer.Ordinal);

    private ISignalTicket _revocations = signals.Listen(Topics.Credentials);

    public async Task<Credential?> FindAsync(string secret, CancellationToken cancel)
    {
        if (secret.Length > LongestSecret)
            return null;
        if (Volatile.Read(ref _revocations) is { IsSignalled: true } signalled)
            Forget(signalled);
        var revocations = Volatile.Read(ref _revocations);
        var now = clock.GetUtcNow();
        var hash = AccessSecret.HashOf(secret);
        var slot = Convert.ToBase64String(hash);
        if (_known.TryGetValue(slot, out var hit) && hit.Until > now)
            return hit.Credential;

        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<FogDbContext>();
        var found = secret switch
        {
            _ when secret.StartsWith(AccessSecret.AccessPrefix, StringComparison.Ordinal) => await SessionAsync(db, hash, now, cancel),
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
        // Something was revoked while this was looked up, perhaps this very secret: what was read before that is not remembered.
        if (revocations != Volatile.Read(ref _revocations) || revocations.IsSignalled)
            _known.TryRemove(slot, out _);
        return found;
    }

    public async Task<bool> StandsAsync(Credential credential, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<FogDbContext>().ScalarSqlAsync<bool>(
            """
            SELECT CASE
                WHEN $1::uuid IS NOT NULL THEN EXISTS (SELECT FROM identity.sessions s JOIN identity.users u USING (account_id) WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $4 AND u.is_active)
                WHEN $2::uuid IS NOT NULL THEN EXISTS (SELECT FROM identity.access_keys k LEFT JOIN identity.users u USING (account_id)
                    WHERE k.id = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $4) AND u.is_active IS NOT FALSE)
                ELSE EXISTS (SELECT FROM idle_compute.devices WHERE id = $3 AND unregistered_at IS NULL) END
            """, cancel, credential.Session?.Value, credential.Key?.Value, credential.DeviceId, clock.GetUtcNow());
    }

    public void Dispose() => _revocations.Dispose();

    private void Forget(ISignalTicket signalled)
    {
        var next = signals.Listen(Topics.Credentials);
        if (Interlocked.CompareExchange(ref _revocations, next, signalled) == signalled)
            signalled.Dispose();
        else
            next.Dispose();
        _known.Clear();
    }

    private static async Task<Credential?> SessionAsync(FogDbContext db, byte[] hash, DateTimeOffset now, CancellationToken cancel)
    {
        const string sql = """
            SELECT s.id, s.account_id, u.roles, t.expires_at FROM identity.session_tokens t
            JOIN identity.sessions s ON s.id = t.session_id JOIN identity.users u ON u.account_id = s.account_id
            WHERE t.secret_hash = $1 AND t.kind = $2 AND t.expires_at > $3 AND s.ended_at IS NULL AND s.expires_at > $3 AND u.is_active
            """;
        var rows = await db.QuerySqlAsync(
            sql,
            r => new Credential(CallerKind.User, new AccountId(r.GetGuid(1)), DeviceId: null, Key: null, Roles.PermissionsOf(r.GetFieldValue<string[]>(2)), r.GetFieldValue<DateTimeOffset>(3))
            {
                Session = new SessionId(r.GetGuid(0)),
            },
            cancel, hash, nameof(SessionTokenKind.Access), now);
        return rows.SingleOrDefault();
    }

    private static async Task<Credential?> AccessKeyAsync(FogDbContext db, AccessKeyKind kind, byte[] hash, DateTimeOffset now, CancellationToken cancel)
    {
        const string sql = """
            SELECT k.id, k.account_id, k.permissions, k.expires_at, u.roles FROM identity.access_keys k LEFT JOIN identity.users u ON u.account_id = k.account_id
            WHERE k.secret_hash = $1 AND k.kind = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3) AND u.is_active IS NOT FALSE
            """;
        var rows = await db.QuerySqlAsync(
            sql,
            r => new Credential(
                kind == AccessKeyKind.ApiKey ? CallerKind.ApiKey : CallerKind.EnrolmentToken,
                new AccountId(r.GetGuid(1)),
                DeviceId: null,
                new AccessKeyId(r.GetGuid(0)),
                Within(r.GetFieldValue<string[]>(2), r.IsDBNull(4) ? null : r.GetFieldValue<string[]>(4)),
                r.IsDBNull(3) ? null : r.GetFieldValue<DateTimeOffset>(3)),
            cancel, hash, kind.ToString(), now);
        return rows.SingleOrDefault();
    }

    /// <summary>What a key may: where a person is behind its account, never more than their roles of today.</summary>
    private static HashSet<string> Within(string[] permissions, string[]? roles)
    {
        var may = new HashSet<string>(permissions, StringComparer.Ordinal);
        if (roles is not null)
            may.IntersectWith(Roles.PermissionsOf(roles));
        return may;
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
