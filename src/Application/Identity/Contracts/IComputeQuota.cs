using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Identity.Contracts;

/// <param name="Milliseconds">Wall time that all its tasks are quoted to run.</param>
/// <param name="Unlimited">Asked for by an operator.</param>
public sealed record ComputeAsk(JobId Job, AccountId Account, long Milliseconds, bool Unlimited);

/// <summary>The compute hours that plans allow by day.</summary>
public interface IComputeQuota
{
    /// <summary>Reserves for each job, inside the running transaction; answers the refusals (429). Accounts without a limit cost nothing.</summary>
    Task<IReadOnlyDictionary<JobId, FogException>> ReserveAsync(IReadOnlyList<ComputeAsk> asks, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Takes back what was reserved for jobs that were refused afterwards, in the same transaction.</summary>
    Task ReleaseAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel);
}
