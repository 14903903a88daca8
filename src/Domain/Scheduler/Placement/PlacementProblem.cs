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

    /// <summary>Lower confidence bound of its reputation, 0–1: what rules and rankings ask for, never a probability.</summary>
    public double Trust { get; init; }

    /// <summary>Probability that its next result is right, 0–1: the mean of its reputation. 1/2, as a newcomer's, where nothing is known.</summary>
    public double Reliability { get; init; } = 0.5;

    /// <summary>Share of attempts it did not lose, 0–1.</summary>
    public double Availability { get; init; } = 1;

    /// <summary>When it is there, by hour of the week.</summary>
    public AvailabilityProfile Presence { get; init; } = AvailabilityProfile.Unknown;

    /// <summary>Watts above idle that one busy core draws; nominal by kind of device where it is not measured.</summary>
    public double WattsPerCore { get; init; } = 10;

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

    /// <summary>Expected run time on a device of the pool's median speed: measured on finished tasks of the job where there are some, else the requester's.</summary>
    public TimeSpan Estimate { get; init; }

    /// <summary>Standard deviation of ln(run time / estimate).</summary>
    public double Spread { get; init; } = RunModel.DefaultSpread;

    /// <summary>When the job expires.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>A run is ended at this length.</summary>
    public TimeSpan? WallLimit { get; init; }

    /// <summary>Micro-credits per hour of one replica at the job's tier.</summary>
    public double MicroPerHour { get; init; }

    /// <summary>Which trade-off was bought; the pass takes the point of the front that suits its tasks best, each by its own plan.</summary>
    public PlanKind Plan { get; init; } = PlanKind.Knee;
}

/// <summary>Named points of a Pareto front: the balanced one and one per wish. Wire words in lower case.</summary>
public enum PlanKind
{
    /// <summary>The knee: where giving up more of one objective buys least of the others.</summary>
    Knee,

    /// <summary>Earliest expected finish.</summary>
    Fast,

    /// <summary>Least charged.</summary>
    Cheap,

    /// <summary>Least risk of losing the device or missing the deadline.</summary>
    Safe,

    /// <summary>Least energy.</summary>
    Green,
}

/// <summary>Tasks in the order of service and the devices of the pool.</summary>
public sealed record PlacementProblem(IReadOnlyList<PlacementTask> Tasks, IReadOnlyList<PlacementDevice> Devices)
{
    /// <summary>The moment of the pass; availability and deadlines are counted from it.</summary>
    public DateTimeOffset Now { get; init; }

    /// <summary>Same problem, same seed, same answer (as long as the search is not cut by its budget).</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Most wall-clock time the search may take; zero: none, the fast path decides.</summary>
    public TimeSpan Budget { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>What an earlier search intended for these tasks; a warm start.</summary>
    public IReadOnlyList<Assignment> Previous { get; init; } = [];
}

/// <summary>One slot of a task put on a device; <paramref name="Score"/> 0–1 is why this one.</summary>
public readonly record struct Assignment(TaskKey Task, string DeviceId, double Score);

/// <param name="Assignments">Feasible, capacity respected over all of them together.</param>
/// <param name="Unplaced">Tasks with at least one slot left open.</param>
/// <param name="Search">What a search over many placements found; null when the fast path decided alone.</param>
public sealed record PlacementOutcome(IReadOnlyList<Assignment> Assignments, IReadOnlyList<TaskKey> Unplaced, PlacementSearch? Search = null);

/// <summary>
/// The objectives of one placement, all minimised, means over its slots but the last: seconds to the expected finish, micro-credits charged,
/// joules above idle, probability of not ending well (0–1), and the variance of the devices' utilisation (0–1).
/// </summary>
public sealed record PlacementObjectives(double FinishSeconds, double CostMicro, double Joules, double Risk, double Imbalance);

/// <summary>A non-dominated placement of the front; <paramref name="Names"/> the plans whose point it is.</summary>
public sealed record FrontPoint(PlacementObjectives Objectives, IReadOnlyList<PlanKind> Names);

/// <summary>How a front was found and what was taken from it.</summary>
public sealed record PlacementSearch
{
    /// <summary>Non-dominated, by finish.</summary>
    public required IReadOnlyList<FrontPoint> Front { get; init; }

    /// <summary>Index into <see cref="Front"/> of the placement that was taken.</summary>
    public required int Chosen { get; init; }
    public required int Slots { get; init; }
    public required int Devices { get; init; }
    public required int Generations { get; init; }
    public required long Evaluations { get; init; }
    public required TimeSpan Elapsed { get; init; }

    /// <summary>Share of the box between the ideal point and the worst of each objective seen in the first population that the front dominates, 0–1; exact, of the points in <see cref="Front"/>.</summary>
    public required double Hypervolume { get; init; }

    /// <summary>Share of <see cref="Hypervolume"/> that was there at half of the generations (at the nearest one kept, a sixteenth of them away at most), 0–1: near 1 the search had converged.</summary>
    public required double Convergence { get; init; }
}

/// <summary>Chooses devices for tasks. No I/O; reads a clock only to keep its budget.</summary>
public interface IPlacementEngine
{
    PlacementOutcome Place(PlacementProblem problem, CancellationToken cancel = default);
}
