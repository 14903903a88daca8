using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Artifacts.Contracts;

/// <summary>What other modules may ask: before a job is accepted, are its inputs there and the requester's to use?</summary>
public interface IArtifactCatalog
{
    /// <summary>Those of <paramref name="digests"/> that are not stored or not readable for the account; empty: all are. One query.</summary>
    Task<IReadOnlySet<ArtifactDigest>> MissingAsync(AccountId account, IReadOnlyCollection<ArtifactDigest> digests, CancellationToken cancel);

    /// <summary>Bytes of all artifacts that the account may read.</summary>
    Task<long> BytesOfAsync(AccountId account, CancellationToken cancel);
}
