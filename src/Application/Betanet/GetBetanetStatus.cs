using FogCompute.Application.Betanet.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Betanet;

// GET /api/betanet/status
// What the mix network is and does now; without one: unavailable, and nothing is counted.

/// <summary>Nodes and traffic of the mix network.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record GetBetanetStatusQuery : IQuery<BetanetStatus>;

internal sealed class GetBetanetStatusHandler(IBetanet betanet, TimeProvider time) : IQueryHandler<GetBetanetStatusQuery, BetanetStatus>
{
    public async Task<BetanetStatus> Handle(GetBetanetStatusQuery query, CancellationToken cancellationToken) =>
        await betanet.StatusAsync(cancellationToken)
        ?? new BetanetStatus("unavailable", new BetanetNodes(0, 0, 0), new BetanetTraffic(0, 0, 0, 0), time.GetUtcNow(), 0, []);
}
