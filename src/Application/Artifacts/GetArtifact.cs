using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Artifacts;

// GET /api/artifacts/{sha256}
// The content, to its owner or to a device that needs it for a live attempt; ranges and ETag are the edge's part.

/// <summary>Read an artifact; supports Range and If-None-Match.</summary>
[RequiresPermission(Permissions.ArtifactsRead)]
public sealed record GetArtifactQuery : IQuery<ArtifactContent>
{
    /// <summary>SHA-256 of the content, 64 lower-case hex digits.</summary>
    [JsonIgnore] public required string Sha256 { get; init; }

    /// <summary>Devices: the live attempt whose input this is.</summary>
    [JsonIgnore] public Guid? Attempt { get; init; }
}

/// <param name="Content">Seekable, at its start; the receiver disposes it.</param>
public sealed record ArtifactContent(ArtifactDigest Digest, Stream Content);

internal sealed class GetArtifactHandler(ArtifactAccess access, IArtifactStore store) : IQueryHandler<GetArtifactQuery, ArtifactContent>
{
    public async Task<ArtifactContent> Handle(GetArtifactQuery query, CancellationToken cancellationToken)
    {
        var digest = Digests.Parse(query.Sha256);
        await access.SizeOfReadableAsync(digest, query.Attempt, cancellationToken);
        return new ArtifactContent(digest, store.OpenRead(digest) ?? throw new FogException(ArtifactErrors.StoreUnavailable));
    }
}
