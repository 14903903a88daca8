using System.Diagnostics;
using FogCompute.Domain.Scheduler.Placement.Evolution;
using FogCompute.Domain.UnitTests.Scheduler.Evolution;

namespace FogCompute.Nsga2;

/// <summary>Which selection for how many objectives: DTLZ2, population 100, 25 000 evaluations. No peer and no aim; it explains a default.</summary>
internal static class Selections
{
    public static IEnumerable<SelectionRow> Measure()
    {
        foreach (var objectives in new[] { 3, 4, 5 })
        {
            foreach (var selection in new[] { SurvivalStrategy.Crowding, SurvivalStrategy.ReferencePoints, SurvivalStrategy.Hypervolume })
            {
                // Hypervolume is slow and varies little.
                var seeds = selection != SurvivalStrategy.Hypervolume ? 11 : objectives < 5 ? 3 : 1;
                yield return MeasureOne(objectives, selection, seeds);
            }
        }
    }

    private static SelectionRow MeasureOne(int objectives, SurvivalStrategy selection, int seeds)
    {
        var problem = TestProblem.Dtlz2(objectives);
        var (volumes, times) = (new double[seeds], new double[seeds]);
        for (var i = 0; i < seeds; i++)
        {
            using var loop = Evolve.Reals(problem, new EvolutionSettings { Seed = (ulong)i + 1, Survival = selection }, TimeProvider.System);
            loop.Start();
            var began = Stopwatch.GetTimestamp();
            while (loop.Evaluations < 25_000)
                loop.Step();
            times[i] = Stopwatch.GetElapsedTime(began).TotalMilliseconds / loop.Generation;
            volumes[i] = problem.Hypervolume(loop.Objectives);
        }
        Array.Sort(volumes);
        Array.Sort(times);
        return new SelectionRow(objectives, selection.ToString(), seeds, Math.Round(volumes[seeds / 2], 4), Math.Round(times[seeds / 2], 3));
    }
}

/// <summary>Median hypervolume and milliseconds per generation.</summary>
internal sealed record SelectionRow(int Objectives, string Selection, int Seeds, double Hypervolume, double Milliseconds);
