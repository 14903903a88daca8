using System.Runtime.Intrinsics;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>
/// A placement problem as flat tables: devices in play fastest first, classes of tasks that are alike to every device (same requirements,
/// estimate, spread, limits, rate and plan), and per class its candidates, the devices that could take one of its slots now, with the figures of
/// <see cref="RunModel"/> for each. A search only looks up. Cost: O(classes × devices) calls of the run model.
/// <para>
/// In a pool above <see cref="PlacementSettings.CandidateLimit"/> devices a class gets a fifth of that limit from each of five orders: the
/// fastest, those of least energy, the most trusted that are likely to stay, the emptiest, and a seeded random order; and besides whatever
/// devices the greedy or the previous answer use for it, so that nothing becomes unplaceable by the restriction.
/// </para>
/// </summary>
internal sealed record PlacementModel
{
    /// <summary>Figures per candidate: seconds, micro-credits, joules, risk.</summary>
    public const int Figures = 4;

    /// <summary>Resources per device and need, padded to a vector: slots, millicores, bytes of memory, bytes of disk, GPUs.</summary>
    public const int Lanes = 8;

    public const int SlotLane = 0, CpuLane = 1;

    /// <summary>Stands for a disk whose size is not known: no sum of needs reaches it.</summary>
    private const long Boundless = long.MaxValue / 2;

    private PlacementModel() { }

    public required IReadOnlyList<PlacementTask> Tasks { get; init; }

    /// <summary>Devices that are some class's candidate, fastest first.</summary>
    public required PlacementDevice[] Devices { get; init; }

    /// <summary>A number per device that is equal for equal owners.</summary>
    public required int[] Owners { get; init; }

    /// <summary>What each device has left: devices × <see cref="Lanes"/>.</summary>
    public required long[] Free { get; init; }

    /// <summary>1 / total of each device; 0 where there is none.</summary>
    public required double[] PerSlot { get; init; }
    public required double[] PerMillicore { get; init; }

    /// <summary>Available devices of the whole pool, and the sums over those not in play of their utilisation and of its square.</summary>
    public required int PoolSize { get; init; }
    public required double RestUtilisation { get; init; }
    public required double RestSquares { get; init; }

    /// <summary>Where the candidates of each class begin; one more entry than classes.</summary>
    public required int[] ClassStart { get; init; }

    /// <summary>Devices of all classes' candidates, ascending within a class.</summary>
    public required int[] Candidates { get; init; }

    /// <summary>Candidates × <see cref="Figures"/>.</summary>
    public required double[] Table { get; init; }

    /// <summary>Classes × <see cref="Lanes"/>.</summary>
    public required long[] Needs { get; init; }

    /// <summary>Per task: devices and owners that hold or held a replica of it.</summary>
    public required int[][] UsedDevices { get; init; }
    public required int[][] UsedOwners { get; init; }

    /// <summary>Per task, whether its replicas bind each other or its past binds them.</summary>
    public required bool[] Guarded { get; init; }

    /// <summary>Whether any task prefers distinct owners.</summary>
    public required bool HasPreferences { get; init; }

    public required int[] TaskClass { get; init; }

    /// <summary>Slots in order of service: the task of each; a task's slots stand together.</summary>
    public int[] SlotTask { get; private set; } = [];
    public int[] SlotClass { get; private set; } = [];

    /// <summary>Per task the first of its slots, and the first that is no longer its own.</summary>
    public int[] FirstSlot { get; private set; } = [];
    public int[] EndSlot { get; private set; } = [];

    public int SlotCount => SlotTask.Length;

    public int CandidateCount(int slot) => ClassStart[SlotClass[slot] + 1] - ClassStart[SlotClass[slot]];

    /// <summary>The place of a device among the candidates of a class, or negative.</summary>
    public int CandidateOf(int taskClass, int device)
    {
        var start = ClassStart[taskClass];
        return Candidates.AsSpan(start, ClassStart[taskClass + 1] - start).BinarySearch(device);
    }

