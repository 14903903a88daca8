using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Application.Scheduler;

// GET /api/scheduler/stats
// Measured figures of the whole pool; null where nothing has been measured.

[RequiresPermission(Permissions.Public)]
public sealed record GetSchedulerStatsQuery : IQuery<SchedulerStats>;

public sealed record SchedulerStats
{
    public required int TotalJobs { get; init; }
    public required int RunningJobs { get; init; }
    public required int PendingJobs { get; init; }
    public required int CompletedJobs { get; init; }
    public required int FailedJobs { get; init; }

    /// <summary>Task replicas that wait for a device.</summary>
    public required int QueueLength { get; init; }

    /// <summary>Mean seconds from submit to first lease of jobs started in the last hour; 0 when none.</summary>
    public required double AvgWaitTime { get; init; }

    /// <summary>Percent of jobs finished per tier that met its bound; null: none finished yet.</summary>
    public required TierShares SlaCompliance { get; init; }
    public required Utilization ResourceUtilization { get; init; }

    /// <summary>Hypervolume of the last searched placement pass, 0–1, relative to the box that its ideal point spans; 0 until a pass searches.</summary>
    public required double OptimizationScore { get; init; }
    public required JobFigures Jobs { get; init; }
    public required NsgaFigures Nsga { get; init; }
    public required TierFigures Sla { get; init; }
    public required PerformanceFigures Performance { get; init; }

    /// <summary>How well quotes were kept; null before the first job that tells.</summary>
    public QuoteCalibration? Calibration { get; init; }
}

public sealed record TierShares(double? Platinum, double? Gold, double? Silver, double? Bronze);

/// <summary>Percent of the pool's live capacity that is leased.</summary>
public sealed record Utilization(double Cpu, double Memory, double Gpu);

public sealed record JobFigures(int Queued, int Running, int Completed, int Failed);

/// <summary>Figures of the last placement pass that searched; 0 before the first of the last seven days.</summary>
/// <param name="GenerationsRun">Generations bred.</param>
/// <param name="ParetoFront">Points of its front (at most 64 are kept).</param>
/// <param name="ConvergenceRate">Percent of the front's hypervolume that was there at half of the generations.</param>
public sealed record NsgaFigures(int GenerationsRun, int ParetoFront, double ConvergenceRate);

public sealed record TierFigures(TierFigure Platinum, TierFigure Gold, TierFigure Silver, TierFigure Bronze);

/// <param name="Count">Jobs that have finished.</param>
/// <param name="Compliance">Percent of them that kept their promise; 0 without any.</param>
public sealed record TierFigure(int Count, double Compliance);

/// <param name="AvgPlacementTime">Mean seconds of the recent passes of this process; 0 before the first.</param>
/// <param name="ResourceUtilization">Percent of live cores leased.</param>
/// <param name="CostEfficiency">Credits charged relative to credits quoted, finished jobs, percent; 0 before the first.</param>
public sealed record PerformanceFigures(double AvgPlacementTime, double ResourceUtilization, double CostEfficiency);

/// <summary>Counts over the scheduler's tables.</summary>
public interface ISchedulerFigures
{
    Task<SchedulerCounts> CountAsync(DateTimeOffset now, CancellationToken cancel);
}

public sealed record SchedulerCounts(
    IReadOnlyDictionary<JobState, int> Jobs, int OpenSlots, double AvgWaitSeconds, IReadOnlyDictionary<SlaTier, (int Finished, int Met)> Tiers, long QuotedMicro, long ChargedMicro);

internal sealed class GetSchedulerStatsHandler(ISchedulerFigures figures, IPlacementPool pool, IPassLog searches, PlacementHistory history, IQuotes quotes, TimeProvider time)
    : IQueryHandler<GetSchedulerStatsQuery, SchedulerStats>
{
    public async Task<SchedulerStats> Handle(GetSchedulerStatsQuery query, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var counts = await figures.CountAsync(now, cancellationToken);
        var devices = (await pool.DevicesAsync(now, cancellationToken)).Where(d => d.Unavailable is null).ToList();
        var passes = history.Recent();
        var search = await searches.ReadAsync(null, cancellationToken);
        int Of(params JobState[] states) => states.Sum(s => counts.Jobs.GetValueOrDefault(s));
        var utilization = new Utilization(
            Percent(devices.Sum(d => (double)d.LeasedMillicores), devices.Sum(d => (double)d.CpuMillicores)),
            Percent(devices.Sum(d => (double)d.LeasedBytes), devices.Sum(d => (double)d.MemoryBytes)),
            Percent(devices.Sum(d => d.LeasedGpus), devices.Sum(d => d.Gpus)));
        var (pending, running) = (Of(JobState.Submitted, JobState.Admitted), Of(JobState.Running));
        var (completed, failed) = (Of(JobState.Completed), Of(JobState.Failed, JobState.Expired, JobState.Rejected));
        return new SchedulerStats
        {
            TotalJobs = counts.Jobs.Values.Sum(), RunningJobs = running, PendingJobs = pending, CompletedJobs = completed, FailedJobs = failed,
            QueueLength = counts.OpenSlots, AvgWaitTime = Math.Round(counts.AvgWaitSeconds, 3),
            SlaCompliance = new TierShares(Share(counts, SlaTier.Platinum), Share(counts, SlaTier.Gold), Share(counts, SlaTier.Silver), Share(counts, SlaTier.Bronze)),
            ResourceUtilization = utilization, OptimizationScore = search is null ? 0 : Math.Round(search.Hypervolume, 4),
            Jobs = new JobFigures(pending, running, completed, failed), Nsga = search is null ? new NsgaFigures(0, 0, 0) : new NsgaFigures(search.Generations, search.Front.Count, Math.Round(100 * search.Convergence, 2)),
            Sla = new TierFigures(Figure(counts, SlaTier.Platinum), Figure(counts, SlaTier.Gold), Figure(counts, SlaTier.Silver), Figure(counts, SlaTier.Bronze)),
            Performance = new PerformanceFigures(
                passes.Count == 0 ? 0 : Math.Round(passes.Average(p => p.Took.TotalSeconds), 6), utilization.Cpu,
                counts.QuotedMicro == 0 ? 0 : Math.Round(100.0 * counts.ChargedMicro / counts.QuotedMicro, 2)),
            Calibration = await quotes.CalibrationAsync(cancellationToken),
        };
    }

    private static double Percent(double part, double whole) => whole <= 0 ? 0 : Math.Round(Math.Min(100, 100 * part / whole), 2);

    private static double? Share(SchedulerCounts counts, SlaTier tier) => Figure(counts, tier) is { Count: > 0 } known ? known.Compliance : null;

    private static TierFigure Figure(SchedulerCounts counts, SlaTier tier)
    {
        var (finished, met) = counts.Tiers.GetValueOrDefault(tier);
        return new TierFigure(finished, finished == 0 ? 0 : Math.Round(100.0 * met / finished, 2));
    }
}
