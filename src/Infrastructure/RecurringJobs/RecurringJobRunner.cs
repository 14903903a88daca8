using System.Collections.Concurrent;
using System.Diagnostics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Infrastructure.Persistence.Migrations;
using Microsoft.Extensions.Hosting;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <param name="IsLeader">Whether this process runs it; of a pump exactly one process does, of a schedule none in particular.</param>
/// <param name="LastError">Of the last run here; null when it succeeded.</param>
/// <param name="FailuresInARow">Runs here that failed since the last success.</param>
public sealed record RecurringJobStatus(
    string Name, string Why, bool IsLeader, DateTimeOffset? LastStarted, DateTimeOffset? LastFinished, string? LastError, int FailuresInARow, long Runs);

/// <summary>How the recurring jobs of this process fare.</summary>
public sealed class RecurringJobsHealth
{
    private readonly ConcurrentDictionary<string, RecurringJobStatus> _jobs = new(StringComparer.Ordinal);

    public RecurringJobsHealth(IReadOnlyList<RecurringJob> jobs)
    {
        foreach (var job in jobs)
            _jobs[job.Name] = new RecurringJobStatus(job.Name, job.Why, IsLeader: false, null, null, null, 0, 0);
    }

    /// <summary>A snapshot, by name.</summary>
    public IReadOnlyList<RecurringJobStatus> Jobs => [.. _jobs.Values.OrderBy(job => job.Name, StringComparer.Ordinal)];

    internal void Update(RecurringJob job, Func<RecurringJobStatus, RecurringJobStatus> change) => _jobs.AddOrUpdate(job.Name, _ => throw new KeyNotFoundException(job.Name), (_, status) => change(status));
}

/// <summary>
/// Runs the rows of the table: pumps in a loop each, on the process that leads them, woken by signal and period; schedules by <see cref="QuartzSchedules"/>.
/// A failure is logged, recorded and tried again after a growing pause; it never ends a loop.
/// </summary>
internal sealed class RecurringJobRunner(
    IReadOnlyList<RecurringJob> jobs,
    JobLeadership leadership,
    JobControls controls,
    JobExecutor executor,
    RunHistory history,
    QuartzSchedules schedules,
    ServerIdentity server,
    MigrationState migrations,
    ISignals signals,
    RecurringJobsHealth health,
    TimeProvider time) : BackgroundService
{
    /// <summary>A storm of signals starts at most 200 runs per second; what comes in between is seen by the next run.</summary>
    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(5);

    /// <summary>How long a command that runs when the process stops may go on; then it is cancelled and its transaction rolled back.</summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(4);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (jobs.Count == 0)
            return;
        try
        {
            await migrations.WaitAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return;
        }
        // The leads are kept until the last command has ended: no other process may start the same one meanwhile.
        using var ended = new CancellationTokenSource();
        var leading = leadership.RunAsync(ended.Token);
        try
        {
            await Task.WhenAll(
            [
                controls.RunAsync(schedules.StartNowAsync, stoppingToken), history.RunAsync(stoppingToken), schedules.RunAsync(stoppingToken),
                .. jobs.Where(job => job.Kind == RecurringKind.Pump).Select(job => LoopAsync(job, stoppingToken)),
            ]);
        }
        finally
        {
            await ended.CancelAsync();
            await leading;
            await history.CloseAsync();
        }
    }

    private async Task LoopAsync(RecurringJob job, CancellationToken stop)
    {
        try
        {
            await controls.KnownAsync(stop);
            while (true)
            {
                var lead = await leadership.LeadAsync(job, stop);
                health.Update(job, status => status with { IsLeader = true });
                using (var leading = CancellationTokenSource.CreateLinkedTokenSource(stop, lead))
                using (var command = CancellationTokenSource.CreateLinkedTokenSource(lead))
                {
                    await using var grace = stop.Register(() => command.CancelAfter(StopGrace));
                    try
                    {
                        await LeadAsync(job, leading.Token, command.Token);
                    }
                    catch (OperationCanceledException) when (leading.IsCancellationRequested)
                    {
                        // Stopping, or another process leads now.
                    }
                }
                health.Update(job, status => status with { IsLeader = false });
                stop.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The end.
        }
    }

    /// <param name="cancel">Ends the waiting: the next command is not started.</param>
    /// <param name="command">Ends the command that runs.</param>
    private async Task LeadAsync(RecurringJob job, CancellationToken cancel, CancellationToken command)
    {
        var desk = controls.Of(job);
        var trigger = RunTrigger.Period;
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            var started = Stopwatch.GetTimestamp();
            // Both before looking: what comes during the run makes the wait return at once.
            using var ticket = job.Topic is { } topic ? signals.Listen(topic) : null;
            var news = desk.News;
            RunResult? result = null;
            if (desk.TryTake(out var asked))
            {
                result = await RunAskedAsync(job, asked, command);
                // What came in meanwhile is for the run by itself that follows, unless it is paused.
                if (!desk.IsPaused)
                    continue;
            }
            else if (!desk.IsPaused)
                result = await executor.RunAsync(job, trigger, askedAs: null, command);

            trigger = RunTrigger.Period;
            if (result is { MoreToDo: true } && !desk.IsPaused)
                continue;
            using (var wait = CancellationTokenSource.CreateLinkedTokenSource(cancel, news))
            {
                try
                {
                    if (desk.IsPaused)
                        await Task.Delay(Timeout.InfiniteTimeSpan, wait.Token);
                    else if (result is { FailuresInARow: > 0 and var failures })
                        await Task.Delay(JobExecutor.Pause(failures), time, wait.Token);
                    else if (ticket is null)
                        await Task.Delay(job.Period, time, wait.Token);
                    else if (await ticket.WaitAsync(job.Period, wait.Token))
                        trigger = RunTrigger.Signal;
                }
                catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
                {
                    // Something new on the desk.
                }
            }

            // Real time on purpose: this protects the processor.
            if (Spacing - Stopwatch.GetElapsedTime(started) is var rest && rest > TimeSpan.Zero)
                // Delays are cut to whole milliseconds, which would let a fifth more through.
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(rest.TotalMilliseconds)), cancel);
        }
    }

    private async Task<RunResult?> RunAskedAsync(RecurringJob job, Guid id, CancellationToken cancel)
    {
        try
        {
            if (!await controls.ClaimAsync(id, server, time.GetUtcNow(), again: false, cancel))
                return null;
        }
        catch (Exception failure) when (!cancel.IsCancellationRequested)
        {
            // The row still waits and is handed over again; whatever it was, the loop goes on.
            executor.ReportUnclaimed(failure, job);
            return null;
        }
        return await executor.RunAsync(job, RunTrigger.Manual, id, cancel);
    }
}
