using System.Diagnostics;
using FogCompute.Domain.Scheduler.Placement.Evolution;
using FogCompute.Domain.UnitTests.Scheduler.Evolution;

namespace FogCompute.Nsga2;

/// <summary>
/// Ours beside the peer: same problem, population, generations, crossover and mutation, one thread, the first population made before the clock
/// starts; runs alternate and medians are taken. For three objectives selection by reference points is shown too: another algorithm than the
/// peer's, so only its not being slower is asked.
/// </summary>
internal static class Speed
{
    // The aim is that of the smallest population; larger ones have to widen the margin.
    private static readonly (TestProblem Problem, SurvivalStrategy Selection, double Aim, int Sizes)[] Cases =
    [
        (TestProblem.Zdt1, SurvivalStrategy.Crowding, 6, 3),
        (TestProblem.Dtlz2(3), SurvivalStrategy.Crowding, 5, 3),
        (TestProblem.Dtlz2(3), SurvivalStrategy.ReferencePoints, 1, 1),
    ];

    private static readonly (int Population, int Generations, int Rounds)[] Sizes = [(100, 250, 15), (500, 100, 5), (2000, 40, 3)];

    public static IEnumerable<SpeedRow> Measure(Peer peer)
    {
        foreach (var (problem, selection, aim, sizes) in Cases)
        {
            // Enough generations for the runtime to have compiled and optimised everything.
            for (var i = 0; i < 20; i++)
                Ours(problem, selection, 100, 250, 1000 + i);
            peer.Run(Name(problem), 100, 250, 1000);
            var margin = 0.0;
            foreach (var (population, generations, rounds) in Sizes.Take(sizes))
            {
                var row = MeasureOne(peer, problem, selection, population, generations, rounds, Math.Max(aim, margin));
                margin = row.Ratio;
                yield return row;
            }
        }
    }

    private static SpeedRow MeasureOne(
        Peer peer, TestProblem problem, SurvivalStrategy selection, int population, int generations, int rounds, double aim)
    {
        var (ours, theirs) = (new Outcome[rounds], new Outcome[rounds]);
        for (var round = 0; round < rounds; round++)
        {
            theirs[round] = peer.Run(Name(problem), population, generations, round + 1);
            ours[round] = Ours(problem, selection, population, generations, round + 1);
            if (ours[round].Evaluations != theirs[round].Evaluations)
                throw new InvalidOperationException($"{ours[round].Evaluations} evaluations are compared with {theirs[round].Evaluations} of the peer: the benchmark is wrong.");
        }
        var ourTime = Median(ours.Select(o => o.Milliseconds)) / generations;
        var theirTime = Median(theirs.Select(o => o.Milliseconds)) / generations;
        var ourVolume = Median(ours.Select(o => problem.Hypervolume(o.Objectives)));
        var theirVolume = Median(theirs.Select(o => problem.Hypervolume(o.Objectives)));
        var ratio = Math.Round(theirTime / ourTime, 2);
        return new SpeedRow(
            problem.Name, selection.ToString(), population, generations, rounds, Math.Round(ourTime, 4), Math.Round(theirTime, 4), ratio, Math.Round(aim, 2),
            Math.Round(ourVolume, 4), Math.Round(theirVolume, 4), ratio >= aim && Math.Round(ourVolume, 4) >= Math.Round(theirVolume, 4));
    }

    private static Outcome Ours(TestProblem problem, SurvivalStrategy selection, int population, int generations, int seed)
    {
        var settings = new EvolutionSettings { Population = population, Seed = (ulong)seed, Survival = selection };
        using var loop = Evolve.Reals(problem, settings, TimeProvider.System);
        loop.Start();
        var before = loop.Evaluations;
        var began = Stopwatch.GetTimestamp();
        for (var generation = 0; generation < generations; generation++)
            loop.Step();
        var elapsed = Stopwatch.GetElapsedTime(began);
        return new Outcome(elapsed.TotalMilliseconds, loop.Evaluations - before, loop.Objectives.ToArray());
    }

    private static string Name(TestProblem problem) => problem.Name.ToLowerInvariant();

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}

/// <summary>Median milliseconds per generation of both and the hypervolumes they end with; the aim is the ratio to reach.</summary>
internal sealed record SpeedRow(
    string Problem, string Selection, int Population, int Generations, int Rounds, double OurMilliseconds, double PeerMilliseconds, double Ratio, double Aim,
    double OurHypervolume, double PeerHypervolume, bool Pass);
