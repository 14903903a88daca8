namespace FogCompute.Domain.Scheduler.Placement;

/// <summary>
/// Filter and weighted score, task by task in order of service: speed .25, free load .20, trust .25, price .30. For short queues, where it
/// is within noise of the best, and as the first answer that a search must beat. Price is one per pool today, so its term is the same for all
/// devices. Cost O(slots × devices), mostly one comparison each: a device's score changes only when it is given something, and rules are looked
/// at for those that would win; the static filter is done once per kind of requirement.
/// </summary>
public sealed class WeightedScorePlacement : IPlacementEngine
{
    private const double SpeedWeight = 0.25, LoadWeight = 0.20, TrustWeight = 0.25, PriceWeight = 0.30;

    /// <summary>Taken off the rank (not the score) of a device whose owner already holds a replica of the task, where the tier prefers distinct owners: more than any score.</summary>
    private const double SameOwnerPenalty = 2;

    public PlacementOutcome Place(PlacementProblem problem, CancellationToken cancel = default)
    {
        var devices = problem.Devices;
        var free = new FreeCapacity[devices.Count];
        var fastest = 0.0;
        for (var i = 0; i < devices.Count; i++)
        {
            free[i] = new FreeCapacity(devices[i]);
            fastest = Math.Max(fastest, devices[i].BenchmarkScore ?? 0);
        }
        var scores = new double[devices.Count];
        for (var i = 0; i < devices.Count; i++)
            scores[i] = Score(devices[i], free[i], fastest);
        var candidates = new Dictionary<Requirements, int[]>(ReferenceEqualityComparer.Instance);
        var assignments = new List<Assignment>(problem.Tasks.Count);
        var unplaced = new List<TaskKey>();
        var chosenDevices = new HashSet<string>(StringComparer.Ordinal);
        var chosenOwners = new HashSet<Guid>();

        foreach (var task in problem.Tasks)
        {
            if (!candidates.TryGetValue(task.Needs, out var feasible))
                candidates[task.Needs] = feasible = [.. Enumerable.Range(0, devices.Count).Where(i => HardFilter.Static(task.Needs, devices[i]) is null)];
            chosenDevices.Clear();
            chosenOwners.Clear();
            for (var slot = 0; slot < task.Slots; slot++)
            {
                var (best, bestScore, bestRank) = (-1, 0.0, double.NegativeInfinity);
                foreach (var i in feasible)
                {
                    var score = scores[i];
                    if (score <= bestRank)
                        continue;
                    var device = devices[i];
                    if (!free[i].Fits(task.Needs) || chosenDevices.Contains(device.Id) || HardFilter.Diversity(task, device) is not null)
                        continue;
                    var sameOwner = task.UsedOwners.Contains(device.Owner) || chosenOwners.Contains(device.Owner);
                    if (sameOwner && task.RequireDistinctOwners)
                        continue;
                    var rank = sameOwner && task.PreferDistinctOwners ? score - SameOwnerPenalty : score;
                    if (rank > bestRank)
                        (best, bestScore, bestRank) = (i, score, rank);
                }
                if (best < 0)
                {
                    unplaced.Add(task.Key);
                    break;
                }
                free[best].Take(task.Needs);
                scores[best] = Score(devices[best], free[best], fastest);
                chosenDevices.Add(devices[best].Id);
                chosenOwners.Add(devices[best].Owner);
                assignments.Add(new Assignment(task.Key, devices[best].Id, bestScore));
            }
        }
        return new PlacementOutcome(assignments, unplaced);
    }

    private static double Score(PlacementDevice device, FreeCapacity free, double fastest)
    {
        // Unmeasured speed counts as half of the fastest: neither trusted nor shunned.
        var speed = fastest > 0 ? (device.BenchmarkScore ?? fastest / 2) / fastest : 0.5;
        var load = device.CpuMillicores > 0 ? Math.Clamp(free.Millicores / (double)device.CpuMillicores, 0, 1) : 0;
        var slots = device.Slots > 0 ? Math.Clamp(free.Slots / (double)device.Slots, 0, 1) : 0;
        return SpeedWeight * speed + LoadWeight * Math.Min(load, slots) + TrustWeight * device.Trust * device.Availability + PriceWeight;
    }
}
