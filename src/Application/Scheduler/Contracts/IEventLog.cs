using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Scheduler.Contracts;

/// <summary>What happened to one job or device.</summary>
/// <param name="Id">Grows in the order in which events become visible, without gaps: whoever has seen one has seen, or been able to see, all below it.</param>
/// <param name="Kind">job_ + submitted, started, paused, resumed, completed, failed, cancelled, expired; device_ + registered, eligible, paused, lost, returned, unregistered.</param>
/// <param name="Account">Owner of the job or device.</param>
/// <param name="JobId">Null for events of devices.</param>
/// <param name="DeviceId">Null for events of jobs.</param>
/// <param name="Name">Of the job or device, as it was then.</param>
/// <param name="Reason">Why, typed; null when the kind says it.</param>
public sealed record SchedulerEvent(long Id, DateTimeOffset At, string Kind, Guid Account, Guid? JobId, string? DeviceId, string? Name, string? Reason);

/// <summary>Which events somebody sees.</summary>
/// <param name="Owner">Null: everybody's.</param>
/// <param name="Devices">Whether events of devices are among them.</param>
public sealed record EventFilter(AccountId? Owner, Guid? Job, string? Device, bool Devices)
{
    public static EventFilter Of(Caller caller, Guid? job, string? device) =>
        new(caller.IsOperator ? null : caller.Account, job, device, caller.Permissions.Contains(Permissions.DevicesRead));

    public bool Shows(SchedulerEvent happened) =>
        (Owner is not { } owner || owner.Value == happened.Account) && (Job is null || Job == happened.JobId) && (Device is null || Device == happened.DeviceId) && (Devices || happened.DeviceId is null);
}

/// <param name="Oldest">Id of the oldest that is kept; one above <paramref name="Last"/> when none is.</param>
/// <param name="Last">The highest id that was given.</param>
public readonly record struct EventBounds(long Oldest, long Last)
{
    /// <summary>Whether all that came after this event is still there. An id that was never given (another database's) is not.</summary>
    public bool CanFollow(long id) => id >= Oldest - 1 && id <= Last;
}

/// <summary>
/// The events of jobs and devices. The database writes them in the transaction of the change (see migration 0019); they get their ids once they are
/// committed, from one sealer at a time, so that ids become visible in their order.
/// </summary>
public interface IEventLog
{
    /// <summary>Gives ids to at most so many committed events; returns to how many. 0 also when another control plane is at it.</summary>
    Task<int> SealAsync(int atMost, CancellationToken cancel);

    Task<EventBounds> BoundsAsync(CancellationToken cancel);

    /// <summary>The oldest <paramref name="limit"/> events after an id, in order.</summary>
    Task<IReadOnlyList<SchedulerEvent>> ReadAsync(EventFilter filter, long after, int limit, CancellationToken cancel);

    /// <summary>The newest events, in order.</summary>
    Task<IReadOnlyList<SchedulerEvent>> NewestAsync(EventFilter filter, int limit, CancellationToken cancel);

    /// <summary>Deletes, oldest first, at most <paramref name="batch"/> events that are older than <paramref name="kept"/> or more than <paramref name="most"/> back.</summary>
    Task<int> ForgetAsync(TimeSpan kept, long most, int batch, CancellationToken cancel);
}
