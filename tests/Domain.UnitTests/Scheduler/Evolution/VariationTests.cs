using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

public sealed class VariationTests
{
    private static readonly int[] OnePair = [0, 1];

    /// <summary>The vectorised operators against Deb's formulas one gene at a time with Math.Pow, on the same random numbers.</summary>
    [TestCase(20, 20, 30)]
    [TestCase(2, 5, 7)]
    [TestCase(15.5, 3.25, 130)]
    [TestCase(0, 0, 3)]
    public void Children_are_those_of_Debs_formulas(double crossoverEta, double mutationEta, int variables)
    {
        var settings = new VariationSettings { CrossoverEta = crossoverEta, MutationEta = mutationEta, MutationProbability = 0.3 };
        var (lower, upper) = (new double[variables], new double[variables]);
        for (var gene = 0; gene < variables; gene++)
            (lower[gene], upper[gene]) = (-1 - gene % 3, 1 + gene % 5 * 100);
        var variation = new RealVariation(lower, upper, settings);
        var population = new double[40 * variables];
        variation.Sample(population, new Xoshiro256(3));
        var parents = new int[40];
        for (var i = 0; i < parents.Length; i++)
            parents[i] = i * 7 % 40;
        var children = new double[population.Length];
        variation.Breed(population, parents, children, new Xoshiro256(99));

        var expected = ScalarBreed(population, parents, lower, upper, settings, new Xoshiro256(99));
        var changed = 0;
        for (var at = 0; at < children.Length; at++)
        {
            var gene = at % variables;
            Assert.That(children[at], Is.EqualTo(expected[at]).Within(1e-13 * (upper[gene] - lower[gene])), $"gene {gene} of child {at / variables}");
            changed += children[at] != population[parents[at / variables] * variables + gene] ? 1 : 0;
        }
        Assert.That(changed, Is.GreaterThan(children.Length / 3));
    }

    [Test]
    public void Crossover_keeps_the_mean_of_the_parents_away_from_the_bounds()
    {
        var settings = new VariationSettings { CrossoverProbability = 1, MutationProbability = 0 };
        var variation = new RealVariation(new[] { -1e6 }, new[] { 1e6 }, settings);
        var random = new Xoshiro256(5);
        var children = new double[2];
        var spread = 0.0;
        for (var round = 0; round < 4000; round++)
        {
            variation.Breed([3.0, 5.0], OnePair, children, random);
            Assert.That((children[0] + children[1]) / 2, Is.EqualTo(4).Within(1e-9));
            spread += Math.Abs(children[0] - children[1]);
        }
        // Half of the genes are crossed; E|β| = (η+1)/2 · (1/(η+2) + 1/η) is near 1, so the mean distance stays near the parents' 2.
        Assert.That(spread / 4000, Is.EqualTo(2).Within(0.05));
    }

    [Test]
    public void Children_keep_the_bounds_also_from_parents_on_them()
    {
        double[] lower = [0, -5, 2, 0], upper = [1, 5, 2, 1e-300];
        var variation = new RealVariation(lower, upper, new VariationSettings { CrossoverEta = 0, MutationEta = 0, MutationProbability = 1 });
        var random = new Xoshiro256(8);
        double[] population = [0, 5, 2, 0, 1, -5, 2, 1e-300, 1e-16, 5, 2, 0, 0, 4.9999999, 2, 0];
        var children = new double[population.Length];
        int[] parents = [0, 1, 2, 3];
        for (var round = 0; round < 5000; round++)
        {
            variation.Breed(population, parents, children, random);
            for (var at = 0; at < children.Length; at++)
                Assert.That(children[at], Is.InRange(lower[at % 4], upper[at % 4]));
        }
    }

    [TestCase(0.0)]
    [TestCase(0.02)]
    [TestCase(0.5)]
    [TestCase(1.0)]
    public void Genes_mutate_at_the_rate_asked_for(double rate)
    {
        var settings = new VariationSettings { CrossoverProbability = 0, MutationProbability = rate };
        const int Variables = 50;
        var real = new RealVariation(new double[Variables], Enumerable.Repeat(1.0, Variables).ToArray(), settings);
        var assignment = new AssignmentVariation(new int[Variables], Enumerable.Repeat(9, Variables).ToArray(), settings);
        var random = new Xoshiro256(21);
        var reals = new double[100 * Variables];
        var integers = new int[100 * Variables];
        real.Sample(reals, random);
        assignment.Sample(integers, random);
        var parents = Enumerable.Range(0, 100).ToArray();
        var (realChildren, integerChildren) = (new double[reals.Length], new int[integers.Length]);
        var (realChanges, integerChanges) = (0, 0);
        for (var round = 0; round < 40; round++)
        {
            real.Breed(reals, parents, realChildren, random);
            assignment.Breed(integers, parents, integerChildren, random);
            for (var at = 0; at < reals.Length; at++)
            {
                realChanges += reals[at] != realChildren[at] ? 1 : 0;
                integerChanges += integers[at] != integerChildren[at] ? 1 : 0;
            }
        }
        // 200 000 draws: four standard deviations.
        var tolerance = 4 * Math.Sqrt(200_000 * rate * (1 - rate)) + 1;
        Assert.That(realChanges, Is.EqualTo(200_000 * rate).Within(tolerance));
        Assert.That(integerChanges, Is.EqualTo(200_000 * rate).Within(tolerance));
    }

