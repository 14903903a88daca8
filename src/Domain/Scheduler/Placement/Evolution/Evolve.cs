namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>The usual ways in: an <see cref="EvolutionLoop{TGene}"/> with the operators that suit the genes.</summary>
public static class Evolve
{
    /// <summary>For continuous variables: simulated binary crossover and polynomial mutation.</summary>
    public static EvolutionLoop<double> Reals(IEvolutionProblem<double> problem, EvolutionSettings settings, TimeProvider clock, VariationSettings? variation = null) =>
        new(problem, new RealVariation(problem.Lower, problem.Upper, variation), settings, clock);

    /// <summary>For variables that name one of several things: uniform crossover and reassignment.</summary>
    public static EvolutionLoop<int> Assignments(IEvolutionProblem<int> problem, EvolutionSettings settings, TimeProvider clock, VariationSettings? variation = null) =>
        new(problem, new AssignmentVariation(problem.Lower, problem.Upper, variation), settings, clock);
}
