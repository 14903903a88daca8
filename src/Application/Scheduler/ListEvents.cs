using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/events?after=&limit=100&job=&device=
// What happened to the caller's jobs and devices (an operator: to all) in the last day. The same as a stream: Accept: text/event-stream, or follow=true.

[RequiresPermission(Permissions.JobsRead)]
public sealed record ListEventsQuery : IQuery<EventList>
{
    /// <summary>Id of the last event seen: answers those after it. Without it the newest.</summary>
    public long? After { get; init; }

    /// <summary>1–1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>Only events of this job.</summary>
    public Guid? Job { get; init; }

    /// <summary>Only events of this device.</summary>
    public string? Device { get; init; }
}

/// <param name="Events">In order.</param>
/// <param name="Reset">Whether events after <c>after</c> are gone, or it was never given: the list then begins with the oldest that is kept.</param>
/// <param name="Last">The highest id given so far, to anybody's event.</param>
public sealed record EventList(IReadOnlyList<SchedulerEvent> Events, bool Reset, long Last);

internal sealed class ListEventsValidator : AbstractValidator<ListEventsQuery>
{
    public ListEventsValidator()
    {
        RuleFor(q => q.Limit).InclusiveBetween(1, 1000);
        RuleFor(q => q.Device).Must(DeviceIds.IsValid).When(q => q.Device is not null).WithMessage("must be 1–255 characters of A-Z a-z 0-9 . _ : -");
    }
}

internal sealed class ListEventsHandler(IEventLog events, ISchedulerDb db, IDeviceDirectory devices, CallerContext context) : IQueryHandler<ListEventsQuery, EventList>
{
    public async Task<EventList> Handle(ListEventsQuery query, CancellationToken cancellationToken)
    {
        var caller = context.Caller;
        if (query.Job is { } job)
            await JobAccess.RequireAsync(db, caller, new JobId(job), cancellationToken);
        if (query.Device is { } device && (!(await devices.OwnersAsync([device], cancellationToken)).TryGetValue(device, out var owner) || !caller.MayActFor(owner)))
            throw new FogException(IdleComputeErrors.DeviceNotFound);
        var filter = EventFilter.Of(caller, query.Job, query.Device);
        var bounds = await events.BoundsAsync(cancellationToken);
        if (query.After is not { } after)
            return new EventList(await events.NewestAsync(filter, query.Limit, cancellationToken), false, bounds.Last);
        var reset = !bounds.CanFollow(after);
        return new EventList(await events.ReadAsync(filter, reset ? bounds.Oldest - 1 : after, query.Limit, cancellationToken), reset, bounds.Last);
    }
}
