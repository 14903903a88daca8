using System.Threading.Channels;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.RecurringJobs;

/// <summary>This control-plane process, as the operations page names it.</summary>
public sealed class ServerIdentity(TimeProvider time)
{
    public Guid Id { get; } = Guid.CreateVersion7(time.GetUtcNow());
    public string Host { get; } = Environment.MachineName;
    public int Pid { get; } = Environment.ProcessId;
    public string Version { get; } = typeof(ServerIdentity).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();
}

internal enum RunTrigger { Period, Signal, Manual }

internal enum RunOutcome { Succeeded, Failed, Interrupted }

/// <summary>One run that has ended.</summary>
/// <param name="AskedAs">Row of platform.recurring_runs that asked for it; null: nobody did.</param>
internal sealed record EndedRun(RunTrigger Trigger, Guid? AskedAs, DateTimeOffset Started, TimeSpan Duration, RunOutcome Outcome, Exception? Failure);

/// <summary>
/// What the recurring jobs of this process did, kept in memory and written together: at once when something happened that people look for (a failure, a
/// manual run, the end of a schedule), else every two seconds together with the sign of life of this server. A pump runs up to 200 times a second: its
/// runs of one minute with the same outcome are one row, which shows the slowest of them. An outage of the database delays the writing and loses
/// the oldest rows beyond <see cref="MostWaiting"/>.
/// </summary>
internal sealed partial class RunHistory(
    ServerIdentity server, IReadOnlyList<RecurringJob> jobs, JobLeadership leadership, RecurringJobsHealth health, NpgsqlDataSource database, TimeProvider time, ILogger<RunHistory> log)
{
    private const int MostWaiting = 2_000;
    private const int MessageLength = 2_000;
    private const int TraceLength = 16_000;
    private static readonly TimeSpan WritePeriod = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan BucketAge = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, Tally> _tallies = jobs.ToDictionary(job => job.Name, job => new Tally(job), StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly Channel<bool> _news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private Queue<Row> _waiting = new();

    public void Began(RecurringJob job, DateTimeOffset at)
    {
        lock (_gate)
        {
            var tally = _tallies[job.Name];
            tally.Running++;
            tally.LastStarted = at;
        }
        health.Update(job, status => status with { LastStarted = at });
    }

    /// <summary>Returns how often the job has now failed in a row here.</summary>
    public int Ended(RecurringJob job, EndedRun run)
    {
        bool news;
        int failures;
        lock (_gate)
            (news, failures) = Count(_tallies[job.Name], run);
        if (run.Outcome != RunOutcome.Interrupted)
        {
            health.Update(job, status => status with
            {
                LastFinished = run.Started + run.Duration, LastError = run.Failure?.Message, FailuresInARow = failures, Runs = status.Runs + 1,
            });
        }
        if (news)
            _news.Writer.TryWrite(true);
        return failures;
    }

    private (bool News, int Failures) Count(Tally tally, EndedRun run)
    {
        tally.Running--;
        var job = tally.Job;
        var news = run.Outcome == RunOutcome.Failed || run.AskedAs is not null || job.Kind == RecurringKind.Schedule;
        if (run.Outcome != RunOutcome.Interrupted)
        {
            // The first success ever, and the recovery, are news too.
            news |= tally.LastFinished is null || (run.Outcome == RunOutcome.Succeeded && tally.LastError is not null);
            (tally.LastFinished, tally.LastDuration, tally.LastError) = (run.Started + run.Duration, run.Duration, run.Failure is null ? null : Cut(run.Failure.Message, MessageLength));
            tally.FailuresInARow = run.Outcome == RunOutcome.Failed ? tally.FailuresInARow + 1 : 0;
            tally.UnwrittenRuns++;
            tally.UnwrittenFailures += run.Outcome == RunOutcome.Failed ? 1 : 0;
            tally.Durations[tally.Measured++ % tally.Durations.Length] = run.Duration.TotalMilliseconds;
        }
        if (run.AskedAs is not null || job.Kind == RecurringKind.Schedule)
            Wait(RowOf(job, run, run.AskedAs ?? Guid.CreateVersion7(run.Started)));
        else if (run.Outcome != RunOutcome.Interrupted)
            news = Fold(tally, run) || news;
        return (news, tally.FailuresInARow);
    }

    /// <summary>Adds a pump's run to the row of its minute; true when that row begins and tells of a failure.</summary>
    private bool Fold(Tally tally, EndedRun run)
    {
        var error = run.Failure is null ? null : Cut(run.Failure.Message, MessageLength);
        if (tally.Bucket is { } bucket && bucket.Outcome == run.Outcome && bucket.ErrorMessage == error && run.Started - tally.BucketSince < BucketAge)
        {
            var slower = run.Duration > bucket.Duration;
            tally.Bucket = bucket with
            {
                Runs = bucket.Runs + 1, Trigger = slower ? run.Trigger : bucket.Trigger, Started = slower ? run.Started : bucket.Started, Duration = slower ? run.Duration : bucket.Duration,
            };
            tally.BucketIsWritten = false;
            return false;
        }
        Close(tally);
        (tally.Bucket, tally.BucketSince, tally.BucketIsWritten) = (RowOf(tally.Job, run, Guid.CreateVersion7(run.Started)), run.Started, false);
        return run.Failure is not null;
    }

    private void Close(Tally tally)
    {
        if (tally.Bucket is { } bucket && !tally.BucketIsWritten)
            Wait(bucket);
        tally.Bucket = null;
    }

    private void Wait(Row row)
    {
        _waiting.Enqueue(row);
        if (_waiting.Count > MostWaiting)
            _waiting.Dequeue();
    }

    private static Row RowOf(RecurringJob job, EndedRun run, Guid id) => new(
        id, job.Name, run.Trigger, run.Outcome, run.Started, run.Duration, 1, run.Failure?.GetType().FullName,
        run.Failure is null ? null : Cut(run.Failure.Message, MessageLength), run.Failure is null ? null : Cut(run.Failure.ToString(), TraceLength));

    /// <summary>PostgreSQL's text takes no NUL.</summary>
    private static string Cut(string text, int length) => (text.Length > length ? text[..length] : text).Replace('\0', '␀');

    /// <summary>Writes until stopped, and once more then; ends with this server's row removed.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await TryWriteAsync(closing: false, stop);
            using var wait = CancellationTokenSource.CreateLinkedTokenSource(stop);
            wait.CancelAfter(WritePeriod);
            await _news.Reader.ReadAsync(wait.Token).AsTask().ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    /// <summary>The last words: everything that is not written yet, and that this server is gone.</summary>
    public async Task CloseAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await TryWriteAsync(closing: true, patience.Token);
    }

    private async Task TryWriteAsync(bool closing, CancellationToken cancel)
    {
        List<Tally> counted;
        List<(Tally Of, long Runs, long Failures)> written;
        Queue<Row> rows;
        string[] running;
        lock (_gate)
        {
            foreach (var tally in _tallies.Values.Where(tally => tally.Bucket is not null))
            {
                if (closing || time.GetUtcNow() - tally.BucketSince >= BucketAge)
                    Close(tally);
                else if (tally is { BucketIsWritten: false, Bucket: { Outcome: RunOutcome.Failed } bucket })
                {
                    // A failure shows at once; what follows in its minute is added to the row.
                    Wait(bucket);
                    tally.BucketIsWritten = true;
                }
            }
            counted = [.. _tallies.Values.Where(tally => tally.UnwrittenRuns > 0)];
            written = counted.ConvertAll(tally => (tally, tally.UnwrittenRuns, tally.UnwrittenFailures));
            running = [.. _tallies.Values.Where(tally => tally.Running > 0).Select(tally => tally.Job.Name)];
            (rows, _waiting) = (_waiting, new Queue<Row>());
        }
        try
        {
            await WriteAsync(counted, rows, running, closing, cancel);
            lock (_gate)
            {
                foreach (var (tally, runs, failures) in written)
                {
                    tally.UnwrittenRuns -= runs;
                    tally.UnwrittenFailures -= failures;
                }
            }
        }
        catch (Exception failure)
        {
            lock (_gate)
            {
                foreach (var row in _waiting)
                    rows.Enqueue(row);
                _waiting = rows;
                while (_waiting.Count > MostWaiting)
                    _waiting.Dequeue();
            }
            if (failure is not OperationCanceledException && !DatabaseFailures.IsOutage(failure))
                NotRecorded(log, failure);
        }
    }

    private async Task WriteAsync(List<Tally> counted, Queue<Row> rows, string[] running, bool closing, CancellationToken cancel)
    {
        await using var connection = await database.OpenConnectionAsync(cancel);
        await using var batch = new NpgsqlBatch(connection);
        if (closing)
            Add(batch, "DELETE FROM platform.servers WHERE id = $1", server.Id);
        else
        {
            Add(batch,
                """
                INSERT INTO platform.servers (id, host, pid, version, started_at, last_seen_at, leads, running) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT (id) DO UPDATE SET last_seen_at = excluded.last_seen_at, leads = excluded.leads, running = excluded.running
                """,
                server.Id, server.Host, server.Pid, server.Version, server.StartedAt, time.GetUtcNow(), jobs.Where(leadership.Leads).Select(job => job.Name).ToArray(), running);
        }
        if (counted.Count > 0)
        {
            var middles = counted.ConvertAll(tally => tally.Quantiles());
            Add(batch,
                """
                INSERT INTO platform.recurring_jobs AS j (name, last_started_at, last_finished_at, last_error, runs, failures, last_server, last_duration_ms, p50_ms, p95_ms)
                SELECT n.name, n.started, n.finished, n.error, n.runs, n.failures, $7, n.duration, n.p50, n.p95
                FROM unnest($1, $2, $3, $4, $5, $6, $8, $9, $10) AS n(name, started, finished, error, runs, failures, duration, p50, p95)
                ON CONFLICT (name) DO UPDATE SET last_started_at = excluded.last_started_at, last_finished_at = excluded.last_finished_at,
                    last_error = excluded.last_error, runs = j.runs + excluded.runs, failures = j.failures + excluded.failures,
                    last_server = excluded.last_server, last_duration_ms = excluded.last_duration_ms, p50_ms = excluded.p50_ms, p95_ms = excluded.p95_ms
                """,
                counted.ConvertAll(t => t.Job.Name).ToArray(), Array(counted.ConvertAll(t => t.LastStarted), NpgsqlDbType.TimestampTz), Array(counted.ConvertAll(t => t.LastFinished), NpgsqlDbType.TimestampTz),
                Array(counted.ConvertAll(t => t.LastError), NpgsqlDbType.Text), counted.ConvertAll(t => t.UnwrittenRuns).ToArray(), counted.ConvertAll(t => t.UnwrittenFailures).ToArray(),
                server.Id, counted.ConvertAll(t => t.LastDuration.TotalMilliseconds).ToArray(), middles.ConvertAll(m => m.P50).ToArray(), middles.ConvertAll(m => m.P95).ToArray());
        }
        // A row may be here twice: as it began, and as its minute ended. The later one counts.
        var latest = rows.GroupBy(row => row.Id).Select(same => same.Last()).ToList();
        if (latest.Count > 0)
        {
            Add(batch,
                """
                INSERT INTO platform.recurring_runs AS r (id, job, trigger, outcome, server, host, started_at, duration_ms, runs, error_type, error_message, error_trace)
                SELECT n.id, n.job, n.trigger, n.outcome, $2, $3, n.started, n.duration, n.runs, n.type, n.message, n.trace
                FROM unnest($1, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS n(id, job, trigger, outcome, started, duration, runs, type, message, trace)
                ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, trigger = excluded.trigger, server = excluded.server, host = excluded.host, started_at = excluded.started_at,
                    duration_ms = excluded.duration_ms, runs = excluded.runs, error_type = excluded.error_type, error_message = excluded.error_message, error_trace = excluded.error_trace
                """,
                latest.ConvertAll(r => r.Id).ToArray(), server.Id, $"{server.Host}:{server.Pid}", latest.ConvertAll(r => r.Job).ToArray(), latest.ConvertAll(r => Word(r.Trigger)).ToArray(),
                latest.ConvertAll(r => Word(r.Outcome)).ToArray(), latest.ConvertAll(r => r.Started).ToArray(), latest.ConvertAll(r => r.Duration.TotalMilliseconds).ToArray(),
                latest.ConvertAll(r => r.Runs).ToArray(), Array(latest.ConvertAll(r => r.ErrorType), NpgsqlDbType.Text), Array(latest.ConvertAll(r => r.ErrorMessage), NpgsqlDbType.Text),
                Array(latest.ConvertAll(r => r.ErrorTrace), NpgsqlDbType.Text));
        }
        await batch.ExecuteNonQueryAsync(cancel);
    }

    private static void Add(NpgsqlBatch batch, string sql, params object[] values)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(value as NpgsqlParameter ?? new NpgsqlParameter { Value = value });
        batch.BatchCommands.Add(command);
    }

    private static NpgsqlParameter Array<T>(List<T> values, NpgsqlDbType type) => new() { Value = values.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | type };

    internal static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    private sealed record Row(
        Guid Id, string Job, RunTrigger Trigger, RunOutcome Outcome, DateTimeOffset Started, TimeSpan Duration, int Runs, string? ErrorType, string? ErrorMessage, string? ErrorTrace);

    /// <summary>Of one job, under the gate.</summary>
    private sealed class Tally(RecurringJob job)
    {
        public RecurringJob Job => job;
        public int Running { get; set; }
        public DateTimeOffset? LastStarted { get; set; }
        public DateTimeOffset? LastFinished { get; set; }
        public TimeSpan LastDuration { get; set; }
        public string? LastError { get; set; }
        public int FailuresInARow { get; set; }
        public long UnwrittenRuns { get; set; }
        public long UnwrittenFailures { get; set; }
        public Row? Bucket { get; set; }
        public DateTimeOffset BucketSince { get; set; }
        public bool BucketIsWritten { get; set; }

        /// <summary>A ring.</summary>
        public double[] Durations { get; } = new double[256];

        public long Measured { get; set; }

        public (double P50, double P95) Quantiles()
        {
            var sorted = Durations[..(int)Math.Min(Measured, Durations.Length)];
            System.Array.Sort(sorted);
            return (sorted[(sorted.Length - 1) / 2], sorted[(int)Math.Ceiling(sorted.Length * 0.95) - 1]);
        }
    }

    [LoggerMessage(45, LogLevel.Warning, "recurring_runs_not_recorded")]
    private static partial void NotRecorded(ILogger logger, Exception failure);
}
