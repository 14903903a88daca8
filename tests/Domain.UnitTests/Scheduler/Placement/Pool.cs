using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

/// <summary>Devices, tasks and whole random problems for the tests of placement, and the check of an answer that is independent of the code under test.</summary>
internal static class Pool
{
    public const long GiB = 1L << 30;

    /// <summary>A Monday, 10:00.</summary>
    public static readonly DateTimeOffset Now = new(2026, 1, 5, 10, 0, 0, TimeSpan.Zero);

    public static readonly Requirements Needs = new() { CpuMillicores = 1000, MemoryBytes = GiB, PayloadKind = "command", Isolation = Isolation.Sandbox };

    public static PlacementDevice Device(string id = "d1", Guid? owner = null) => new()
    {
        Id = id, Owner = owner ?? Owner(0), CpuMillicores = 4000, MemoryBytes = 8 * GiB, Slots = 4, Trust = 0.5, Reliability = 0.5,
        Isolation = new HashSet<Isolation> { Isolation.Process, Isolation.Sandbox }, PayloadKinds = new HashSet<string> { "builtin", "command" },
    };

    public static PlacementTask Task(Requirements? needs = null, int index = 0, int slots = 1) =>
        new() { Key = new TaskKey(new JobId(Owner(0)), index), Needs = needs ?? Needs, Slots = slots };

    public static Guid Owner(int n) => new(n, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);

    /// <summary>A pool of 0–12 uneven, partly leased devices of few owners and 0–30 tasks of three kinds of job.</summary>
    public static PlacementProblem Random(int seed)
    {
        var random = new Random(seed);
        var devices = Enumerable.Range(0, random.Next(13)).Select(i => Device($"d{i}", Owner(random.Next(4))) with
        {
            CpuMillicores = random.Next(1, 9) * 1000, MemoryBytes = random.Next(1, 17) * (1L << 30), DiskBytes = random.Next(3) == 0 ? null : random.Next(100),
            Gpus = random.Next(3), Slots = random.Next(6), LeasedMillicores = random.Next(3) * 500, LeasedBytes = random.Next(2) * (1L << 29), Leases = random.Next(3),
            NetworkAllowed = random.Next(2) == 0, Region = random.Next(2) == 0 ? "eu" : null, Trust = random.NextDouble(), Availability = random.NextDouble(),
            WattsPerCore = 2 + random.Next(20), BenchmarkScore = random.Next(2) == 0 ? null : random.NextDouble() * 1000, Unavailable = random.Next(6) == 0 ? "user_active" : null,
        }).Select(d => d with { Reliability = (1 + d.Trust) / 2 }).ToList();
        var jobs = Enumerable.Range(0, 3).Select(_ => Needs with
        {
            CpuMillicores = random.Next(1, 5) * 500, MemoryBytes = random.Next(1, 5) * (1L << 29), DiskBytes = random.Next(60), Gpus = random.Next(4) == 0 ? 1 : 0,
            Network = random.Next(3) == 0 ? NetworkNeed.Full : NetworkNeed.None, Regions = random.Next(3) == 0 ? ["eu"] : [], MinimumTrust = random.Next(2) * 0.2,
        }).ToList();
        var tasks = Enumerable.Range(0, random.Next(31)).Select(i =>
        {
            var used = devices.Where(_ => random.Next(8) == 0).ToList();
            var strict = random.Next(3) == 0;
            // Where owners must differ, what is used already does.
            used = strict ? used.DistinctBy(d => d.Owner).ToList() : used;
            return Task(jobs[random.Next(3)], i, random.Next(1, 4)) with
            {
                UsedDevices = used.Select(d => d.Id).ToHashSet(), UsedOwners = used.Select(d => d.Owner).ToHashSet(), PreferDistinctOwners = random.Next(2) == 0, RequireDistinctOwners = strict,
                Estimate = TimeSpan.FromHours(10 + 10 * random.Next(3)), Spread = random.NextDouble(), MicroPerHour = 100_000 * random.Next(1, 4), Plan = (PlanKind)random.Next(5),
                Deadline = random.Next(3) == 0 ? Now.AddHours(random.Next(40)) : null, WallLimit = random.Next(3) == 0 ? TimeSpan.FromHours(random.Next(1, 60)) : null,
            };
        }).ToList();
        return new PlacementProblem(tasks, devices) { Now = Now };
    }

