using System.Text.Json.Serialization;
using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Contracts;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Artifacts;

// PUT /api/artifacts/{sha256}
// The content is on disk, verified and the uploader's to read when this answers complete. Repeatable; continues where it broke off.

/// <summary>Upload an artifact under its SHA-256; Content-Range continues an upload that broke off.</summary>
/// <remarks>
/// Not an <see cref="ICommand{T}"/>: that would keep a database transaction open while a gigabyte trickles in. The one statement that
/// records the finished upload is its own transaction.
/// </remarks>
[RequiresPermission(Permissions.ArtifactsWrite)]
public sealed record UploadArtifactCommand : IQuery<UploadOutcome>
{
    /// <summary>SHA-256 of the content, 64 lower-case hex digits.</summary>
    [JsonIgnore] public required string Sha256 { get; init; }

    /// <summary>Devices: the live attempt that made it.</summary>
    [JsonIgnore] public Guid? Attempt { get; init; }

    [JsonIgnore] public required UploadRange Range { get; init; }

    [JsonIgnore] public required Stream Body { get; init; }
}

/// <param name="Created">True: the account could not read it before.</param>
/// <param name="Complete">False: more is needed from <paramref name="Size"/> on.</param>
/// <param name="Size">Bytes there.</param>
public sealed record UploadOutcome(bool Created, bool Complete, long Size)
{
    /// <summary>Nothing was taken, because the range does not start at <see cref="Size"/>.</summary>
    [JsonIgnore] public bool WrongOffset { get; init; }
}

internal sealed class UploadArtifactHandler(ArtifactAccess access, IArtifactDb db, IArtifactStore store, IArtifactCatalog catalog, IArtifactQuota quota, TimeProvider clock) : IQueryHandler<UploadArtifactCommand, UploadOutcome>
{
    public async Task<UploadOutcome> Handle(UploadArtifactCommand query, CancellationToken cancellationToken)
    {
        var digest = Digests.Parse(query.Sha256);
        var owner = await access.OwnerOfUploadAsync(query.Attempt, cancellationToken);
        // Only who may read it already is spared sending it: everybody else proves with the bytes that it has them.
        if (await db.SizeForAsync(digest, owner, cancellationToken) is { } known && store.Has(digest))
            return new UploadOutcome(Created: false, Complete: true, known);

        // Before the bytes travel, where their number is known; the record below decides. What was begun and not finished takes room as well.
        var allowed = await quota.OfAsync(owner, cancellationToken);
        long? room = null;
        if (allowed.Bytes is { } most)
        {
            var used = await catalog.BytesOfAsync(owner, cancellationToken) + store.PartialBytes(access.Uploader, digest);
            room = most - used;
            if (used + (query.Range.Total ?? 0) > most)
                throw TooMuch(allowed, used, query.Range.Total ?? 0);
        }

        bool? created = null;
        var received = await store.ReceiveAsync(digest, access.Uploader, query.Range, room, query.Body, async (size, appear) =>
        {
            // An upload can outlive the lease it was made under; then it belongs to nobody.
            if (query.Attempt is not null)
                owner = await access.OwnerOfUploadAsync(query.Attempt, cancellationToken);
            created = await db.RecordAsync(digest, size, owner, allowed.Bytes, clock.GetUtcNow(), appear, cancellationToken);
            return created is not null;
        }, cancellationToken);
        if (received.Refused)
            throw TooMuch(allowed, await catalog.BytesOfAsync(owner, cancellationToken), received.Size);
        return received.Complete
            ? new UploadOutcome(created!.Value, Complete: true, received.Size)
            : new UploadOutcome(Created: false, Complete: false, received.Size) { WrongOffset = received.WrongOffset };
    }

    private static FogException TooMuch(ArtifactAllowance allowed, long used, long asked) =>
        new(IdentityErrors.ArtifactQuota(PlanLimits.Gib(allowed.Bytes!.Value), PlanLimits.Gib(used), PlanLimits.Gib(asked), allowed.Plan));
}
