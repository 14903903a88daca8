using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>Counts for stats and <c>why</c>.</summary>
internal sealed class SchedulerFigures(FogDbContext db) : ISchedulerFigures, IQueueFigures
{
    public async Task<SchedulerCounts> CountAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var jobs = await db.QuerySqlAsync("SELECT state, count(*)::int FROM scheduler.jobs GROUP BY state", r => (Enum.Parse<JobState>(r.GetString(0)), r.GetInt32(1)), cancel);
        var open = await db.ScalarSqlAsync<long>(
            "SELECT coalesce(sum(t.open_slots), 0)::bigint FROM scheduler.tasks t JOIN scheduler.jobs j ON j.id = t.job_id WHERE t.open_slots > 0 AND j.state IN ('Admitted', 'Running')", cancel);
        var wait = await db.ScalarSqlAsync<double>(
            "SELECT coalesce(avg(extract(epoch FROM started_at - submitted_at)), 0)::float8 FROM scheduler.jobs WHERE started_at >= $1", cancel, now.AddHours(-1));
        var tiers = await db.QuerySqlAsync(
            "SELECT sla_tier, count(*)::int, count(*) FILTER (WHERE sla_met)::int FROM scheduler.jobs WHERE sla_met IS NOT NULL GROUP BY sla_tier",
            r => (Tier: Enum.Parse<SlaTier>(r.GetString(0)), Counts: (r.GetInt32(1), r.GetInt32(2))), cancel);
        var money = await db.QuerySqlAsync(
            "SELECT coalesce(sum(quote_micro), 0)::bigint, coalesce(sum(charged_micro), 0)::bigint FROM scheduler.jobs WHERE state = 'Completed'", r => (r.GetInt64(0), r.GetInt64(1)), cancel);
        return new SchedulerCounts(jobs.ToDictionary(x => x.Item1, x => x.Item2), (int)Math.Min(int.MaxValue, open), wait, tiers.ToDictionary(t => t.Tier, t => t.Counts), money[0].Item1, money[0].Item2);
    }

    public async Task<TaskCounts> CountTasksAsync(JobId job, int total, CancellationToken cancel)
    {
        var counts = (await db.QuerySqlAsync("SELECT state, count(*)::int FROM scheduler.tasks WHERE job_id = $1 GROUP BY state",
            r => (Enum.Parse<TaskState>(r.GetString(0)), r.GetInt32(1)), cancel, job.Value)).ToDictionary(x => x.Item1, x => x.Item2);
        int Of(TaskState state) => counts.GetValueOrDefault(state);
        return new TaskCounts(total, Of(TaskState.Pending), Of(TaskState.Ready), Of(TaskState.Leased), Of(TaskState.Executing), Of(TaskState.Verifying), Of(TaskState.Succeeded), Of(TaskState.Failed), Of(TaskState.Cancelled));
    }

    public async Task<(int Count, IReadOnlyList<JobAhead> First)> AheadAsync(Job job, int limit, CancellationToken cancel)
    {
        const string Ahead =
            """
            FROM scheduler.jobs j
            WHERE j.state IN ('Admitted', 'Running') AND j.dependencies_left = 0 AND j.id <> $1
              AND (j.priority > $2 OR (j.priority = $2 AND (j.submitted_at, j.id) < ($3, $1)))
              AND EXISTS (SELECT FROM scheduler.tasks t WHERE t.job_id = j.id AND t.open_slots > 0)
            """;
        var count = await db.ScalarSqlAsync<long>("SELECT count(*) " + Ahead, cancel, job.Id.Value, job.Priority, job.SubmittedAt);
        var first = count == 0 ? [] : await db.QuerySqlAsync(
            "SELECT j.id, j.priority, (SELECT count(*)::int FROM scheduler.tasks t WHERE t.job_id = j.id AND t.open_slots > 0) " + Ahead + " ORDER BY j.priority DESC, j.submitted_at, j.id LIMIT $4",
            r => new JobAhead(r.GetGuid(0), r.GetInt32(1), r.GetInt32(2)), cancel, job.Id.Value, job.Priority, job.SubmittedAt, limit);
        return ((int)count, first);
    }

    public async Task<(int Own, int Others)> UnderNoticeAsync(Job job, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT count(*) FILTER (WHERE j.id = $1)::int, count(*) FILTER (WHERE j.priority <= $2)::int
            FROM scheduler.attempts a JOIN scheduler.jobs j ON j.id = a.job_id
            WHERE a.notice_until IS NOT NULL AND a.state IN ('Leased', 'Staging', 'Running', 'Uploading')
            """, r => (r.GetInt32(0), r.GetInt32(1)), cancel, job.Id.Value, job.Priority - Preemption.PriorityGap))[0];

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
