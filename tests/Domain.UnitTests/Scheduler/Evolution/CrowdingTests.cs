using FogCompute.Domain.Scheduler.Placement.Evolution;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

public sealed class CrowdingTests
{
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(5)]
    public void Distances_agree_with_the_definition_front_by_front(int objectiveCount) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(300),
        Prop.ForAll(
            (from seed in Gen.Choose(0, 1_000_000)
             from count in Gen.Choose(1, 80)
             from levels in Gen.Elements(0, 0, 1, 3, 10)
             from infeasible in Gen.Elements(0, 20)
             select (seed, count, levels, infeasible)).ToArbitrary(),
            c =>
            {
                var crowd = Crowd.Of(c.seed, c.count, objectiveCount, c.levels, c.infeasible);
                var sort = crowd.Sorted();
                var distances = new double[crowd.Count];
                new CrowdingDistance(crowd.Count).Measure(sort, crowd.Objectives, sort.FrontCount, distances);
                for (var front = 0; front < sort.FrontCount; front++)
                {
                    foreach (var (row, expected) in ByDefinition(crowd, sort.Front(front).ToArray()))
                        Assert.That(distances[row], Is.EqualTo(expected).Within(1e-9), $"row {row}");
                }
            }));

    [Test]
    public void Only_the_fronts_asked_for_are_measured()
    {
        var crowd = Crowd.Of(5, 60, 3, 0, 0);
        var sort = crowd.Sorted();
        Assert.That(sort.FrontCount, Is.GreaterThan(2));
        var distances = new double[crowd.Count];
        distances.AsSpan().Fill(-1);
        new CrowdingDistance(crowd.Count).Measure(sort, crowd.Objectives, 2, distances);
        for (var row = 0; row < crowd.Count; row++)
            Assert.That(distances[row] >= 0, Is.EqualTo(sort.Ranks[row] < 2));
    }

    [Test]
    public void Two_objectives_are_thinned_one_by_one_the_most_crowded_first()
    {
        // A whole population on one front; half of it has to go.
        foreach (var count in new[] { 8, 60, 200 })
        {
            var random = new Xoshiro256((ulong)count);
            var objectives = new double[2 * count];
            for (var i = 0; i < count; i++)
                (objectives[2 * i], objectives[2 * i + 1]) = (random.NextUnit(), 0);
            for (var i = 0; i < count; i++)
                objectives[2 * i + 1] = 1 - Math.Sqrt(objectives[2 * i]);
            var kept = new Replay(objectives, count / 2).Survivors(SurvivalStrategy.Crowding);

            var left = Enumerable.Range(0, count).OrderBy(i => objectives[2 * i]).ToList();
            var (perFirst, perSecond) = (1 / (objectives[2 * left[^1]] - objectives[2 * left[0]]), 1 / (objectives[2 * left[0] + 1] - objectives[2 * left[^1] + 1]));
            while (left.Count > count / 2)
            {
                var worst = Enumerable.Range(1, left.Count - 2).MinBy(i =>
                    (objectives[2 * left[i + 1]] - objectives[2 * left[i - 1]]) * perFirst + (objectives[2 * left[i - 1] + 1] - objectives[2 * left[i + 1] + 1]) * perSecond);
                left.RemoveAt(worst);
            }
            Assert.That(kept, Is.EquivalentTo(left), $"{count} individuals");
        }
    }

    private static IEnumerable<(int Row, double Distance)> ByDefinition(Crowd crowd, int[] front)
    {
        var distances = front.ToDictionary(row => row, _ => 0.0);
        for (var m = 0; m < crowd.ObjectiveCount; m++)
        {
            double Value(int row) => crowd.Objectives[row * crowd.ObjectiveCount + m];
            var sorted = front.OrderBy(Value).ThenBy(row => row).ToArray();
            var extent = Value(sorted[^1]) - Value(sorted[0]);
            distances[sorted[0]] = distances[sorted[^1]] = double.PositiveInfinity;
            for (var i = 1; i < sorted.Length - 1; i++)
                distances[sorted[i]] += extent > 0 ? (Value(sorted[i + 1]) - Value(sorted[i - 1])) / extent : 0;
        }
        return distances.Select(pair => (pair.Key, pair.Value));
    }
}
