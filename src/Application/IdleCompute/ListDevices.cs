using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Identity;
using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Scheduler.Placement;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.IdleCompute;

// GET /api/idle-compute/devices?status=&device_type=
// The caller's devices (an operator sees all).

[RequiresPermission(Permissions.DevicesRead)]
public sealed record ListDevicesQuery : IQuery<DeviceList>
{
    /// <summary>active, idle, harvesting or offline.</summary>
    public string? Status { get; init; }
    public DeviceType? DeviceType { get; init; }
}

public sealed record DeviceList(IReadOnlyList<DeviceItem> Devices, int Total);

public sealed record DeviceItem
{
    public required string Id { get; init; }
    public required string Type { get; init; }
    public required string Status { get; init; }

    /// <summary>Percent; null without a battery sensor.</summary>
    public double? Battery { get; init; }
    public bool? Charging { get; init; }

    /// <summary>Cores.</summary>
    public required double Cpu { get; init; }

    /// <summary>MiB.</summary>
    public required double Memory { get; init; }

    /// <summary>°C; null without a sensor.</summary>
    public double? Temperature { get; init; }
    public required DateTimeOffset LastSeen { get; init; }
    public required long TasksCompleted { get; init; }
    public string? Name { get; init; }
    public string? Platform { get; init; }

    /// <summary>GHz offered: cores × clock; null when the clock is unknown.</summary>
    public double? CpuContribution { get; init; }

    /// <summary>Typed reason when the owner's policy holds it back.</summary>
    public string? Reason { get; init; }
    public required string State { get; init; }
}

internal sealed class ListDevicesValidator : AbstractValidator<ListDevicesQuery>
{
    public ListDevicesValidator()
    {
        RuleFor(q => q.Status).Must(s => s is "active" or "idle" or "harvesting" or "offline").When(q => q.Status is not null).WithMessage("must be active, idle, harvesting or offline.");
        RuleFor(q => q.DeviceType).IsInEnum().When(q => q.DeviceType is not null);
    }
}

internal sealed class ListDevicesHandler(IIdleComputeDb db, IPlacementPool pool, SchedulerOptions options, CallerContext context, TimeProvider time)
    : IQueryHandler<ListDevicesQuery, DeviceList>
{
    public async Task<DeviceList> Handle(ListDevicesQuery query, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var devices = await DeviceReads.VisibleTo(context.Caller, db).Where(d => query.DeviceType == null || d.Type == query.DeviceType).OrderBy(d => d.Id).ToListAsync(cancellationToken);
        var leases = (await pool.DevicesAsync(now, cancellationToken)).ToDictionary(d => d.Id, d => d.Leases, StringComparer.Ordinal);
        var items = devices.Select(d => DeviceReads.Item(d, leases.GetValueOrDefault(d.Id), options, now)).Where(i => query.Status is null || i.Status == query.Status).ToList();
        return new DeviceList(items, items.Count);
    }
}

internal static class DeviceReads
{
    public static IQueryable<Device> VisibleTo(Caller caller, IIdleComputeDb db)
    {
        var devices = db.Devices.AsNoTracking().Where(d => d.UnregisteredAt == null);
        return caller.IsOperator ? devices
            : caller.DeviceId is { } own ? devices.Where(d => d.Id == own)
            : devices.Where(d => d.AccountId == caller.Account);
    }

    public static DeviceItem Item(Device d, int leases, SchedulerOptions options, DateTimeOffset now) => new()
    {
        Id = d.Id, Type = JobWords.Word(d.Type), Status = DeviceWords.DeviceStatus(d.State, leases, now - d.LastSeenAt > options.Silence), Battery = d.BatteryPercent,
        Charging = d.Charging, Cpu = d.CpuMillicores / 1000.0, Memory = d.MemoryBytes / (double)(1 << 20), Temperature = d.TemperatureCelsius, LastSeen = d.LastSeenAt,
        TasksCompleted = d.TasksCompleted, Name = d.Name, Platform = d.Platform, CpuContribution = d.CpuGhz is { } ghz ? Math.Round(ghz * d.CpuMillicores / 1000.0, 3) : null,
        Reason = d.StateReason, State = JobWords.Word(d.State),
    };
}
