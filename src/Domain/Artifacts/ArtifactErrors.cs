using FogCompute.Domain.Common;

namespace FogCompute.Domain.Artifacts;

public static class ArtifactErrors
{
    public static readonly FogError NotFound = new("artifacts.not_found", ErrorKind.NotFound, "There is no such artifact for this caller. Upload it first with PUT /api/artifacts/{sha256}.");
    public static readonly FogError InvalidDigest = new("artifacts.invalid_digest", ErrorKind.Invalid, "An artifact is named by its SHA-256: exactly 64 lower-case hex digits.");
    public static readonly FogError HashMismatch = new("artifacts.hash_mismatch", ErrorKind.Invalid, "The bytes received do not have the SHA-256 in the address. Nothing was kept; send them again from the start.");
    public static readonly FogError InvalidRange = new("artifacts.invalid_range", ErrorKind.Invalid, "Content-Range must read 'bytes first-last/total' with known numbers, and the body must have exactly that many bytes.");
    public static readonly FogError Incomplete = new("artifacts.incomplete", ErrorKind.Malformed, "The body ended before the announced length. What arrived is kept for 24 h; ask with HEAD where to go on.");
    public static readonly FogError UploadInProgress = new("artifacts.upload_in_progress", ErrorKind.Conflict, "The same artifact is just being uploaded by the same caller. Wait for that upload or let it end.");
    public static readonly FogError DiskFull = new("artifacts.disk_full", ErrorKind.Unavailable, "The artifact store has no room left. The operator must free or add disk space; then send the upload again.");
    public static readonly FogError StoreUnavailable = new("artifacts.store_unavailable", ErrorKind.Unavailable, "The artifact is recorded but its content cannot be read just now. Try again later or upload it again.");

    public static FogError OffsetMismatch(long expected) =>
        new("artifacts.offset_mismatch", ErrorKind.Conflict, $"The upload continues at byte {expected} (header Upload-Offset), not where this range starts.");

    public static FogError TooLarge(long limit) =>
        new("artifacts.too_large", ErrorKind.TooLarge, $"An artifact may have at most {limit} bytes here. Split it, or ask the operator to raise FOG_ARTIFACT_MAX_BYTES.");
}
