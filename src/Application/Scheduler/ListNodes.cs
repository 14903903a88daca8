using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/nodes
// The pool's devices as the scheduler sees them.

[RequiresPermission(Permissions.DevicesRead)]
public sealed record ListNodesQuery : IQuery<NodeList>;

public sealed record NodeList(IReadOnlyList<NodeItem> Nodes, int Total);

/// <param name="Status">active, inactive or maintenance.</param>
/// <param name="Cpu">Cores.</param>
/// <param name="Memory">GiB.</param>
/// <param name="Load">Leased share of its cores, percent.</param>
/// <param name="Trust">Lower confidence bound of its reputation, 0–1.</param>
public sealed record NodeItem(string Id, string Status, double Cpu, double Memory, int Gpu, double Load, double Trust);

internal sealed class ListNodesHandler(IIdleComputeDb db, IPlacementPool pool, SchedulerOptions options, TimeProvider time) : IQueryHandler<ListNodesQuery, NodeList>
{
    public async Task<NodeList> Handle(ListNodesQuery query, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var devices = await db.Devices.AsNoTracking().Where(d => d.UnregisteredAt == null).OrderBy(d => d.Id).ToListAsync(cancellationToken);
        var leased = (await pool.DevicesAsync(now, cancellationToken)).ToDictionary(d => d.Id, StringComparer.Ordinal);
        var nodes = devices.Select(d => new NodeItem(
            d.Id, DeviceWords.NodeStatus(d.State, now - d.LastSeenAt > options.Silence), d.CpuMillicores / 1000.0, Math.Round(d.MemoryBytes / (double)(1L << 30), 3), d.Gpus,
            leased.TryGetValue(d.Id, out var p) ? Math.Round(Math.Min(100, 100.0 * p.LeasedMillicores / d.CpuMillicores), 1) : 0,
            Math.Round(d.Reputation.LowerBound(now), 4))).ToList();
        return new NodeList(nodes, nodes.Count);
    }
}
