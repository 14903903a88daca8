using System.Text.Json.Serialization;
using FogCompute.Application.Betanet.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.P2P.Contracts;
using FogCompute.Application.Privacy.Contracts;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Realtime;

// WS /ws/metrics, each second, once for all who listen
// Promises: figures at most a second old (control planes may share a count); null for a part that could not be asked.

[RequiresPermission(Permissions.Public)]
public sealed record GetPoolMetricsQuery : IQuery<PoolMetrics>;

/// <summary>The pool at one instant. On the wire in snake_case.</summary>
public sealed record PoolMetrics(
    DateTimeOffset Timestamp, BetanetMetrics? Betanet, [property: JsonPropertyName("p2p")] PeerMetrics? P2P, SchedulerMetrics? Scheduler, IdleComputeMetrics? IdleCompute,
    TokenomicsMetrics? Tokenomics, PrivacyMetrics? Privacy);

/// <param name="LatencyMs">Null: no mixnode is there to be measured.</param>
public sealed record BetanetMetrics(int ActiveNodes, int Connections, double? LatencyMs, long Packets);

public sealed record PeerMetrics(int ConnectedPeers, long MessagesSent, long MessagesReceived);

/// <param name="QueueLength">Task replicas that wait for a device.</param>
public sealed record SchedulerMetrics(int Pending, int Running, int Total, int QueueLength);

/// <param name="Harvesting">Devices that run an attempt.</param>
public sealed record IdleComputeMetrics(int TotalDevices, int Harvesting);

/// <param name="TotalSupply">Credits, six places.</param>
public sealed record TokenomicsMetrics(decimal TotalSupply, int Stakers);

public sealed record PrivacyMetrics(int Circuits);

/// <summary>Counts what a snapshot shows.</summary>
public interface IPoolFigures
{
    /// <summary>One look, meant to be taken each second whatever the pool's size; null while the database is away.</summary>
    Task<PoolCounts?> CountAsync(CancellationToken cancel);
}

/// <param name="SupplyMicro">Micro-credits that are not burned.</param>
public sealed record PoolCounts(int PendingJobs, int RunningJobs, int Jobs, int OpenSlots, int Devices, int HarvestingDevices, long SupplyMicro, int Stakers);

internal sealed class GetPoolMetricsHandler(IPoolFigures figures, IBetanet betanet, IPeerNetwork peers, IPrivacyNetwork privacy, TimeProvider time) : IQueryHandler<GetPoolMetricsQuery, PoolMetrics>
{
    public async Task<PoolMetrics> Handle(GetPoolMetricsQuery query, CancellationToken cancellationToken)
    {
        var counts = await CountAsync(cancellationToken);
        return new PoolMetrics(
            time.GetUtcNow(),
            // Where there is no mixnode, peer or circuit, none is counted.
            await betanet.StatusAsync(cancellationToken) is { } net ? new BetanetMetrics(net.Nodes.Active, net.Connections, net.Network.Latency, net.Network.PacketsProcessed) : new BetanetMetrics(0, 0, null, 0),
            await peers.StatsAsync(cancellationToken) is { } mesh ? new PeerMetrics(mesh.ConnectedPeers, mesh.MessagesSent, mesh.MessagesReceived) : new PeerMetrics(0, 0, 0),
            counts is null ? null : new SchedulerMetrics(counts.PendingJobs, counts.RunningJobs, counts.Jobs, counts.OpenSlots),
            counts is null ? null : new IdleComputeMetrics(counts.Devices, counts.HarvestingDevices),
            counts is null ? null : new TokenomicsMetrics(Credits.FromMicro(counts.SupplyMicro), counts.Stakers),
            new PrivacyMetrics((await privacy.StatsAsync(cancellationToken))?.ActiveCircuits ?? 0));
    }

    /// <summary>A database that does not answer in time is as good as away; the other parts are not.</summary>
    private async Task<PoolCounts?> CountAsync(CancellationToken cancel)
    {
        try
        {
            return await figures.CountAsync(cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return null;
        }
    }
}
