using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

/// <summary>Random populations for properties, from a few numbers so that a failing case is easily repeated.</summary>
internal sealed record Crowd(double[] Objectives, double[] Violations, int ObjectiveCount)
{
    public int Count => Violations.Length;

    /// <param name="seed">Of the random numbers.</param>
    /// <param name="count">Individuals.</param>
    /// <param name="objectiveCount">Objectives.</param>
    /// <param name="levels">Different values per objective: few make ties and duplicates; 0: as many as there are doubles.</param>
    /// <param name="infeasiblePercent">Share of individuals that break constraints.</param>
    public static Crowd Of(int seed, int count, int objectiveCount, int levels, int infeasiblePercent)
    {
        var random = new Xoshiro256((ulong)seed);
        var objectives = new double[count * objectiveCount];
        for (var i = 0; i < objectives.Length; i++)
            objectives[i] = levels == 0 ? random.NextUnit() - 0.5 : random.NextBelow(levels) - levels / 2;
        var violations = new double[count];
        for (var i = 0; i < count; i++)
        {
            // Few different violations, so that some are equal; negative ones are feasible too.
            violations[i] = random.NextBelow(100) < infeasiblePercent ? 1 + random.NextBelow(4) : -random.NextBelow(2);
        }
        return new Crowd(objectives, violations, objectiveCount);
    }

    public NonDominatedSort Sorted()
    {
        var sort = new NonDominatedSort(Count, ObjectiveCount);
        sort.Sort(Objectives, Violations);
        return sort;
    }
}
