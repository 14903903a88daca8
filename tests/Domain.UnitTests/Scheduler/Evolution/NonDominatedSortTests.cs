using FogCompute.Domain.Scheduler.Placement.Evolution;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

public sealed class NonDominatedSortTests
{
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(4)]
    [TestCase(7)]
    public void Fronts_agree_with_Debs_sort_whatever_ties_duplicates_and_violations(int objectiveCount) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(600),
        Prop.ForAll(
            (from seed in Gen.Choose(0, 1_000_000)
             from count in Gen.Frequency((4, Gen.Choose(1, 40)), (1, Gen.Choose(60, 140)))
             from levels in Gen.Elements(0, 0, 1, 2, 4, 12)
             from infeasible in Gen.Elements(0, 0, 30, 100)
             select (seed, count, levels, infeasible)).ToArbitrary(),
            c => RequireAgreement(Crowd.Of(c.seed, c.count, objectiveCount, c.levels, c.infeasible))));

    [TestCase(2, 0)]
    [TestCase(2, 30)]
    [TestCase(3, 0)]
    [TestCase(3, 9)]
    [TestCase(5, 4)]
    public void Large_populations_agree_with_Debs_sort(int objectiveCount, int levels) =>
        RequireAgreement(Crowd.Of(7, 1500, objectiveCount, levels, 10));

    [Test]
    public void One_sorter_serves_populations_of_different_sizes_one_after_the_other()
    {
        foreach (var objectiveCount in new[] { 2, 3 })
        {
            var sort = new NonDominatedSort(700, objectiveCount);
            foreach (var count in new[] { 700, 3, 200, 1, 699 })
            {
                var crowd = Crowd.Of(count, count, objectiveCount, 6, 20);
                sort.Sort(crowd.Objectives, crowd.Violations);
                Assert.That(sort.Ranks.ToArray(), Is.EqualTo(DebSort.Ranks(crowd.Objectives, objectiveCount, crowd.Violations)));
            }
        }
    }

    [Test]
    public void Minus_zero_equals_zero()
    {
        var sort = new NonDominatedSort(2, 3);
        sort.Sort([0.0, 1, -0.0, -0.0, 1, 0.0], [0, 0]);
        Assert.That(sort.Ranks.ToArray(), Is.EqualTo(new[] { 0, 0 }));
    }

    [Test]
    public void Rows_come_by_objective_with_equal_values_in_row_order()
    {
        var crowd = Crowd.Of(3, 300, 3, 5, 20);
        var sort = crowd.Sorted();
        for (var objective = 0; objective < 3; objective++)
        {
            var expected = Enumerable.Range(0, 300).OrderBy(row => crowd.Objectives[row * 3 + objective]).ThenBy(row => row);
            Assert.That(sort.ByObjective(objective).ToArray(), Is.EqualTo(expected));
        }
    }

    /// <summary>Ranks as the oracle's, and the lists of fronts consistent with them.</summary>
    private static bool RequireAgreement(Crowd crowd)
    {
        var sort = crowd.Sorted();
        var ranks = DebSort.Ranks(crowd.Objectives, crowd.ObjectiveCount, crowd.Violations);
        Assert.That(sort.Ranks.ToArray(), Is.EqualTo(ranks));
        Assert.That(sort.FrontCount, Is.EqualTo(ranks.Max() + 1));
        Assert.That(sort.FeasibleFrontCount, Is.EqualTo(ranks.Where((_, row) => crowd.Violations[row] <= 0).Select(r => r + 1).DefaultIfEmpty(0).Max()));
        for (var front = 0; front < sort.FrontCount; front++)
        {
            var rows = sort.Front(front).ToArray();
            Assert.That(rows, Is.EquivalentTo(Enumerable.Range(0, crowd.Count).Where(row => ranks[row] == front)));
            for (var i = 1; i < rows.Length; i++)
                Assert.That(Vector(crowd, rows[i - 1]).SequenceCompareTo(Vector(crowd, rows[i])), Is.LessThanOrEqualTo(0));
        }
        return true;
    }

    private static ReadOnlySpan<double> Vector(Crowd crowd, int row) => crowd.Objectives.AsSpan(row * crowd.ObjectiveCount, crowd.ObjectiveCount);
}
