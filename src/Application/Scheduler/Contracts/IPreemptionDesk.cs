using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Application.Scheduler.Contracts;

/// <summary>An open task that could be placed now.</summary>
/// <param name="UsedDevices">Devices that hold, held, lost or declined a replica of it.</param>
public sealed record OpenSlots(JobId Job, int Index, int Slots, DateTimeOffset EligibleAt, IReadOnlyList<string> UsedDevices);

/// <summary>What taking work back for other work needs to read and write. Takes no locks but those of the rows it marks.</summary>
public interface IPreemptionDesk
{
    /// <summary>Eligible open tasks of these jobs, the first <paramref name="perJob"/> of each.</summary>
    Task<IReadOnlyList<OpenSlots>> OpenTasksAsync(IReadOnlyCollection<JobId> jobs, int perJob, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Live attempts of jobs of at most this priority, and all that are under notice.</summary>
    Task<IReadOnlyList<RunningAttempt>> RunningAsync(int highestPriority, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Puts those of the attempts that still run under notice; their devices and jobs.</summary>
    Task<IReadOnlyList<(string DeviceId, JobId Job)>> NoticeAsync(IReadOnlyCollection<AttemptId> attempts, DateTimeOffset until, CancellationToken cancel);
}
