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

    private readonly double[] _ideal = new double[Objectives];
    private readonly double[] _extent = new double[Objectives];

    /// <param name="points">Feasible placements; dominated and equal ones are left out. At least one.</param>
    public PlacementFront(IReadOnlyList<PlacementPoint> points)
    {
        Points = NonDominated(points);
        for (var m = 0; m < Objectives; m++)
        {
            _ideal[m] = Points.Min(p => p.Objectives[m]);
            _extent[m] = Points.Max(p => p.Objectives[m]) - _ideal[m];
        }
    }

    /// <summary>By finish.</summary>
    public IReadOnlyList<PlacementPoint> Points { get; private set; }

    public IReadOnlyList<double> Ideal => _ideal;
    public IReadOnlyList<double> Extent => _extent;

    /// <summary>What each objective weighs for a plan.</summary>
    public static double[] WeightsOf(PlanKind plan) => plan switch
    {
        PlanKind.Fast => [1, 0, 0, 0, 0],
        PlanKind.Cheap => [0, 1, 0, 0, 0],
        PlanKind.Green => [0, 0, 1, 0, 0],
        PlanKind.Safe => [0, 0, 0, 1, 0],
        _ => [0.2, 0.2, 0.2, 0.2, 0.2],
    };

    /// <summary>Index of the point nearest to the ideal by the weights.</summary>
    public int Nearest(IReadOnlyList<double> weights)
    {
        var (nearest, least) = (0, double.PositiveInfinity);
        for (var i = 0; i < Points.Count; i++)
        {
            var distance = 0.0;
            for (var m = 0; m < Objectives; m++)
            {
                if (_extent[m] > 0)
                    distance += (weights[m] + Tie) * (Points[i].Objectives[m] - _ideal[m]) / _extent[m];
            }
            if (distance < least)
                (nearest, least) = (i, distance);
        }
        return nearest;
    }

    /// <summary>Leaves at most so many points, well spread; those whose indices are given stay.</summary>
    public void Thin(int most, IReadOnlyCollection<int> stay)
    {
        if (Points.Count <= most)
            return;
        var rows = Points.SelectMany(p => p.Objectives).ToArray();
        var sort = new NonDominatedSort(Points.Count, Objectives);
        sort.Sort(rows, new double[Points.Count]);
        var pinned = stay.ToHashSet();
        var keep = most - pinned.Count;
        new CrowdingPruning(Points.Count, Objectives).Prune(sort, 0, keep, rows, new double[Points.Count]);
        pinned.UnionWith(sort.Front(0)[..keep].ToArray());
        Points = [.. pinned.Order().Select(i => Points[i])];
    }

    private static PlacementPoint[] NonDominated(IReadOnlyList<PlacementPoint> points)
    {
        var rows = points.SelectMany(p => p.Objectives).ToArray();
        var sort = new NonDominatedSort(points.Count, Objectives);
        sort.Sort(rows, new double[points.Count]);
        var front = new List<PlacementPoint>();
        // Inside a front rows stand in lexicographic order, equal ones side by side.
        foreach (var row in sort.Front(0))
        {
            if (front.Count == 0 || !points[row].Objectives.AsSpan().SequenceEqual(front[^1].Objectives))
                front.Add(points[row]);
        }
        return [.. front];
    }
}
