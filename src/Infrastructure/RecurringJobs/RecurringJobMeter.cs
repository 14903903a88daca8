using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <summary>The meter <c>FogCompute.RecurringJobs</c>: histogram <c>fogcompute.recurring_job.duration</c> (seconds, by job and outcome: ok, failed); its count is the runs here.</summary>
internal sealed class RecurringJobMeter(IMeterFactory meters)
{
    private readonly Histogram<double> _duration = meters.Create("FogCompute.RecurringJobs").CreateHistogram(
        "fogcompute.recurring_job.duration", "s", "Time of the runs of recurring jobs in this process.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30] });

    /// <summary>A run that is cancelled because this process stops or no longer leads counts as neither.</summary>
    public async Task<T> MeasureAsync<T>(string job, Func<Task<T>> run, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            var result = await run();
            Record(job, "ok", started);
            return result;
        }
        catch (Exception failure) when (failure is not OperationCanceledException || !cancel.IsCancellationRequested)
        {
            Record(job, "failed", started);
            throw;
        }
    }

    private void Record(string job, string outcome, long started) =>
        _duration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new("fogcompute.recurring_job.name", job), new("fogcompute.outcome", outcome));
}
