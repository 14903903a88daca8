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
            .Select(g => new WhyReason(g.Key, Refused(g.Key, g.Count(), seen), g.Count())).ToList();
        return new DeviceWhy(device.Id, state, refusals[0].Code, string.Join(" ", refusals.Select(r => r.Message)), refusals);
    }

    private static string Refused(string code, int jobs, PlacementDevice device) => code switch
    {
        "suitable" => $"{jobs} waiting job(s) suit it; the next placement passes decide.",
        Refusals.Cpu => $"{jobs} waiting job(s) ask for more than its {device.CpuMillicores / 1000.0:0.##} core(s).",
        Refusals.Memory => $"{jobs} waiting job(s) ask for more than its {device.MemoryBytes / (double)(1 << 20):0} MiB of memory.",
        Refusals.Disk => $"{jobs} waiting job(s) ask for more than its {device.DiskBytes / (double)(1 << 20):0} MiB of disk.",
        Refusals.Gpu => $"{jobs} waiting job(s) ask for more than its {device.Gpus} GPU(s).",
        Refusals.Labels => $"{jobs} waiting job(s) ask for labels it does not carry (it has: {(device.Labels.Count == 0 ? "none" : string.Join(", ", device.Labels))}).",
        Refusals.Region => $"{jobs} waiting job(s) ask for another region than {device.Region ?? "its own, which is not set"}.",
        Refusals.Network => $"{jobs} waiting job(s) ask for network, which its owner does not give to jobs.",
        Refusals.Isolation => $"{jobs} waiting job(s) ask for stronger isolation than it offers.",
        Refusals.PayloadKind => $"{jobs} waiting job(s) are of a kind it does not run (it runs: {string.Join(", ", device.PayloadKinds.Order(StringComparer.Ordinal))}).",
        Refusals.Trust => $"{jobs} waiting job(s) ask for more reputation than it has earned ({device.Trust:0.00}).",
        Refusals.Attestation => $"{jobs} waiting job(s) ask for an attested device.",
        _ => $"{jobs} waiting job(s) cannot use it ({code}).",
    };

    private static string Unavailable(string reason, Device device, DateTimeOffset now) => reason switch
    {
        "silent" or "lost" => $"Nothing was heard of it for {(now - device.LastSeenAt).TotalSeconds:0} s. Is the agent running and connected?",
        "no_agent" => "It is registered, but no agent has asked for work. Start one with 'fog node start'.",
        _ => $"Its owner's policy holds it back: {reason}. 'fog node why' on that machine says more.",
    };
}
