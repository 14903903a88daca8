using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

/// <summary>
/// A problem whose individuals are given: the first half is the first population, the second half its children. What lives on after one
/// generation is what the selection keeps of them.
/// </summary>
internal sealed class Replay(double[] objectives, int population, int objectiveCount = 2, double[]? violations = null) : IEvolutionProblem<int>, IVariation<int>
{
    public int ObjectiveCount => objectiveCount;

    public ReadOnlyMemory<int> Lower { get; } = new[] { 0 };

    public ReadOnlyMemory<int> Upper { get; } = new[] { 2 * population - 1 };

    /// <summary>Which of the individuals live on after one generation, ascending.</summary>
    public int[] Survivors(SurvivalStrategy strategy)
    {
        using var loop = new EvolutionLoop<int>(this, this, new EvolutionSettings { Population = population, Survival = strategy }, TimeProvider.System);
        loop.Start();
        loop.Step();
        var rows = loop.Genes.ToArray();
        Array.Sort(rows);
        return rows;
    }

    public void Sample(Span<int> vectors, Xoshiro256 random) => Number(vectors, 0);

    public void Breed(ReadOnlySpan<int> population, ReadOnlySpan<int> parents, Span<int> children, Xoshiro256 random) => Number(children, parents.Length);

    public void Evaluate(ReadOnlySpan<int> vectors, Span<double> values, Span<double> broken)
    {
        for (var i = 0; i < vectors.Length; i++)
        {
            objectives.AsSpan(vectors[i] * objectiveCount, objectiveCount).CopyTo(values[(i * objectiveCount)..]);
            broken[i] = violations?[vectors[i]] ?? 0;
        }
    }

    private static void Number(Span<int> vectors, int from)
    {
        for (var i = 0; i < vectors.Length; i++)
            vectors[i] = from + i;
    }
}
