using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity.Contracts;

/// <param name="Bytes">Most that the account's artifacts may be together; null: no limit.</param>
public sealed record ArtifactAllowance(long? Bytes, Plan Plan);

/// <summary>How much an account may store.</summary>
public interface IArtifactQuota
{
    ValueTask<ArtifactAllowance> OfAsync(AccountId owner, CancellationToken cancel);
}
