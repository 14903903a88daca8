using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using FogCompute.Domain.Common;

namespace FogCompute.Domain.Identity;

public enum AccessKeyKind
{
    /// <summary>A script or person acting for the account.</summary>
    ApiKey,
    /// <summary>Lets machines register as devices of the account, nothing else.</summary>
    EnrolmentToken,
}

/// <summary>A secret that lets its holder act for an account. Only the SHA-256 of the secret is kept.</summary>
public sealed class AccessKey
{
    private AccessKey()
    {
        Name = "";
        SecretHash = [];
        Permissions = [];
        UsedBy = [];
    }

    public AccessKeyId Id { get; private set; }
    public AccountId AccountId { get; private set; }
    public AccessKeyKind Kind { get; private set; }
    public string Name { get; private set; }

    /// <summary>SHA-256 of the secret, 32 bytes.</summary>
    public byte[] SecretHash { get; private set; }
    public string[] Permissions { get; private set; }
    public DateTimeOffset CreatedAt { get; private set; }

    /// <summary>Null: does not expire.</summary>
    public DateTimeOffset? ExpiresAt { get; private set; }
    public DateTimeOffset? RevokedAt { get; private set; }

    /// <summary>Enrolment tokens: how many more machines may use it; null: any number.</summary>
    public int? UsesLeft { get; private set; }

    /// <summary>Machines that used a counted token: repeating the registration of one of them spends nothing.</summary>
    public string[] UsedBy { get; private set; }

    public static AccessKey Issue(
        AccessKeyKind kind, AccountId account, string name, string secret, IEnumerable<string> permissions, DateTimeOffset now, DateTimeOffset? expires, int? uses) => new()
    {
        Id = AccessKeyId.New(now),
        AccountId = account,
        Kind = kind,
        Name = name,
        SecretHash = AccessSecret.HashOf(secret),
        Permissions = [.. permissions.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
        CreatedAt = now,
        ExpiresAt = expires,
        UsesLeft = uses,
    };

    /// <summary>Revoking twice keeps the first instant.</summary>
    public void Revoke(DateTimeOffset now) => RevokedAt ??= now;

    /// <summary>Counts one machine.</summary>
    /// <exception cref="FogException">The token has been used as often as it may, is revoked or has expired.</exception>
    public void Spend(string deviceId, DateTimeOffset now)
    {
        if (RevokedAt is not null || ExpiresAt <= now)
            throw new FogException(IdentityErrors.InvalidToken);
        if (UsesLeft is null || UsedBy.Contains(deviceId, StringComparer.Ordinal))
            return;
        if (UsesLeft == 0)
            throw new FogException(IdentityErrors.EnrolmentTokenSpent);
        UsesLeft--;
        UsedBy = [.. UsedBy, deviceId];
    }
}

/// <summary>Secrets are <c>prefix_</c> and 256 random bits in base62 (43 characters): long enough that a plain SHA-256 at rest is safe.</summary>
public static class AccessSecret
{
    public const string ApiKeyPrefix = "fogk_";
    public const string EnrolmentPrefix = "foge_";
    public const string DevicePrefix = "fogd_";

    /// <summary>Access and refresh token of a session.</summary>
    public const string AccessPrefix = "foga_";
    public const string RefreshPrefix = "fogr_";

    /// <summary>The links of a password reset and of the first run.</summary>
    public const string ResetPrefix = "fogp_";
    public const string SetupPrefix = "fogs_";

    private const int Characters = 43;
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    public static string New(string prefix)
    {
        var number = new BigInteger(RandomNumberGenerator.GetBytes(32), isUnsigned: true);
        var digits = new char[Characters];
        for (var i = Characters - 1; i >= 0; i--)
        {
            number = BigInteger.DivRem(number, Alphabet.Length, out var digit);
            digits[i] = Alphabet[(int)digit];
        }
        return prefix + new string(digits);
    }

    /// <summary>SHA-256 over the whole secret with its prefix, UTF-8.</summary>
    public static byte[] HashOf(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
