using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

public sealed class ReferencePointTests
{
    // Numbers of points from Das and Dennis and from table I of Deb and Jain.
    [TestCase(2, 100, 100)]
    [TestCase(3, 91, 91)]
    [TestCase(3, 100, 91)]
    [TestCase(5, 212, 210)]
    [TestCase(8, 156, 156)]
    [TestCase(10, 275, 275)]
    [TestCase(1, 10, 1)]
    public void The_finest_set_is_chosen_that_is_no_larger_than_the_population(int objectiveCount, int population, int points)
    {
        var set = ReferencePoints.ForPopulation(objectiveCount, population);
        Assert.That(set, Has.Length.EqualTo(points * objectiveCount));
        var distinct = new HashSet<string>();
        for (var at = 0; at < set.Length; at += objectiveCount)
        {
            var point = set[at..(at + objectiveCount)];
            Assert.That(point.Sum(), Is.EqualTo(1).Within(1e-12));
            Assert.That(point, Is.All.GreaterThanOrEqualTo(0));
            Assert.That(distinct.Add(string.Join(' ', point)), Is.True);
        }
    }

    [Test]
    public void Selection_by_reference_points_keeps_one_for_each_direction()
    {
        // Four objectives, the 56 directions of the lattice with 5 divisions: one individual on each, and 56 that crowd around the first.
        const int Count = 56;
        var lattice = ReferencePoints.ForPopulation(4, Count);
        Assert.That(lattice, Has.Length.EqualTo(4 * Count));
        var random = new Xoshiro256(4);
        var objectives = new double[2 * Count * 4];
        for (var row = 0; row < 2 * Count; row++)
        {
            for (var m = 0; m < 4; m++)
                objectives[row * 4 + m] = lattice[row % Count * 4 * (row < Count ? 1 : 0) + m];
            if (row >= Count)
            {
                // On the plane still, so that nobody dominates anybody.
                var shift = 0.01 * (row - Count + 1) / Count;
                objectives[row * 4 + random.NextBelow(3)] += shift;
                objectives[row * 4 + 3] -= shift;
            }
        }
        Assert.That(new Replay(objectives, Count, 4).Survivors(SurvivalStrategy.ReferencePoints), Is.EqualTo(Enumerable.Range(0, Count)));
    }
}
