using FogCompute.Domain.Scheduler.Placement.Evolution;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

public sealed class HypervolumeTests
{
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(4)]
    [TestCase(6)]
    public void One_point_dominates_its_box(int objectiveCount)
    {
        var point = Enumerable.Range(0, objectiveCount).Select(m => m / 10.0).ToArray();
        var reference = Enumerable.Repeat(2.0, objectiveCount).ToArray();
        Assert.That(Hypervolume.Of(point, reference), Is.EqualTo(point.Aggregate(1.0, (volume, value) => volume * (2 - value))).Within(1e-12));
    }

    [Test]
    public void A_staircase_has_the_area_of_its_steps()
    {
        // n points on f1 + f2 = n − 1: cells under the staircase are 1 + 2 + … + n.
        const int N = 40;
        var points = Enumerable.Range(0, N).SelectMany(i => new double[] { i, N - 1 - i }).ToArray();
        Assert.That(Hypervolume.Of(points, [N, N]), Is.EqualTo(N * (N + 1) / 2.0));
    }

    [TestCase(3, 20)]
    [TestCase(4, 8)]
    [TestCase(5, 6)]
    [TestCase(6, 4)]
    public void A_simplex_lattice_has_the_volume_of_its_cells(int objectiveCount, int divisions)
    {
        // All points with f1 + … + fM = p: a unit cell is dominated when its lower corner's sum is p or more; seen from the reference the
        // cells number C(p + M, M).
        var points = ReferencePoints.Lattice(objectiveCount, divisions).Select(v => Math.Round(v * divisions)).ToArray();
        var reference = Enumerable.Repeat(divisions + 1.0, objectiveCount).ToArray();
        Assert.That(Hypervolume.Of(points, reference), Is.EqualTo(CellsOf(points, objectiveCount, divisions + 1)));
        if (objectiveCount == 3)
            Assert.That(CellsOf(points, 3, divisions + 1), Is.EqualTo((divisions + 1.0) * (divisions + 1) * (divisions + 1) - (divisions + 2.0) * (divisions + 1) * divisions / 6));
    }

    [Test]
    public void Dense_points_on_the_unit_sphere_approach_the_closed_form_from_below()
    {
        var (coarse, fine) = (SphereVolume(10), SphereVolume(60));
        Assert.That(coarse, Is.LessThan(fine));
        Assert.That(fine, Is.LessThan(1 - Math.PI / 6).And.GreaterThan(1 - Math.PI / 6 - 0.015));
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(4)]
    [TestCase(5)]
    public void Any_points_on_a_grid_dominate_as_many_cells_as_counting_finds(int objectiveCount) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(300),
        Prop.ForAll(
            (from seed in Gen.Choose(0, 1_000_000) from count in Gen.Choose(0, 25) select (seed, count)).ToArbitrary(),
            c =>
            {
                // Coordinates up to 6 with the reference at 5: some points lie on and beyond it.
                var random = new Xoshiro256((ulong)c.seed);
                var points = new double[c.count * objectiveCount];
                for (var i = 0; i < points.Length; i++)
                    points[i] = random.NextBelow(7);
                var reference = Enumerable.Repeat(5.0, objectiveCount).ToArray();
                Assert.That(Hypervolume.Of(points, reference), Is.EqualTo(CellsOf(points, objectiveCount, 5)));
            }));

    [TestCase(2)]
    [TestCase(3)]
    [TestCase(4)]
    public void Order_and_dominated_points_make_no_difference_and_a_calculator_can_be_used_again(int objectiveCount)
    {
        var calculator = new Hypervolume(objectiveCount);
        var random = new Xoshiro256(11);
        var reference = Enumerable.Repeat(1.0, objectiveCount).ToArray();
        for (var round = 0; round < 20; round++)
        {
            var points = Enumerable.Range(0, 30).Select(_ => Enumerable.Range(0, objectiveCount).Select(_ => random.NextUnit()).ToArray()).ToArray();
            var volume = calculator.Measure([.. points.SelectMany(p => p)], reference);
            var worse = points.Select(p => p.Select(v => v + 0.01).ToArray());
            Assert.That(calculator.Measure([.. points.Reverse().Concat(worse).SelectMany(p => p)], reference), Is.EqualTo(volume).Within(1e-12));
        }
    }

    [Test]
    public void Rejects_points_of_another_dimension() =>
        Assert.That(() => Hypervolume.Of([1, 2, 3], [4, 5]), Throws.ArgumentException);

    [TestCase(2)]
    [TestCase(3)]
    [TestCase(4)]
    public void Selection_by_hypervolume_drops_the_least_contributor_one_by_one(int objectiveCount)
    {
        for (ulong seed = 1; seed <= 10; seed++)
        {
            const int Population = 12;
            // Points on the unit sphere: one front.
            var random = new Xoshiro256(seed);
            var objectives = new double[2 * Population * objectiveCount];
            for (var row = 0; row < 2 * Population; row++)
            {
                var point = objectives.AsSpan(row * objectiveCount, objectiveCount);
                var squares = 0.0;
                foreach (ref var value in point)
                {
                    value = random.NextUnit();
                    squares += value * value;
                }
                foreach (ref var value in point)
                    value /= Math.Sqrt(squares);
            }
            Assert.That(
                new Replay(objectives, Population, objectiveCount).Survivors(SurvivalStrategy.Hypervolume),
                Is.EqualTo(KeptByDefinition(objectives, objectiveCount, Population)), $"seed {seed}");
        }
    }

    private static int[] KeptByDefinition(double[] objectives, int objectiveCount, int keep)
    {
        var count = objectives.Length / objectiveCount;
        var scaled = new double[objectives.Length];
        for (var i = 0; i < scaled.Length; i++)
        {
            var column = Enumerable.Range(0, count).Select(row => objectives[row * objectiveCount + i % objectiveCount]).ToArray();
            scaled[i] = (objectives[i] - column.Min()) / (column.Max() - column.Min());
        }
        var margin = 1 / Math.Max(1, Math.Pow(keep, 1.0 / (objectiveCount - 1)) - 1);
        var reference = Enumerable.Repeat(1 + margin, objectiveCount).ToArray();
        var left = Enumerable.Range(0, count).ToList();
        double Volume(IEnumerable<int> rows) => Hypervolume.Of([.. rows.SelectMany(row => scaled.AsSpan(row * objectiveCount, objectiveCount).ToArray())], reference);
        while (left.Count > keep)
            left.Remove(left.MaxBy(gone => Volume(left.Where(row => row != gone))));
        return [.. left];
    }

    private static double SphereVolume(int divisions)
    {
        var points = ReferencePoints.Lattice(3, divisions);
        for (var at = 0; at < points.Length; at += 3)
        {
            var length = Math.Sqrt(points[at] * points[at] + points[at + 1] * points[at + 1] + points[at + 2] * points[at + 2]);
            for (var m = 0; m < 3; m++)
                points[at + m] /= length;
        }
        return Hypervolume.Of(points, [1, 1, 1]);
    }

    /// <summary>Unit cells of the grid 0 … side that some point dominates, counted one by one.</summary>
    private static double CellsOf(double[] points, int objectiveCount, int side)
    {
        var cells = 0;
        var total = (int)Math.Round(Math.Pow(side, objectiveCount));
        for (var cell = 0; cell < total; cell++)
        {
            for (var at = 0; at < points.Length; at += objectiveCount)
            {
                var (rest, inside) = (cell, true);
                for (var m = 0; m < objectiveCount && inside; m++, rest /= side)
                    inside = points[at + m] <= rest % side;
                if (!inside)
                    continue;
                cells++;
                break;
            }
        }
        return cells;
    }
}
