using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>
/// Feasible individuals of earlier generations, few and evenly spread over however many there will be: when there are too many, every other
/// generation is forgotten.
/// </summary>
internal sealed class FrontHistory
{
    private const int Most = 32;

    private readonly List<(int Generation, PlacementPoint[] Points)> _kept = [];
    private int _stride = 1;

    public void Remember(EvolutionLoop<int> loop)
    {
        if (loop.Generation % _stride != 0)
            return;
        var points = new List<PlacementPoint>();
        for (var row = 0; row < loop.Violations.Length; row++)
        {
            if (loop.Violations[row] <= 0)
                points.Add(new PlacementPoint([], loop.Objectives.Slice(row * PlacementState.Objectives, PlacementState.Objectives).ToArray()));
        }
        _kept.Add((loop.Generation, [.. points]));
        if (_kept.Count < Most)
            return;
        _stride *= 2;
        _kept.RemoveAll(k => k.Generation % _stride != 0);
    }

    /// <summary>Those of the generation kept that is nearest to this one.</summary>
    public IReadOnlyList<PlacementPoint> At(int generation) => _kept.MinBy(k => Math.Abs(k.Generation - generation)).Points;
}