    /// <summary>Tasks of a few kinds of job, one slot each, and devices that differ in everything and have room for all of them.</summary>
    public static PlacementProblem Mixed(int tasks, int devices, int seed, int kinds = 3)
    {
        var random = new Random(seed);
        var slots = tasks / devices + 2;
        var pool = Enumerable.Range(0, devices).Select(i => Device($"d{i}", Owner(i % 5)) with
        {
            CpuMillicores = 1000 * slots, MemoryBytes = slots * GiB, Slots = slots, Reliability = 0.2 + 0.8 * random.NextDouble(), BenchmarkScore = 500 + random.Next(1500),
            WattsPerCore = 2 + random.Next(20), Leases = i % 2, LeasedMillicores = i % 2 * 1000,
        }).ToList();
        var jobs = Enumerable.Range(0, kinds).Select(i => Task(Needs with { CpuMillicores = 500 * (1 + i % 2) }) with
        {
            Estimate = TimeSpan.FromMinutes(20 + random.Next(200)), MicroPerHour = 100_000 * (1 + i), Deadline = i % 2 == 0 ? Now.AddHours(5) : null,
        }).ToList();
        return new PlacementProblem([.. Enumerable.Range(0, tasks).Select(i => jobs[i % kinds] with { Key = new TaskKey(new JobId(Owner(i % kinds)), i) })], pool) { Now = Now };
    }

    /// <summary>The five objectives of an answer, straight from the run model and the definition of variance.</summary>
    public static double[] Objectives(PlacementProblem problem, IReadOnlyList<Assignment> assignments)
    {
        var reference = RunModel.ReferenceScore(problem.Devices);
        var tasks = problem.Tasks.ToDictionary(t => t.Key);
        var devices = problem.Devices.ToDictionary(d => d.Id);
        var sums = new double[4];
        foreach (var (key, id, _) in assignments)
        {
            var (task, device) = (tasks[key], devices[id]);
            var seconds = RunModel.Seconds(task.Estimate, device, reference);
            sums[0] += seconds;
            sums[1] += RunModel.CostMicro(task.MicroPerHour, seconds);
            sums[2] += RunModel.Joules(task.Needs, device, seconds);
            sums[3] += RunModel.Risk(task, device, seconds, problem.Now);
        }
        var given = assignments.ToLookup(a => a.DeviceId, a => tasks[a.Task].Needs);
        var utilisation = problem.Devices.Where(d => d.Unavailable is null).Select(d =>
        {
            double Share(double used, double total) => total > 0 ? Math.Clamp(used / total, 0, 1) : 1;
            return Math.Max(Share(d.Leases + given[d.Id].Count(), d.Slots), Share(d.LeasedMillicores + given[d.Id].Sum(n => n.CpuMillicores), d.CpuMillicores));
        }).ToList();
        var mean = utilisation.Average();
        return [.. sums.Select(s => s / assignments.Count), utilisation.Average(u => (u - mean) * (u - mean))];
    }

    public static double[] Figures(PlacementObjectives o) => [o.FinishSeconds, o.CostMicro, o.Joules, o.Risk, o.Imbalance];

    /// <summary>Whether one is no worse in anything, to a billionth.</summary>
    public static bool NoWorse(double[] one, double[] other) => one.Zip(other).All(p => p.First <= p.Second + 1e-9 * Math.Max(1, Math.Abs(p.Second)));

    /// <summary>No rule broken, no device overfilled, unplaced tasks named exactly.</summary>
    public static void RequireFeasible(PlacementProblem problem, PlacementOutcome outcome)
    {
        var tasks = problem.Tasks.ToDictionary(t => t.Key);
        var devices = problem.Devices.ToDictionary(d => d.Id);

        // Capacity, added up here independently of FreeCapacity.
        foreach (var load in outcome.Assignments.GroupBy(a => a.DeviceId))
        {
            var device = devices[load.Key];
            var needs = load.Select(a => tasks[a.Task].Needs).ToList();
            Require(device.LeasedMillicores + needs.Sum(n => n.CpuMillicores) <= device.CpuMillicores, "cores overfilled");
            Require(device.LeasedBytes + needs.Sum(n => n.MemoryBytes) <= device.MemoryBytes, "memory overfilled");
            Require(device.DiskBytes is null || device.LeasedDisk + needs.Sum(n => n.DiskBytes) <= device.DiskBytes, "disk overfilled");
            Require(device.LeasedGpus + needs.Sum(n => n.Gpus) <= device.Gpus, "GPUs overfilled");
            Require(device.Leases + needs.Count <= device.Slots, "slots overfilled");
        }
        foreach (var task in problem.Tasks)
        {
            var chosen = outcome.Assignments.Where(a => a.Task == task.Key).Select(a => devices[a.DeviceId]).ToList();
            Require(chosen.TrueForAll(d => HardFilter.Static(task.Needs, d) is null), "a hard rule is broken");
            Require(chosen.Select(d => d.Id).Concat(task.UsedDevices).Distinct().Count() == chosen.Count + task.UsedDevices.Count, "two replicas on one device");
            Require(!task.RequireDistinctOwners || chosen.Select(d => d.Owner).Concat(task.UsedOwners).Distinct().Count() == chosen.Count + task.UsedOwners.Count, "two replicas of one owner");
            Require(chosen.Count <= task.Slots, "more replicas than asked");
            Require(outcome.Unplaced.Contains(task.Key) == chosen.Count < task.Slots, "unplaced tasks are not named exactly");
        }
    }

    public static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new InvalidOperationException(otherwise);
    }
}
