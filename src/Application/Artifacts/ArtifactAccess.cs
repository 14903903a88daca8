using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Artifacts;

/// <summary>
/// Who may read and write what. An account: what it uploaded or its jobs produced. A device: inputs of a job while it holds a live attempt of
/// it, and uploads on behalf of that job's account. Whatever is not allowed does not exist (404), so that hashes cannot be probed.
/// </summary>
internal sealed class ArtifactAccess(IArtifactDb db, IAttemptAccess attempts, CallerContext context)
{
    /// <summary>The account that gets to own an upload of the caller.</summary>
    public async Task<AccountId> OwnerOfUploadAsync(Guid? attempt, CancellationToken cancel)
    {
        var caller = context.Caller;
        if (caller.Kind != CallerKind.Device)
            return caller.Account;
        return await OwnerOfAttemptAsync(caller, attempt, cancel);
    }

    /// <summary>Size of the content, if the caller may read it.</summary>
    /// <exception cref="FogException">404 otherwise.</exception>
    public async Task<long> SizeOfReadableAsync(ArtifactDigest digest, Guid? attempt, CancellationToken cancel)
    {
        var caller = context.Caller;
        long? size;
        if (caller.Kind == CallerKind.Device)
        {
            var owner = await OwnerOfAttemptAsync(caller, attempt, cancel);
            // The grant is checked too: naming a stranger's hash as an input must not open it.
            size = await attempts.IsInputAsync(new AttemptId(attempt!.Value), digest, cancel) ? await db.SizeForAsync(digest, owner, cancel) : null;
        }
        else
        {
            size = caller.IsOperator ? await db.SizeAsync(digest, cancel) : await db.SizeForAsync(digest, caller.Account, cancel);
        }
        return size ?? throw new FogException(ArtifactErrors.NotFound);
    }

    /// <summary>Keeps unfinished uploads of different callers apart.</summary>
    public string Uploader => $"{context.Caller.Account}/{context.Caller.DeviceId}";

    private async Task<AccountId> OwnerOfAttemptAsync(Caller caller, Guid? attempt, CancellationToken cancel) =>
        attempt is { } id && caller.DeviceId is { } device && await attempts.OwnerOfLiveAttemptAsync(device, new AttemptId(id), cancel) is { } owner
            ? owner
            : throw new FogException(ArtifactErrors.NotFound);
}

internal static class Digests
{
    /// <exception cref="FogException">422 naming <c>sha256</c>.</exception>
    public static ArtifactDigest Parse(string text) => ArtifactDigest.TryParse(text, out var digest) ? digest : throw ArtifactErrors.InvalidDigest.On("sha256");
}
