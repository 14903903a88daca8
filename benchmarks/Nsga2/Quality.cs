using FogCompute.Domain.Scheduler.Placement.Evolution;
using FogCompute.Domain.UnitTests.Scheduler.Evolution;

namespace FogCompute.Nsga2;

/// <summary>
/// Fronts after 25 000 evaluations with population 100, 31 seeds, beside the medians of a reference library under the same protocol:
/// hypervolume with the true front scaled to 0 … 1 and reference point (1, …, 1), and IGD to a dense sample of the true front.
/// </summary>
internal static class Quality
{
    private const int Seeds = 31;

    /// <summary>A stronger selection for three objectives has to reach this on DTLZ2.</summary>
    private const double StrongerFloor = 0.41;

    // Allowed below the reference: the spread between two medians of such runs.
    private static readonly (string Problem, double Volume, double Igd, double Allowed)[] References =
    [
        ("ZDT1", 0.6601, 0.0047, 0.0005), ("ZDT2", 0.3270, 0.0047, 0.0005), ("ZDT3", 0.5151, 0.0052, 0.0005),
        ("ZDT4", 0.6583, 0.0053, 0.003), ("ZDT6", 0.3918, 0.0064, 0.0005), ("DTLZ2", 0.3750, 0.069, 0.005),
    ];

    public static IEnumerable<QualityRow> Measure()
    {
        foreach (var (name, volume, igd, allowed) in References)
        {
            var problem = TestProblem.All.Single(p => p.Name == name);
            yield return MeasureOne(problem, SurvivalStrategy.Crowding, volume, igd, volume - allowed);
            if (name != "DTLZ2")
                continue;
            yield return MeasureOne(problem, SurvivalStrategy.ReferencePoints, volume, igd, StrongerFloor);
            yield return MeasureOne(problem, SurvivalStrategy.Hypervolume, volume, igd, StrongerFloor);
        }
    }

    private static QualityRow MeasureOne(TestProblem problem, SurvivalStrategy strategy, double referenceVolume, double referenceIgd, double floor)
    {
        var (volumes, igds) = (new double[Seeds], new double[Seeds]);
        for (var i = 0; i < Seeds; i++)
        {
            using var loop = Evolve.Reals(problem, new EvolutionSettings { Seed = (ulong)i + 1, Survival = strategy }, TimeProvider.System);
            loop.Start();
            while (loop.Evaluations < 25_000)
                loop.Step();
            volumes[i] = problem.Hypervolume(loop.Objectives);
            igds[i] = problem.Igd(loop.Objectives);
        }
        Array.Sort(volumes);
        Array.Sort(igds);
        var median = volumes[Seeds / 2];
        return new QualityRow(
            problem.Name, strategy.ToString(), Round(median), Round(volumes[Seeds / 4]), Round(volumes[Seeds * 3 / 4]), referenceVolume,
            Round(igds[Seeds / 2]), referenceIgd, Math.Round(floor, 4), Round(median) >= floor - 1e-9);
    }

    private static double Round(double value) => Math.Round(value, 4);
}

/// <summary>Medians and quartiles of one problem under one selection, beside the reference's medians.</summary>
internal sealed record QualityRow(
    string Problem, string Selection, double Hypervolume, double LowerQuartile, double UpperQuartile, double ReferenceHypervolume,
    double Igd, double ReferenceIgd, double Floor, bool Pass);
