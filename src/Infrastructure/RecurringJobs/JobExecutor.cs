using System.Diagnostics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <summary>How a run went.</summary>
/// <param name="MoreToDo">It stopped before the end of its work.</param>
/// <param name="FailuresInARow">0: it succeeded.</param>
internal readonly record struct RunResult(bool MoreToDo, int FailuresInARow);

/// <summary>Runs one recurring command in a fresh scope as the system caller, measures it and tells the history; a failure is logged and never thrown.</summary>
internal sealed partial class JobExecutor(IServiceScopeFactory scopes, RunHistory history, RecurringJobMeter meter, TimeProvider time, ILogger<JobExecutor> log)
{
    private int _outageReported;

    public async Task<RunResult> RunAsync(RecurringJob job, RunTrigger trigger, Guid? askedAs, CancellationToken cancel)
    {
        var started = time.GetUtcNow();
        // Real time on purpose: durations are of the machine, not of a test's calendar.
        var clock = Stopwatch.GetTimestamp();
        history.Began(job, started);
        EndedRun Ended(RunOutcome outcome, Exception? failure = null) => new(trigger, askedAs, started, Stopwatch.GetElapsedTime(clock), outcome, failure);
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
            history.Ended(job, Ended(RunOutcome.Succeeded));
            return new RunResult(moreToDo, 0);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            history.Ended(job, Ended(RunOutcome.Interrupted));
            throw;
        }
        catch (Exception failure)
        {
            var failures = history.Ended(job, Ended(RunOutcome.Failed, failure));
            if (IsOutage(failure))
                ReportOutage(failure);
            else
                JobFailed(log, failure, job.Name, failures);
            return new RunResult(false, failures);
        }
    }

    /// <summary>Says once that the database is away, until a run succeeds again.</summary>
    public void ReportOutage(Exception failure)
    {
        if (Interlocked.Exchange(ref _outageReported, 1) == 0)
            Outage(log, failure);
    }

    /// <summary>Says that a run could not be begun, because the database did not tell whether it may.</summary>
    public void ReportUnclaimed(Exception failure, RecurringJob job)
    {
        if (IsOutage(failure))
            ReportOutage(failure);
        else
            NotClaimed(log, failure, job.Name);
    }

    public static bool IsOutage(Exception failure) =>
        failure is FogException { Error: var error } && (error == DatabaseFailures.DatabaseDown || error == DatabaseFailures.OutcomeUnknown) || DatabaseFailures.IsOutage(failure);

    /// <summary>0.1 s, 0.2 s, 0.4 s, … at most 10 s.</summary>
    public static TimeSpan Pause(int failuresInARow) =>
        TimeSpan.FromMilliseconds(Math.Min(10_000, 100 * Math.Pow(2, Math.Min(failuresInARow - 1, 10))));

    [LoggerMessage(42, LogLevel.Error, "recurring_job_failed {job} {failures_in_a_row}")]
    private static partial void JobFailed(ILogger logger, Exception failure, string job, int failures_in_a_row);

    [LoggerMessage(43, LogLevel.Warning, "recurring_jobs_outage The database is away; recurring jobs try again until it is back")]
    private static partial void Outage(ILogger logger, Exception failure);

    [LoggerMessage(49, LogLevel.Error, "recurring_run_not_taken {job} It runs at its next time; if it was asked for, it is tried again within seconds")]
    private static partial void NotClaimed(ILogger logger, Exception failure, string job);

    [LoggerMessage(44, LogLevel.Information, "recurring_jobs_outage_over")]
    private static partial void OutageOver(ILogger logger);
}
