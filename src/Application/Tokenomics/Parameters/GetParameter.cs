using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Parameters;

// GET /api/tokenomics/parameters/{name}
// One tunable with its changes.

[RequiresPermission(Permissions.Public)]
public sealed record GetParameterQuery(string Name) : IQuery<ParameterItem>;

internal sealed class GetParameterHandler(IParameterBook book) : IQueryHandler<GetParameterQuery, ParameterItem>
{
    private const int MostChanges = 1000;

    public async Task<ParameterItem> Handle(GetParameterQuery query, CancellationToken cancellationToken)
    {
        var parameter = ParameterCatalogue.Find(query.Name) ?? throw new FogException(TokenomicsErrors.ParameterNotFound);
        var changes = await book.HistoryAsync(parameter.Name, MostChanges, cancellationToken);
        return ParameterItem.Of(parameter, changes.Count > 0 ? changes[0] : null) with { History = [.. changes.Select(c => new ParameterStep(c.Version, c.Previous, c.Value, c.Proposal, c.At))] };
    }
}
