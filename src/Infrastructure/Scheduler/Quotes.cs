using System.Text.Json;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Quotes;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Protocol;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>scheduler.quotes.</summary>
internal sealed class Quotes(FogDbContext db) : IQuotes
{
    public Task AddAsync(StoredQuote quote, CancellationToken cancel) => db.ExecuteSqlAsync(
        "INSERT INTO scheduler.quotes (id, account_id, request, plans, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)", cancel,
        quote.Id, quote.Account.Value, Sql.Json(JsonSerializer.Serialize(quote.Request)), Sql.Json(JsonSerializer.Serialize(quote.Content, WireJson.Responses)), quote.CreatedAt, quote.ExpiresAt);

    public Task<StoredQuote?> FindAsync(Guid id, CancellationToken cancel) => ReadAsync(id, "", cancel);

    public Task<StoredQuote?> LockAsync(Guid id, CancellationToken cancel) => ReadAsync(id, " FOR UPDATE", cancel);

    public Task UseAsync(Guid id, JobId job, CancellationToken cancel) => db.ExecuteSqlAsync("UPDATE scheduler.quotes SET job_id = $2 WHERE id = $1", cancel, id, job.Value);

    public Task<int> ForgetAsync(DateTimeOffset before, int atMost, CancellationToken cancel) => db.ExecuteSqlAsync(
        """
        DELETE FROM scheduler.quotes WHERE id IN
            (SELECT id FROM scheduler.quotes WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
        """, cancel, before, atMost);

    public async Task<QuoteCalibration?> CalibrationAsync(CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT count(*)::int, count(*) FILTER (WHERE within_quote)::int
            FROM (SELECT within_quote FROM scheduler.jobs WHERE within_quote IS NOT NULL ORDER BY finished_at DESC LIMIT 1000) AS latest
            """,
            r => r.GetInt32(0) is > 0 and var finished ? new QuoteCalibration(finished, r.GetInt32(1), Math.Round(100.0 * r.GetInt32(1) / finished, 2)) : null, cancel))[0];

    private async Task<StoredQuote?> ReadAsync(Guid id, string locking, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            "SELECT account_id, request::text, plans::text, created_at, expires_at, job_id FROM scheduler.quotes WHERE id = $1" + locking,
            r => new StoredQuote(
                id, new AccountId(r.GetGuid(0)), JsonSerializer.Deserialize<Dictionary<string, string>>(r.GetString(1))!, JsonSerializer.Deserialize<QuoteContent>(r.GetString(2), WireJson.Responses)!,
                r.GetFieldValue<DateTimeOffset>(3), r.GetFieldValue<DateTimeOffset>(4), r.IsDBNull(5) ? null : new JobId(r.GetGuid(5))), cancel, id)).SingleOrDefault();
}

/// <summary>Accepted attempts against the estimates of their jobs: of few recent jobs, few attempts each, so the cost does not grow with the tables.</summary>
internal sealed class RunHistory(FogDbContext db) : IRunHistory
{
    private const int MostJobs = 200, MostRunsPerJob = 50, MostRuns = 500;
    private static readonly TimeSpan Lately = TimeSpan.FromDays(30);

    public async Task<RunStatistics> OfAccountAsync(AccountId account, DateTimeOffset now, CancellationToken cancel) =>
        RunStatistics.Of(await RunsAsync("account_id = $2 AND", now, cancel, account.Value)) ?? RunStatistics.Of(await RunsAsync("", now, cancel)) ?? RunStatistics.Prior;

    /// <summary>Speed is the device's score over the median of the pool's, 1 where it has none: as <c>RunModel</c> has it.</summary>
    private Task<List<FinishedRun>> RunsAsync(string whose, DateTimeOffset now, CancellationToken cancel, params object[] account) => db.QuerySqlAsync(
        $"""
        WITH recent AS (
            SELECT id, estimate_ms FROM scheduler.jobs WHERE {whose} submitted_at >= $1 AND estimate_ms > 0 ORDER BY id DESC LIMIT {MostJobs}
        ), reference AS (
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY benchmark_score) AS score FROM idle_compute.devices WHERE benchmark_score > 0 AND unregistered_at IS NULL
        )
        SELECT r.id, ln(a.wall_ms * coalesce(nullif(d.benchmark_score, 0) / f.score, 1) / r.estimate_ms)::float8,
            greatest(0, extract(epoch FROM a.finished_at - a.leased_at) - a.wall_ms / 1000.0)::float8
        FROM recent r CROSS JOIN reference f
        CROSS JOIN LATERAL (
            SELECT device_id, wall_ms, leased_at, finished_at FROM scheduler.attempts
            WHERE job_id = r.id AND state = 'Accepted' AND wall_ms > 0 AND finished_at IS NOT NULL ORDER BY task_index, epoch LIMIT {MostRunsPerJob}
        ) AS a
        JOIN idle_compute.devices d ON d.id = a.device_id
        ORDER BY r.id DESC LIMIT {MostRuns}
        """,
        r => new FinishedRun(new JobId(r.GetGuid(0)), r.GetDouble(1), r.GetDouble(2)), cancel, [now - Lately, .. account]);
}

internal sealed class PoolLoad(FogDbContext db) : IPoolLoad
{
    public async Task<IReadOnlyList<LiveRun>> LiveRunsAsync(CancellationToken cancel) => await db.QuerySqlAsync(
        $"""
        SELECT a.device_id, j.estimate_ms, coalesce(a.started_at, a.leased_at) FROM scheduler.attempts a JOIN scheduler.jobs j ON j.id = a.job_id
        WHERE a.state IN {QueueOrder.Live}
        """,
        r => new LiveRun(r.GetString(0), TimeSpan.FromMilliseconds(r.GetInt64(1)), r.GetFieldValue<DateTimeOffset>(2)), cancel);

    public Task<double> BacklogSecondsAsync(int priority, CancellationToken cancel) => db.ScalarSqlAsync<double>(
        """
        SELECT coalesce(sum((w.slots + j.task_count - j.materialised) * j.estimate_ms), 0)::float8 / 1000
        FROM scheduler.jobs j CROSS JOIN LATERAL (SELECT coalesce(sum(t.open_slots), 0) AS slots FROM scheduler.tasks t WHERE t.job_id = j.id AND t.open_slots > 0) AS w
        WHERE j.state IN ('Admitted', 'Running') AND j.dependencies_left = 0 AND j.priority >= $1
        """, cancel, priority);
}
