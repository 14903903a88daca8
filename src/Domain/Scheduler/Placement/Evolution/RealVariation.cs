using System.Numerics;
using System.Runtime.Intrinsics;

namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Simulated binary crossover (each gene of a crossed pair with probability ½) and polynomial mutation, both in the bounded form of Deb's own
/// program. Sources: Deb and Agrawal, "Simulated binary crossover for continuous search space", Complex Systems 9, 1995; Deb and Deb,
/// "Analysing mutation schemes for real-parameter genetic algorithms", IJAISC 4(1), 2014.
/// <para>
/// Idea for speed: the genes that change are first collected over all pairs, then computed eight at a time, then written back. Nothing is
/// approximated: the (η+1)-th roots are exp(ln x / (η+1)) with the runtime's vector exp and ln in full double precision, powers of whole η are
/// repeated products, and a test holds children to the formulas with <see cref="Math.Pow"/> within 1e-13 of a gene's range. Which genes
/// mutate is drawn by geometric gaps, the same distribution as one draw per gene at 1/n of the draws. Cost per generation:
/// O(population × variables) to copy; the arithmetic is needed for 22 % of the genes in crossover and one per individual in mutation.
/// </para>
/// </summary>
public sealed class RealVariation : IVariation<double>
{
    private const int Lanes = 8;
    private const int Block = 512;

    /// <summary>Parents nearer than this in a gene have nothing to exchange there.</summary>
    private const double Nearest = 1e-14;

    private readonly double[] _lower;
    private readonly double[] _upper;
    private readonly double _crossoverProbability;
    private readonly double _mutationProbability;
    private readonly double _logOfKeeping;
    private readonly Exponent _crossover;
    private readonly Exponent _mutation;

    // One block of collected genes: values, bounds, chance, and where the results go.
    private readonly double[] _first = new double[Block];
    private readonly double[] _second = new double[Block];
    private readonly double[] _low = new double[Block];
    private readonly double[] _high = new double[Block];
    private readonly double[] _chance = new double[Block];
    private readonly int[] _firstTo = new int[Block];
    private readonly int[] _secondTo = new int[Block];

    public RealVariation(ReadOnlyMemory<double> lower, ReadOnlyMemory<double> upper, VariationSettings? settings = null)
    {
        settings ??= new VariationSettings();
        settings.Validate();
        Bounds.Require(lower.Span, upper.Span);
        _lower = lower.ToArray();
        _upper = upper.ToArray();
        _crossoverProbability = settings.CrossoverProbability;
        _mutationProbability = settings.MutationProbabilityFor(_lower.Length);
        _logOfKeeping = Math.Log(1 - _mutationProbability);
        _crossover = new Exponent(settings.CrossoverEta + 1);
        _mutation = new Exponent(settings.MutationEta + 1);
    }

    public void Sample(Span<double> vectors, Xoshiro256 random)
    {
        for (var at = 0; at < vectors.Length; at += _lower.Length)
        {
            for (var gene = 0; gene < _lower.Length; gene++)
                vectors[at + gene] = Math.Min(_lower[gene] + random.NextUnit() * (_upper[gene] - _lower[gene]), _upper[gene]);
        }
    }

    public void Breed(ReadOnlySpan<double> population, ReadOnlySpan<int> parents, Span<double> children, Xoshiro256 random)
    {
        var variables = _lower.Length;
        for (var child = 0; child < parents.Length; child++)
            population.Slice(parents[child] * variables, variables).CopyTo(children[(child * variables)..]);
        Cross(children, parents.Length, random);
        Mutate(children, random);
    }

    private void Cross(Span<double> children, int count, Xoshiro256 random)
    {
        var variables = _lower.Length;
        var collected = 0;
        for (var child = 0; child < count; child += 2)
        {
            if (random.NextUnit() > _crossoverProbability)
                continue;
            var one = children.Slice(child * variables, variables);
            var other = children.Slice((child + 1) * variables, variables);
            for (var start = 0; start < variables; start += 64)
            {
                var chosen = random.NextBits();
                var swaps = random.NextBits();
                if (variables - start < 64)
                    chosen &= (1UL << (variables - start)) - 1;
                for (; chosen != 0; chosen &= chosen - 1)
                {
                    var bit = BitOperations.TrailingZeroCount(chosen);
                    var gene = start + bit;
                    var (a, b) = (one[gene], other[gene]);
                    if (!(Math.Abs(a - b) > Nearest))
                        continue;
                    // Which child gets which of the two values is a coin toss; the values themselves are of the smaller and the larger parent gene.
                    var swap = (int)(swaps >> bit) & 1;
                    _first[collected] = Math.Min(a, b);
                    _second[collected] = Math.Max(a, b);
                    _low[collected] = _lower[gene];
                    _high[collected] = _upper[gene];
                    _chance[collected] = random.NextUnit();
                    _firstTo[collected] = (child + swap) * variables + gene;
                    _secondTo[collected] = (child + 1 - swap) * variables + gene;
                    if (++collected == Block)
                        collected = CrossCollected(children, collected);
                }
            }
        }
        CrossCollected(children, collected);
    }

