using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/passes/latest
// The newest placement pass that searched a front; see GetPlacementPass.

[RequiresPermission(Permissions.Operate)]
public sealed record GetLatestPlacementPassQuery : IQuery<PlacementPassDetail>;

internal sealed class GetLatestPlacementPassHandler(IPassLog passes) : IQueryHandler<GetLatestPlacementPassQuery, PlacementPassDetail>
{
    public async Task<PlacementPassDetail> Handle(GetLatestPlacementPassQuery query, CancellationToken cancellationToken) =>
        await passes.ReadAsync(null, cancellationToken) ?? throw new FogException(SchedulerErrors.NoPassYet);
}
