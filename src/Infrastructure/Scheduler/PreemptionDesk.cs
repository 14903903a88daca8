using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>Reads for the preemption rule without locks: what it decides on may have moved, which <see cref="NoticeAsync"/> checks row by row.</summary>
internal sealed class PreemptionDesk(FogDbContext db) : IPreemptionDesk
{
    public async Task<IReadOnlyList<OpenSlots>> OpenTasksAsync(IReadOnlyCollection<JobId> jobs, int perJob, DateTimeOffset now, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT t.job_id, t.index, t.open_slots, t.eligible_at,
                ARRAY(SELECT DISTINCT a.device_id FROM scheduler.attempts a WHERE a.job_id = t.job_id AND a.task_index = t.index
                    AND a.state IN ('Leased', 'Staging', 'Running', 'Uploading', 'Reported', 'Rejected', 'Declined', 'Lost'))
            FROM unnest($1::uuid[]) AS wanted(id)
            CROSS JOIN LATERAL (
                SELECT * FROM scheduler.tasks WHERE job_id = wanted.id AND open_slots > 0 AND eligible_at <= $2 ORDER BY index LIMIT $3
            ) AS t
            """,
            r => new OpenSlots(new JobId(r.GetGuid(0)), r.GetInt32(1), r.GetInt16(2), r.GetFieldValue<DateTimeOffset>(3), r.GetFieldValue<string[]>(4)),
            cancel, jobs.Select(j => j.Value).ToArray(), now, perJob);

    public async Task<IReadOnlyList<RunningAttempt>> RunningAsync(int highestPriority, DateTimeOffset now, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            $"""
            SELECT a.id, a.device_id, j.priority, j.cpu_millicores, j.memory_bytes, j.gpus, j.disk_limit_bytes, j.payload_kind,
                j.checkpoint_path IS NOT NULL, coalesce(a.started_at, a.leased_at), a.notice_until IS NOT NULL, a.state = 'Uploading', j.sla_tier, j.deterministic
            FROM scheduler.attempts a JOIN scheduler.jobs j ON j.id = a.job_id
            WHERE a.state IN {QueueOrder.Live} AND (j.priority <= $1 OR a.notice_until IS NOT NULL)
            """,
            r => new RunningAttempt
            {
                Id = new AttemptId(r.GetGuid(0)), DeviceId = r.GetString(1), Priority = r.GetInt32(2),
                Holds = new Requirements { CpuMillicores = r.GetInt32(3), MemoryBytes = r.GetInt64(4), Gpus = r.GetInt32(5), DiskBytes = r.GetInt64(6), PayloadKind = r.GetString(7) },
                Checkpointing = r.GetBoolean(8) && TierTerms.Of(Enum.Parse<SlaTier>(r.GetString(12))).For(r.GetBoolean(13)).TakesCheckpoints,
                Ran = now - r.GetFieldValue<DateTimeOffset>(9), UnderNotice = r.GetBoolean(10), Uploading = r.GetBoolean(11),
            },
            cancel, highestPriority);

    public async Task<IReadOnlyList<(string DeviceId, JobId Job)>> NoticeAsync(IReadOnlyCollection<AttemptId> attempts, DateTimeOffset until, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            UPDATE scheduler.attempts SET notice_until = $2 WHERE id = ANY ($1) AND state IN ('Leased', 'Staging', 'Running') AND notice_until IS NULL
            RETURNING device_id, job_id
            """,
            r => (r.GetString(0), new JobId(r.GetGuid(1))), cancel, attempts.Select(a => a.Value).Order().ToArray(), until);
}
