using System.Diagnostics;
using FogCompute.Application.Benchmarks;
using FogCompute.Application.Benchmarks.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Migrations;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FogCompute.Infrastructure.Benchmarks;

/// <summary>
/// Claims benchmarks that were written down and runs them, one at a time, writing a point each second that is its sign of life as well. Ends at
/// once when somebody stopped the benchmark, and marks it interrupted when this process stops or loses the database for long.
/// </summary>
internal sealed partial class BenchmarkRunner(
    IServiceScopeFactory scopes, IReadOnlyDictionary<BenchmarkType, IBenchmarkLoad> loads, IHostMetrics host, ISignals signals, MigrationState migrations, TimeProvider time, ILogger<BenchmarkRunner> log) : BackgroundService
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    /// <summary>Shorter than the silence after which others give it up.</summary>
    private static readonly TimeSpan OutagePatience = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan LastWord = TimeSpan.FromSeconds(3);

    private readonly Guid _runner = Guid.NewGuid();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await migrations.WaitAsync(stoppingToken);
            while (true)
            {
                // Before looking: a signal during the look makes the wait return at once.
                using var ticket = signals.Listen(BenchmarkTopics.Changed);
                if (await ClaimAsync(stoppingToken) is { } claimed)
                    await RunAsync(claimed.Run, new AccountId(claimed.RequestedBy), stoppingToken);
                else
                    await ticket.WaitAsync(LookPeriod, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private async Task<(BenchmarkRun Run, Guid RequestedBy)?> ClaimAsync(CancellationToken cancel)
    {
        try
        {
            return await WithRunsAsync(runs => runs.ClaimAsync(_runner, host.Machine, cancel));
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            NotClaimed(log, failure);
            return null; // Asked for again after the period.
        }
    }

    private async Task RunAsync(BenchmarkRun run, AccountId account, CancellationToken stop)
    {
        var measurements = new Measurements(time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var load = Task.Run(() => loads[run.Type].RunAsync(run.Id, account, measurements, end.Token), CancellationToken.None);
        var (state, why) = (BenchmarkState.Completed, (string?)null);
        try
        {
            (state, why) = await WatchAsync(run, measurements, load, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            (state, why) = (BenchmarkState.Interrupted, "The control plane that ran it was stopped.");
        }
        await end.CancelAsync();
        try
        {
            await load;
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // As asked.
        }
        catch (Exception failure)
        {
            Failed(log, failure, run.Id);
            if (state == BenchmarkState.Completed)
                (state, why) = (BenchmarkState.Failed, failure is FogException refusal ? refusal.Error.Message : "The measurement broke; the log of the control plane has the reason.");
        }
        using var patience = new CancellationTokenSource(LastWord);
        try
        {
            await WithRunsAsync(runs => runs.EndAsync(run.Id, _runner, state, why, measurements.Summary(), time.GetUtcNow(), patience.Token));
        }
        catch (Exception failure)
        {
            Failed(log, failure, run.Id); // Its silence will mark it.
        }
    }

    /// <summary>Until the time is over, the load broke, somebody stopped it, or the database is away for too long.</summary>
    private async Task<(BenchmarkState State, string? Why)> WatchAsync(BenchmarkRun run, Measurements measurements, Task load, CancellationToken stop)
    {
        var started = time.GetTimestamp();
        var lastTouch = started;
        var ticket = signals.Listen(BenchmarkTopics.Changed);
        try
        {
            for (var second = 1; second <= run.Seconds;)
            {
                var left = (second * Second) - time.GetElapsedTime(started);
                if (left > TimeSpan.Zero)
                {
                    // Ends early on a broken load or a signal; then only the sign of life is renewed, which tells whether it was stopped.
                    await Task.WhenAny(load, ticket.WaitAsync(left, stop));
                    stop.ThrowIfCancellationRequested();
                    if (load.IsCompleted)
                        return (BenchmarkState.Completed, null);
                }
                var due = time.GetElapsedTime(started) >= second * Second;
                if (ticket.IsSignalled)
                {
                    ticket.Dispose();
                    ticket = signals.Listen(BenchmarkTopics.Changed);
                }
                try
                {
                    if (!await WithRunsAsync(runs => runs.TouchAsync(run.Id, _runner, second, due ? Point(measurements) : null, stop)))
                        return (BenchmarkState.Stopped, null);
                    lastTouch = time.GetTimestamp();
                }
                catch (Exception failure) when (DatabaseFailures.IsOutage(failure) && !stop.IsCancellationRequested)
                {
                    if (time.GetElapsedTime(lastTouch) > OutagePatience)
                        return (BenchmarkState.Interrupted, "The database was away for too long.");
                }
                // Seconds that went by while the database took its time have no point of their own.
                if (due)
                    second = 1 + (int)(time.GetElapsedTime(started) / Second);
            }
            return (BenchmarkState.Completed, null);
        }
        finally
        {
            ticket.Dispose();
        }
    }

    private BenchmarkPoint Point(Measurements measurements)
    {
        var (latency, rate) = measurements.TakeSecond();
        var machine = host.Latest;
        return new BenchmarkPoint(
            time.GetUtcNow().ToUnixTimeMilliseconds(), latency is { } ms ? Math.Round(ms, 4) : null, rate > 0 ? Math.Round(rate, 4) : null, machine?.CpuPercent, machine?.MemoryPercent, machine?.NetworkPercent);
    }

    private async Task<T> WithRunsAsync<T>(Func<BenchmarkRuns, Task<T>> work)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await work(scope.ServiceProvider.GetRequiredService<BenchmarkRuns>());
    }

    [LoggerMessage(47, LogLevel.Warning, "benchmark_failed {benchmark}")]
    private static partial void Failed(ILogger logger, Exception failure, Guid benchmark);

    [LoggerMessage(48, LogLevel.Debug, "benchmark_look_failed")]
    private static partial void NotClaimed(ILogger logger, Exception failure);
}
