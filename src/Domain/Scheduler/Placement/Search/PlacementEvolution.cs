using System.Runtime.Intrinsics;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>
/// Placement as a problem for evolution: a gene per slot, its value an index into the candidates of the slot's class. Individuals are mended by
/// <see cref="PlacementState.Load"/>; what cannot be mended, and owners repeated beyond <see cref="RepeatsAllowed"/>, is constraint violation,
/// counted in slots. One thread at a time.
/// <para>
/// Half of them are then improved by a few moves and exchanges towards where they are good already (a memetic algorithm): the sums over
/// many slots make a nearly convex front, on which crossing two good placements gives middling ones. The other half stays as bred, because a
/// weighted sum never finds what lies in a dent of the front.
/// </para>
/// <para>
/// Evaluation is whole, not relative to a parent: uniform crossover changes a quarter of the genes and more, and seating 1 000 slots takes
/// 6 µs, of which copying and comparing the parents' state would save less than half.
/// </para>
/// </summary>
internal sealed class PlacementEvolution : IEvolutionProblem<int>
{
    /// <summary>Tried per individual that is improved; measured on 200 and 1 000 slots.</summary>
    private const int Moves = 80, Exchanges = 400;

    /// <summary>Added to the normalised distance from the ideal, whose inverse is the weight of an objective.</summary>
    private const double Softness = 0.1;

    private readonly PlacementState _state;
    private readonly LocalImprovement _improvement;
    private readonly ObjectiveScale _scale;
    private readonly int[] _lower;
    private readonly int[] _upper;

    public PlacementEvolution(PlacementModel model, PlacementState state, LocalImprovement improvement, ObjectiveScale scale)
    {
        (_state, _improvement, _scale) = (state, improvement, scale);
        _lower = new int[model.SlotCount];
        _upper = [.. Enumerable.Range(0, model.SlotCount).Select(slot => model.CandidateCount(slot) - 1)];
    }

    /// <summary>Most slots whose owner repeats although another is preferred: what the best placement known at the start needs.</summary>
    public int RepeatsAllowed { get; set; } = int.MaxValue;

    /// <summary>Whether half of the individuals are improved; not yet in the first population, which is improved or random already.</summary>
    public bool Improves { get; set; }

    public int ObjectiveCount => PlacementState.Objectives;

    public ReadOnlyMemory<int> Lower => _lower;

    public ReadOnlyMemory<int> Upper => _upper;

    public void RepairAndEvaluate(Span<int> vectors, Span<double> objectives, Span<double> violations)
    {
        for (var row = 0; row < violations.Length; row++)
        {
            var genes = vectors.Slice(row * _lower.Length, _lower.Length);
            var measured = objectives.Slice(row * PlacementState.Objectives, PlacementState.Objectives);
            _state.Load(genes);
            _state.Measure(measured);
            var random = Hash(genes);
            if (Improves && _state.Unsettled == 0 && (random >> 63) == 0)
            {
                _improvement.Some(Moves, Exchanges, Towards(measured), ref random);
                _state.Chosen.CopyTo(genes);
                _state.Measure(measured);
            }
            violations[row] = _state.Unsettled + Math.Max(0, _state.Repeats - RepeatsAllowed);
        }
    }

    void IEvolutionProblem<int>.Evaluate(ReadOnlySpan<int> vectors, Span<double> objectives, Span<double> violations) =>
        throw new NotSupportedException("Placements are repaired and evaluated in one go.");

    /// <summary>Weights that favour the objectives in which a placement is near the ideal.</summary>
    private Weights Towards(ReadOnlySpan<double> objectives)
    {
        Span<double> weights = stackalloc double[PlacementState.Objectives];
        for (var m = 0; m < weights.Length; m++)
            weights[m] = 1 / (Math.Max(0, _scale.Normalise(objectives[m], m)) + Softness);
        return _scale.Weigh(weights);
    }

    private static ulong Hash(ReadOnlySpan<int> genes)
    {
        var hash = 14695981039346656037;
        foreach (var gene in genes)
            hash = (hash ^ (uint)gene) * 1099511628211;
        hash = (hash ^ (hash >> 32)) * 0x9E3779B97F4A7C15;
        return hash ^ (hash >> 29);
    }
}
