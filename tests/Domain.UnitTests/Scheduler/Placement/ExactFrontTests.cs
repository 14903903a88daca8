using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

/// <summary>Small problems of which every placement can be tried.</summary>
public sealed class ExactFrontTests
{
    private static readonly PlacementSettings Thorough = new() { Population = 120, MaxGenerations = 100, FewestSlots = 1, FrontSize = 100_000, Survival = SurvivalStrategy.Crowding };

    [Test]
    public void The_front_found_is_the_front_of_all_placements()
    {
        var (problems, points) = (0, 0);
        for (var seed = 0; problems < 16; seed++)
        {
            var problem = Small(seed);
            var truth = TrueFront(problem);
            // Wider ones do not fit into the population.
            if (truth.Count is < 4 or > 50)
                continue;
            problems++;
            points += truth.Count;
            var found = new NsgaPlacement(TimeProvider.System, Thorough).Place(problem).Search!.Front.Select(p => Pool.Figures(p.Objectives)).ToList();
            Assert.That(found.Where(f => !truth.Exists(t => Same(t, f))), Is.Empty, $"seed {seed}: none is dominated");
            Assert.That(truth.Where(t => !found.Exists(f => Same(t, f))), Is.Empty, $"seed {seed}: none is missed");
        }
        Assert.That(points, Is.GreaterThan(200), "fronts worth the name");
    }

    private static bool Same(double[] one, double[] other) => Pool.NoWorse(one, other) && Pool.NoWorse(other, one);

    /// <summary>3–8 slots of two kinds on 2–5 devices, some replicated, with room for all but not everywhere.</summary>
    private static PlacementProblem Small(int seed)
    {
        var random = new Random(seed);
        var devices = Enumerable.Range(0, random.Next(2, 6)).Select(i => Pool.Device($"d{i}", Pool.Owner(i)) with
        {
            CpuMillicores = 1000 * random.Next(2, 6), Slots = random.Next(2, 6), Reliability = random.Next(4, 10) / 10.0, BenchmarkScore = 1000 * random.Next(1, 4), WattsPerCore = 5 * random.Next(1, 4),
        }).ToList();
        var replicated = random.Next(3) == 0;
        var kinds = Enumerable.Range(0, 2).Select(_ => Pool.Task(Pool.Needs with { CpuMillicores = 500 * random.Next(1, 4) }) with
        {
            Estimate = TimeSpan.FromHours(random.Next(5, 9)), MicroPerHour = 100_000 * random.Next(1, 3), WallLimit = random.Next(2) == 0 ? TimeSpan.FromHours(9) : null,
        }).ToList();
        var tasks = Enumerable.Range(0, random.Next(3, replicated ? 5 : 9)).Select(i => kinds[i % 2] with { Key = new TaskKey(new JobId(Pool.Owner(1)), i), Slots = replicated ? 2 : 1 }).ToList();
        return new PlacementProblem(tasks, devices) { Now = Pool.Now, Budget = TimeSpan.FromMinutes(5), Seed = (ulong)seed };
    }

    /// <summary>Non-dominated objectives of all placements of all slots; empty when they do not all fit.</summary>
    private static List<double[]> TrueFront(PlacementProblem problem)
    {
        var slots = problem.Tasks.SelectMany(t => Enumerable.Repeat(t, t.Slots)).ToList();
        var free = problem.Devices.Select(d => new FreeCapacity(d)).ToArray();
        var chosen = new Assignment[slots.Count];
        // Few objectives occur, many placements each: equal ones once.
        var all = new Dictionary<string, double[]>();
        Try(0);
        var front = new List<double[]>();
        foreach (var candidate in all.Values)
        {
            if (front.Exists(f => Pool.NoWorse(f, candidate)))
                continue;
            front.RemoveAll(f => Pool.NoWorse(candidate, f));
            front.Add(candidate);
        }
        return front;

        void Try(int slot)
        {
            if (slot == slots.Count)
            {
                var objectives = Pool.Objectives(problem, chosen);
                all.TryAdd(string.Join(' ', objectives.Select(o => o.ToString("G9"))), objectives);
                return;
            }
            var task = slots[slot];
            for (var i = 0; i < free.Length; i++)
            {
                var id = problem.Devices[i].Id;
                var before = free[i];
                if (!free[i].Fits(task.Needs) || HardFilter.Static(task.Needs, problem.Devices[i]) is not null || chosen[..slot].Any(a => a.Task == task.Key && a.DeviceId == id))
                    continue;
                free[i].Take(task.Needs);
                chosen[slot] = new Assignment(task.Key, id, 0);
                Try(slot + 1);
                free[i] = before;
            }
        }
    }
}
