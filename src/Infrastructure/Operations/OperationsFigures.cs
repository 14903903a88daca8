using System.Diagnostics;
using FogCompute.Application.Operations;
using FogCompute.Domain.Scheduler;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.RecurringJobs;
using FogCompute.Infrastructure.Scheduler;

namespace FogCompute.Infrastructure.Operations;

/// <summary>What was counted, kept for all who ask: the figures for a moment, the ends of past minutes for a day.</summary>
internal sealed class QueueMemory
{
    /// <summary>Later entries for a minute do not count any more: transactions are shorter.</summary>
    private const int MinutesOpen = 2;

    private readonly SortedDictionary<long, EndedTasks> _minutes = [];

    public SemaphoreSlim Gate { get; } = new(1, 1);
    public QueueFigures? Figures { get; set; }

    /// <summary>When <see cref="Figures"/> are too old.</summary>
    public long FreshUntil { get; set; }

    /// <summary>First minute (of Unix time) to count anew.</summary>
    public long CountFrom(long thisMinute) => _minutes.Count == 0 ? thisMinute - 24 * 60 : Math.Min(_minutes.Keys.Last(), thisMinute) + 1 - MinutesOpen;

    public void Put(long from, IEnumerable<KeyValuePair<long, EndedTasks>> counted, long thisMinute)
    {
        foreach (var old in _minutes.Keys.Where(minute => minute >= from || minute < thisMinute - 24 * 60).ToList())
            _minutes.Remove(old);
        _minutes[thisMinute] = new EndedTasks(0, 0, 0); // So that the next count starts here even if nothing ended.
        foreach (var (minute, ended) in counted)
            _minutes[minute] = ended;
    }

    public EndedTasks Since(long minute) => _minutes.Where(m => m.Key > minute).Aggregate(new EndedTasks(0, 0, 0), (sum, m) =>
        new EndedTasks(sum.Succeeded + m.Value.Succeeded, sum.Failed + m.Value.Failed, sum.Retries + m.Value.Retries));
}

internal sealed class OperationsFigures(FogDbContext db, QueueMemory memory) : IOperationsFigures
{
    /// <summary>As in the index attempts_failed.</summary>
    private const string FailedAttempt = "('Rejected', 'Declined', 'Evicted', 'Preempted', 'TimedOut', 'Crashed', 'Lost')";

    private const int LogTail = 4_000;

    /// <summary>A little less than the second at which pages ask.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(900);

    public async Task<QueueFigures> QueuesAsync(DateTimeOffset now, CancellationToken cancel)
    {
        await memory.Gate.WaitAsync(cancel);
        try
        {
            var started = Stopwatch.GetTimestamp();
            if (memory.Figures is { } figures && started < memory.FreshUntil)
                return figures;
            figures = await CountAsync(now, cancel);
            var took = Stopwatch.GetElapsedTime(started);
            // A queue that takes long to count is counted less often: a fifth of one connection's time at most.
            memory.FreshUntil = Stopwatch.GetTimestamp() + (long)(TimeSpan.FromTicks(Math.Max(Fresh.Ticks, took.Ticks * 4)).TotalSeconds * Stopwatch.Frequency);
            return memory.Figures = figures with { TookMs = Math.Round(took.TotalMilliseconds, 1) };
        }
        finally
        {
            memory.Gate.Release();
        }
    }

