using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.IdleCompute;

// GET /api/idle-compute/devices/{id}/why
// Why a device works or does not: its owner's policy, its silence, or what the waiting jobs ask that it does not offer.

[RequiresPermission(Permissions.DevicesRead)]
public sealed record GetDeviceWhyQuery(string DeviceId) : IQuery<DeviceWhy>;

public sealed record DeviceWhy(string DeviceId, string State, string? Reason, string Summary, IReadOnlyList<WhyReason> Reasons);

internal sealed class GetDeviceWhyHandler(IIdleComputeDb db, IPlacementPool pool, IJobQueue queue, CallerContext context, TimeProvider time)
    : IQueryHandler<GetDeviceWhyQuery, DeviceWhy>
{
    private const int JobsLookedAt = 256;

    public async Task<DeviceWhy> Handle(GetDeviceWhyQuery query, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var device = await DeviceReads.VisibleTo(context.Caller, db).SingleOrDefaultAsync(d => d.Id == query.DeviceId, cancellationToken)
            ?? throw new FogException(IdleComputeErrors.DeviceNotFound);
        var seen = (await pool.DevicesAsync(now, cancellationToken)).Single(d => d.Id == device.Id);
        var state = JobWords.Word(device.State);
        if (seen.Unavailable is { } reason)
            return new DeviceWhy(device.Id, state, reason, Unavailable(reason, device, now), [new WhyReason(reason, Unavailable(reason, device, now), null)]);
        if (seen.Leases > 0)
            return new DeviceWhy(device.Id, state, null, $"Works: {seen.Leases} of {seen.Slots} slots are leased.", [new WhyReason("leased", "It runs attempts.", seen.Leases)]);

        var open = await queue.OpenJobsAsync(0, JobsLookedAt, now, cancellationToken);
        if (open.Count == 0)
            return new DeviceWhy(device.Id, state, "no_work", "Ready, but no job waits for a device.", [new WhyReason("no_work", "The queue is empty.", 0)]);
        var refusals = open.Select(j => HardFilter.Explain(new PlacementTask { Key = new TaskKey(j.Job.Id, 0), Needs = j.Job.Needs }, seen) ?? "suitable")
            .GroupBy(r => r, StringComparer.Ordinal).OrderByDescending(g => g.Count())
            .Select(g => new WhyReason(g.Key, g.Key == "suitable" ? $"{g.Count()} waiting job(s) suit it." : $"{g.Count()} waiting job(s) ask for more than it offers ({g.Key}).", g.Count())).ToList();
        return new DeviceWhy(device.Id, state, refusals[0].Code, string.Join(" ", refusals.Select(r => r.Message)), refusals);
    }

    private static string Unavailable(string reason, Device device, DateTimeOffset now) => reason switch
    {
        "silent" or "lost" => $"Nothing was heard of it for {(now - device.LastSeenAt).TotalSeconds:0} s. Is the agent running and connected?",
        "no_agent" => "It is registered, but no agent has asked for work. Start one with 'fog node start'.",
        _ => $"Its owner's policy holds it back: {reason}. 'fog node why' on that machine says more.",
    };
}
