using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

public sealed class NsgaPlacementTests
{
    private static readonly PlacementSettings Short = new() { Population = 20, MaxGenerations = 4, FewestSlots = 1 };

    private static NsgaPlacement Engine(PlacementSettings? settings = null) => new(TimeProvider.System, settings ?? Short);

    /// <summary>Enough time that only the number of generations ends a search.</summary>
    private static PlacementProblem Unhurried(PlacementProblem problem) => problem with { Budget = TimeSpan.FromMinutes(1) };

    [Test]
    public void No_answer_ever_overfills_a_device_or_breaks_a_rule_and_none_places_fewer_than_the_greedy_one()
    {
        var searched = 0;
        for (var seed = 0; seed < 600; seed++)
        {
            var problem = Unhurried(Pool.Random(seed));
            var outcome = Engine().Place(problem);
            Pool.RequireFeasible(problem, outcome);
            Assert.That(outcome.Assignments, Has.Count.GreaterThanOrEqualTo(new WeightedScorePlacement().Place(problem).Assignments.Count), $"seed {seed}");
            Assert.That(outcome.Assignments.Select(a => a.Score), Is.All.InRange(0.0, 1.0));
            searched += outcome.Search is null ? 0 : 1;
        }
        Assert.That(searched, Is.GreaterThan(300), "most problems are worth a search");
    }
}
