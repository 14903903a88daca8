namespace FogCompute.Domain.Scheduler.Placement;

/// <summary>A live attempt of the pool, as the rule below weighs it.</summary>
public sealed record RunningAttempt
{
    public required AttemptId Id { get; init; }
    public required string DeviceId { get; init; }

    /// <summary>Its job's own priority; waiting never raises it here.</summary>
    public required int Priority { get; init; }

    /// <summary>What it holds of the device.</summary>
    public required Requirements Holds { get; init; }

    /// <summary>Whether what it has done so far survives.</summary>
    public bool Checkpointing { get; init; }

    /// <summary>Time since it started, or since its lease where it has not.</summary>
    public TimeSpan Ran { get; init; }

    /// <summary>Already under notice: what it holds will be free without anybody else being stopped.</summary>
    public bool UnderNotice { get; init; }

    /// <summary>Delivering its results: about to end, and never stopped for others.</summary>
    public bool Uploading { get; init; }
}

/// <summary>A task with open slots that may ask others to give way.</summary>
/// <param name="Replicas">Devices its tier needs; where the pool has fewer it waits for them, and nobody is stopped for it.</param>
/// <param name="Since">When the slots became open.</param>
public sealed record UrgentTask(PlacementTask Task, int Priority, int Replicas, DateTimeOffset Since);

/// <summary>
/// Which running attempts give way to waiting work of higher priority. A task that could start nowhere for <see cref="Patience"/> only because suitable devices
/// are busy takes them from work at least <see cref="PriorityGap"/> below it, on one device per slot, by least harm: fewest attempts, then lowest
/// priority, then those that keep their state, then the shortest runs. The fewest are found greedily (set cover: the attempt that gives most of what is missing first, then
/// whoever turns out not to be needed is spared): exact for one, O(attempts²) per device at worst.
/// </summary>
public static class Preemption
{
    public const int PriorityGap = 20;
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <param name="waiting">In the order in which they are to be served.</param>
    /// <param name="running">Live attempts on these devices; those of too high a priority may be left out.</param>
    /// <returns>Attempts to give notice to; none that is under notice already.</returns>
    public static IReadOnlyList<RunningAttempt> Choose(
        IReadOnlyList<UrgentTask> waiting, IReadOnlyList<PlacementDevice> devices, IReadOnlyList<RunningAttempt> running, DateTimeOffset now)
    {
        var places = devices.Select(d => new Place(d)).ToList();
        var byDevice = places.ToDictionary(p => p.Device.Id, StringComparer.Ordinal);
        foreach (var attempt in running)
        {
            if (!byDevice.TryGetValue(attempt.DeviceId, out var place))
                continue;
            if (attempt.UnderNotice)
                place.Free.Give(attempt.Holds);
            else if (!attempt.Uploading)
                place.Attempts.Add(attempt);
        }
        foreach (var place in places)
            place.Attempts.Sort(ByHarm);

        var chosen = new List<RunningAttempt>();
        var suitable = new Dictionary<Requirements, List<Place>>(ReferenceEqualityComparer.Instance);
        foreach (var waits in waiting)
        {
            var task = waits.Task;
            if (!suitable.TryGetValue(task.Needs, out var candidates))
                suitable[task.Needs] = candidates = places.FindAll(p => HardFilter.Static(task.Needs, p.Device) is null);
            if (candidates.Count(p => !task.UsedDevices.Contains(p.Device.Id)) + task.UsedDevices.Count < waits.Replicas)
                continue;
            for (var slot = 0; slot < task.Slots; slot++)
            {
                var open = candidates.FindAll(p => HardFilter.Diversity(task, p.Device) is null);
                var place = open.Find(p => p.Free.Fits(task.Needs));
                if (place is null && now - waits.Since >= Patience)
                    place = MakeRoom(open, waits, chosen);
                if (place is null)
                    break;
                place.Free.Take(task.Needs);
                task = task with
                {
                    UsedDevices = new HashSet<string>(task.UsedDevices, StringComparer.Ordinal) { place.Device.Id },
                    UsedOwners = new HashSet<Guid>(task.UsedOwners) { place.Device.Owner },
                };
            }
        }
        return chosen;
    }

    /// <summary>Stops the least on one of the devices; null when there is none where that would do.</summary>
    private static Place? MakeRoom(List<Place> open, UrgentTask waits, List<RunningAttempt> chosen)
    {
        Place? best = null;
        List<RunningAttempt>? least = null;
        foreach (var place in open)
        {
            if (Victims(place, waits) is { } victims && (least is null || Compare(victims, least) < 0))
                (best, least) = (place, victims);
        }
        foreach (var victim in least ?? [])
        {
            best!.Attempts.Remove(victim);
            best.Free.Give(victim.Holds);
            chosen.Add(victim);
        }
        return best;
    }

    private static List<RunningAttempt>? Victims(Place place, UrgentTask waits)
    {
        var (free, needs) = (place.Free, waits.Task.Needs);
        var left = place.Attempts.FindAll(a => a.Priority <= waits.Priority - PriorityGap);
        var victims = new List<RunningAttempt>();
        while (!free.Fits(needs))
        {
            var (best, bestMissing) = (-1, Missing(free, needs));
            for (var i = 0; i < left.Count; i++)
            {
                var then = free;
                then.Give(left[i].Holds);
                // The least harmful come first and win among equals.
                if (Missing(then, needs) is var missing && missing < bestMissing)
                    (best, bestMissing) = (i, missing);
            }
            if (best < 0)
                return null;
            free.Give(left[best].Holds);
            victims.Add(left[best]);
            left.RemoveAt(best);
        }
        victims.Sort(ByHarm);
        for (var i = victims.Count - 1; i >= 0; i--)
        {
            var without = free;
            without.Take(victims[i].Holds);
            if (!without.Fits(needs))
                continue;
            free = without;
            victims.RemoveAt(i);
        }
        return victims;
    }

    /// <summary>What is missing of each dimension as a share of the need, summed; 0: it fits.</summary>
    private static double Missing(FreeCapacity free, Requirements needs) =>
        Share(needs.CpuMillicores, free.Millicores) + Share(needs.MemoryBytes, free.Bytes) + Share(needs.Gpus, free.Gpus)
        + (free.Disk is { } disk ? Share(needs.DiskBytes, disk) : 0) + Math.Max(0, 1 - free.Slots);

    private static double Share(long need, long free) => need > free ? (need - free) / (double)Math.Max(1, need) : 0;

    private static int ByHarm(RunningAttempt a, RunningAttempt b) =>
        Harm([a]).CompareTo(Harm([b])) is not 0 and var order ? order : a.Id.Value.CompareTo(b.Id.Value);

    private static int Compare(List<RunningAttempt> a, List<RunningAttempt> b) => Harm(a).CompareTo(Harm(b));

    private static (int Count, int Priority, int Lost, TimeSpan Ran) Harm(List<RunningAttempt> victims) =>
        (victims.Count, victims.Count == 0 ? 0 : victims.Max(v => v.Priority), victims.Count(v => !v.Checkpointing), new TimeSpan(victims.Sum(v => v.Ran.Ticks)));

    private sealed class Place(PlacementDevice device)
    {
        public PlacementDevice Device => device;

        /// <summary>With what is under notice counted as free.</summary>
        public FreeCapacity Free = new(device);

        /// <summary>That may be stopped, least harmful first.</summary>
        public List<RunningAttempt> Attempts { get; } = [];
    }
}