    private int CrossCollected(Span<double> children, int collected)
    {
        // The last vector may hold left-overs of an earlier block behind its end: computed, never written back.
        for (var i = 0; i < collected; i += Lanes)
        {
            var at = (nuint)i;
            var y1 = Vector512.LoadUnsafe(ref _first[0], at);
            var y2 = Vector512.LoadUnsafe(ref _second[0], at);
            var low = Vector512.LoadUnsafe(ref _low[0], at);
            var high = Vector512.LoadUnsafe(ref _high[0], at);
            var chance = Vector512.LoadUnsafe(ref _chance[0], at);
            var sum = y1 + y2;
            var distance = y2 - y1;
            var perDistance = Vector512.Create(2.0) / distance;
            var nearLow = Spread(chance, Vector512<double>.One + perDistance * (y1 - low));
            var nearHigh = Spread(chance, Vector512<double>.One + perDistance * (high - y2));
            Clamp(0.5 * (sum - nearLow * distance), low, high).StoreUnsafe(ref _first[0], at);
            Clamp(0.5 * (sum + nearHigh * distance), low, high).StoreUnsafe(ref _second[0], at);
        }
        for (var i = 0; i < collected; i++)
        {
            children[_firstTo[i]] = _first[i];
            children[_secondTo[i]] = _second[i];
        }
        return 0;
    }

    /// <summary>Deb's β_q: how far apart the children lie in units of the parents' distance, with <paramref name="beta"/> the room up to the bound in these units.</summary>
    private Vector512<double> Spread(Vector512<double> chance, Vector512<double> beta)
    {
        var x = chance * (Vector512.Create(2.0) - Vector512<double>.One / _crossover.Power(beta));
        var contracting = Vector512.LessThanOrEqual(x, Vector512<double>.One);
        return _crossover.Root(Vector512.ConditionalSelect(contracting, x, Vector512<double>.One / (Vector512.Create(2.0) - x)));
    }

    private void Mutate(Span<double> children, Xoshiro256 random)
    {
        if (_mutationProbability <= 0)
            return;
        var variables = _lower.Length;
        var collected = 0;
        for (var next = Gap(random); next < children.Length; next += 1 + Gap(random))
        {
            var at = (int)next;
            var gene = at % variables;
            if (_upper[gene] <= _lower[gene])
                continue;
            _first[collected] = children[at];
            _low[collected] = _lower[gene];
            _high[collected] = _upper[gene];
            _chance[collected] = random.NextUnit();
            _firstTo[collected] = at;
            if (++collected == Block)
                collected = MutateCollected(children, collected);
        }
        MutateCollected(children, collected);
    }

    /// <summary>Genes left alone before the next that mutates: geometric with the mutation probability.</summary>
    private double Gap(Xoshiro256 random) => _mutationProbability >= 1 ? 0 : Math.Floor(Math.Log(random.NextUnit()) / _logOfKeeping);

    private int MutateCollected(Span<double> children, int collected)
    {
        var (one, two) = (Vector512<double>.One, Vector512.Create(2.0));
        for (var i = 0; i < collected; i += Lanes)
        {
            var at = (nuint)i;
            var y = Vector512.LoadUnsafe(ref _first[0], at);
            var low = Vector512.LoadUnsafe(ref _low[0], at);
            var high = Vector512.LoadUnsafe(ref _high[0], at);
            var chance = Vector512.LoadUnsafe(ref _chance[0], at);
            var range = high - low;
            var down = Vector512.LessThanOrEqual(chance, Vector512.Create(0.5));
            var rest = one - Vector512.ConditionalSelect(down, y - low, high - y) / range;
            // Both halves are mirror images: with v = 2·min(u, 1−u), the step is ±(1 − (v + (1 − v)·rest^(η+1))^(1/(η+1))).
            var v = two * Vector512.ConditionalSelect(down, chance, one - chance);
            var step = one - _mutation.Root(v + (one - v) * _mutation.Power(rest));
            Clamp(y + Vector512.ConditionalSelect(down, -step, step) * range, low, high).StoreUnsafe(ref _first[0], at);
        }
        for (var i = 0; i < collected; i++)
            children[_firstTo[i]] = _first[i];
        return 0;
    }

    private static Vector512<double> Clamp(Vector512<double> value, Vector512<double> low, Vector512<double> high) => Vector512.Min(Vector512.Max(value, low), high);

    /// <summary>x^e and x^(1/e) for a fixed e ≥ 1.</summary>
    internal readonly struct Exponent(double exponent)
    {
        private readonly double _inverse = 1 / exponent;

        // 0: not whole.
        private readonly int _whole = exponent == Math.Floor(exponent) ? (int)exponent : 0;

        public Vector512<double> Power(Vector512<double> x)
        {
            if (_whole == 0)
                return Vector512.Exp(Vector512.Log(x) * exponent);
            var result = Vector512<double>.One;
            for (var rest = _whole; ; rest >>= 1)
            {
                if ((rest & 1) != 0)
                    result *= x;
                if (rest <= 1)
                    return result;
                x *= x;
            }
        }

        public Vector512<double> Root(Vector512<double> x) => Vector512.Exp(Vector512.Log(x) * _inverse);
    }
}
