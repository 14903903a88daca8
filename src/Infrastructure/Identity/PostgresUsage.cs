using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Identity;

internal sealed class PostgresUsage(FogDbContext db) : IUsage
{
    public async Task<Plan> PlanOfAsync(AccountId account, CancellationToken cancel) =>
        PlanBook.Parse(await db.ScalarSqlAsync<string>("SELECT plan FROM identity.accounts WHERE id = $1", cancel, account.Value));

    public async Task<DayUse> OfAsync(AccountId account, DateOnly day, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT coalesce(u.compute_ms, 0), coalesce((SELECT sum(r.milliseconds) FROM identity.compute_reservations r WHERE r.account = $1 AND r.day = $2), 0)::bigint, coalesce(u.api_calls, 0)
            FROM (SELECT) AS one LEFT JOIN identity.usage u ON u.account = $1 AND u.day = $2
            """, r => new DayUse(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2)), cancel, account.Value, day)).Single();

    public async Task<long?> ReserveComputeAsync(AccountId account, DateOnly day, JobId job, long milliseconds, long limit, CancellationToken cancel)
    {
        if (milliseconds <= limit)
        {
            var reserved = await db.ExecuteSqlAsync(
                """
                WITH taken AS (
                    INSERT INTO identity.usage AS u (day, account, compute_ms) VALUES ($1, $2, $4)
                    ON CONFLICT (day, account) DO UPDATE SET compute_ms = u.compute_ms + excluded.compute_ms WHERE u.compute_ms + excluded.compute_ms <= $5
                    RETURNING 1)
                INSERT INTO identity.compute_reservations (job, account, day, milliseconds) SELECT $3, $2, $1, $4 FROM taken
                """, cancel, day, account.Value, job.Value, milliseconds, limit);
            if (reserved == 1)
                return null;
        }
        return (await OfAsync(account, day, cancel)).ComputeMs;
    }

    public Task ReleaseComputeAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel) => db.ExecuteSqlAsync(
        """
        WITH gone AS (DELETE FROM identity.compute_reservations WHERE job = ANY ($1) RETURNING day, account, milliseconds),
        sums AS (SELECT day, account, sum(milliseconds)::bigint AS milliseconds FROM gone GROUP BY day, account)
        UPDATE identity.usage u SET compute_ms = greatest(0, u.compute_ms - s.milliseconds) FROM sums s WHERE u.day = s.day AND u.account = s.account
        """, cancel, jobs.Select(j => j.Value).ToArray());

    public async Task<int> CommitComputeAsync(int most, DateOnly keep, CancellationToken cancel)
    {
        await db.ExecuteSqlAsync("DELETE FROM identity.usage WHERE day < $1", cancel, keep);
        // What was broken off or failed by itself ran as well, once a task: else whoever cancels a job just before its end computes for nothing. What devices lost costs nobody.
        // Rows of usage are locked in the order of days and accounts, as the counter of requests does.
        return (int)await db.ScalarSqlAsync<long>(
            """
            WITH ended AS (
                SELECT r.job, j.run_ms + CASE WHEN j.state = 'Completed' THEN 0 ELSE coalesce((
                    SELECT sum(longest) FROM (
                        SELECT max(greatest(a.wall_ms, CASE WHEN a.started_at IS NOT NULL THEN extract(epoch FROM a.finished_at - greatest(a.started_at, a.leased_at)) * 1000 END)) AS longest
                        FROM scheduler.attempts a JOIN scheduler.tasks t ON t.job_id = a.job_id AND t.index = a.task_index
                        WHERE a.job_id = r.job AND t.state <> 'Succeeded' AND a.state IN ('Cancelled', 'TimedOut', 'Crashed') GROUP BY a.task_index) AS unfinished), 0)::bigint END AS run_ms
                FROM identity.compute_reservations r JOIN scheduler.jobs j ON j.id = r.job
                WHERE j.state IN ('Completed', 'Failed', 'Cancelled', 'Expired', 'Rejected') LIMIT $1),
            gone AS (
                DELETE FROM identity.compute_reservations r USING ended e WHERE r.job = e.job RETURNING r.day, r.account, e.run_ms - r.milliseconds AS change),
            sums AS (SELECT day, account, sum(change)::bigint AS change FROM gone GROUP BY day, account),
            locked AS (SELECT u.day, u.account FROM identity.usage u JOIN sums s USING (day, account) ORDER BY u.day, u.account FOR UPDATE OF u),
            committed AS (
                UPDATE identity.usage u SET compute_ms = greatest(0, u.compute_ms + s.change) FROM sums s, locked l
                WHERE u.day = s.day AND u.account = s.account AND l.day = s.day AND l.account = s.account RETURNING 1)
            SELECT count(*) FROM gone
            """, cancel, most);
    }
}
