using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Artifacts;

/// <summary>Options of the artifact store.</summary>
/// <param name="Folder">Absolute folder of the store; nothing in it is ever served by path.</param>
/// <param name="MaxBytes">Largest artifact, bytes (FOG_ARTIFACT_MAX_BYTES, default 1 GiB).</param>
public sealed record ArtifactOptions(string Folder, long MaxBytes)
{
    public const long DefaultMaxBytes = 1L << 30;

    /// <summary>How long an upload that was broken off can be continued.</summary>
    public static readonly TimeSpan PartialLifetime = TimeSpan.FromHours(24);
}

/// <summary>The tables of this module.</summary>
public interface IArtifactDb
{
    /// <summary>
    /// Records the content and that the account may read it. Repeating it changes nothing. Answers whether the grant is new; null: nothing was recorded,
    /// because the account's artifacts would be more than <paramref name="most"/> bytes together (null: no limit).
    /// </summary>
    /// <param name="appear">Called just before, once it is certain that it fits: gives the content its place on disk.</param>
    Task<bool?> RecordAsync(ArtifactDigest digest, long size, AccountId account, long? most, DateTimeOffset now, Action appear, CancellationToken cancel);

    /// <summary>Size of a content that the account may read; null when there is none.</summary>
    Task<long?> SizeForAsync(ArtifactDigest digest, AccountId account, CancellationToken cancel);

    /// <summary>Size of a stored content whoever may read it; null when there is none.</summary>
    Task<long?> SizeAsync(ArtifactDigest digest, CancellationToken cancel);
}

/// <summary>Where a body of an upload goes: <c>Content-Range: bytes First-(First+Length-1)/Total</c>.</summary>
/// <param name="First">Offset of the first byte.</param>
/// <param name="Length">Bytes in this body; null when the client did not say.</param>
/// <param name="Total">Bytes of the whole artifact; null when the client did not say: then the end of the body is the end of the artifact.</param>
/// <param name="Continues">Whether this adds to what arrived before; false starts over.</param>
public sealed record UploadRange(long First, long? Length, long? Total, bool Continues);

/// <param name="Complete">True: the whole content is on disk under its verified hash.</param>
/// <param name="Size">Bytes there so far.</param>
public sealed record Received(bool Complete, long Size)
{
    /// <summary>The body was not read, because it does not start at <see cref="Size"/>.</summary>
    public bool WrongOffset { get; init; }

    /// <summary>It was more than there was room for, or nobody wanted to keep it; nothing of it is left.</summary>
    public bool Refused { get; init; }
}

/// <summary>
/// Contents on disk, by hash. A content appears all at once (written aside, fsync, rename), so a reader never sees half of one and a crash
/// leaves none.
/// </summary>
public interface IArtifactStore
{
    /// <summary>Whether the content is there.</summary>
    bool Has(ArtifactDigest digest);

    /// <summary>The content, from its start, seekable; null when it is not there. Dispose it.</summary>
    Stream? OpenRead(ArtifactDigest digest);

    /// <summary>Bytes of an unfinished upload of this uploader; 0 when there is none.</summary>
    long PartialLength(ArtifactDigest digest, string uploader);

    /// <summary>Bytes of the unfinished uploads of this uploader, without the one of <paramref name="except"/>.</summary>
    long PartialBytes(string uploader, ArtifactDigest except);

    /// <summary>
    /// Streams a body to disk and, when it is the last, verifies the hash. If the body breaks off, what arrived stays for
    /// <see cref="ArtifactOptions.PartialLifetime"/>. <paramref name="uploader"/> keeps unfinished uploads of different callers apart.
    /// </summary>
    /// <param name="room">Most bytes that are taken; null: as many as an artifact may have.</param>
    /// <param name="keep">Asked with the size once the whole content is there and verified; calls the action that makes it appear, or answers false: then it is deleted.</param>
    /// <exception cref="Domain.Common.FogException">413 too large; 422 wrong hash (nothing is kept); 409 the same upload is
    /// running; 503 disk full.</exception>
    Task<Received> ReceiveAsync(ArtifactDigest digest, string uploader, UploadRange range, long? room, Stream body, Func<long, Action, Task<bool>> keep, CancellationToken cancel);

    /// <summary>Deletes unfinished uploads that nobody touched for their lifetime; answers how many.</summary>
    int DeleteStalePartials();
}
