using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

/// <summary>
/// Fronts found on problems whose true fronts are known: population 100, 25 000 evaluations. The floors are our medians of 31 seeds less what a
/// median of five may differ: tight enough to see a wrong distribution index or mutation rate, and far above what is left without one of
/// the operators. All 31 seeds, beside a reference library: ./dev bench nsga2.
/// </summary>
public sealed class QualityTests
{
    private static readonly TestCaseData[] Floors =
    [
        new("ZDT1", SurvivalStrategy.Crowding, 0.6606),
        new("ZDT2", SurvivalStrategy.Crowding, 0.3271),
        new("ZDT3", SurvivalStrategy.Crowding, 0.5147),
        new("ZDT4", SurvivalStrategy.Crowding, 0.6520),
        new("ZDT6", SurvivalStrategy.Crowding, 0.3900),
        new("DTLZ2", SurvivalStrategy.Crowding, 0.3715),
        new("DTLZ2", SurvivalStrategy.ReferencePoints, 0.4090),
        new("DTLZ2", SurvivalStrategy.Hypervolume, 0.4240),
    ];

    [TestCaseSource(nameof(Floors))]
    public void Fronts_come_as_near_as_they_should(string name, SurvivalStrategy strategy, double floor)
    {
        var problem = TestProblem.All.Single(p => p.Name == name);
        var seeds = strategy == SurvivalStrategy.Hypervolume ? 1 : 5;
        var volumes = Enumerable.Range(1, seeds).Select(seed =>
        {
            using var loop = Evolve.Reals(problem, new EvolutionSettings { Seed = (ulong)seed, Survival = strategy }, TimeProvider.System);
            loop.Run([], CancellationToken.None);
            return problem.Hypervolume(loop.Objectives);
        }).Order().ToArray();
        Assert.That(volumes[seeds / 2], Is.GreaterThanOrEqualTo(floor));
    }

    [Test]
    public void Five_objectives_are_spread_over_the_whole_front()
    {
        // The 70 directions of the lattice, exactly on the front, have 0.577; crowding distance gets 0.16 here.
        var problem = TestProblem.Dtlz2(5);
        using var loop = Evolve.Reals(problem, new EvolutionSettings { Seed = 1 }, TimeProvider.System);
        loop.Run([], CancellationToken.None);
        Assert.That(problem.Hypervolume(loop.Objectives), Is.GreaterThanOrEqualTo(0.57));
    }
}
