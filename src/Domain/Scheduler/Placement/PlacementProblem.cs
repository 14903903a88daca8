namespace FogCompute.Domain.Scheduler.Placement;

/// <summary>A device as placement sees it: what it offers, what is already leased on it, how far it can be trusted. All figures measured or declared.</summary>
public sealed record PlacementDevice
{
    public required string Id { get; init; }

    /// <summary>The owner's account; distinct-owner preferences compare it.</summary>
    public required Guid Owner { get; init; }
    public required int CpuMillicores { get; init; }
    public required long MemoryBytes { get; init; }
    public long? DiskBytes { get; init; }
    public int Gpus { get; init; }

    /// <summary>Leases it takes at once.</summary>
    public required int Slots { get; init; }
    public required IReadOnlySet<Isolation> Isolation { get; init; }
    public required IReadOnlySet<string> PayloadKinds { get; init; }
    public bool NetworkAllowed { get; init; }
    public IReadOnlySet<string> Labels { get; init; } = new HashSet<string>();
    public string? Region { get; init; }

    /// <summary>Lower confidence bound of its reputation, 0–1.</summary>
    public double Trust { get; init; }

    /// <summary>Share of attempts it did not lose, 0–1.</summary>
    public double Availability { get; init; } = 1;

    /// <summary>Measured single-core score; null: never measured.</summary>
    public double? BenchmarkScore { get; init; }
    public bool Attested { get; init; }

    /// <summary>Null when it takes leases now, else the typed reason why not (for example <c>on_battery</c>, <c>lost</c>, <c>no_agent</c>).</summary>
    public string? Unavailable { get; init; }

    /// <summary>Already leased on it, summed.</summary>
    public int LeasedMillicores { get; init; }
    public long LeasedBytes { get; init; }
    public long LeasedDisk { get; init; }
    public int LeasedGpus { get; init; }
    public int Leases { get; init; }
}

/// <summary>One open slot of a task.</summary>
public sealed record PlacementTask
{
    public required TaskKey Key { get; init; }

    /// <summary>Shared by all tasks of a job (same reference).</summary>
    public required Requirements Needs { get; init; }

    /// <summary>Open slots to fill, each on another device.</summary>
    public int Slots { get; init; } = 1;

    /// <summary>Devices that already run, ran or declined this very task.</summary>
    public IReadOnlySet<string> UsedDevices { get; init; } = new HashSet<string>();

    /// <summary>Owners of these; spread over others where the tier prefers it.</summary>
    public IReadOnlySet<Guid> UsedOwners { get; init; } = new HashSet<Guid>();
    public bool PreferDistinctOwners { get; init; }

    /// <summary>Distinct owners are a hard rule (pool option).</summary>
    public bool RequireDistinctOwners { get; init; }
    public TimeSpan Estimate { get; init; }
}

/// <summary>Tasks in the order of service (priority, age) and the devices of the pool.</summary>
public sealed record PlacementProblem(IReadOnlyList<PlacementTask> Tasks, IReadOnlyList<PlacementDevice> Devices);

/// <summary>One slot of a task put on a device; <paramref name="Score"/> 0–1 is why this one.</summary>
public readonly record struct Assignment(TaskKey Task, string DeviceId, double Score);

/// <param name="Assignments">Feasible, capacity respected over all of them together.</param>
/// <param name="Unplaced">Tasks with at least one slot left open.</param>
public sealed record PlacementOutcome(IReadOnlyList<Assignment> Assignments, IReadOnlyList<TaskKey> Unplaced);

/// <summary>Chooses devices for tasks. Pure: no clock, no I/O, the same answer for the same problem.</summary>
public interface IPlacementEngine
{
    PlacementOutcome Place(PlacementProblem problem);
}
