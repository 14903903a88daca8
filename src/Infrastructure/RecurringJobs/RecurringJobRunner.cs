using System.Collections.Concurrent;
using System.Diagnostics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Migrations;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <param name="IsLeader">Whether this process runs it; exactly one process does.</param>
/// <param name="LastError">Of the last run here; null when it succeeded.</param>
/// <param name="FailuresInARow">Runs here that failed since the last success.</param>
public sealed record RecurringJobStatus(
    string Name, string Why, bool IsLeader, DateTimeOffset? LastStarted, DateTimeOffset? LastFinished, string? LastError, int FailuresInARow, long Runs);

/// <summary>How the recurring jobs of this process fare, for /health.</summary>
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

    internal void Update(RecurringJob job, Func<RecurringJobStatus, RecurringJobStatus> change) => _jobs[job.Name] = change(_jobs[job.Name]);
}

/// <summary>
/// Runs the rows of the table, each in its own loop and only on the process that leads it: woken by its signal and by its period, in a fresh
/// scope as the system caller. A failure is logged, recorded and tried again after a growing pause; it never ends the loop.
/// </summary>
internal sealed partial class RecurringJobRunner(
    IServiceScopeFactory scopes,
    IReadOnlyList<RecurringJob> jobs,
    JobLeadership leadership,
    MigrationState migrations,
    ISignals signals,
    NpgsqlDataSource database,
    RecurringJobsHealth health,
    RecurringJobMeter meter,
    TimeProvider time,
    ILogger<RecurringJobRunner> log) : BackgroundService
{
    /// <summary>A storm of signals starts at most 200 runs per second; what comes in between is seen by the next run.</summary>
    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(5);

    private static readonly TimeSpan RecordPeriod = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    /// <summary>How long a command that runs when the process stops may go on; then it is cancelled and its transaction rolled back.</summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(4);

    private int _outageReported;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
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
        await Task.WhenAll(jobs.Select(job => LoopAsync(job, stoppingToken)));
        await ended.CancelAsync();
        await leading;
    }

    private async Task LoopAsync(RecurringJob job, CancellationToken stop)
    {
        var record = new Record(job);
        try
        {
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
                        await LeadAsync(job, record, leading.Token, command.Token);
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
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            await WriteAsync(record, patience.Token);
        }
    }

    /// <param name="cancel">Ends the waiting: the next command is not started.</param>
    /// <param name="command">Ends the command that runs.</param>
    private async Task LeadAsync(RecurringJob job, Record record, CancellationToken cancel, CancellationToken command)
    {
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            var started = Stopwatch.GetTimestamp();
            // Before looking: a signal during the run makes the wait return at once.
            using var ticket = job.Topic is { } topic ? signals.Listen(topic) : null;
            if (await RunOnceAsync(job, record, command) is not { } moreToDo)
                await Task.Delay(Pause(record.FailuresInARow), time, cancel);
            else if (moreToDo)
                continue;
            else if (ticket is not null)
                await ticket.WaitAsync(job.Period, cancel);
            else
                await Task.Delay(job.Period, time, cancel);

            // Real time on purpose: this protects the processor.
            if (Spacing - Stopwatch.GetElapsedTime(started) is var rest && rest > TimeSpan.Zero)
                // Delays are cut to whole milliseconds, which would let a fifth more through.
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(rest.TotalMilliseconds)), cancel);
        }
    }

    /// <summary>0.1 s, 0.2 s, 0.4 s, … at most 10 s.</summary>
    private static TimeSpan Pause(int failuresInARow) =>
        TimeSpan.FromMilliseconds(Math.Min(LongestPause.TotalMilliseconds, 100 * Math.Pow(2, Math.Min(failuresInARow - 1, 10))));

    /// <summary>Whether there is more to do; null when the run failed.</summary>
    private async Task<bool?> RunOnceAsync(RecurringJob job, Record record, CancellationToken cancel)
    {
        record.LastStarted = time.GetUtcNow();
        health.Update(job, status => status with { LastStarted = record.LastStarted });
        try
        {
            bool moreToDo;
            await using (var scope = scopes.CreateAsyncScope())
            {
                scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
                moreToDo = await meter.MeasureAsync(job.Name, () => job.RunAsync(scope.ServiceProvider.GetRequiredService<IDispatcher>(), cancel), cancel);
            }
            if (Interlocked.Exchange(ref _outageReported, 0) == 1)
                OutageOver(log);
            record.Succeeded(time.GetUtcNow());
            health.Update(job, status => status with { LastFinished = record.LastFinished, LastError = null, FailuresInARow = 0, Runs = status.Runs + 1 });
            if (record.IsDue(time, RecordPeriod))
                await WriteAsync(record, cancel);
            return moreToDo;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception failure)
        {
            record.Failed(time.GetUtcNow(), failure.Message);
            health.Update(job, status => status with
            {
                LastFinished = record.LastFinished, LastError = failure.Message, FailuresInARow = record.FailuresInARow, Runs = status.Runs + 1,
            });
            if (failure is FogException { Error: var error } && (error == DatabaseFailures.DatabaseDown || error == DatabaseFailures.OutcomeUnknown) || DatabaseFailures.IsOutage(failure))
            {
                if (Interlocked.Exchange(ref _outageReported, 1) == 0)
                    Outage(log, failure);
            }
            else
            {
                JobFailed(log, failure, job.Name, record.FailuresInARow);
                await WriteAsync(record, cancel);
            }
            return null;
        }
    }

    private async Task WriteAsync(Record record, CancellationToken cancel)
    {
        if (record.UnwrittenRuns == 0)
            return;
        try
        {
            await using var command = database.CreateCommand(
                """
                INSERT INTO platform.recurring_jobs AS j (name, last_started_at, last_finished_at, last_error, runs, failures) VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (name) DO UPDATE SET last_started_at = excluded.last_started_at, last_finished_at = excluded.last_finished_at,
                    last_error = excluded.last_error, runs = j.runs + excluded.runs, failures = j.failures + excluded.failures
                """);
            command.Parameters.Add(new() { Value = record.Job.Name });
            command.Parameters.Add(Sql.Typed(record.LastStarted, NpgsqlTypes.NpgsqlDbType.TimestampTz));
            command.Parameters.Add(Sql.Typed(record.LastFinished, NpgsqlTypes.NpgsqlDbType.TimestampTz));
            command.Parameters.Add(Sql.Typed(record.LastError, NpgsqlTypes.NpgsqlDbType.Text));
            command.Parameters.Add(new() { Value = record.UnwrittenRuns });
            command.Parameters.Add(new() { Value = record.UnwrittenFailures });
            await command.ExecuteNonQueryAsync(cancel);
            record.Written(time);
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            // The counts stay with the record and go out with the next write.
            if (!DatabaseFailures.IsOutage(failure))
                NotRecorded(log, failure, record.Job.Name);
        }
        catch (OperationCanceledException)
        {
            cancel.ThrowIfCancellationRequested();
        }
    }

    /// <summary>What is not yet in platform.recurring_jobs; used by one loop only.</summary>
    private sealed class Record(RecurringJob job)
    {
        private long? _writtenAt;

        public RecurringJob Job => job;
        public DateTimeOffset? LastStarted { get; set; }
        public DateTimeOffset? LastFinished { get; private set; }
        public string? LastError { get; private set; }
        public int FailuresInARow { get; private set; }
        public long UnwrittenRuns { get; private set; }
        public long UnwrittenFailures { get; private set; }

        public void Succeeded(DateTimeOffset now)
        {
            if (LastError is not null)
                _writtenAt = null; // The recovery is news.
            (LastFinished, LastError, FailuresInARow) = (now, null, 0);
            UnwrittenRuns++;
        }

        public void Failed(DateTimeOffset now, string error)
        {
            (LastFinished, LastError) = (now, error);
            FailuresInARow++;
            UnwrittenRuns++;
            UnwrittenFailures++;
        }

        public bool IsDue(TimeProvider time, TimeSpan period) => _writtenAt is not { } at || time.GetElapsedTime(at) >= period;

        public void Written(TimeProvider time)
        {
            _writtenAt = time.GetTimestamp();
            UnwrittenRuns = 0;
            UnwrittenFailures = 0;
        }
    }

    [LoggerMessage(42, LogLevel.Error, "recurring_job_failed {job} {failures_in_a_row}")]
    private static partial void JobFailed(ILogger logger, Exception failure, string job, int failures_in_a_row);

    [LoggerMessage(43, LogLevel.Warning, "recurring_jobs_outage The database is away; recurring jobs try again until it is back")]
    private static partial void Outage(ILogger logger, Exception failure);

    [LoggerMessage(44, LogLevel.Information, "recurring_jobs_outage_over")]
    private static partial void OutageOver(ILogger logger);

    [LoggerMessage(45, LogLevel.Warning, "recurring_job_not_recorded {job}")]
    private static partial void NotRecorded(ILogger logger, Exception failure, string job);
}
