using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Tokenomics.Contracts;

/// <summary>What jobs were charged, for the modules that show jobs.</summary>
public interface IJobCharges
{
    /// <summary>Charges by job; jobs without a hold are absent.</summary>
    Task<IReadOnlyDictionary<JobId, JobCharge>> OfAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel);

    /// <summary>What the settlements of a job paid to the owner of each device, and the pool's share.</summary>
    Task<JobPaid> PaymentsAsync(JobId job, CancellationToken cancel);
}

/// <summary>Credits, six places.</summary>
public sealed record JobPaid(IReadOnlyList<DevicePayment> Devices, decimal Fee, decimal Burned);

/// <summary>What one device earned with a job.</summary>
/// <param name="Owner">Name of the account that was paid.</param>
/// <param name="Tasks">Tasks whose accepted result came (also) from this device.</param>
/// <param name="Amount">Credits.</param>
public sealed record DevicePayment(string Device, string Owner, int Tasks, decimal Amount);

/// <summary>Credits, six places: set aside at admission, paid so far, given back, still held.</summary>
public sealed record JobCharge(decimal Held, decimal Settled, decimal Released, decimal Remaining);
