using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Quartz;
using Quartz.Extensibility;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <summary>
/// The schedules of the table on Quartz: persistent and clustered over our own database (schema <c>quartz</c>), so that a due run happens once, on whichever process
/// is free, and is taken over when that one dies. The interval counts from the end of a run; what was missed runs once, at once. Quartz is the clock only:
/// pauses, manual runs and the history are the platform's (<see cref="JobControls"/>, <see cref="RunHistory"/>).
/// </summary>
internal sealed partial class QuartzSchedules(
    IReadOnlyList<RecurringJob> jobs, DatabaseHost host, ServerIdentity server, JobControls controls, JobExecutor executor, TimeProvider time, ILoggerFactory logs, ILogger<QuartzSchedules> log) : IDisposable
{
    internal const string TablePrefix = "quartz.qrtz_";

    /// <summary>Group of the jobs and of their triggers; name = name of the row.</summary>
    internal const string Group = "schedules";

    private const string Manual = "manual";
    private const string SchedulerName = "FogCompute";
    private const int MostAtOnce = 4;

    /// <summary>Tries of one firing before the next period has its turn.</summary>
    private const int MostTries = 4;

    /// <summary>Runs get this long to end by themselves when the process stops, then their token is cancelled; the host gives 10 s in all.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, RecurringJob> _rows = jobs.Where(job => job.Kind == RecurringKind.Schedule).ToDictionary(job => job.Name, StringComparer.Ordinal);
    private readonly TaskCompletionSource<IScheduler> _scheduler = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _patienceEnds = new();

    public async Task RunAsync(CancellationToken stop)
    {
        if (_rows.Count == 0)
            return;
        // A pool of its own: busy requests do not hold up the clock, and its handful of connections say in pg_stat_activity whose they are.
        const string name = "fogcompute schedules";
        var parts = new NpgsqlConnectionStringBuilder(host.ConnectionString) { MaxPoolSize = MostAtOnce + 2, ApplicationName = name };
        await using var connections = new NpgsqlDataSourceBuilder(parts.ConnectionString) { Name = name }.Build();
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var factory = Build(connections);
                var scheduler = await factory.GetScheduler(stop);
                try
                {
                    await WriteAsync(scheduler, connections, stop);
                    await scheduler.Start(stop);
                    _scheduler.TrySetResult(scheduler);
                    Started(log, _rows.Count);
                    await Task.Delay(Timeout.InfiniteTimeSpan, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
                finally
                {
                    _patienceEnds.CancelAfter(Grace);
                    await scheduler.Shutdown(waitForJobsToComplete: true, CancellationToken.None);
                }
                return;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure) when (!stop.IsCancellationRequested)
            {
                // The database went away between its migrations and here.
                if (JobExecutor.IsOutage(failure))
                    executor.ReportOutage(failure);
                else
                    NotStarted(log, failure);
                await Task.Delay(TimeSpan.FromSeconds(1), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Lets the row run now, here or on another process; once for each id, however often it is asked. False: Quartz is not started yet.</summary>
    public async Task<bool> StartNowAsync(RecurringJob job, Guid run)
    {
        if (!_scheduler.Task.IsCompletedSuccessfully)
            return false;
        var trigger = TriggerBuilder.Create(time).WithIdentity(run.ToString("N"), Manual).ForJob(job.Name, Group).UsingJobData(Manual, run.ToString("N")).StartNow().Build();
        try
        {
            await (await _scheduler.Task).ScheduleJob(trigger);
        }
        catch (ObjectAlreadyExistsException)
        {
            // Another process was faster.
        }
        return true;
    }

    private StandaloneSchedulerFactory Build(NpgsqlDataSource connections) => QuartzSchedulerBuilder.Create(quartz =>
    {
        quartz.Services.AddSingleton<ILoggerFactory>(new QuartzLogs(logs, executor));
        quartz.UseTimeProvider(time);
        quartz.UseJobFactory(new RowFactory(this));
        quartz.UseDefaultThreadPool(MostAtOnce);
        quartz.ConfigureScheduler(scheduler =>
        {
            scheduler.InstanceId = server.Id.ToString("N");
            scheduler.InstanceName = SchedulerName;
            // Also how soon the schedules of a process that went are looked for.
            scheduler.IdleWaitTime = TimeSpan.FromSeconds(5);
            scheduler.PropagateTraceContext = false;
            scheduler.ShutdownJobInterruption = ShutdownJobInterruption.Never; // By our own token, after the grace.
        });
        quartz.UsePersistentStore(store =>
        {
            store.UsePostgres(source => source.DataSourceFactory = _ => connections);
            store.UseSystemTextJsonSerializer();
            store.UseClustering(cluster =>
            {
                cluster.CheckinInterval = TimeSpan.FromSeconds(2);
                cluster.CheckinMisfireThreshold = TimeSpan.FromSeconds(4);
            });
            store.ConfigureStore(options =>
            {
                options.TablePrefix = TablePrefix;
                options.SchemaProvisioning = SchemaProvisioning.None; // A migration made it, and a test compares it.
                options.StoreJobDataAsStrings = true;
                options.DbRetryInterval = TimeSpan.FromSeconds(1);
                options.MisfireThreshold = TimeSpan.FromSeconds(5);
                options.MaxConsecutiveFireFailures = 0; // A trigger is never given up.
            });
        });
    }).Build();

    /// <summary>Makes the stored schedules those of the table. What is the same stays, with its next time.</summary>
    private async Task WriteAsync(IScheduler scheduler, NpgsqlDataSource connections, CancellationToken cancel)
    {
        var stored = (await scheduler.GetTriggers([.. _rows.Keys.Select(name => new TriggerKey(name, Group))], cancel)).ToDictionary(trigger => trigger.Key.Name, StringComparer.Ordinal);
        // What Quartz gave up on (a build that did not know the job's type) begins anew.
        foreach (var name in stored.Keys.ToList())
        {
            if (await scheduler.GetTriggerState(new TriggerKey(name, Group), cancel) == TriggerState.Error)
                stored.Remove(name);
        }
        var changed = _rows.Values.Where(row => stored.GetValueOrDefault(row.Name) is not ISimpleTrigger { MeasureIntervalFromCompletion: true } same || same.RepeatInterval != row.Period).ToDictionary(
            row => JobBuilder.Create<Row>().WithIdentity(row.Name, Group).WithDescription(row.Why).StoreDurably().RequestRecovery().DisallowConcurrentExecution().Build(),
            row => (IReadOnlyCollection<ITrigger>)
            [
                TriggerBuilder.Create(time).WithIdentity(row.Name, Group).ForJob(row.Name, Group).StartNow()
                    .WithSchedule(SimpleScheduleBuilder.Create().WithInterval(row.Period).RepeatForever().MeasureIntervalFromCompletion().WithMisfireInstruction(SimpleTriggerMisfireInstruction.FireNow)).Build(),
            ]);
        if (changed.Count > 0)
            await scheduler.ScheduleJobs(changed, new ScheduleJobOptions { Replace = true }, cancel);

        await using var others = connections.CreateCommand($"SELECT job_name FROM {TablePrefix}job_details WHERE job_group = $1 AND NOT job_name = ANY ($2)");
        others.Parameters.Add(new() { Value = Group });
        others.Parameters.Add(new() { Value = _rows.Keys.ToArray() });
        var gone = new List<JobKey>();
        await using (var reader = await others.ExecuteReaderAsync(cancel))
        {
            while (await reader.ReadAsync(cancel))
                gone.Add(new JobKey(reader.GetString(0), Group));
        }
        if (gone.Count > 0)
            await scheduler.DeleteJobs(gone, cancel);
    }

    public void Dispose() => _patienceEnds.Dispose();

    private async Task FireAsync(IJobExecutionContext firing, CancellationToken cancel)
    {
        // A row that only a newer or older build has: its own processes run it.
        if (!_rows.TryGetValue(firing.JobDetail.Key.Name, out var row))
            return;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel, _patienceEnds.Token);
        try
        {
            var asked = firing.MergedJobDataMap.TryGetValue(Manual, out var text) && Guid.TryParse(text as string, out var id) ? id : (Guid?)null;
            if (asked is { } run ? !await controls.ClaimAsync(run, server, time.GetUtcNow(), firing.Recovering, patience.Token) : await controls.IsPausedAsync(row, patience.Token))
                return;
            await RunAsync(row, asked, patience.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            // Stopping; the next period runs it elsewhere.
        }
        catch (Exception failure)
        {
            // Neither run nor lost: the next period comes, and what was asked for is handed over again.
            executor.ReportUnclaimed(failure, row);
        }
    }

    private async Task RunAsync(RecurringJob row, Guid? asked, CancellationToken cancel)
    {
        for (var tries = 1; ; tries++)
        {
            var result = await executor.RunAsync(row, asked is null ? RunTrigger.Period : RunTrigger.Manual, asked, cancel);
            if (result is { MoreToDo: false, FailuresInARow: 0 } || tries >= MostTries && result.FailuresInARow > 0 || asked is not null || _patienceEnds.IsCancellationRequested)
                return;
            if (result.FailuresInARow > 0)
                await Task.Delay(JobExecutor.Pause(result.FailuresInARow), time, cancel);
        }
    }

    /// <summary>What the store names as the type of every job; made by the factory, never by the store.</summary>
    internal sealed class Row(QuartzSchedules? schedules) : IJob
    {
        public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken = default)
        {
            if (schedules is not null)
                await schedules.FireAsync(context, cancellationToken);
        }
    }

    private sealed class RowFactory(QuartzSchedules schedules) : IJobFactory
    {
        public ValueTask<JobScope> CreateJob(TriggerFiredBundle bundle, IScheduler scheduler, CancellationToken cancellationToken = default) => new(new JobScope(new Row(schedules), null));

        public ValueTask ReturnJob(JobScope scope, CancellationToken cancellationToken = default) => default;
    }

    [LoggerMessage(47, LogLevel.Debug, "recurring_schedules_started {count}")]
    private static partial void Started(ILogger logger, int count);

    [LoggerMessage(48, LogLevel.Warning, "recurring_schedules_not_started Trying again in a second")]
    private static partial void NotStarted(ILogger logger, Exception failure);
}

/// <summary>Quartz' log lines from warnings up; what an outage of the database makes it say is said once, by the executor.</summary>
internal sealed class QuartzLogs(ILoggerFactory inner, JobExecutor executor) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => new Quiet(inner.CreateLogger(categoryName), executor);

    public void AddProvider(ILoggerProvider provider)
    {
        // The application's providers are there already.
    }

    public void Dispose()
    {
        // The inner one is the application's.
    }

    private sealed class Quiet(ILogger inner, JobExecutor executor) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning && inner.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            if (exception is not null && JobExecutor.IsOutage(exception))
                executor.ReportOutage(exception);
            else
                inner.Log(logLevel, eventId, state, exception, formatter);
        }
    }
}
