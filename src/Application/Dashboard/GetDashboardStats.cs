using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Dashboard;

// GET /api/dashboard/stats
// All parts in one snapshot, at most a second old and the same for everybody; a part that is down is null and named, the rest stays.

/// <summary>The whole system at a glance, at most a second old.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record GetDashboardStatsQuery : IQuery<DashboardStats>;

/// <param name="Bitchat">Peers that talk to each other.</param>
/// <param name="IdleCompute">The same as idle, under its other name.</param>
/// <param name="Host">The machine of this control plane over the last second; null where it cannot be measured.</param>
/// <param name="Unavailable">Parts that are down; their numbers are null.</param>
public sealed record DashboardStats(
    BetanetPart Betanet, BitchatPart Bitchat, BenchmarksPart Benchmarks, IdlePart Idle, IdlePart IdleCompute, TokenomicsPart Tokenomics, PrivacyPart Privacy, HostPart? Host,
    DateTimeOffset Timestamp, IReadOnlyList<string> Unavailable);

/// <param name="AvgLatency">Milliseconds; 0 without a node.</param>
/// <param name="Status">online or offline.</param>
public sealed record BetanetPart(int? Mixnodes, int? ActiveConnections, double? AvgLatency, long? PacketsProcessed, string Status);

/// <param name="MessagesProcessed">Delivered and sent.</param>
/// <param name="EncryptionStatus">Whether messages travel encrypted; false without messages.</param>
/// <param name="MeshHealth">good, fair or poor; null: there is no mesh.</param>
public sealed record BitchatPart(int? ActivePeers, long? MessagesDelivered, long? MessagesProcessed, bool EncryptionStatus, string? MeshHealth, MeshPart Protocols);

/// <summary>Peers by protocol.</summary>
public sealed record MeshPart(int? Ble, int? Htx);

/// <param name="TestsRun">Benchmarks of the system that ran to their end.</param>
/// <param name="AvgScore">Mean benchmark score of the devices; 0 when none has one.</param>
/// <param name="QueueLength">Task replicas that wait for a device.</param>
/// <param name="AvgLatency">Milliseconds of a round trip to the database, measured for this snapshot.</param>
/// <param name="Throughput">MB/s that this machine's network moved over the last second.</param>
/// <param name="NetworkUtilization">Percent; of what: see the host's network.</param>
/// <param name="CpuUsage">Percent of this machine's cores over the last second.</param>
/// <param name="MemoryUsage">Percent of this machine's memory.</param>
public sealed record BenchmarksPart(
    int? TestsRun, double? AvgScore, int? QueueLength, double? AvgLatency, double? Throughput, double? NetworkUtilization, double? CpuUsage, double? MemoryUsage);

/// <param name="HarvestingDevices">Devices that run an attempt.</param>
/// <param name="ComputeHours">Wall hours of accepted attempts, of all devices that ever worked here.</param>
public sealed record IdlePart(int? TotalDevices, int? HarvestingDevices, double? ComputeHours);

/// <param name="TotalSupply">Credits, six places.</param>
public sealed record TokenomicsPart(decimal? TotalSupply, int? ActiveStakers);

/// <param name="CircuitHealth">0–1; null without circuits.</param>
public sealed record PrivacyPart(int? ActiveCircuits, double? CircuitHealth);

/// <summary>The machine of this control plane over the last second. In a container, too, it is the whole machine and not the share that the container may use; only the network is the container's own.</summary>
public sealed record HostPart(double CpuUsage, double MemoryUsage, HostDiskPart Disk, HostNetworkPart Network);

/// <param name="Read">Bytes per second, all disks.</param>
/// <param name="Written">Bytes per second, all disks.</param>
/// <param name="Usage">Percent in use of the disk that FOG_HOME is on.</param>
public sealed record HostDiskPart(double Read, double Written, double? Usage);

/// <param name="Received">Bytes per second.</param>
/// <param name="Sent">Bytes per second.</param>
/// <param name="Utilization">Percent, the busier direction.</param>
/// <param name="UtilizationOf">link_speed, or largest_rate_seen where no interface tells its speed.</param>
public sealed record HostNetworkPart(double Received, double Sent, double Utilization, string UtilizationOf);

internal sealed class GetDashboardStatsHandler(DashboardSnapshot snapshot) : IQueryHandler<GetDashboardStatsQuery, DashboardStats>
{
    public Task<DashboardStats> Handle(GetDashboardStatsQuery query, CancellationToken cancellationToken) => snapshot.GetAsync(cancellationToken);
}
