using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Privacy.Contracts;

namespace FogCompute.Application.Privacy;

// GET /api/privacy/stats
// Circuits and tunnels of now; without a privacy network nothing is counted.

/// <summary>Circuits, hidden services and tunnels.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record GetPrivacyStatsQuery : IQuery<PrivacyStats>;

internal sealed class GetPrivacyStatsHandler(IPrivacyNetwork network) : IQueryHandler<GetPrivacyStatsQuery, PrivacyStats>
{
    public async Task<PrivacyStats> Handle(GetPrivacyStatsQuery query, CancellationToken cancellationToken) => await network.StatsAsync(cancellationToken) ?? PrivacyStats.Nothing;
}
