using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>
/// The order of service (<see cref="ServiceOrder"/>) over the whole queue, as SQL: each job as if it took one slot per turn. The window of a placement pass
/// and the positions that <c>why</c> tells both come from here.
/// </summary>
internal static class QueueOrder
{
    /// <summary>States in which a device holds a lease.</summary>
    public const string Live = "('Leased', 'Staging', 'Running', 'Uploading')";

    /// <summary>Jobs of one account that come before the jobs of others in a window, as long as others wait: half of a window.</summary>
    public const int AccountCap = 128;

    /// <summary>
    /// Parameters: $1 now, $2 most replicas leased to one account, $3 a job to rank even if its next task is not eligible yet. Rows of <c>turned</c>: what waits, with its level and its
    /// turn in its account. Jobs and accounts at their limits are not in it, but for tasks that are half out.
    /// </summary>
    private static readonly string Turned =
        $"""
        WITH leased AS MATERIALIZED (
            SELECT a.job_id, count(*)::int AS replicas FROM scheduler.attempts a WHERE a.state IN {Live} GROUP BY a.job_id),
        holders AS MATERIALIZED (
            SELECT j.account_id, sum(l.replicas)::int AS replicas FROM leased l JOIN scheduler.jobs j ON j.id = l.job_id
            WHERE j.state IN ('Admitted', 'Running', 'Paused') GROUP BY j.account_id),
        served AS MATERIALIZED (SELECT account_id, max(served_at) AS at FROM scheduler.lines GROUP BY account_id),
        limited AS MATERIALIZED (
            SELECT j.id FROM scheduler.jobs j
            WHERE j.max_concurrent IS NOT NULL AND j.state IN ('Admitted', 'Running')
              AND (SELECT count(DISTINCT a.task_index) FROM scheduler.attempts a WHERE a.job_id = j.id AND a.state IN {Live}) >= j.max_concurrent
              AND NOT EXISTS (SELECT FROM scheduler.tasks t JOIN scheduler.attempts a ON a.job_id = t.job_id AND a.task_index = t.index AND a.state IN {Live}
                  WHERE t.job_id = j.id AND t.open_slots > 0 AND t.eligible_at <= $1)),
        waiting AS (
            SELECT j.id, j.account_id, j.priority, j.submitted_at, coalesce(l.replicas, 0) AS leased, coalesce(h.replicas, 0) AS account_leased,
                line.served_at AS line_served_at, served.at AS account_served_at,
                j.deadline - (CASE WHEN j.tasks_succeeded >= {Job.MeasuredTasks} THEN j.run_ms / j.tasks_succeeded ELSE j.estimate_ms END) * interval '1 millisecond' AS latest_start
            FROM scheduler.jobs j
            LEFT JOIN leased l ON l.job_id = j.id
            LEFT JOIN holders h ON h.account_id = j.account_id
            LEFT JOIN scheduler.lines line ON line.account_id = j.account_id AND line.priority = j.priority
            LEFT JOIN served ON served.account_id = j.account_id
            WHERE j.state IN ('Admitted', 'Running') AND j.dependencies_left = 0 AND coalesce(h.replicas, 0) < $2
              AND NOT EXISTS (SELECT FROM limited WHERE limited.id = j.id)
              AND EXISTS (SELECT FROM scheduler.tasks t WHERE t.job_id = j.id AND t.open_slots > 0 AND (t.eligible_at <= $1 OR j.id = $3))),
        placed AS (
            SELECT *, row_number() OVER (PARTITION BY account_id, priority ORDER BY
                    coalesce(latest_start, CASE WHEN submitted_at + interval '{ServiceOrder.Patience.TotalSeconds:0} seconds' <= $1 THEN submitted_at + interval '{ServiceOrder.Patience.TotalSeconds:0} seconds' END) NULLS LAST,
                    leased, submitted_at, id) AS place,
                greatest(min(submitted_at) OVER (PARTITION BY account_id, priority), line_served_at) AS since
            FROM waiting),
        levelled AS (
            SELECT *, CASE WHEN place = 1 THEN priority + least(1000000, floor(greatest(0, date_part('epoch', $1 - since)) / {ServiceOrder.Point.TotalSeconds:0}))::int ELSE priority END AS level
            FROM placed),
        turned AS (SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY level DESC, place, submitted_at, id) AS turn FROM levelled)
        """;

    private static readonly string Order = $"turn > {AccountCap}, level DESC, account_leased + turn, account_served_at NULLS FIRST, place, submitted_at, id";

    /// <summary>Jobs from rank <paramref name="skip"/> + 1 on, at most <paramref name="most"/>, first served first.</summary>
    public static Task<List<WaitingJob>> WindowAsync(FogDbContext db, DateTimeOffset now, int? accountLimit, int skip, int most, CancellationToken cancel) => db.QuerySqlAsync(
        $"{Turned} SELECT id, account_id, priority, submitted_at, leased, account_leased, line_served_at, account_served_at, latest_start FROM turned ORDER BY {Order} OFFSET $4 LIMIT $5",
        r => new WaitingJob
        {
            Id = new JobId(r.GetGuid(0)), Account = new AccountId(r.GetGuid(1)), Priority = r.GetInt32(2), SubmittedAt = r.GetFieldValue<DateTimeOffset>(3), Leased = r.GetInt32(4),
            AccountLeased = r.GetInt32(5), LineServedAt = r.IsDBNull(6) ? null : r.GetFieldValue<DateTimeOffset>(6),
            AccountServedAt = r.IsDBNull(7) ? null : r.GetFieldValue<DateTimeOffset>(7), LatestStart = r.IsDBNull(8) ? null : r.GetFieldValue<DateTimeOffset>(8),
        },
        cancel, now, accountLimit ?? int.MaxValue, Guid.Empty, skip, most);

    /// <summary>The rank of a job and the jobs before it, at most <paramref name="most"/>; rank 0 when it is not in the queue or at a limit.</summary>
    public static async Task<(int Rank, IReadOnlyList<(JobId Job, int Priority)> First)> AheadAsync(
        FogDbContext db, JobId job, DateTimeOffset now, int? accountLimit, int most, CancellationToken cancel)
    {
        var rows = await db.QuerySqlAsync(
            $"{Turned}, ranked AS (SELECT id, priority, row_number() OVER (ORDER BY {Order})::int AS rank FROM turned)" +
            " SELECT id, priority, rank FROM ranked WHERE id = $3 OR (rank <= $4 AND rank < (SELECT rank FROM ranked WHERE id = $3)) ORDER BY rank",
            r => (Job: new JobId(r.GetGuid(0)), Priority: r.GetInt32(1), Rank: r.GetInt32(2)), cancel, now, accountLimit ?? int.MaxValue, job.Value, most);
        return rows.Count == 0 ? (0, []) : (rows[^1].Rank, [.. rows.SkipLast(1).Select(r => (r.Job, r.Priority))]);
    }
}
