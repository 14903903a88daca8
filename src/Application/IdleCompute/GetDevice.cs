using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Scheduler.Placement;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.IdleCompute;

// GET /api/idle-compute/devices/{id}
// One device of the caller's.

[RequiresPermission(Permissions.DevicesRead)]
public sealed record GetDeviceQuery(string DeviceId) : IQuery<DeviceDetail>;

public sealed record DeviceDetail
{
    public required string Id { get; init; }
    public required string Type { get; init; }
    public required string Status { get; init; }
    public required DeviceCapabilityFigures Capabilities { get; init; }
    public required DeviceFigures Stats { get; init; }
    public required DateTimeOffset LastSeen { get; init; }
    public string? Name { get; init; }
    public required string State { get; init; }
    public string? Reason { get; init; }
    public required IReadOnlyList<string> Isolation { get; init; }
    public required IReadOnlyList<string> PayloadKinds { get; init; }
    public required double Trust { get; init; }

    /// <summary>What was learned of when it is there.</summary>
    public required DevicePresenceFigures Presence { get; init; }
}

/// <param name="ObservedHours">Hours it was watched, older weeks counting less; 0: the other figures are guesses for a device nobody knows.</param>
/// <param name="ThisHour">Share of this hour of the week in which it is there, 0–1.</param>
/// <param name="StaysAnHour">Probability that it stays for the next hour if it is there, 0–1.</param>
public sealed record DevicePresenceFigures(double ObservedHours, double ThisHour, double StaysAnHour);

/// <summary>Cores, MiB, percent, °C.</summary>
public sealed record DeviceCapabilityFigures(double Cpu, double Memory, double? Battery, bool? Charging, double? Temperature);

/// <param name="ComputeHours">Measured wall hours of its accepted attempts.</param>
/// <param name="Uptime">Share of its attempts that it did not lose, 0–1.</param>
public sealed record DeviceFigures(long TasksCompleted, double ComputeHours, double Uptime, long Losses, long Evictions);

internal sealed class GetDeviceHandler(IIdleComputeDb db, IPlacementPool pool, SchedulerOptions options, CallerContext context, TimeProvider time)
    : IQueryHandler<GetDeviceQuery, DeviceDetail>
{
    public async Task<DeviceDetail> Handle(GetDeviceQuery query, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var device = await DeviceReads.VisibleTo(context.Caller, db).SingleOrDefaultAsync(d => d.Id == query.DeviceId, cancellationToken)
            ?? throw new FogException(IdleComputeErrors.DeviceNotFound);
        var seen = (await pool.DevicesAsync(now, cancellationToken)).FirstOrDefault(d => d.Id == device.Id);
        var presence = seen?.Presence ?? AvailabilityProfile.Unknown;
        var item = DeviceReads.Item(device, seen?.Leases ?? 0, options, now);
        return new DeviceDetail
        {
            Id = item.Id, Type = item.Type, Status = item.Status, LastSeen = item.LastSeen, Name = item.Name, State = item.State, Reason = item.Reason,
            Capabilities = new DeviceCapabilityFigures(item.Cpu, item.Memory, item.Battery, item.Charging, item.Temperature),
            Stats = new DeviceFigures(device.TasksCompleted, Math.Round(device.ComputeMs / 3_600_000.0, 6), Math.Round(device.Availability, 4), device.Losses, device.Evictions),
            Isolation = [.. device.IsolationLevels.Select(l => l.ToLowerInvariant())], PayloadKinds = device.PayloadKinds, Trust = Math.Round(device.Reputation.LowerBound(now), 4),
            Presence = new DevicePresenceFigures(
                Math.Round(presence.ObservedHours, 3), Math.Round(presence.Presence(AvailabilityProfile.BucketOf(now)), 4), Math.Round(presence.Survival(now, 3600), 4)),
        };
    }
}
