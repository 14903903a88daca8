using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Placement;

/// <summary>A way to place, by the name the tables use. Each simulation gets an engine of its own.</summary>
/// <param name="Product">Whether it is the one the product uses; the others are what it is compared with.</param>
internal sealed record Policy(string Name, string Label, Func<ulong, IPlacementEngine> Create, bool Product = false)
{
    public const string Unseeded = "nsga2_unseeded", Seeded = "nsga2";

    /// <summary>From the simplest on.</summary>
    /// <param name="names">Those wanted; null: all.</param>
    /// <param name="generations">Of each search at most; null: as many as the budget allows.</param>
    /// <exception cref="ArgumentException">There is none of such a name.</exception>
    public static Policy[] Select(string[]? names, int? generations)
    {
        var all = All(generations);
        return names?.Except(all.Select(p => p.Name)).FirstOrDefault() is { } unknown
            ? throw new ArgumentException($"There is no policy {unknown}. There are: {string.Join(", ", all.Select(p => p.Name))}")
            : [.. all.Where(p => names?.Contains(p.Name) ?? true)];
    }

    private static Policy[] All(int? generations) =>
    [
        new("random", "random", seed => new RandomFit(seed)),
        new("round_robin", "round robin", _ => new RoundRobin()),
        new("first_fit", "first fit", _ => new FirstFit()),
        new("best_fit", "best fit", _ => new BestFit()),
        new("earliest_deadline", "earliest deadline", _ => new EarliestDeadline()),
        new("weighted_score", "weighted score", _ => new WeightedScorePlacement()),
        new(Unseeded, "NSGA-II without seeds", _ => new NsgaPlacement(TimeProvider.System, new PlacementSettings { Seeded = false, MaxGenerations = generations })),
        new(Seeded, "NSGA-II", _ => new NsgaPlacement(TimeProvider.System, new PlacementSettings { MaxGenerations = generations }), Product: true),
    ];
}

/// <summary>The baselines' common part: tasks one after the other, each slot on a device that the rules allow and that has room.</summary>
internal abstract class Greedy : IPlacementEngine
{
    public PlacementOutcome Place(PlacementProblem problem, CancellationToken cancel = default)
    {
        var devices = problem.Devices;
        var free = new FreeCapacity[devices.Count];
        for (var i = 0; i < free.Length; i++)
            free[i] = new FreeCapacity(devices[i]);
        Begin(problem);
        var suitable = new Dictionary<Requirements, int[]>(ReferenceEqualityComparer.Instance);
        var assignments = new List<Assignment>(problem.Tasks.Count);
        var unplaced = new List<TaskKey>();
        var (chosen, owners) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<Guid>());
        foreach (var task in Order(problem.Tasks))
        {
            if (!suitable.TryGetValue(task.Needs, out var candidates))
                suitable[task.Needs] = candidates = Rank([.. Enumerable.Range(0, devices.Count).Where(i => HardFilter.Static(task.Needs, devices[i]) is null)], devices);
            chosen.Clear();
            owners.Clear();
            for (var slot = 0; slot < task.Slots; slot++)
            {
                var device = Choose(candidates, i => free[i].Fits(task.Needs) && !chosen.Contains(devices[i].Id) && HardFilter.Diversity(task, devices[i]) is null
                    && !(task.RequireDistinctOwners && owners.Contains(devices[i].Owner)), free, devices);
                if (device < 0)
                {
                    unplaced.Add(task.Key);
                    break;
                }
                free[device].Take(task.Needs);
                chosen.Add(devices[device].Id);
                owners.Add(devices[device].Owner);
                assignments.Add(new Assignment(task.Key, devices[device].Id, 0));
            }
        }
        return new PlacementOutcome(assignments, unplaced);
    }

    protected virtual void Begin(PlacementProblem problem) { }

    protected virtual IEnumerable<PlacementTask> Order(IReadOnlyList<PlacementTask> tasks) => tasks;

    /// <summary>The devices in the order in which the policy tries them.</summary>
    protected virtual int[] Rank(int[] candidates, IReadOnlyList<PlacementDevice> devices) => candidates;

    /// <returns>A device of <paramref name="candidates"/>, or −1.</returns>
    protected abstract int Choose(int[] candidates, Func<int, bool> fits, FreeCapacity[] free, IReadOnlyList<PlacementDevice> devices);

    protected static int FirstFrom(int[] candidates, int start, Func<int, bool> fits)
    {
        for (var step = 0; step < candidates.Length; step++)
        {
            var device = candidates[(start + step) % candidates.Length];
            if (fits(device))
                return device;
        }
        return -1;
    }
}

/// <summary>Any device that fits, each as likely (the next that fits after a random one).</summary>
internal sealed class RandomFit(ulong seed) : Greedy
{
    private readonly Xoshiro256 _random = new(seed);

    protected override int Choose(int[] candidates, Func<int, bool> fits, FreeCapacity[] free, IReadOnlyList<PlacementDevice> devices) =>
        candidates.Length == 0 ? -1 : FirstFrom(candidates, _random.NextBelow(candidates.Length), fits);
}

/// <summary>The next device after the one that got the last slot, over passes.</summary>
internal sealed class RoundRobin : Greedy
{
    private int _last = -1;

    protected override int Choose(int[] candidates, Func<int, bool> fits, FreeCapacity[] free, IReadOnlyList<PlacementDevice> devices)
    {
        var after = Array.BinarySearch(candidates, _last + 1);
        var device = FirstFrom(candidates, after >= 0 ? after : ~after, fits);
        if (device >= 0)
            _last = device;
        return device;
    }
}

/// <summary>The first device, in one fixed order, that fits.</summary>
internal sealed class FirstFit : Greedy
{
    protected override int Choose(int[] candidates, Func<int, bool> fits, FreeCapacity[] free, IReadOnlyList<PlacementDevice> devices) => FirstFrom(candidates, 0, fits);
}

/// <summary>The device whose fullest resource is left fullest: packs.</summary>
internal sealed class BestFit : Greedy
{
    protected override int Choose(int[] candidates, Func<int, bool> fits, FreeCapacity[] free, IReadOnlyList<PlacementDevice> devices)
    {
        var (best, least) = (-1, double.PositiveInfinity);
        foreach (var i in candidates)
        {
            var left = Math.Min(free[i].Millicores / (double)devices[i].CpuMillicores, free[i].Bytes / (double)devices[i].MemoryBytes);
            if (left < least && fits(i))
                (best, least) = (i, left);
        }
        return best;
    }
}

/// <summary>Tasks whose deadline is nearest first, each on the fastest device that fits.</summary>
internal sealed class EarliestDeadline : Greedy
{
    private double? _reference;

    protected override void Begin(PlacementProblem problem) => _reference = RunModel.ReferenceScore(problem.Devices);

    protected override IEnumerable<PlacementTask> Order(IReadOnlyList<PlacementTask> tasks) => tasks.OrderBy(t => t.Deadline ?? DateTimeOffset.MaxValue);

    protected override int[] Rank(int[] candidates, IReadOnlyList<PlacementDevice> devices) => [.. candidates.OrderByDescending(i => RunModel.Speed(devices[i], _reference))];

    protected override int Choose(int[] candidates, Func<int, bool> fits, FreeCapacity[] free, IReadOnlyList<PlacementDevice> devices) => FirstFrom(candidates, 0, fits);
}
