namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>Which limit ended an evolution.</summary>
public enum EvolutionEnd
{
    Evaluations,
    Generations,
    Budget,
}

/// <summary>One individual of a result: its genes, what they cost and by how much they break constraints (0 or less: not at all).</summary>
public sealed record Individual<TGene>(IReadOnlyList<TGene> Genes, IReadOnlyList<double> Objectives, double Violation)
{
    public bool IsFeasible => Violation <= 0;
}

/// <summary>
/// The non-dominated individuals of the last generation, in lexicographic order of objectives, equal ones once. When nothing feasible was
/// found they are those that break their constraints least.
/// </summary>
public sealed record EvolutionResult<TGene>(IReadOnlyList<Individual<TGene>> Front, int Generations, long Evaluations, TimeSpan Elapsed, EvolutionEnd EndedBy);
