using System.Runtime.Intrinsics;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>
/// Placement as a problem for evolution: a gene per slot, its value an index into the candidates of the slot's class. Individuals are mended by
/// <see cref="PlacementState.Load"/>; what cannot be mended, and owners repeated beyond <see cref="RepeatsAllowed"/>, is constraint violation,
/// counted in slots. On one thread only: chance is drawn on the way, so that no placement is always changed before it is seen.
/// <para>
/// A quarter of the children have two slots exchanged before, which in a full pool is the smallest change there is and mutation of single genes does
/// not make. Half of them are improved afterwards by a few moves and exchanges towards where they are good already (a memetic algorithm): the
/// sums over many slots make a nearly convex front, on which crossing two good placements gives middling ones. The other half stays as bred,
/// because a weighted sum never finds what lies in a dent of the front.
/// </para>
/// <para>
/// Seating is whole, not relative to a parent: measured, seating 1 000 slots on 200 devices takes 7–16 µs and with the mending of a crossed child about
/// 40 µs, the improvement of a child 160–600 µs, so comparing it with its parents could save a tenth at best. Improvement is incremental.
/// </para>
/// </summary>
internal sealed class PlacementEvolution : IEvolutionProblem<int>
{
    /// <summary>Tried at most per individual that is improved, measured on 200 and 1 000 slots; and per slot, where there are few.</summary>
    private const int Moves = 80, Exchanges = 400, MovesPerSlot = 1, ExchangesPerSlot = 2;

    /// <summary>Added to the normalised distance from the ideal, whose inverse is the weight of an objective.</summary>
    private const double Softness = 0.1;

    private readonly PlacementState _state;
    private readonly LocalImprovement _improvement;
    private readonly ObjectiveScale _scale;
    private readonly Xoshiro256 _random;
    private readonly int[] _lower;
    private readonly int[] _upper;
    private bool _breeding;

    public PlacementEvolution(PlacementModel model, PlacementState state, LocalImprovement improvement, ObjectiveScale scale, ulong seed)
    {
        (_state, _improvement, _scale, _random) = (state, improvement, scale, new Xoshiro256(seed));
        _lower = new int[model.SlotCount];
        _upper = [.. Enumerable.Range(0, model.SlotCount).Select(slot => model.CandidateCount(slot) - 1)];
    }

    /// <summary>Most slots whose owner repeats although another is preferred: what the best placement known at the start needs.</summary>
    public int RepeatsAllowed { get; init; } = int.MaxValue;

    public int ObjectiveCount => PlacementState.Objectives;

    public ReadOnlyMemory<int> Lower => _lower;

    public ReadOnlyMemory<int> Upper => _upper;

    /// <summary>What comes from now on is children: the first population is improved already, or random, and left as it is.</summary>
    public void BeginBreeding() => _breeding = true;

    public void RepairAndEvaluate(Span<int> vectors, Span<double> objectives, Span<double> violations)
    {
        for (var row = 0; row < violations.Length; row++)
        {
            var genes = vectors.Slice(row * _lower.Length, _lower.Length);
            var measured = objectives.Slice(row * PlacementState.Objectives, PlacementState.Objectives);
            var random = _random.NextBits();
            if (_breeding && (random & 3) == 0)
                _improvement.Exchange(genes, ref random);
            _state.Load(genes);
            _state.Measure(measured);
            if (_breeding && _state.Unsettled == 0 && (random >> 63) == 0)
            {
                _improvement.Some(Math.Min(Moves, MovesPerSlot * genes.Length), Math.Min(Exchanges, ExchangesPerSlot * genes.Length), Towards(measured), ref random);
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
}
