using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

/// <summary>Who holds a secret. <paramref name="Key"/> is null for device keys, which the idle-compute module keeps.</summary>
public sealed record Credential(CallerKind Kind, AccountId Account, string? DeviceId, AccessKeyId? Key, IReadOnlySet<string> Permissions, DateTimeOffset? ExpiresAt)
{
    public Caller ToCaller() => new(Kind, Account, DeviceId, Permissions) { Key = Key?.Value };
}

/// <summary>Looks a secret up by its hash. Answers null for anything unknown, expired, revoked or unregistered.</summary>
public interface ICredentials
{
    /// <summary>A hit may be up to 5 s old: a revoked key can live that much longer. Misses are never remembered.</summary>
    /// <param name="secret">The whole token with its prefix.</param>
    Task<Credential?> FindAsync(string secret, CancellationToken cancel);
}

/// <summary>The credential of the current scope; set by the edge together with the caller.</summary>
public sealed class CredentialContext
{
    public Credential? Credential { get; set; }
}
