using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.Scheduler.Quotes;

/// <summary>What a job asks of the pool and what the pool is like: everything that its plans follow from.</summary>
public sealed record QuoteProblem
{
    public required Requirements Needs { get; init; }

    /// <summary>Replicas and how they are compared.</summary>
    public required TierTerms Terms { get; init; }
    public required PriceTerms Price { get; init; }

    /// <summary>Share of results that are executed once more on another device, 0–1.</summary>
    public double AuditRate { get; init; }
    public required int TaskCount { get; init; }

    /// <summary>Most tasks that run at once; null: any number.</summary>
    public int? MaxConcurrent { get; init; }

    /// <summary>Expected run time of one task on a device of speed 1, in the requester's words; <see cref="Runs"/> corrects it.</summary>
    public required TimeSpan Estimate { get; init; }
    public required RunStatistics Runs { get; init; }

    /// <summary>A run is ended at this length, which counts as a failure of the payload.</summary>
    public required TimeSpan WallLimit { get; init; }

    /// <summary>Failures of the payload tolerated per task.</summary>
    public required int Retries { get; init; }

    /// <summary>The job expires when nothing of it has started by then.</summary>
    public required TimeSpan QueueLimit { get; init; }
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The whole pool.</summary>
    public required IReadOnlyList<PlacementDevice> Devices { get; init; }

    /// <summary>Expected seconds until the leases of a device have ended, by device; one that is busy and not named here is not counted on.</summary>
    public IReadOnlyDictionary<string, double> BusySeconds { get; init; } = new Dictionary<string, double>();

    /// <summary>Slot-seconds, on devices of speed 1, of open work that is served first. Counts only when nothing is free.</summary>
    public double BacklogSeconds { get; init; }

    /// <summary>How long a device can be silent before what it held starts elsewhere.</summary>
    public TimeSpan LossDetection { get; init; }
    public required DateTimeOffset Now { get; init; }

    /// <summary>Same problem, same seed, same plans (as long as the search is not cut by its budget).</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Most wall-clock time of the search; the simulations after it are bounded by their number.</summary>
    public TimeSpan Budget { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Runs in all: each task as often as its tier has replicas.</summary>
    public long RunCount => (long)TaskCount * Terms.Replicas;

    /// <summary>Runs at once that the job allows.</summary>
    public long MostRuns => Math.Min(TaskCount, MaxConcurrent ?? TaskCount) * (long)Terms.Replicas;
}

/// <summary>A plan that can be bought. Amounts in micro-credits, for the whole job unless the name says otherwise.</summary>
public sealed record QuotePlan
{
    /// <summary>The wishes that it answers best; the first is what it is called.</summary>
    public required IReadOnlyList<PlanKind> Names { get; init; }

    /// <summary>Most that a task is charged: what is held for it.</summary>
    public required long PricePerTaskMicro { get; init; }
    public required long PriceMicro { get; init; }

    /// <summary>What metering is expected to come to, never above <see cref="PriceMicro"/>.</summary>
    public required long ExpectedChargeMicro { get; init; }

    /// <summary>Seconds until the job's last task has ended, whichever way: exceeded by half, and by one in twenty, of the simulated jobs.</summary>
    public required double P50Seconds { get; init; }
    public required double P95Seconds { get; init; }

    /// <summary>Share of simulated jobs of which some task failed or which expired, 0–1.</summary>
    public required double FailureRisk { get; init; }
    public required double Joules { get; init; }

    /// <summary>Seconds until the first of its devices can start.</summary>
    public required double WaitSeconds { get; init; }

    /// <summary>A moment so many seconds after another; null where the calendar does not reach.</summary>
    public static DateTimeOffset? After(DateTimeOffset from, double seconds) => seconds < (DateTimeOffset.MaxValue - from).TotalSeconds ? from.AddSeconds(seconds) : null;

    /// <summary>How many runs at a time each device of the plan takes.</summary>
    public required IReadOnlyDictionary<string, int> Slots { get; init; }
}

/// <summary>A non-dominated plan: seconds to the expected finish, expected charge, joules above idle, mean probability that a run does not end well (0–1).</summary>
public sealed record QuotePoint(double FinishSeconds, double CostMicro, double Joules, double Risk, IReadOnlyList<PlanKind> Names);

/// <param name="Plans">One to five, none dominated, in the order of <see cref="PlanKind"/>; empty when there is no plan.</param>
/// <param name="Front">By finish.</param>
/// <param name="Refused">How many devices the first broken rule of each kind refuses; devices without room count as <c>busy</c>.</param>
/// <param name="Suitable">Devices that break no rule, busy or not.</param>
public sealed record QuoteOutcome(IReadOnlyList<QuotePlan> Plans, IReadOnlyList<QuotePoint> Front, IReadOnlyDictionary<string, int> Refused, int Suitable);
