using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Privacy.Contracts;

namespace FogCompute.Application.Privacy;

// GET /api/privacy/circuits
// The circuits that are open now; an empty list where there is no privacy network.

/// <summary>Open circuits.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record ListCircuitsQuery : IQuery<CircuitList>;

public sealed record CircuitList(IReadOnlyList<PrivacyCircuit> Circuits);

internal sealed class ListCircuitsHandler(IPrivacyNetwork network) : IQueryHandler<ListCircuitsQuery, CircuitList>
{
    public async Task<CircuitList> Handle(ListCircuitsQuery query, CancellationToken cancellationToken) => new(await network.CircuitsAsync(cancellationToken) ?? []);
}