    /// <summary>Assignments as candidates per slot, −1 where there is none or its device is no candidate.</summary>
    public int[] GenesOf(IReadOnlyList<Assignment> assignments)
    {
        var genes = new int[SlotCount];
        genes.AsSpan().Fill(-1);
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var device = 0; device < Devices.Length; device++)
            numbers.TryAdd(Devices[device].Id, device);
        var next = new Dictionary<TaskKey, int>();
        for (var slot = genes.Length - 1; slot >= 0; slot--)
            next[Tasks[SlotTask[slot]].Key] = slot;
        foreach (var assignment in assignments)
        {
            if (!next.TryGetValue(assignment.Task, out var slot) || slot >= genes.Length || Tasks[SlotTask[slot]].Key != assignment.Task
                || !numbers.TryGetValue(assignment.DeviceId, out var device) || CandidateOf(SlotClass[slot], device) is not (>= 0 and var candidate))
                continue;
            genes[slot] = candidate;
            next[assignment.Task] = slot + 1;
        }
        return genes;
    }

    /// <summary>The same problem with some of its slots only.</summary>
    public PlacementModel With(IReadOnlyList<int> slots)
    {
        var copy = this with { };
        copy.SetSlots([.. slots.Select(slot => SlotTask[slot])]);
        return copy;
    }

    /// <summary>The same problem with each figure of a class times a factor.</summary>
    /// <param name="factors">Classes × <see cref="Figures"/>.</param>
    public PlacementModel Weighted(ReadOnlySpan<double> factors)
    {
        var table = new double[Table.Length];
        for (var taskClass = 0; taskClass + 1 < ClassStart.Length; taskClass++)
        {
            var factor = Vector256.Create(factors.Slice(taskClass * Figures, Figures));
            for (var at = ClassStart[taskClass] * Figures; at < ClassStart[taskClass + 1] * Figures; at += Figures)
                (factor * Vector256.Create(Table.AsSpan(at, Figures))).CopyTo(table, at);
        }
        return this with { Table = table };
    }

    /// <param name="problem">What is to be placed.</param>
    /// <param name="keep">Assignments whose devices are candidates of their tasks also where candidates are restricted.</param>
    /// <param name="candidateLimit">See the summary.</param>
    public static PlacementModel Of(PlacementProblem problem, IEnumerable<Assignment> keep, int candidateLimit)
    {
        var reference = RunModel.ReferenceScore(problem.Devices);
        var pool = problem.Devices.Where(d => d.Unavailable is null).OrderByDescending(d => RunModel.Speed(d, reference)).ToArray();
        var (requirements, requirementOf) = DistinctRequirements(problem.Tasks);
        var candidates = CandidatesOf(problem, pool, reference, requirements, requirementOf, keep, candidateLimit);

        var inPlay = new bool[pool.Length];
        foreach (var device in candidates.SelectMany(c => c))
            inPlay[device] = true;
        var place = new int[pool.Length];
        var devices = new List<PlacementDevice>();
        var (restUtilisation, restSquares) = (0.0, 0.0);
        for (var i = 0; i < pool.Length; i++)
        {
            if (inPlay[i])
            {
                place[i] = devices.Count;
                devices.Add(pool[i]);
                continue;
            }
            var utilisation = Utilisation(pool[i]);
            restUtilisation += utilisation;
            restSquares += utilisation * utilisation;
        }
        foreach (var list in candidates)
        {
            for (var i = 0; i < list.Length; i++)
                list[i] = place[list[i]];
        }

        var classes = new Dictionary<(int, TimeSpan, double, DateTimeOffset?, TimeSpan?, double, PlanKind), int>();
        var taskClass = new int[problem.Tasks.Count];
        var examples = new List<(PlacementTask Task, int Requirement)>();
        for (var task = 0; task < taskClass.Length; task++)
        {
            var t = problem.Tasks[task];
            var key = (requirementOf[task], t.Estimate, t.Spread, t.Deadline, t.WallLimit, t.MicroPerHour, t.Plan);
            if (!classes.TryGetValue(key, out taskClass[task]))
            {
                classes[key] = taskClass[task] = examples.Count;
                examples.Add((t, requirementOf[task]));
            }
        }
        var starts = new int[examples.Count + 1];
        for (var i = 0; i < examples.Count; i++)
            starts[i + 1] = starts[i] + candidates[examples[i].Requirement].Length;
        var all = new int[starts[^1]];
        var table = new double[all.Length * Figures];
        var needs = new long[examples.Count * Lanes];
        for (var i = 0; i < examples.Count; i++)
        {
            var (task, requirement) = examples[i];
            candidates[requirement].CopyTo(all, starts[i]);
            Amounts(task.Needs, needs.AsSpan(i * Lanes));
            for (var at = starts[i]; at < starts[i + 1]; at++)
            {
                var device = devices[all[at]];
                var seconds = RunModel.Seconds(task.Estimate, device, reference);
                table[at * Figures] = seconds;
                table[at * Figures + 1] = RunModel.CostMicro(task.MicroPerHour, seconds);
                table[at * Figures + 2] = RunModel.Joules(task.Needs, device, seconds);
                table[at * Figures + 3] = RunModel.Risk(task, device, seconds, problem.Now);
            }
        }

        var owners = new Dictionary<Guid, int>();
        foreach (var device in devices)
            owners.TryAdd(device.Owner, owners.Count);
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < devices.Count; i++)
            numbers.TryAdd(devices[i].Id, i);
        var free = new long[devices.Count * Lanes];
        for (var i = 0; i < devices.Count; i++)
            Amounts(new FreeCapacity(devices[i]), free.AsSpan(i * Lanes));
        var model = new PlacementModel
        {
            Tasks = problem.Tasks, Devices = [.. devices], Owners = [.. devices.Select(d => owners[d.Owner])], Free = free,
            PerSlot = [.. devices.Select(d => Per(d.Slots))], PerMillicore = [.. devices.Select(d => Per(d.CpuMillicores))],
            PoolSize = pool.Length, RestUtilisation = restUtilisation, RestSquares = restSquares,
            ClassStart = starts, Candidates = all, Table = table, Needs = needs, TaskClass = taskClass,
            UsedDevices = [.. problem.Tasks.Select(t => t.UsedDevices.Count == 0 ? [] : t.UsedDevices.Where(numbers.ContainsKey).Select(id => numbers[id]).ToArray())],
            UsedOwners = [.. problem.Tasks.Select(t => t.UsedOwners.Count == 0 ? [] : t.UsedOwners.Where(owners.ContainsKey).Select(id => owners[id]).ToArray())],
            HasPreferences = problem.Tasks.Any(t => t.PreferDistinctOwners),
            Guarded = [.. problem.Tasks.Select(t => t.Slots > 1 || t.UsedDevices.Count > 0 || t.UsedOwners.Count > 0)],
        };
        model.SetSlots([.. Enumerable.Range(0, problem.Tasks.Count).SelectMany(task => Enumerable.Repeat(task, Math.Max(0, problem.Tasks[task].Slots)))]);
        return model;
    }

    /// <summary>The larger of the shares of its slots and of its cores that a device has given away, 0–1; one without either counts as full.</summary>
    public static double Utilisation(long freeSlots, long freeMillicores, double perSlot, double perMillicore) =>
        Math.Clamp(1 - Math.Min(freeSlots * perSlot, freeMillicores * perMillicore), 0, 1);

    private static double Utilisation(PlacementDevice device) =>
        Utilisation(device.Slots - device.Leases, device.CpuMillicores - device.LeasedMillicores, Per(device.Slots), Per(device.CpuMillicores));

    private static double Per(int total) => total > 0 ? 1.0 / total : 0;

    private static void Amounts(Requirements needs, Span<long> lanes) =>
        (lanes[SlotLane], lanes[CpuLane], lanes[2], lanes[3], lanes[4]) = (1, needs.CpuMillicores, needs.MemoryBytes, needs.DiskBytes, needs.Gpus);

    private static void Amounts(FreeCapacity free, Span<long> lanes) =>
        (lanes[SlotLane], lanes[CpuLane], lanes[2], lanes[3], lanes[4]) = (free.Slots, free.Millicores, free.Bytes, free.Disk ?? Boundless, free.Gpus);

    private static (List<Requirements> Distinct, int[] OfTask) DistinctRequirements(IReadOnlyList<PlacementTask> tasks)
    {
        var numbers = new Dictionary<Requirements, int>(ReferenceEqualityComparer.Instance);
        var distinct = new List<Requirements>();
        var ofTask = new int[tasks.Count];
        for (var task = 0; task < ofTask.Length; task++)
        {
            if (!numbers.TryGetValue(tasks[task].Needs, out ofTask[task]))
            {
                numbers[tasks[task].Needs] = ofTask[task] = distinct.Count;
                distinct.Add(tasks[task].Needs);
            }
        }
        return (distinct, ofTask);
    }

    /// <summary>Per kind of requirement the devices of the pool that could take it now, ascending.</summary>
    private static int[][] CandidatesOf(
        PlacementProblem problem, PlacementDevice[] pool, double? reference, List<Requirements> requirements, int[] requirementOf, IEnumerable<Assignment> keep, int limit)
    {
        bool Suits(Requirements needs, int device) => HardFilter.Static(needs, pool[device]) is null && new FreeCapacity(pool[device]).Fits(needs);

        var everything = Enumerable.Range(0, pool.Length).ToArray();
        if (pool.Length <= limit)
            return [.. requirements.Select(needs => everything.Where(device => Suits(needs, device)).ToArray())];

        var seconds = problem.Tasks.Average(t => t.Estimate.TotalSeconds);
        var shuffled = everything.ToArray();
        new Xoshiro256(problem.Seed).Shuffle(shuffled);
        double Runs(int device) => seconds / RunModel.Speed(pool[device], reference);
        int[][] orders =
        [
            everything,
            [.. everything.OrderBy(device => pool[device].WattsPerCore * Runs(device))],
            [.. everything.OrderByDescending(device => pool[device].Trust * pool[device].Presence.Survival(problem.Now, Runs(device)))],
            [.. everything.OrderBy(device => Utilisation(pool[device]))],
            shuffled,
        ];
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var device in everything)
            numbers.TryAdd(pool[device].Id, device);
        var kept = requirements.Select(_ => new HashSet<int>()).ToArray();
        var tasks = new Dictionary<TaskKey, int>();
        for (var task = 0; task < requirementOf.Length; task++)
            tasks.TryAdd(problem.Tasks[task].Key, task);
        foreach (var assignment in keep)
        {
            if (tasks.TryGetValue(assignment.Task, out var task) && numbers.TryGetValue(assignment.DeviceId, out var device) && Suits(problem.Tasks[task].Needs, device))
                kept[requirementOf[task]].Add(device);
        }
        for (var i = 0; i < kept.Length; i++)
        {
            foreach (var order in orders)
                kept[i].UnionWith(order.Where(device => Suits(requirements[i], device)).Take(limit / orders.Length));
        }
        return [.. kept.Select(set => set.Order().ToArray())];
    }

    private void SetSlots(int[] slotTask)
    {
        SlotTask = slotTask;
        SlotClass = [.. slotTask.Select(task => TaskClass[task])];
        FirstSlot = new int[Tasks.Count];
        EndSlot = new int[Tasks.Count];
        for (var slot = 0; slot < slotTask.Length; slot++)
        {
            var task = slotTask[slot];
            if (slot == 0 || slotTask[slot - 1] != task)
                FirstSlot[task] = slot;
            EndSlot[task] = slot + 1;
        }
    }
}
