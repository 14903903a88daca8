using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.P2P.Contracts;

namespace FogCompute.Application.P2P;

// GET /api/p2p/stats
// Peers and messages of now; without a peer network nothing is counted.

/// <summary>Peers, messages and routes.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record GetP2PStatsQuery : IQuery<P2PStats>;

internal sealed class GetP2PStatsHandler(IPeerNetwork network) : IQueryHandler<GetP2PStatsQuery, P2PStats>
{
    public async Task<P2PStats> Handle(GetP2PStatsQuery query, CancellationToken cancellationToken) => await network.StatsAsync(cancellationToken) ?? P2PStats.Nothing;
}
