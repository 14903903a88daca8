using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Tokenomics.Contracts;

/// <summary>What jobs were charged, for the modules that show jobs.</summary>
public interface IJobCharges
{
    /// <summary>Charges by job; jobs without a hold are absent.</summary>
    Task<IReadOnlyDictionary<JobId, JobCharge>> OfAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel);
}

/// <summary>Credits, six places: set aside at admission, paid so far, given back, still held.</summary>
public sealed record JobCharge(decimal Held, decimal Settled, decimal Released, decimal Remaining);
