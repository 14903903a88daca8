using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.IdleCompute;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.IdleCompute;

// GET /api/idle-compute/stats
// What the pool's devices offer, and what all devices ever did; sums over the device table, no estimates.

[RequiresPermission(Permissions.Public)]
public sealed record GetIdleComputeStatsQuery : IQuery<IdleComputeStats>;

public sealed record IdleComputeStats
{
    public required int TotalDevices { get; init; }
    public required int ActiveDevices { get; init; }
    public required int HarvestingDevices { get; init; }
    public required int IdleDevices { get; init; }

    /// <summary>Cores, MiB, mean battery percent of devices that have one (0 when none has).</summary>
    public required DeviceResources TotalResources { get; init; }
    public required HarvestFigures HarvestMetrics { get; init; }

    /// <summary>Devices by type; every type is named.</summary>
    public required IReadOnlyDictionary<string, int> DeviceTypes { get; init; }
    public required DeviceCountFigures Devices { get; init; }
    public required ComputeFigures Compute { get; init; }
    public required HarvestSummary Harvest { get; init; }
    public required MobileFigures Mobile { get; init; }
}

public sealed record DeviceResources(double Cpu, double Memory, double AvgBattery);

/// <summary>Of all devices that ever worked here: who leaves does not take along what was done.</summary>
/// <param name="Efficiency">Share of attempts whose device was not lost, 0–1.</param>
public sealed record HarvestFigures(long TasksCompleted, double TotalComputeHours, double Efficiency);

public sealed record DeviceCountFigures(int Total, int Active, int Charging, [property: System.Text.Json.Serialization.JsonPropertyName("thermal_throttle")] int ThermalThrottle);

/// <param name="TotalCPU">GHz of devices whose clock is known.</param>
/// <param name="TotalGPU">TFLOPS of devices that measure it: of none so far, so 0.</param>
/// <param name="TotalMemory">GiB.</param>
/// <param name="UtilizationRate">Leased share of live cores, percent.</param>
public sealed record ComputeFigures(double TotalCPU, double TotalGPU, double TotalMemory, double UtilizationRate);

/// <param name="EnergyEfficiency">Percent, of devices that measure energy: of none so far, so 0.</param>
public sealed record HarvestSummary(long TasksCompleted, double ComputeHoursCollected, double EnergyEfficiency);

/// <param name="BatteryHealthAvg">Percent, of devices that report it: of none so far, so 0.</param>
public sealed record MobileFigures(int Android, int Ios, double BatteryHealthAvg);

internal sealed class GetIdleComputeStatsHandler(IIdleComputeDb db, IPlacementPool pool, SchedulerOptions options, TimeProvider time)
    : IQueryHandler<GetIdleComputeStatsQuery, IdleComputeStats>
{
    public async Task<IdleComputeStats> Handle(GetIdleComputeStatsQuery query, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var devices = await db.Devices.AsNoTracking().Where(d => d.UnregisteredAt == null).ToListAsync(cancellationToken);
        var seen = (await pool.DevicesAsync(now, cancellationToken)).ToDictionary(d => d.Id, StringComparer.Ordinal);
        var items = devices.Select(d => DeviceReads.Item(d, seen.GetValueOrDefault(d.Id)?.Leases ?? 0, options, now)).ToList();
        int With(string status) => items.Count(i => i.Status == status);
        var gone = await db.Devices.AsNoTracking().Where(d => d.UnregisteredAt != null).GroupBy(_ => 1)
            .Select(g => new { Completed = g.Sum(d => d.TasksCompleted), Losses = g.Sum(d => d.Losses), Ms = g.Sum(d => d.ComputeMs) }).SingleOrDefaultAsync(cancellationToken);
        var (completed, losses) = (devices.Sum(d => d.TasksCompleted) + (gone?.Completed ?? 0), devices.Sum(d => d.Losses) + (gone?.Losses ?? 0));
        var hours = Math.Round((devices.Sum(d => d.ComputeMs) + (gone?.Ms ?? 0)) / 3_600_000.0, 6);
        var batteries = devices.Where(d => d.BatteryPercent is not null).Select(d => d.BatteryPercent!.Value).ToList();
        var live = seen.Values.Where(d => d.Unavailable is null).ToList();
        var (leased, cores) = (live.Sum(d => (double)d.LeasedMillicores), live.Sum(d => (double)d.CpuMillicores));
        var active = With("active") + With("harvesting");
        return new IdleComputeStats
        {
            TotalDevices = items.Count, ActiveDevices = active, HarvestingDevices = With("harvesting"), IdleDevices = With("idle"),
            TotalResources = new DeviceResources(items.Sum(i => i.Cpu), items.Sum(i => i.Memory), batteries.Count == 0 ? 0 : Math.Round(batteries.Average(), 2)),
            HarvestMetrics = new HarvestFigures(completed, hours, completed + losses == 0 ? 0 : Math.Round(completed / (double)(completed + losses), 4)),
            DeviceTypes = Enum.GetValues<DeviceType>().ToDictionary(t => JobWords.Word(t), t => devices.Count(d => d.Type == t), StringComparer.Ordinal),
            Devices = new DeviceCountFigures(items.Count, active, devices.Count(d => d.Charging == true), devices.Count(d => d.StateReason == "too_hot")),
            Compute = new ComputeFigures(Math.Round(items.Sum(i => i.CpuContribution ?? 0), 3), 0, Math.Round(items.Sum(i => i.Memory) / 1024, 3), cores <= 0 ? 0 : Math.Round(Math.Min(100, 100 * leased / cores), 2)),
            Harvest = new HarvestSummary(completed, hours, 0),
            Mobile = new MobileFigures(devices.Count(d => d.Type == DeviceType.Android), devices.Count(d => d.Type == DeviceType.Ios), 0),
        };
    }
}
