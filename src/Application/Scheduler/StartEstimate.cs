using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Application.Scheduler;

/// <summary>When jobs can start, from the pool as it is; null rather than a guess when one cannot.</summary>
/// <param name="available">Devices that take leases, with those they have.</param>
internal sealed class StartEstimates(IReadOnlyList<PlacementDevice> available, DateTimeOffset now)
{
    public DateTimeOffset? Of(Job job)
    {
        if (job.DependenciesLeft > 0)
            return null;
        var needs = job.Needs;
        var task = new PlacementTask { Key = new TaskKey(job.Id, 0), Needs = needs };
        // When all suitable devices are busy nothing measured says when one frees up, so nothing is said. Enough are enough: the others need not be looked at.
        return available.Where(d => HardFilter.Explain(task, d) is null).Take(job.Terms.Replicas).Count() == job.Terms.Replicas ? now : null;
    }
}
