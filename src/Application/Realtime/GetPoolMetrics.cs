using System.Text.Json.Serialization;
using FogCompute.Application.Betanet.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.P2P.Contracts;
using FogCompute.Application.Privacy.Contracts;
using FogCompute.Domain.Tokenomics;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Application.Realtime;

// WS /ws/metrics, each second, once for all who listen
// Promises: figures at most a second old (control planes may share a count); null for a part that could not be asked.

[RequiresPermission(Permissions.Public)]
public sealed record GetPoolMetricsQuery : IQuery<PoolMetrics>;

/// <summary>The pool at one instant. On the wire in snake_case.</summary>
public sealed record PoolMetrics(
    DateTimeOffset Timestamp, BetanetMetrics? Betanet, [property: JsonPropertyName("p2p")] PeerMetrics? P2P, SchedulerMetrics? Scheduler, IdleComputeMetrics? IdleCompute,
    TokenomicsMetrics? Tokenomics, PrivacyMetrics? Privacy);

/// <param name="LatencyMs">0 without a mixnode.</param>
public sealed record BetanetMetrics(int ActiveNodes, int Connections, double LatencyMs, long Packets);

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

/// <summary>
/// Counts in a scope of its own, so that who asks can go on without an answer: a driver gives up a frozen database only after seconds, a beat cannot wait for that.
/// While a count is under way nobody begins another.
/// </summary>
public sealed class PoolLook(IServiceScopeFactory scopes)
{
    private readonly Lock _gate = new();
    private Task<PoolCounts?>? _looking;

    /// <summary>Null: the database is away, or does not answer before <paramref name="cancel"/>.</summary>
    public async Task<PoolCounts?> CountAsync(CancellationToken cancel)
    {
        Task<PoolCounts?> looking;
        lock (_gate)
            looking = _looking is { IsCompleted: false } ? _looking : _looking = LookAsync(cancel);
        try
        {
            return await looking.WaitAsync(cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<PoolCounts?> LookAsync(CancellationToken cancel)
    {
        await Task.Yield(); // Out of the gate.
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            return await scope.ServiceProvider.GetRequiredService<IPoolFigures>().CountAsync(cancel);
        }
        catch (Exception) when (cancel.IsCancellationRequested)
        {
            return null; // Whatever the driver makes of being cancelled, it is no answer; for those neither who joined later.
        }
    }
}

internal sealed class GetPoolMetricsHandler(PoolLook look, IBetanet betanet, IPeerNetwork peers, IPrivacyNetwork privacy, TimeProvider time) : IQueryHandler<GetPoolMetricsQuery, PoolMetrics>
{
    public async Task<PoolMetrics> Handle(GetPoolMetricsQuery query, CancellationToken cancellationToken)
    {
        var counts = await look.CountAsync(cancellationToken);
        return new PoolMetrics(
            time.GetUtcNow(),
            // Where there is no mixnode, peer or circuit, none is counted.
            await betanet.StatusAsync(cancellationToken) is { } net ? new BetanetMetrics(net.Nodes.Active, net.Connections, net.Network.Latency, net.Network.PacketsProcessed) : new BetanetMetrics(0, 0, 0, 0),
            await peers.StatsAsync(cancellationToken) is { } mesh ? new PeerMetrics(mesh.ConnectedPeers, mesh.MessagesSent, mesh.MessagesReceived) : new PeerMetrics(0, 0, 0),
            counts is null ? null : new SchedulerMetrics(counts.PendingJobs, counts.RunningJobs, counts.Jobs, counts.OpenSlots),
            counts is null ? null : new IdleComputeMetrics(counts.Devices, counts.HarvestingDevices),
            counts is null ? null : new TokenomicsMetrics(Credits.FromMicro(counts.SupplyMicro), counts.Stakers),
            new PrivacyMetrics((await privacy.StatsAsync(cancellationToken))?.ActiveCircuits ?? 0));
    }
}
