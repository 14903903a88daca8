using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Identity;

/// <summary>identity.login_failures.</summary>
internal sealed class LoginFailures(FogDbContext db) : ILoginFailures
{
    public async Task<TimeSpan> LockedForAsync(LoginKeys keys, DateTimeOffset now, CancellationToken cancel)
    {
        var until = await db.ScalarSqlAsync<DateTime?>("SELECT max(locked_until) FROM identity.login_failures WHERE key = ANY($1)", cancel, (object)Keys(keys));
        return until is { } end && new DateTimeOffset(end) > now ? new DateTimeOffset(end) - now : TimeSpan.Zero;
    }

    public Task HoldNameAsync(LoginKeys keys, CancellationToken cancel) => db.ExecuteSqlAsync("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", cancel, keys.Name);

    public async Task CountAsync(LoginKeys keys, DateTimeOffset now, CancellationToken cancel)
    {
        // The same order everywhere: name, then address.
        await CountAsync(keys.Name, LoginThrottle.OfName, now, cancel);
        if (keys.Peer is { } peer)
            await CountAsync(peer, LoginThrottle.OfPeer, now, cancel);
    }

    public Task ForgetNameAsync(LoginKeys keys, CancellationToken cancel) => db.ExecuteSqlAsync("DELETE FROM identity.login_failures WHERE key = $1", cancel, keys.Name);

    private async Task CountAsync(string key, LoginThrottle throttle, DateTimeOffset now, CancellationToken cancel)
    {
        var failures = await db.ScalarSqlAsync<int>(
            """
            INSERT INTO identity.login_failures AS f (key, failures, last_at, locked_until) VALUES ($1, 1, $2, $2)
            ON CONFLICT (key) DO UPDATE SET failures = CASE WHEN f.last_at < $3 THEN 1 ELSE f.failures + 1 END, last_at = $2
            RETURNING failures
            """, cancel, key, now, now - LoginThrottle.Memory);
        await db.ExecuteSqlAsync("UPDATE identity.login_failures SET locked_until = $2 WHERE key = $1", cancel, key, now + throttle.LockAfter(failures));
    }

    private static string[] Keys(LoginKeys keys) => keys.Peer is { } peer ? [keys.Name, peer] : [keys.Name];
}

/// <summary>identity.password_resets.</summary>
internal sealed class PasswordResets(FogDbContext db) : IPasswordResets
{
    public Task RequestAsync(string emailKey, DateTimeOffset now, TimeSpan quiet, CancellationToken cancel) => db.ExecuteSqlAsync(
        """
        INSERT INTO identity.password_resets AS r (email_key, requested_at) VALUES ($1, $2)
        ON CONFLICT (email_key) DO UPDATE SET requested_at = $2, sent_at = NULL, secret_hash = NULL, expires_at = NULL WHERE r.requested_at < $3
        """, cancel, emailKey, now, now - quiet);

    public async Task<IReadOnlyList<ResetRequest>> DueAsync(int most, DateTimeOffset now, CancellationToken cancel) => await db.QuerySqlAsync(
        """
        SELECT r.email_key, a.name, u.email FROM identity.password_resets r
        LEFT JOIN identity.users u ON u.email_key = r.email_key AND u.is_active LEFT JOIN identity.accounts a ON a.id = u.account_id
        WHERE r.sent_at IS NULL AND r.requested_at <= $2 AND coalesce(r.expires_at > $2, true) ORDER BY r.requested_at LIMIT $1
        """,
        row => new ResetRequest(row.GetString(0), row.IsDBNull(1) ? null : (row.GetString(1), row.GetString(2))), cancel, most, now);

    public Task PostponeAsync(string emailKey, DateTimeOffset again, DateTimeOffset giveUp, CancellationToken cancel) => db.ExecuteSqlAsync(
        "UPDATE identity.password_resets SET requested_at = $2, expires_at = coalesce(expires_at, $3) WHERE email_key = $1 AND sent_at IS NULL", cancel, emailKey, again, giveUp);

    public Task MarkSentAsync(string emailKey, byte[] secretHash, DateTimeOffset now, DateTimeOffset expires, CancellationToken cancel) =>
        db.ExecuteSqlAsync("UPDATE identity.password_resets SET secret_hash = $2, sent_at = $3, expires_at = $4 WHERE email_key = $1", cancel, emailKey, secretHash, now, expires);

    public Task DropAsync(string emailKey, CancellationToken cancel) => db.ExecuteSqlAsync("DELETE FROM identity.password_resets WHERE email_key = $1", cancel, emailKey);

    public Task<string?> FindAsync(byte[] secretHash, DateTimeOffset now, CancellationToken cancel) =>
        db.ScalarSqlAsync<string>("SELECT email_key FROM identity.password_resets WHERE secret_hash = $1 AND expires_at > $2", cancel, secretHash, now);
}

/// <summary>identity.setup_token.</summary>
internal sealed class SetupTokens(FogDbContext db) : ISetupToken
{
    public Task ReplaceAsync(byte[] secretHash, DateTimeOffset expires, CancellationToken cancel) => db.ExecuteSqlAsync(
        "INSERT INTO identity.setup_token (secret_hash, expires_at) VALUES ($1, $2) ON CONFLICT (single) DO UPDATE SET secret_hash = $1, expires_at = $2", cancel, secretHash, expires);

    public async Task<bool> IsGoodAsync(byte[] secretHash, DateTimeOffset now, CancellationToken cancel) =>
        await db.ScalarSqlAsync<bool>("SELECT exists(SELECT FROM identity.setup_token WHERE secret_hash = $1 AND expires_at > $2)", cancel, secretHash, now);

    public async Task<bool> BurnAsync(byte[] secretHash, DateTimeOffset now, CancellationToken cancel) =>
        await db.ExecuteSqlAsync("DELETE FROM identity.setup_token WHERE secret_hash = $1 AND expires_at > $2", cancel, secretHash, now) == 1;
}

/// <summary>Rows of this module that have run out.</summary>
internal sealed class LoginRemains(FogDbContext db) : ILoginRemains
{
    public async Task<int> DeleteAsync(DateTimeOffset now, TimeSpan sessionsKept, int most, CancellationToken cancel)
    {
        var deleted = await db.ExecuteSqlAsync("DELETE FROM identity.session_tokens WHERE secret_hash IN (SELECT secret_hash FROM identity.session_tokens WHERE expires_at < $1 LIMIT $2)", cancel, now, most);
        deleted += await db.ExecuteSqlAsync("DELETE FROM identity.sessions WHERE id IN (SELECT id FROM identity.sessions WHERE expires_at < $1 OR ended_at < $1 LIMIT $2)", cancel, now - sessionsKept, most);
        deleted += await db.ExecuteSqlAsync("DELETE FROM identity.login_failures WHERE key IN (SELECT key FROM identity.login_failures WHERE last_at < $1 LIMIT $2)", cancel, now - LoginThrottle.Memory, most);
        return deleted + await db.ExecuteSqlAsync("DELETE FROM identity.password_resets WHERE expires_at < $1", cancel, now);
    }
}
