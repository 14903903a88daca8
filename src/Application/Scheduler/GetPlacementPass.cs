using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/passes/{id}
// A placement pass that searched: its Pareto front, the point that was taken, and what the search took. Kept for seven days.

[RequiresPermission(Permissions.Operate)]
public sealed record GetPlacementPassQuery(Guid PassId) : IQuery<PlacementPassDetail>;

public sealed record PlacementPassDetail
{
    public required Guid Id { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>Milliseconds of the whole pass, reading and search included, up to the writing of its leases.</summary>
    public required double TookMs { get; init; }
    public string Method { get; init; } = "nsga2";

    /// <summary>Tasks looked at.</summary>
    public required int Tasks { get; init; }

    /// <summary>Task replicas that the search placed.</summary>
    public required int Slots { get; init; }

    /// <summary>Devices it chose from.</summary>
    public required int Devices { get; init; }

    /// <summary>Leases written.</summary>
    public required int Placed { get; init; }

    /// <summary>Tasks with a replica left waiting.</summary>
    public required int Unplaced { get; init; }
    public required int Generations { get; init; }
    public required long Evaluations { get; init; }
    public required double SearchMs { get; init; }

    /// <summary>Share of the box from the ideal point to the worst values first seen that the front dominates, 0–1.</summary>
    public required double Hypervolume { get; init; }

    /// <summary>Share of that hypervolume which was there at half of the generations, 0–1.</summary>
    public required double Convergence { get; init; }

    /// <summary>Index into <see cref="Front"/> of the placement that was taken.</summary>
    public required int Chosen { get; init; }

    /// <summary>Non-dominated placements, by expected finish.</summary>
    public required IReadOnlyList<PassPoint> Front { get; init; }

    /// <summary>Jobs with tasks in it, at most 64.</summary>
    public required IReadOnlyList<Guid> Jobs { get; init; }
}

/// <summary>A placement's objectives: means over its replicas; the imbalance is the variance of the devices' utilisation.</summary>
/// <param name="Risk">Probability that an attempt does not end well, 0–1.</param>
/// <param name="Names">Plans whose point it is: knee, fast, cheap, safe, green.</param>
public sealed record PassPoint(double FinishSeconds, decimal CostCredits, double EnergyJoules, double Risk, double Imbalance, IReadOnlyList<string> Names)
{
    public static PassPoint Of(FrontPoint point) => new(
        Math.Round(point.Objectives.FinishSeconds, 3), Math.Round((decimal)point.Objectives.CostMicro / Pricing.MicroPerCredit, 9), Math.Round(point.Objectives.Joules, 3),
        Math.Round(point.Objectives.Risk, 6), Math.Round(point.Objectives.Imbalance, 6), [.. point.Names.Select(JobWords.Word)]);
}

internal sealed class GetPlacementPassHandler(IPassLog passes) : IQueryHandler<GetPlacementPassQuery, PlacementPassDetail>
{
    public async Task<PlacementPassDetail> Handle(GetPlacementPassQuery query, CancellationToken cancellationToken) =>
        await passes.ReadAsync(query.PassId, cancellationToken) ?? throw new FogException(SchedulerErrors.PassNotFound);
}
