using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>Counts for stats and <c>why</c>.</summary>
internal sealed class SchedulerFigures(FogDbContext db, SchedulerOptions options) : ISchedulerFigures, IQueueFigures
{
    public async Task<SchedulerCounts> CountAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var jobs = await db.QuerySqlAsync("SELECT state, count(*)::int FROM scheduler.jobs GROUP BY state", r => (Enum.Parse<JobState>(r.GetString(0)), r.GetInt32(1)), cancel);
        var length = await QueueLengthAsync(db, cancel);
        var wait = await db.ScalarSqlAsync<double>(
            "SELECT coalesce(avg(extract(epoch FROM started_at - submitted_at)), 0)::float8 FROM scheduler.jobs WHERE started_at >= $1", cancel, now.AddHours(-1));
        var tiers = await db.QuerySqlAsync(
            "SELECT sla_tier, count(*)::int, count(*) FILTER (WHERE sla_met)::int FROM scheduler.jobs WHERE sla_met IS NOT NULL GROUP BY sla_tier",
            r => (Tier: Enum.Parse<SlaTier>(r.GetString(0)), Counts: (r.GetInt32(1), r.GetInt32(2))), cancel);
        var money = await db.QuerySqlAsync(
            "SELECT coalesce(sum(quote_micro), 0)::bigint, coalesce(sum(charged_micro), 0)::bigint FROM scheduler.jobs WHERE state = 'Completed'", r => (r.GetInt64(0), r.GetInt64(1)), cancel);
        return new SchedulerCounts(jobs.ToDictionary(x => x.Item1, x => x.Item2), length, wait, tiers.ToDictionary(t => t.Tier, t => t.Counts), money[0].Item1, money[0].Item2);
    }

    /// <summary>Task replicas that wait for a device, those of tasks without a row among them.</summary>
    internal static async Task<int> QueueLengthAsync(FogDbContext db, CancellationToken cancel)
    {
        var open = await db.ScalarSqlAsync<long>(
            "SELECT coalesce(sum(t.open_slots), 0)::bigint FROM scheduler.tasks t JOIN scheduler.jobs j ON j.id = t.job_id WHERE t.open_slots > 0 AND j.state IN ('Admitted', 'Running')", cancel);
        // Tasks that have no row yet wait like the others.
        var unwritten = (await db.QuerySqlAsync(
            """
            SELECT sla_tier, deterministic, sum(task_count - materialised)::bigint FROM scheduler.jobs
            WHERE materialised < task_count AND state IN ('Admitted', 'Running') AND dependencies_left = 0 GROUP BY 1, 2
            """,
            r => TierTerms.Of(Enum.Parse<SlaTier>(r.GetString(0))).For(r.GetBoolean(1)).Replicas * r.GetInt64(2), cancel)).Sum();
        return (int)Math.Min(int.MaxValue, open + unwritten);
    }

    public async Task<TaskCounts> CountTasksAsync(JobId job, CancellationToken cancel)
    {
        // What has ended is counted on the job; what has not is found by its slots and attempts, so an array of a million is not read through.
        var rows = await db.QuerySqlAsync(
            """
            SELECT j.task_count, j.dependencies_left, j.tasks_succeeded, j.tasks_failed, j.tasks_cancelled, n.state, n.count
            FROM scheduler.jobs j LEFT JOIN LATERAL (
                SELECT t.state, count(*)::int AS count FROM scheduler.tasks t
                WHERE t.job_id = j.id AND t.state IN ('Leased', 'Executing', 'Verifying') AND t.index IN (
                    SELECT a.task_index FROM scheduler.attempts a WHERE a.job_id = j.id AND a.state IN ('Leased', 'Staging', 'Running', 'Uploading', 'Reported'))
                GROUP BY t.state) AS n ON true
            WHERE j.id = $1
            """,
            r => (Total: r.GetInt32(0), Blocked: r.GetInt32(1) > 0, Succeeded: r.GetInt32(2), Failed: r.GetInt32(3), Cancelled: r.GetInt32(4),
                State: r.IsDBNull(5) ? (TaskState?)null : Enum.Parse<TaskState>(r.GetString(5)), Count: r.IsDBNull(6) ? 0 : r.GetInt32(6)), cancel, job.Value);
        int Of(TaskState state) => rows.Where(r => r.State == state).Sum(r => r.Count);
        var (total, blocked, succeeded, failed, cancelled, _, _) = rows[0];
        var waiting = total - succeeded - failed - cancelled - rows.Sum(r => r.Count);
        return new TaskCounts(
            total, blocked ? waiting : 0, blocked ? 0 : waiting, Of(TaskState.Leased), Of(TaskState.Executing), Of(TaskState.Verifying), succeeded, failed, cancelled);
    }

    public async Task<(int Own, int Others)> UnderNoticeAsync(Job job, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            $"""
            SELECT count(*) FILTER (WHERE j.id = $1)::int, count(*) FILTER (WHERE j.priority <= $2)::int
            FROM scheduler.attempts a JOIN scheduler.jobs j ON j.id = a.job_id
            WHERE a.notice_until IS NOT NULL AND a.state IN {QueueOrder.Live}
            """, r => (r.GetInt32(0), r.GetInt32(1)), cancel, job.Id.Value, job.Priority - Preemption.PriorityGap))[0];

    public async Task<(int? Position, IReadOnlyList<JobAhead> First)> AheadAsync(Job job, int limit, DateTimeOffset now, CancellationToken cancel)
    {
        var (rank, first) = await QueueOrder.AheadAsync(db, job.Id, now, options.AccountConcurrency, limit, cancel);
        var open = first.Count == 0 ? [] : (await db.QuerySqlAsync(
            """
            SELECT j.id, ((SELECT count(*) FROM scheduler.tasks t WHERE t.job_id = j.id AND t.open_slots > 0) + j.task_count - j.materialised)::int
            FROM scheduler.jobs j WHERE j.id = ANY ($1)
            """,
            r => (Id: new JobId(r.GetGuid(0)), Tasks: r.GetInt32(1)), cancel, first.Select(f => f.Job.Value).ToArray())).ToDictionary(x => x.Id, x => x.Tasks);
        return (rank == 0 ? null : rank, [.. first.Select(f => new JobAhead(f.Job.Value, f.Priority, open[f.Job]))]);
    }

    public async Task<JobHoldings> HoldingsAsync(Job job, CancellationToken cancel) => (await db.QuerySqlAsync(
        $"""
        SELECT (SELECT count(DISTINCT a.task_index)::int FROM scheduler.attempts a WHERE a.job_id = $1 AND a.state IN {QueueOrder.Live}),
            (SELECT count(*)::int FROM scheduler.attempts a JOIN scheduler.jobs j ON j.id = a.job_id WHERE a.state IN {QueueOrder.Live} AND j.account_id = $2),
            (SELECT count(*)::int FROM scheduler.tasks t WHERE t.job_id = $1 AND t.speculated AND t.state IN ('Leased', 'Executing', 'Verifying') AND t.index IN (
                SELECT a.task_index FROM scheduler.attempts a WHERE a.job_id = $1 AND a.state IN ('Leased', 'Staging', 'Running', 'Uploading', 'Reported')))
        """,
        r => new JobHoldings(r.GetInt32(0), r.GetInt32(1), r.GetInt32(2)), cancel, job.Id.Value, job.AccountId.Value)).Single();

    public async Task<OpenTask?> NextOpenTaskAsync(JobId job, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT t.index, t.open_slots, t.eligible_at,
                ARRAY(SELECT DISTINCT a.device_id FROM scheduler.attempts a WHERE a.job_id = t.job_id AND a.task_index = t.index
                    AND a.state IN ('Leased', 'Staging', 'Running', 'Uploading', 'Reported', 'Rejected', 'Declined', 'Lost')),
                (SELECT a.reason FROM scheduler.attempts a WHERE a.job_id = t.job_id AND a.task_index = t.index AND a.reason IS NOT NULL ORDER BY a.epoch DESC LIMIT 1),
                t.checkpoint_sha256 IS NOT NULL
            FROM scheduler.tasks t WHERE t.job_id = $1 AND t.open_slots > 0 ORDER BY t.eligible_at, t.index LIMIT 1
            """,
            r => new OpenTask(r.GetInt32(0), r.GetInt16(1), r.GetFieldValue<DateTimeOffset>(2), r.GetFieldValue<string[]>(3), r.IsDBNull(4) ? null : r.GetString(4), r.GetBoolean(5)), cancel, job.Value)).FirstOrDefault();
}
