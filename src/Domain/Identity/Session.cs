namespace FogCompute.Domain.Identity;

/// <summary>One login and everything that was refreshed from it. It ends whole.</summary>
public sealed class Session
{
    /// <summary>However often it is refreshed, a session ends after this.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(30);

    private Session()
    {
    }

    public SessionId Id { get; private set; }
    public AccountId AccountId { get; private set; }
    public DateTimeOffset CreatedAt { get; private set; }

    /// <summary>Login or latest refresh.</summary>
    public DateTimeOffset LastUsedAt { get; private set; }
    public DateTimeOffset ExpiresAt { get; private set; }
    public DateTimeOffset? EndedAt { get; private set; }

    /// <summary><c>logged_out</c>, <c>revoked</c>, <c>refresh_reused</c>, <c>password_changed</c> or <c>deactivated</c>.</summary>
    public string? EndReason { get; private set; }

    /// <summary>Address and User-Agent of the login, for the person who looks through the sessions.</summary>
    public string? Peer { get; private set; }
    public string? Agent { get; private set; }

    public static Session Open(AccountId account, string? peer, string? agent, DateTimeOffset now) => new()
    {
        Id = SessionId.New(now),
        AccountId = account,
        CreatedAt = now,
        LastUsedAt = now,
        ExpiresAt = now + Longest,
        Peer = peer,
        Agent = agent,
    };

    public bool IsLive(DateTimeOffset now) => EndedAt is null && ExpiresAt > now;

    public void Touch(DateTimeOffset now) => LastUsedAt = now;

    /// <summary>Ending twice keeps the first reason.</summary>
    public void End(string reason, DateTimeOffset now)
    {
        if (EndedAt is null)
            (EndedAt, EndReason) = (now, reason);
    }
}

public enum SessionTokenKind
{
    /// <summary>Says who is calling.</summary>
    Access,
    /// <summary>Is exchanged, once, for the next pair.</summary>
    Refresh,
}

/// <summary>A token of a session; only the SHA-256 of the secret is kept.</summary>
public sealed class SessionToken
{
    public static readonly TimeSpan AccessLife = TimeSpan.FromSeconds(1800);

    /// <summary>A session that is not refreshed for this long ends by itself.</summary>
    public static readonly TimeSpan RefreshLife = TimeSpan.FromDays(14);

    private SessionToken() => SecretHash = [];

    /// <summary>SHA-256 of the secret, 32 bytes.</summary>
    public byte[] SecretHash { get; private set; }
    public SessionId SessionId { get; private set; }
    public SessionTokenKind Kind { get; private set; }
    public DateTimeOffset IssuedAt { get; private set; }
    public DateTimeOffset ExpiresAt { get; private set; }
    public DateTimeOffset? UsedAt { get; private set; }

    /// <summary>Never outlives its session.</summary>
    public static SessionToken Issue(SessionTokenKind kind, Session session, string secret, DateTimeOffset now)
    {
        var end = now + (kind == SessionTokenKind.Access ? AccessLife : RefreshLife);
        return new SessionToken
        {
            SecretHash = AccessSecret.HashOf(secret),
            SessionId = session.Id,
            Kind = kind,
            IssuedAt = now,
            ExpiresAt = end < session.ExpiresAt ? end : session.ExpiresAt,
        };
    }

    public void Use(DateTimeOffset now) => UsedAt = now;
}
