using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>
/// Placement as a problem for evolution: a gene per slot, its value an index into the candidates of the slot's class. Individuals are mended by
/// <see cref="PlacementState.Load"/>; what cannot be mended, and owners repeated beyond <see cref="RepeatsAllowed"/>, is constraint violation,
/// counted in slots. One thread at a time.
/// </summary>
internal sealed class PlacementEvolution : IEvolutionProblem<int>
{
    private readonly PlacementState _state;
    private readonly int[] _lower;
    private readonly int[] _upper;

    public PlacementEvolution(PlacementModel model, PlacementState state)
    {
        _state = state;
        _lower = new int[model.SlotCount];
        _upper = [.. Enumerable.Range(0, model.SlotCount).Select(slot => model.CandidateCount(slot) - 1)];
    }

    /// <summary>Most slots whose owner repeats although another is preferred: what the best placement known at the start needs.</summary>
    public int RepeatsAllowed { get; set; } = int.MaxValue;

    public int ObjectiveCount => PlacementState.Objectives;

    public ReadOnlyMemory<int> Lower => _lower;

    public ReadOnlyMemory<int> Upper => _upper;

    public void RepairAndEvaluate(Span<int> vectors, Span<double> objectives, Span<double> violations)
    {
        for (var row = 0; row < violations.Length; row++)
        {
            _state.Load(vectors.Slice(row * _lower.Length, _lower.Length));
            _state.Measure(objectives.Slice(row * PlacementState.Objectives, PlacementState.Objectives));
            violations[row] = _state.Unsettled + Math.Max(0, _state.Repeats - RepeatsAllowed);
        }
    }

    void IEvolutionProblem<int>.Evaluate(ReadOnlySpan<int> vectors, Span<double> objectives, Span<double> violations) =>
        RepairAndEvaluate(vectors.ToArray(), objectives, violations);
}
