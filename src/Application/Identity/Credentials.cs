using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

/// <summary>Who holds a secret. <paramref name="Key"/> is null for device keys, which the idle-compute module keeps.</summary>
public sealed record Credential(CallerKind Kind, AccountId Account, string? DeviceId, AccessKeyId? Key, IReadOnlySet<string> Permissions, DateTimeOffset? ExpiresAt)
{
    /// <summary>Of an access token; null for everything else.</summary>
    public SessionId? Session { get; init; }

    public Caller ToCaller() => new(Kind, Account, DeviceId, Permissions) { Key = Key?.Value };
}

/// <summary>Looks a secret up by its hash. Answers null for anything unknown, expired, revoked or unregistered.</summary>
public interface ICredentials
{
    /// <summary>A hit may be up to 5 s old where the signal of a revocation does not arrive; else revocation works at once. Misses are never remembered.</summary>
    /// <param name="secret">The whole token with its prefix.</param>
    Task<Credential?> FindAsync(string secret, CancellationToken cancel);

    /// <summary>For answers that outlive their request: whether what was found then still stands. An access token that has merely run out does, as long as its session does.</summary>
    Task<bool> StandsAsync(Credential credential, CancellationToken cancel);
}

/// <summary>The credential of the current scope; set by the edge together with the caller.</summary>
public sealed class CredentialContext
{
    public Credential? Credential { get; set; }
}
