namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// What is optimised: several objectives, all minimised, over vectors of <see cref="VariableCount"/> genes between bounds. Genes are
/// <see cref="double"/> for continuous problems and <see cref="int"/> for assignments (gene = task, value = index of the chosen device).
/// Everything crosses in batches over flat row-major spans, so that an implementation can vectorise over individuals and nothing is boxed.
/// </summary>
public interface IEvolutionProblem<TGene>
    where TGene : unmanaged
{
    /// <summary>Number of objectives, 1 or more.</summary>
    int ObjectiveCount { get; }

    /// <summary>Smallest allowed value per gene; its length is the number of variables.</summary>
    ReadOnlyMemory<TGene> Lower { get; }

    /// <summary>Largest allowed value per gene, inclusive.</summary>
    ReadOnlyMemory<TGene> Upper { get; }

    /// <summary>Number of genes of one individual.</summary>
    int VariableCount => Lower.Length;

    /// <summary>
    /// Mends individuals in place before they are evaluated, e.g. moves tasks off an overfull device. Must keep to the bounds and depend on
    /// the individual alone. Does nothing unless overridden.
    /// </summary>
    void Repair(Span<TGene> vectors)
    {
    }

    /// <summary>Both at once, for problems whose repair measures as it goes: <see cref="Repair"/>, then <see cref="Evaluate"/>, unless overridden.</summary>
    void RepairAndEvaluate(Span<TGene> vectors, Span<double> objectives, Span<double> violations)
    {
        Repair(vectors);
        Evaluate(vectors, objectives, violations);
    }

    /// <summary>
    /// Evaluates <c>violations.Length</c> individuals. Each row must depend on its own genes only: batches are cut differently for different
    /// thread counts, and come from several threads at once when <see cref="EvolutionSettings.Threads"/> is above 1.
    /// </summary>
    /// <param name="vectors">Individuals × variables.</param>
    /// <param name="objectives">Individuals × objectives, to be written; smaller is better; must be finite.</param>
    /// <param name="violations">Per individual the sum by which it breaks its constraints, given as 0; 0 or less means feasible, infinity is allowed.</param>
    void Evaluate(ReadOnlySpan<TGene> vectors, Span<double> objectives, Span<double> violations);
}
