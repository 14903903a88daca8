namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>How the survivors of the first front that no longer fits whole are chosen.</summary>
public enum SurvivalStrategy
{
    /// <summary><see cref="Crowding"/> up to three objectives, <see cref="ReferencePoints"/> from four up, where crowding is weak.</summary>
    Automatic,

    /// <summary>NSGA-II: those with most room around them.</summary>
    Crowding,

    /// <summary>NSGA-III: an even share for each of a lattice of directions.</summary>
    ReferencePoints,

    /// <summary>Those that together dominate most volume (as SMS-EMOA); the best fronts; affordable up to four objectives.</summary>
    Hypervolume,
}

/// <summary>Size, length and seed of one evolution. Whichever of the three limits is reached first ends it.</summary>
public sealed record EvolutionSettings
{
    /// <summary>Individuals per generation: even, 4 or more.</summary>
    public int Population { get; init; } = 100;

    /// <summary>Calls for one individual, the first population included; rounded down to whole generations.</summary>
    public long MaxEvaluations { get; init; } = 25_000;

    /// <summary>Generations after the first population; null: no such limit.</summary>
    public int? MaxGenerations { get; init; }

    /// <summary>
    /// Wall-clock time; null: no such limit. A generation is not begun when the longest one so far would no longer fit, so the budget is kept
    /// unless a single generation is unusually slow. How far a run comes that ends by its budget depends on the machine.
    /// </summary>
    public TimeSpan? Budget { get; init; }

    public SurvivalStrategy Survival { get; init; } = SurvivalStrategy.Automatic;

    /// <summary>
    /// Of feasible individuals with the same objectives one counts, and the others come after everything else that is feasible, second copies before
    /// third ones. For discrete problems, whose fronts fill up with copies otherwise.
    /// </summary>
    public bool SetCopiesBack { get; init; }

    /// <summary>Threads that evaluate, the caller's included. The result is the same for any number.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>
    /// Same seed, same run. Assignments repeat on every machine; real genes on machines with the same vector instructions, whose exp and ln may
    /// differ in the last bit from those of others.
    /// </summary>
    public ulong Seed { get; init; } = 1;

    internal SurvivalStrategy StrategyFor(int objectives) => Survival switch
    {
        SurvivalStrategy.Automatic when objectives > 3 => SurvivalStrategy.ReferencePoints,
        SurvivalStrategy.Automatic => SurvivalStrategy.Crowding,
        _ => Survival,
    };

    internal void Validate()
    {
        if (Population < 4 || Population % 2 != 0)
            throw new ArgumentException($"Population is {Population}, but parents come in pairs: use an even number from 4 up.");
        if (MaxEvaluations < Population)
            throw new ArgumentException($"MaxEvaluations is {MaxEvaluations}, which does not pay for the first population of {Population}: raise it, or use a smaller population.");
        if (MaxGenerations < 0)
            throw new ArgumentException($"MaxGenerations is {MaxGenerations}: use 0 or more, or null for no limit.");
        if (Budget < TimeSpan.Zero)
            throw new ArgumentException($"Budget is {Budget}: use zero or more, or null for no limit.");
        if (Threads < 1)
            throw new ArgumentException($"Threads is {Threads}: use 1 (the caller's own) or more.");
    }
}

/// <summary>Rates of crossover and mutation; the defaults are those of the NSGA-II literature.</summary>
public sealed record VariationSettings
{
    /// <summary>Probability that a pair of parents is crossed at all.</summary>
    public double CrossoverProbability { get; init; } = 0.9;

    /// <summary>Distribution index of simulated binary crossover: larger keeps children nearer to their parents. Real genes only.</summary>
    public double CrossoverEta { get; init; } = 20;

    /// <summary>Probability that a gene mutates; null: 1 / number of variables.</summary>
    public double? MutationProbability { get; init; }

    /// <summary>Distribution index of polynomial mutation. Real genes only.</summary>
    public double MutationEta { get; init; } = 20;

    internal double MutationProbabilityFor(int variables) => MutationProbability ?? 1.0 / variables;

    internal void Validate()
    {
        if (!(CrossoverProbability is >= 0 and <= 1))
            throw new ArgumentException($"CrossoverProbability is {CrossoverProbability}: use 0 to 1.");
        if (!(MutationProbability is null or (>= 0 and <= 1)))
            throw new ArgumentException($"MutationProbability is {MutationProbability}: use 0 to 1, or null for 1 / number of variables.");
        if (!(CrossoverEta is >= 0 and <= 1000) || !(MutationEta is >= 0 and <= 1000))
            throw new ArgumentException($"CrossoverEta is {CrossoverEta} and MutationEta {MutationEta}: use 0 to 1000.");
    }
}
