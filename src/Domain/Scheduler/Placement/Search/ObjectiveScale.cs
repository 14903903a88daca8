using System.Runtime.Intrinsics;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>Makes the five objectives comparable: from the best to the worst that a set of placements has of each counts as 0 to 1; one without extent counts nothing.</summary>
internal sealed class ObjectiveScale
{
    private readonly double[] _ideal = new double[PlacementState.Objectives];
    private readonly double[] _extent = new double[PlacementState.Objectives];
    private readonly int _slots;

    /// <param name="rows">Objectives of each placement; at least one.</param>
    /// <param name="slots">Slots of a placement.</param>
    public ObjectiveScale(IReadOnlyList<double[]> rows, int slots)
    {
        _slots = slots;
        for (var m = 0; m < _ideal.Length; m++)
        {
            _ideal[m] = rows.Min(r => r[m]);
            _extent[m] = rows.Max(r => r[m]) - _ideal[m];
        }
    }

    public IReadOnlyList<double> Ideal => _ideal;

    public double Normalise(double value, int objective) => _extent[objective] > 0 ? (value - _ideal[objective]) / _extent[objective] : 0;

    /// <summary>Weights of normalised objectives as weights of their raw values.</summary>
    public Weights Weigh(ReadOnlySpan<double> weights)
    {
        var figures = Vector256.Create(Raw(weights[0], 0), Raw(weights[1], 1), Raw(weights[2], 2), Raw(weights[3], 3)) / _slots;
        return new Weights(figures, Raw(weights[4], 4));
    }

    private double Raw(double weight, int objective) => _extent[objective] > 0 ? weight / _extent[objective] : 0;
}
