using System.Diagnostics.Metrics;
using FogCompute.Application.Realtime;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FogCompute.Infrastructure.Telemetry;

/// <summary>
/// The meter <c>FogCompute.Pool</c>: gauges of the whole pool, the same from every control plane: <c>fogcompute.scheduler.queue.length</c>, <c>fogcompute.scheduler.jobs</c> (by state),
/// <c>fogcompute.idle_compute.devices</c> (by state). They are counted when somebody reads them; a count that is older than a minute, or that failed, is no count.
/// </summary>
internal sealed partial class PoolGauges : IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Stale = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _counting = new(1, 1);
    private readonly IServiceScopeFactory _scopes;
    private readonly TimeProvider _time;
    private readonly ILogger<PoolGauges> _log;
    private volatile Sample? _sample;

    public PoolGauges(IMeterFactory meters, IServiceScopeFactory scopes, TimeProvider time, ILogger<PoolGauges> log)
    {
        (_scopes, _time, _log) = (scopes, time, log);
        var meter = meters.Create("FogCompute.Pool");
        meter.CreateObservableGauge("fogcompute.scheduler.queue.length", () => Of(c => [new Measurement<long>(c.OpenSlots)]), "{replica}", "Task replicas of the pool that wait for a device.");
        meter.CreateObservableGauge(
            "fogcompute.scheduler.jobs", () => Of(c => [State("fogcompute.job.state", "pending", c.PendingJobs), State("fogcompute.job.state", "running", c.RunningJobs)]), "{job}", "Open jobs of the pool.");
        meter.CreateObservableGauge(
            "fogcompute.idle_compute.devices",
            () => Of(c => [State("fogcompute.device.state", "harvesting", c.HarvestingDevices), State("fogcompute.device.state", "other", Math.Max(0, c.Devices - c.HarvestingDevices))]),
            "{device}", "Enrolled devices of the pool.");
    }

    public void Dispose() => _counting.Dispose();

    /// <summary>Counts, unless that was done just now; readers that come together share one count. False: there is no count.</summary>
    public async Task<bool> RefreshAsync(CancellationToken cancel)
    {
        await _counting.WaitAsync(cancel);
        try
        {
            if (Age < Fresh)
                return true;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(Patience);
            await using var scope = _scopes.CreateAsyncScope();
            var counts = await scope.ServiceProvider.GetRequiredService<IPoolFigures>().CountAsync(limit.Token);
            _sample = counts is null ? null : new Sample(counts, _time.GetTimestamp());
            return counts is not null;
        }
        catch (Exception failure) when (!cancel.IsCancellationRequested)
        {
            _sample = null;
            NotCounted(_log, failure);
            return false;
        }
        finally
        {
            _counting.Release();
        }
    }

    private TimeSpan Age => _sample is { } sample ? _time.GetElapsedTime(sample.At) : TimeSpan.MaxValue;

    private IEnumerable<Measurement<long>> Of(Func<PoolCounts, IEnumerable<Measurement<long>>> values) => _sample is { } sample && Age < Stale ? values(sample.Counts) : [];

    private static Measurement<long> State(string tag, string state, long count) => new(count, new KeyValuePair<string, object?>(tag, state));

    private sealed record Sample(PoolCounts Counts, long At);

    [LoggerMessage(70, LogLevel.Warning, "pool_not_counted The gauges of the pool are left out")]
    private static partial void NotCounted(ILogger logger, Exception failure);
}
