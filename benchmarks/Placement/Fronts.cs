using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Placement;

/// <summary>
/// The same windows for every policy: per window, the hypervolume of what the policy found (a front where it searches, one point where it does not), in the box
/// between the best and the worst that any policy reached in each objective, reference point 1.1. A slot that a policy leaves open counts with the worst that the
/// window's devices would make of it.
/// </summary>
internal static class Fronts
{
    private const int Objectives = 5;
    private const double Reference = 1.1;

    /// <returns>Per policy the mean of its hypervolumes over the windows, 0–1.</returns>
    public static double[] Measure(IReadOnlyList<PlacementProblem> windows, IReadOnlyList<IPlacementEngine> policies)
    {
        var sums = new double[policies.Count];
        foreach (var window in windows)
        {
            var fronts = policies.Select(p => Points(window, p.Place(window))).ToList();
            var (best, worst) = (new double[Objectives], new double[Objectives]);
            for (var m = 0; m < Objectives; m++)
            {
                best[m] = fronts.Min(f => f.Min(p => p[m]));
                worst[m] = fronts.Max(f => f.Max(p => p[m]));
            }
            var reference = new double[Objectives];
            reference.AsSpan().Fill(Reference);
            for (var i = 0; i < fronts.Count; i++)
            {
                var rows = fronts[i].SelectMany(p => Enumerable.Range(0, Objectives).Select(m => worst[m] > best[m] ? (p[m] - best[m]) / (worst[m] - best[m]) : 0)).ToArray();
                sums[i] += Hypervolume.Of(rows, reference) / Math.Pow(Reference, Objectives) / windows.Count;
            }
        }
        return sums;
    }

    private static List<double[]> Points(PlacementProblem window, PlacementOutcome outcome)
    {
        var reference = RunModel.ReferenceScore(window.Devices);
        var devices = window.Devices.ToDictionary(d => d.Id, StringComparer.Ordinal);
        var tasks = window.Tasks.ToDictionary(t => t.Key);
        var free = window.Devices.ToDictionary(d => d.Id, d => new FreeCapacity(d), StringComparer.Ordinal);
        var (placed, sums) = (new Dictionary<TaskKey, int>(), new double[4]);
        foreach (var (key, id, _) in outcome.Assignments)
        {
            Add(sums, Figures(tasks[key], devices[id], reference, window.Now), 1);
            var left = free[id];
            left.Take(tasks[key].Needs);
            free[id] = left;
            placed[key] = placed.GetValueOrDefault(key) + 1;
        }
        var count = outcome.Assignments.Count;
        var taken = new[] { sums[0] / Math.Max(1, count), sums[1] / Math.Max(1, count), sums[2] / Math.Max(1, count), sums[3] / Math.Max(1, count), Imbalance(window.Devices, free) };
        var points = outcome.Search is { } search ? search.Front.Select(p => ToRow(p.Objectives)).ToList() : [taken];
        if (outcome.Search is { } told && !Agree(ToRow(told.Front[told.Chosen].Objectives), taken))
            throw new InvalidOperationException($"The engine says {string.Join(", ", ToRow(told.Front[told.Chosen].Objectives))} of what is {string.Join(", ", taken)}.");

        var open = new double[4];
        foreach (var task in window.Tasks)
        {
            if (task.Slots > placed.GetValueOrDefault(task.Key))
                Add(open, Worst(task, window, reference), task.Slots - placed.GetValueOrDefault(task.Key));
        }
        var slots = window.Tasks.Sum(t => t.Slots);
        foreach (var point in points)
        {
            for (var m = 0; m < 4; m++)
                point[m] = (point[m] * count + open[m]) / slots;
        }
        return points;
    }

    private static double[] Figures(PlacementTask task, PlacementDevice device, double? reference, DateTimeOffset now)
    {
        var seconds = RunModel.Seconds(task.Estimate, device, reference);
        return [seconds, RunModel.CostMicro(task.MicroPerHour, seconds), RunModel.Joules(task.Needs, device, seconds), RunModel.Risk(task, device, seconds, now)];
    }

    private static double[] Worst(PlacementTask task, PlacementProblem window, double? reference)
    {
        var worst = new double[] { 0, 0, 0, 1 };
        foreach (var device in window.Devices.Where(d => HardFilter.Static(task.Needs, d) is null))
        {
            var figures = Figures(task, device, reference, window.Now);
            for (var m = 0; m < 3; m++)
                worst[m] = Math.Max(worst[m], figures[m]);
        }
        return worst;
    }

    /// <summary>Variance over the available devices of the larger of the shares of slots and of cores that each has given away.</summary>
    private static double Imbalance(IReadOnlyList<PlacementDevice> devices, Dictionary<string, FreeCapacity> free)
    {
        var shares = devices.Where(d => d.Unavailable is null).Select(d => Math.Clamp(1 - Math.Min(free[d.Id].Slots / (double)d.Slots, free[d.Id].Millicores / (double)d.CpuMillicores), 0, 1)).ToList();
        var mean = shares.Average();
        return Math.Max(0, shares.Average(s => s * s) - mean * mean);
    }

    private static double[] ToRow(PlacementObjectives o) => [o.FinishSeconds, o.CostMicro, o.Joules, o.Risk, o.Imbalance];

    private static bool Agree(double[] one, double[] other) => one.Zip(other).All(x => Math.Abs(x.First - x.Second) <= 1e-6 * Math.Max(1, Math.Abs(x.Second)));

    private static void Add(double[] sums, double[] figures, int times)
    {
        for (var m = 0; m < sums.Length; m++)
            sums[m] += figures[m] * times;
    }
}
