using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Application.Scheduler;

/// <summary>When a job can start, from the pool as it is; null rather than a guess when it cannot.</summary>
internal static class StartEstimate
{
    public static async Task<DateTimeOffset?> ForAsync(Job job, IPlacementPool pool, DateTimeOffset now, CancellationToken cancel)
    {
        if (job.DependenciesLeft > 0)
            return null;
        var needs = job.Needs;
        var task = new PlacementTask { Key = new TaskKey(job.Id, 0), Needs = needs };
        var devices = (await pool.DevicesAsync(now, cancel)).Where(d => HardFilter.Static(needs, d) is null).ToList();
        if (devices.Count < job.Terms.Replicas)
            return null;
        var free = devices.Count(d => HardFilter.Explain(task, d) is null);
        // When all suitable devices are busy nothing measured says when one frees up, so nothing is said.
        return free >= job.Terms.Replicas ? now : null;
    }
}
