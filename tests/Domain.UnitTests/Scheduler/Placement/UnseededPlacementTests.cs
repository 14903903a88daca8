using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

public sealed class UnseededPlacementTests
{
    [Test]
    public void A_search_without_seeds_keeps_every_rule_and_places_no_fewer_than_the_greedy_one()
    {
        var engine = new NsgaPlacement(TimeProvider.System, new PlacementSettings { Population = 20, MaxGenerations = 4, FewestSlots = 1, Seeded = false });
        var searched = 0;
        for (var seed = 0; seed < 300; seed++)
        {
            var problem = Pool.Random(seed) with { Budget = TimeSpan.FromMinutes(1) };
            var outcome = engine.Place(problem);
            Pool.RequireFeasible(problem, outcome);
            Assert.That(outcome.Assignments, Has.Count.GreaterThanOrEqualTo(new WeightedScorePlacement().Place(problem).Assignments.Count), $"seed {seed}");
            searched += outcome.Search is null ? 0 : 1;
        }
        Assert.That(searched, Is.GreaterThan(150), "most problems are worth a search");
    }
}