    [Test]
    public void Assignments_are_swapped_between_parents_and_moved_to_every_other_value()
    {
        int[] lower = [0, -3, 4], upper = [4, -1, 4];
        var crossing = new AssignmentVariation(lower, upper, new VariationSettings { CrossoverProbability = 1, MutationProbability = 0 });
        var random = new Xoshiro256(2);
        int[] population = [0, -3, 4, 4, -1, 4], children = new int[6];
        var seen = new HashSet<(int, int)>();
        for (var round = 0; round < 200; round++)
        {
            crossing.Breed(population, OnePair, children, random);
            seen.Add((children[0], children[1]));
            for (var gene = 0; gene < 3; gene++)
                Assert.That(new[] { children[gene], children[gene + 3] }, Is.EquivalentTo(new[] { population[gene], population[gene + 3] }));
        }
        Assert.That(seen, Has.Count.EqualTo(4));

        var mutating = new AssignmentVariation(lower, upper, new VariationSettings { CrossoverProbability = 0, MutationProbability = 1 });
        var values = new int[5];
        for (var round = 0; round < 4000; round++)
        {
            mutating.Breed(population, OnePair, children, random);
            values[children[0]]++;
            Assert.That(children[1], Is.EqualTo(-2).Or.EqualTo(-1));
            Assert.That(children[2], Is.EqualTo(4));
        }
        Assert.That(values[0], Is.Zero);
        Assert.That(values[1..], Is.All.EqualTo(1000).Within(150));
    }

    [Test]
    public void Random_numbers_are_those_of_the_published_generator()
    {
        // First outputs of the authors' xoshiro256** seeded by their splitmix64 from 0.
        var random = new Xoshiro256(0);
        Assert.That(
            new[] { random.NextBits(), random.NextBits(), random.NextBits(), random.NextBits() },
            Is.EqualTo(new ulong[] { 0x99EC5F36CB75F2B4, 0xBF6E1F784956452A, 0x1A5F849D4933E6E0, 0x6AA594F1262D2D2C }));
    }

    [Test]
    public void Bounded_random_numbers_are_even_and_units_never_reach_their_ends()
    {
        var random = new Xoshiro256(77);
        var counts = new int[7];
        for (var i = 0; i < 70_000; i++)
        {
            counts[random.NextBelow(7)]++;
            Assert.That(random.NextUnit(), Is.GreaterThan(0).And.LessThan(1));
        }
        Assert.That(counts, Is.All.EqualTo(10_000).Within(400));
    }

    private static double[] ScalarBreed(double[] population, int[] parents, double[] lower, double[] upper, VariationSettings settings, Xoshiro256 random)
    {
        var n = lower.Length;
        var children = parents.SelectMany(parent => population.AsSpan(parent * n, n).ToArray()).ToArray();
        for (var child = 0; child < parents.Length; child += 2)
        {
            if (random.NextUnit() > settings.CrossoverProbability)
                continue;
            for (var start = 0; start < n; start += 64)
            {
                var (chosen, swaps) = (random.NextBits(), random.NextBits());
                for (var gene = start; gene < Math.Min(n, start + 64); gene++)
                {
                    ref var one = ref children[child * n + gene];
                    ref var other = ref children[(child + 1) * n + gene];
                    if ((chosen >> (gene - start) & 1) == 0 || Math.Abs(one - other) <= 1e-14)
                        continue;
                    var u = random.NextUnit();
                    var (y1, y2) = (Math.Min(one, other), Math.Max(one, other));
                    var c1 = 0.5 * (y1 + y2 - Spread(u, 1 + 2 * (y1 - lower[gene]) / (y2 - y1), settings.CrossoverEta) * (y2 - y1));
                    var c2 = 0.5 * (y1 + y2 + Spread(u, 1 + 2 * (upper[gene] - y2) / (y2 - y1), settings.CrossoverEta) * (y2 - y1));
                    (c1, c2) = (Math.Clamp(c1, lower[gene], upper[gene]), Math.Clamp(c2, lower[gene], upper[gene]));
                    (one, other) = (swaps >> (gene - start) & 1) == 0 ? (c1, c2) : (c2, c1);
                }
            }
        }
        var p = settings.MutationProbability!.Value;
        double Gap() => Math.Floor(Math.Log(random.NextUnit()) / Math.Log(1 - p));
        for (var at = Gap(); at < children.Length; at += 1 + Gap())
        {
            ref var y = ref children[(int)at];
            var (low, high) = (lower[(int)at % n], upper[(int)at % n]);
            var u = random.NextUnit();
            var power = settings.MutationEta + 1;
            var step = u <= 0.5
                ? Math.Pow(2 * u + (1 - 2 * u) * Math.Pow(1 - (y - low) / (high - low), power), 1 / power) - 1
                : 1 - Math.Pow(2 * (1 - u) + 2 * (u - 0.5) * Math.Pow(1 - (high - y) / (high - low), power), 1 / power);
            y = Math.Clamp(y + step * (high - low), low, high);
        }
        return children;
    }

    private static double Spread(double u, double beta, double eta)
    {
        var alpha = 2 - Math.Pow(beta, -(eta + 1));
        return u <= 1 / alpha ? Math.Pow(u * alpha, 1 / (eta + 1)) : Math.Pow(1 / (2 - u * alpha), 1 / (eta + 1));
    }
}
