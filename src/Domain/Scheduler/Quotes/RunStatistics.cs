using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.Scheduler.Quotes;

/// <summary>One finished run, as far as estimates can learn from it.</summary>
/// <param name="LogRatio">ln(measured wall time × speed of its device / estimate).</param>
/// <param name="OverheadSeconds">From its lease to its end, less the wall time: staging, starting, uploading.</param>
public readonly record struct FinishedRun(JobId Job, double LogRatio, double OverheadSeconds);

/// <summary>
/// How run times relate to their estimates. What is common to the runs of a job (the requester misjudged it) is kept apart from what differs
/// from run to run: the first does not average out over a large array, the second does.
/// </summary>
/// <param name="Runs">Finished runs this was learned from; 0: nothing was, this is the prior.</param>
/// <param name="Bias">Mean of ln(run time / estimate): above 0 runs take longer than estimated.</param>
/// <param name="JobSpread">Standard deviation of a job's own mean around <paramref name="Bias"/>.</param>
/// <param name="TaskSpread">Standard deviation of a run around its job's mean.</param>
/// <param name="OverheadSeconds">Median time that a lease takes beyond the run itself.</param>
public sealed record RunStatistics(int Runs, double Bias, double JobSpread, double TaskSpread, double OverheadSeconds)
{
    /// <summary>Fewer runs say nothing yet.</summary>
    public const int LeastRuns = 20;

    /// <summary>Nothing tells where the prior's spread comes from, so both parts have half of its variance.</summary>
    private const double PriorPartVariance = RunModel.DefaultSpread * RunModel.DefaultSpread / 2;

    private const int LeastJobs = 5, LeastRepeats = 10;

    public static readonly RunStatistics Prior = new(0, 0, Math.Sqrt(PriorPartVariance), Math.Sqrt(PriorPartVariance), 0);

    /// <summary>Standard deviation of ln(run time / (estimate × e^bias)) of any run.</summary>
    public double Spread => Math.Sqrt(JobSpread * JobSpread + TaskSpread * TaskSpread);

    /// <summary>
    /// One-way random effects, by the method of moments: the part within jobs pooled, the part between jobs from the variance of their means less
    /// what the first adds to it, widened by 1/jobs because the mean itself is estimated. A part that too few jobs or repeats tell of stays the prior's.
    /// </summary>
    /// <returns>Null below <see cref="LeastRuns"/>.</returns>
    public static RunStatistics? Of(IReadOnlyCollection<FinishedRun> runs)
    {
        if (runs.Count < LeastRuns)
            return null;
        var jobs = runs.GroupBy(r => r.Job).Select(g => (Runs: g.Count(), Mean: g.Average(r => r.LogRatio), Items: g)).ToList();
        var bias = jobs.Average(j => j.Mean);
        var repeats = runs.Count - jobs.Count;
        var within = repeats < LeastRepeats ? PriorPartVariance : jobs.Sum(j => j.Items.Sum(r => Square(r.LogRatio - j.Mean))) / repeats;
        var between = jobs.Count < LeastJobs ? PriorPartVariance
            : Math.Max(0, jobs.Sum(j => Square(j.Mean - bias)) / (jobs.Count - 1) - jobs.Average(j => within / j.Runs));
        var overheads = runs.Select(r => r.OverheadSeconds).Order().ToArray();
        return new RunStatistics(runs.Count, bias, Math.Sqrt(between * (1 + 1.0 / jobs.Count)), Math.Sqrt(within), Math.Max(0, overheads[overheads.Length / 2]));
    }

    private static double Square(double x) => x * x;
}
