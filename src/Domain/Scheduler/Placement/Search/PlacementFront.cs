using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>A feasible placement and its five objectives.</summary>
internal sealed record PlacementPoint(int[] Genes, double[] Objectives);

/// <summary>
/// A Pareto front of placements, normalised by its own extent, and the points on it that have names. The knee, and whatever weights a pass has,
/// are found by the minimum Manhattan distance to the ideal point, which for equal weights is the point where the front bulges most
/// (Chiu, Yen, Juan, "Minimum Manhattan distance approach to multiple criteria decision making in multiobjective optimization problems", IEEE TEC
/// 20(6), 2016); a weight on one objective alone gives its minimum.
/// </summary>
internal sealed class PlacementFront
{
    private const int Objectives = PlacementState.Objectives;

    /// <summary>Decides between points that are equal by the weights: the sum of all objectives, this small.</summary>
    private const double Tie = 1e-9;

    /// <param name="points">Feasible placements; dominated and equal ones are left out. At least one.</param>
    /// <param name="slots">Slots of a placement.</param>
    public PlacementFront(IReadOnlyList<PlacementPoint> points, int slots)
    {
        Points = NonDominated(points);
        Scale = new ObjectiveScale([.. Points.Select(p => p.Objectives)], slots);
    }

    /// <summary>By finish.</summary>
    public IReadOnlyList<PlacementPoint> Points { get; private set; }

    public ObjectiveScale Scale { get; }

    /// <summary>What each objective weighs for a plan.</summary>
    public static double[] WeightsOf(PlanKind plan) => plan switch
    {
        PlanKind.Fast => [1, 0, 0, 0, 0],
        PlanKind.Cheap => [0, 1, 0, 0, 0],
        PlanKind.Green => [0, 0, 1, 0, 0],
        PlanKind.Safe => [0, 0, 0, 1, 0],
        _ => [0.2, 0.2, 0.2, 0.2, 0.2],
    };

    /// <summary>The point nearest to the ideal by the weights.</summary>
    public PlacementPoint Nearest(IReadOnlyList<double> weights) =>
        Points.MinBy(point => point.Objectives.Select((value, m) => (weights[m] + Tie) * Scale.Normalise(value, m)).Sum())!;

    /// <summary>Leaves at most so many points, those with most room around them, and those that must stay.</summary>
    public void Thin(int most, IReadOnlyCollection<PlacementPoint> stay)
    {
        if (Points.Count <= most)
            return;
        var kept = stay.ToHashSet();
        var keep = Math.Max(0, most - kept.Count);
        var (sort, rows) = Sorted(Points);
        new CrowdingPruning(Points.Count, Objectives).Prune(sort, 0, keep, rows, new double[Points.Count]);
        foreach (var row in sort.Front(0)[..keep])
            kept.Add(Points[row]);
        Points = [.. Points.Where(kept.Contains)];
    }

    private static PlacementPoint[] NonDominated(IReadOnlyList<PlacementPoint> points)
    {
        var (sort, _) = Sorted(points);
        var front = new List<PlacementPoint>();
        // Inside a front rows stand in lexicographic order, equal ones side by side.
        foreach (var row in sort.Front(0))
        {
            if (front.Count == 0 || !points[row].Objectives.AsSpan().SequenceEqual(front[^1].Objectives))
                front.Add(points[row]);
        }
        return [.. front];
    }

    private static (NonDominatedSort Sort, double[] Rows) Sorted(IReadOnlyList<PlacementPoint> points)
    {
        var rows = points.SelectMany(p => p.Objectives).ToArray();
        var sort = new NonDominatedSort(points.Count, Objectives);
        sort.Sort(rows, new double[points.Count]);
        return (sort, rows);
    }
}