    private async Task<QueueFigures> CountAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var waiting = await db.QuerySqlAsync(
            """
            SELECT CASE WHEN j.state = 'Paused' THEN 'paused' WHEN t.eligible_at > $1 THEN 'retry_backoff' ELSE 'ready' END, sum(t.open_slots)::bigint,
                count(*) FILTER (WHERE t.job_errors + t.device_losses + t.evictions > 0), extract(epoch FROM $1 - min(t.eligible_at))::float8
            FROM scheduler.tasks t JOIN scheduler.jobs j ON j.id = t.job_id
            WHERE t.open_slots > 0 AND j.state IN ('Admitted', 'Running', 'Paused') AND j.dependencies_left = 0 GROUP BY 1
            UNION ALL
            SELECT CASE WHEN j.dependencies_left > 0 THEN 'waiting_for_dependencies' WHEN j.state = 'Paused' THEN 'paused' ELSE 'writing_tasks' END,
                sum(CASE WHEN j.dependencies_left > 0 THEN j.task_count - j.tasks_succeeded - j.tasks_failed - j.tasks_cancelled ELSE j.task_count - j.materialised END)::bigint,
                0, extract(epoch FROM $1 - min(j.submitted_at))::float8
            FROM scheduler.jobs j WHERE j.state IN ('Admitted', 'Running', 'Paused') AND (j.dependencies_left > 0 OR j.materialised < j.task_count) GROUP BY 1
            """,
            r => (Reason: r.GetString(0), Tasks: r.GetInt64(1), Retrying: r.GetInt64(2), Oldest: r.GetDouble(3)), cancel, now);
        var reasons = waiting.Where(w => w.Tasks > 0).GroupBy(w => w.Reason, StringComparer.Ordinal)
            .Select(w => new WaitingReason(w.Key, w.Sum(x => x.Tasks), w.Key == "retry_backoff" ? null : Math.Round(Math.Max(0, w.Max(x => x.Oldest)), 3)))
            .OrderByDescending(w => w.Tasks).ToList();
        var held = (await db.QuerySqlAsync(
            "SELECT state, count(*) FROM scheduler.attempts WHERE state IN ('Leased', 'Staging', 'Running', 'Uploading', 'Reported') GROUP BY state",
            r => (State: Enum.Parse<AttemptState>(r.GetString(0)), Count: r.GetInt64(1)), cancel)).ToDictionary(h => h.State, h => h.Count);
        await CountEndsAsync(now, cancel);
        var thisMinute = now.ToUnixTimeSeconds() / 60;
        return new QueueFigures
        {
            At = now, TookMs = 0, Waiting = reasons.Sum(w => w.Tasks), WaitingBy = reasons,
            Leased = held.GetValueOrDefault(AttemptState.Leased) + held.GetValueOrDefault(AttemptState.Staging),
            Executing = held.GetValueOrDefault(AttemptState.Running) + held.GetValueOrDefault(AttemptState.Uploading), Verifying = held.GetValueOrDefault(AttemptState.Reported),
            Retrying = waiting.Sum(w => w.Retrying), OldestWaitingSeconds = reasons.FirstOrDefault(w => w.Reason == "ready")?.OldestSeconds,
            LastHour = memory.Since(thisMinute - 60), LastDay = memory.Since(thisMinute - 24 * 60),
            PerSecond = await db.QuerySqlAsync(
                """
                SELECT floor(extract(epoch FROM finished_at))::bigint, count(*) FILTER (WHERE state = 'Succeeded')::int, count(*) FILTER (WHERE state = 'Failed')::int
                FROM scheduler.tasks WHERE finished_at IS NOT NULL AND finished_at > $1 AND state IN ('Succeeded', 'Failed') GROUP BY 1 ORDER BY 1
                """,
                r => new SecondOfEnds(r.GetInt64(0), r.GetInt32(1), r.GetInt32(2)), cancel, now.AddSeconds(-120)),
        };
    }

    private async Task CountEndsAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var thisMinute = now.ToUnixTimeSeconds() / 60;
        var from = memory.CountFrom(thisMinute);
        var ends = await db.QuerySqlAsync(
            $"""
            SELECT coalesce(t.minute, a.minute), coalesce(t.succeeded, 0), coalesce(t.failed, 0), coalesce(a.retries, 0)
            FROM (SELECT floor(extract(epoch FROM finished_at) / 60)::bigint AS minute, count(*) FILTER (WHERE state = 'Succeeded') AS succeeded, count(*) FILTER (WHERE state = 'Failed') AS failed
                  FROM scheduler.tasks WHERE finished_at IS NOT NULL AND finished_at >= $1 GROUP BY 1) AS t
            FULL JOIN (SELECT floor(extract(epoch FROM finished_at) / 60)::bigint AS minute, count(*) AS retries
                  FROM scheduler.attempts WHERE state IN {FailedAttempt} AND finished_at >= $1 GROUP BY 1) AS a ON a.minute = t.minute
            """,
            r => KeyValuePair.Create(r.GetInt64(0), new EndedTasks(r.GetInt64(1), r.GetInt64(2), r.GetInt64(3))), cancel, DateTimeOffset.FromUnixTimeSeconds(from * 60));
        memory.Put(from, ends, thisMinute);
    }

    public async Task<IReadOnlyList<FailureItem>> FailuresAsync(PageMark? after, int limit, CancellationToken cancel) => await db.QuerySqlAsync(
        $"""
        WITH page AS (
            (SELECT id, true AS attempt, finished_at FROM scheduler.attempts WHERE state IN {FailedAttempt} AND (finished_at, id) < ($1, $2) ORDER BY finished_at DESC, id DESC LIMIT $3)
            UNION ALL
            (SELECT id, false, finished_at FROM scheduler.jobs WHERE state IN ('Failed', 'Expired') AND (finished_at, id) < ($1, $2) ORDER BY finished_at DESC, id DESC LIMIT $3)
            ORDER BY finished_at DESC, id DESC LIMIT $3)
        SELECT page.id, page.attempt, j.id, j.name, a.task_index, a.device_id, CASE WHEN page.attempt THEN a.state ELSE j.state END, CASE WHEN page.attempt THEN a.reason ELSE j.state_reason END,
            a.message, a.exit_code, CASE WHEN page.attempt THEN a.started_at ELSE j.started_at END, page.finished_at, t.job_errors + t.device_losses + t.evictions, t.state, right(a.log_tail, {LogTail})
        FROM page LEFT JOIN scheduler.attempts a ON page.attempt AND a.id = page.id
        LEFT JOIN scheduler.tasks t ON t.job_id = a.job_id AND t.index = a.task_index
        JOIN scheduler.jobs j ON j.id = coalesce(a.job_id, page.id)
        ORDER BY page.finished_at DESC, page.id DESC
        """,
        r =>
        {
            var attempt = r.GetBoolean(1);
            string? Text(int column) => r.IsDBNull(column) ? null : r.GetString(column);
            int? Number(int column) => r.IsDBNull(column) ? null : r.GetInt32(column);
            return new FailureItem
            {
                Id = r.GetGuid(0), Kind = attempt ? "attempt" : "job", JobId = r.GetGuid(2), JobName = r.GetString(3), TaskIndex = Number(4), Device = Text(5), State = Word(r.GetString(6)),
                Reason = Text(7), Message = Text(8), ExitCode = Number(9), Started = r.IsDBNull(10) ? null : r.GetFieldValue<DateTimeOffset>(10), Finished = r.GetFieldValue<DateTimeOffset>(11),
                FailedAttempts = Number(12), LogTail = Text(14),
                Outcome = !attempt ? "final" : Text(13) switch
                {
                    nameof(TaskState.Failed) => "final",
                    nameof(TaskState.Succeeded) => "succeeded",
                    nameof(TaskState.Cancelled) => "cancelled",
                    _ => "retried",
                },
            };
        }, cancel, after?.At ?? new DateTimeOffset(9000, 1, 1, 0, 0, 0, TimeSpan.Zero), after?.Id ?? Guid.Empty, limit);

    public async Task<IReadOnlyList<TaskRunItem>> TasksAsync(TaskView view, int limit, DateTimeOffset now, CancellationToken cancel)
    {
        const string failed = "t.job_errors + t.device_losses + t.evictions";
        const string reason = $"(SELECT f.reason FROM scheduler.attempts f WHERE f.job_id = t.job_id AND f.task_index = t.index AND f.state IN {FailedAttempt} ORDER BY f.epoch DESC LIMIT 1)";
        const string columns = "j.id, j.name, t.index";
        var rows = view switch
        {
            TaskView.Processing =>
                $"""
                SELECT {columns}, a.state, a.device_id, coalesce(a.started_at, a.leased_at), NULL::timestamptz, NULL::timestamptz, t.epoch, {failed}, {reason}
                FROM (SELECT * FROM scheduler.attempts WHERE state IN {QueueOrder.Live} ORDER BY leased_at LIMIT $1) AS a
                JOIN scheduler.tasks t ON t.job_id = a.job_id AND t.index = a.task_index JOIN scheduler.jobs j ON j.id = t.job_id ORDER BY a.leased_at
                """,
            TaskView.Succeeded =>
                $"""
                SELECT {columns}, t.state, (SELECT a.device_id FROM scheduler.attempts a WHERE a.job_id = t.job_id AND a.task_index = t.index AND a.state = 'Accepted' ORDER BY a.epoch DESC LIMIT 1),
                    t.started_at, t.finished_at, NULL::timestamptz, t.epoch, {failed}, {reason}
                FROM (SELECT * FROM scheduler.tasks WHERE finished_at IS NOT NULL AND state = 'Succeeded' ORDER BY finished_at DESC LIMIT $1) AS t
                JOIN scheduler.jobs j ON j.id = t.job_id ORDER BY t.finished_at DESC
                """,
            _ =>
                $"""
                SELECT {columns}, t.state, (SELECT a.device_id FROM scheduler.attempts a WHERE a.job_id = t.job_id AND a.task_index = t.index ORDER BY a.epoch DESC LIMIT 1),
                    t.started_at, NULL::timestamptz, t.eligible_at, t.epoch, {failed}, {reason}
                FROM scheduler.tasks t JOIN scheduler.jobs j ON j.id = t.job_id
                WHERE t.open_slots > 0 AND {failed} > 0 AND j.state IN ('Admitted', 'Running', 'Paused') ORDER BY t.eligible_at LIMIT $1
                """,
        };
        return await db.QuerySqlAsync(rows, r =>
        {
            DateTimeOffset? At(int column) => r.IsDBNull(column) ? null : r.GetFieldValue<DateTimeOffset>(column);
            return new TaskRunItem
            {
                JobId = r.GetGuid(0), JobName = r.GetString(1), TaskIndex = r.GetInt32(2), State = Word(r.GetString(3)), Device = r.IsDBNull(4) ? null : r.GetString(4), Started = At(5), Finished = At(6),
                NextTry = At(7), Attempts = r.GetInt32(8), FailedAttempts = r.GetInt32(9), Reason = r.IsDBNull(10) ? null : r.GetString(10),
            };
        }, cancel, limit);
    }

    public async Task<ServerList> ServersAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var servers = await db.QuerySqlAsync(
            "SELECT id, host, pid, version, started_at, last_seen_at, leads, running FROM platform.servers ORDER BY started_at, id",
            r => new ServerItem(
                r.GetGuid(0), r.GetString(1), r.GetInt32(2), r.GetString(3), r.GetFieldValue<DateTimeOffset>(4), r.GetFieldValue<DateTimeOffset>(5),
                now - r.GetFieldValue<DateTimeOffset>(5) < JobOffice.Alive, r.GetFieldValue<string[]>(6), r.GetFieldValue<string[]>(7)), cancel);
        var devices = (await db.QuerySqlAsync(
            $"""
            SELECT count(*)::int, count(*) FILTER (WHERE last_seen_at > $1)::int,
                (SELECT count(DISTINCT device_id)::int FROM scheduler.attempts WHERE state IN {QueueOrder.Live}), coalesce(sum(cpu_millicores) FILTER (WHERE last_seen_at > $1), 0)::float8 / 1000
            FROM idle_compute.devices WHERE unregistered_at IS NULL
            """,
            r => new DeviceSummary(r.GetInt32(0), r.GetInt32(1), r.GetInt32(2), r.GetDouble(3)), cancel, now.AddSeconds(-90))).Single();
        return new ServerList(servers, devices);
    }

    private static string Word(string state) => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(state);
}
