using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Artifacts.Contracts;

/// <summary>
/// What this module asks the scheduler before it lets a device touch a requester's artifacts. Implemented over the scheduler's tables;
/// answers are about this instant and are never remembered: a lease that was taken away ends the access at once.
/// </summary>
public interface IAttemptAccess
{
    /// <summary>
    /// The account of the job whose attempt the device holds under a live lease (leased, staging, running or uploading, not expired);
    /// null when there is no such attempt or it is not this device's.
    /// </summary>
    Task<AccountId?> OwnerOfLiveAttemptAsync(string deviceId, AttemptId attempt, CancellationToken cancel);

    /// <summary>Whether the job of the attempt names this content as an input (or as its WASI module).</summary>
    Task<bool> IsInputAsync(AttemptId attempt, ArtifactDigest digest, CancellationToken cancel);
}
