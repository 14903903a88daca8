using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Artifacts;

// HEAD /api/artifacts/{sha256}
// Whether the artifact is there for the caller; if not, how much of the caller's own unfinished upload is.

/// <summary>Ask whether an artifact is there; a 404 says in Upload-Offset where an unfinished upload goes on.</summary>
[RequiresPermission(Permissions.ArtifactsRead)]
public sealed record HeadArtifactQuery : IQuery<ArtifactPresence>
{
    /// <summary>SHA-256 of the content, 64 lower-case hex digits.</summary>
    [JsonIgnore] public required string Sha256 { get; init; }

    /// <summary>Devices: the live attempt it belongs to.</summary>
    [JsonIgnore] public Guid? Attempt { get; init; }
}

/// <param name="Size">Bytes of the artifact; null when it is not there for the caller.</param>
/// <param name="UploadOffset">Bytes of the caller's unfinished upload.</param>
public sealed record ArtifactPresence(long? Size, long UploadOffset);

internal sealed class HeadArtifactHandler(ArtifactAccess access, IArtifactStore store) : IQueryHandler<HeadArtifactQuery, ArtifactPresence>
{
    public async Task<ArtifactPresence> Handle(HeadArtifactQuery query, CancellationToken cancellationToken)
    {
        var digest = Digests.Parse(query.Sha256);
        try
        {
            var size = await access.SizeOfReadableAsync(digest, query.Attempt, cancellationToken);
            if (store.Has(digest))
                return new ArtifactPresence(size, 0);
        }
        catch (FogException refusal) when (refusal.Error.Kind == ErrorKind.NotFound)
        {
            // Not there for this caller: the answer is how far its own upload got.
        }
        return new ArtifactPresence(null, store.PartialLength(digest, access.Uploader));
    }
}
