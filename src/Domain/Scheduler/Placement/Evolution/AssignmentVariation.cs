using System.Numerics;

namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// For genes that name one of several things (task → device), where neighbouring numbers mean nothing: uniform crossover swaps each gene of a
/// crossed pair with probability ½ (Syswerda, ICGA 1989), mutation moves a gene to any other value with equal chance. Which genes mutate is
/// drawn by geometric gaps, as in <see cref="RealVariation"/>. Cost: O(population × variables) copies and swaps.
/// </summary>
public sealed class AssignmentVariation : IVariation<int>
{
    private readonly int[] _lower;
    private readonly int[] _upper;
    private readonly double _crossoverProbability;
    private readonly double _mutationProbability;
    private readonly double _logOfKeeping;

    public AssignmentVariation(ReadOnlyMemory<int> lower, ReadOnlyMemory<int> upper, VariationSettings? settings = null)
    {
        settings ??= new VariationSettings();
        settings.Validate();
        Bounds.Require(lower.Span, upper.Span);
        _lower = lower.ToArray();
        _upper = upper.ToArray();
        for (var gene = 0; gene < _lower.Length; gene++)
        {
            if ((long)_upper[gene] - _lower[gene] >= int.MaxValue)
                throw new ArgumentException($"Variable {gene} has the bounds {_lower[gene]} to {_upper[gene]}: at most {int.MaxValue} values can be told apart.");
        }
        _crossoverProbability = settings.CrossoverProbability;
        _mutationProbability = settings.MutationProbabilityFor(_lower.Length);
        _logOfKeeping = Math.Log(1 - _mutationProbability);
    }

    public void Sample(Span<int> vectors, Xoshiro256 random)
    {
        for (var at = 0; at < vectors.Length; at += _lower.Length)
        {
            for (var gene = 0; gene < _lower.Length; gene++)
                vectors[at + gene] = _lower[gene] + random.NextBelow(_upper[gene] - _lower[gene] + 1);
        }
    }

    public void Breed(ReadOnlySpan<int> population, ReadOnlySpan<int> parents, Span<int> children, Xoshiro256 random)
    {
        var variables = _lower.Length;
        for (var child = 0; child < parents.Length; child++)
            population.Slice(parents[child] * variables, variables).CopyTo(children[(child * variables)..]);
        for (var child = 0; child < parents.Length; child += 2)
        {
            if (random.NextUnit() <= _crossoverProbability)
                Swap(children.Slice(child * variables, variables), children.Slice((child + 1) * variables, variables), random);
        }
        Mutate(children, random);
    }

    private static void Swap(Span<int> one, Span<int> other, Xoshiro256 random)
    {
        for (var start = 0; start < one.Length; start += 64)
        {
            var chosen = random.NextBits();
            if (one.Length - start < 64)
                chosen &= (1UL << (one.Length - start)) - 1;
            for (; chosen != 0; chosen &= chosen - 1)
            {
                var gene = start + BitOperations.TrailingZeroCount(chosen);
                (one[gene], other[gene]) = (other[gene], one[gene]);
            }
        }
    }

    private void Mutate(Span<int> children, Xoshiro256 random)
    {
        if (_mutationProbability <= 0)
            return;
        for (var next = Gap(random); next < children.Length; next += 1 + Gap(random))
        {
            var at = (int)next;
            var gene = at % _lower.Length;
            var others = _upper[gene] - _lower[gene];
            if (others == 0)
                continue;
            // One of the other values: draw among one fewer, and step over the present one.
            var value = _lower[gene] + random.NextBelow(others);
            children[at] = value >= children[at] ? value + 1 : value;
        }
    }

    private double Gap(Xoshiro256 random) => _mutationProbability >= 1 ? 0 : Math.Floor(Math.Log(random.NextUnit()) / _logOfKeeping);
}
