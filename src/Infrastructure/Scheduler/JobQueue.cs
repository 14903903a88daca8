using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;
using FogCompute.Infrastructure.Persistence;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>The queue on PostgreSQL: row locks with SKIP LOCKED, one statement per batch.</summary>
internal sealed class JobQueue(FogDbContext db, SchedulerOptions options) : IJobQueue
{
    /// <summary>Attempts that still say something about their task: which devices it used, which results it has.</summary>
    private const string Counting = "('Leased', 'Staging', 'Running', 'Uploading', 'Reported', 'Rejected', 'Declined', 'Lost', 'Accepted')";

    /// <summary>What a row of a new task is made of.</summary>
    private const string NewTask = "job_id, index, state, open_slots, epoch, job_errors, device_losses, evictions, audited, eligible_at, cost_micro";

    /// <summary>Writing more tasks of a job ($1) and ending it exclude each other; taken before any row is locked.</summary>
    private const string WritingLock = "hashtextextended($1::uuid::text, 7236)";

    public async Task CreateAsync(IReadOnlyCollection<Job> jobs, DateTimeOffset now, CancellationToken cancel)
    {
        if (jobs.Count == 0)
            return;
        await db.CopyAsync(jobs, cancel);
        await db.ExecuteSqlAsync(
            $"""
            INSERT INTO scheduler.tasks ({NewTask})
            SELECT j.id, i, j.state, j.open_slots, 0, 0, 0, 0, false, $5, 0
            FROM unnest($1::uuid[], $2::int[], $3::text[], $4::smallint[]) AS j (id, tasks, state, open_slots), generate_series(0, j.tasks - 1) AS i
            """, cancel,
            jobs.Select(j => j.Id.Value).ToArray(), jobs.Select(j => j.Materialised).ToArray(), jobs.Select(j => (j.DependenciesLeft == 0 ? TaskState.Ready : TaskState.Pending).ToString()).ToArray(),
            jobs.Select(j => (short)(j.DependenciesLeft == 0 ? j.Terms.Replicas : 0)).ToArray(), now);
    }

    public async Task<(int Written, bool More)> WriteNextTasksAsync(int lowWater, DateTimeOffset now, CancellationToken cancel)
    {
        var due = await db.QuerySqlAsync(
            """
            SELECT j.id, j.sla_tier, j.deterministic FROM scheduler.jobs j
            WHERE j.materialised < j.task_count AND j.state IN ('Admitted', 'Running') AND j.dependencies_left = 0
              AND (SELECT count(*) FROM (SELECT FROM scheduler.tasks t WHERE t.job_id = j.id AND t.open_slots > 0 LIMIT $1) AS few) < $1
            ORDER BY random() LIMIT 2
            """,
            r => (Id: r.GetGuid(0), Terms: TierTerms.Of(Enum.Parse<SlaTier>(r.GetString(1))).For(r.GetBoolean(2))), cancel, lowWater);
        if (due.Count == 0)
            return (0, false);
        // A cancel of the job in progress has this lock and will not see rows that are written now.
        if (!await db.ScalarSqlAsync<bool>($"SELECT pg_try_advisory_xact_lock({WritingLock})", cancel, due[0].Id))
            return (0, due.Count > 1);
        // The job as it is under its lock; rows and counter in one statement.
        var written = await db.ExecuteSqlAsync(
            $"""
            WITH due AS MATERIALIZED (
                SELECT id, materialised AS first, least(materialised + $2, task_count) AS next FROM scheduler.jobs
                WHERE id = $1 AND materialised < task_count AND state IN ('Admitted', 'Running') AND dependencies_left = 0 FOR NO KEY UPDATE SKIP LOCKED),
            counted AS (UPDATE scheduler.jobs j SET materialised = due.next FROM due WHERE j.id = due.id)
            INSERT INTO scheduler.tasks ({NewTask}) SELECT due.id, i, 'Ready', $3, 0, 0, 0, 0, false, $4, 0 FROM due, generate_series(due.first, due.next - 1) AS i
            """, cancel, due[0].Id, Job.Chunk, (short)due[0].Terms.Replicas, now);
        return (written, due.Count > 1);
    }

    // The order keeps the planner to the index of open tasks, however many it believes there are.
    public Task<bool> AnyOpenAsync(DateTimeOffset now, CancellationToken cancel) => db.ScalarSqlAsync<bool>(
        "SELECT EXISTS (SELECT FROM (SELECT FROM scheduler.tasks WHERE open_slots > 0 AND eligible_at <= $1 ORDER BY job_id, index LIMIT 1) AS open)", cancel, now);

    public async Task<IReadOnlyList<OpenJob>> OpenJobsAsync(int skip, int limit, DateTimeOffset now, CancellationToken cancel)
    {
        var window = await QueueOrder.WindowAsync(db, now, options.AccountConcurrency, skip, limit, cancel);
        var ids = window.Select(w => w.Id).ToList();
        var jobs = await db.Jobs.AsNoTracking().Where(j => ids.Contains(j.Id)).ToDictionaryAsync(j => j.Id, cancel);
        var limited = jobs.Values.Where(j => j.MaxConcurrent is not null).Select(j => j.Id.Value).ToArray();
        var leased = limited.Length == 0 ? [] : (await db.QuerySqlAsync(
            $"SELECT job_id, count(DISTINCT task_index)::int FROM scheduler.attempts WHERE job_id = ANY ($1) AND state IN {QueueOrder.Live} GROUP BY job_id",
            r => (Job: new JobId(r.GetGuid(0)), Tasks: r.GetInt32(1)), cancel, (object)limited)).ToDictionary(x => x.Job, x => x.Tasks);
        return [.. window.Select(w => new OpenJob(jobs[w.Id], w with { MaxConcurrent = jobs[w.Id].MaxConcurrent, TasksLeased = leased.GetValueOrDefault(w.Id) }))];
    }

    public async Task<IReadOnlyList<TaskExecution>> ClaimOpenAsync(IReadOnlyDictionary<Job, int> jobs, DateTimeOffset now, CancellationToken cancel)
    {
        var ordered = jobs.OrderBy(j => j.Key.Id.Value).ToList();
        var (ids, most) = (ordered.Select(j => j.Key.Id.Value).ToArray(), ordered.Select(j => j.Value).ToArray());
        var tasks = await db.Tasks.FromSql(
            $"""
            SELECT t.* FROM unnest({ids}, {most}) AS wanted(id, most)
            CROSS JOIN LATERAL (
                SELECT * FROM scheduler.tasks WHERE job_id = wanted.id AND open_slots > 0 AND eligible_at <= {now}
                ORDER BY index LIMIT wanted.most FOR NO KEY UPDATE SKIP LOCKED
            ) AS t
            """).AsNoTracking().ToListAsync(cancel);
        return await AssembleAsync(tasks, jobs.Keys.ToDictionary(j => j.Id), cancel);
    }

    public async Task MarkServedAsync(IReadOnlyList<(AccountId Account, int Priority)> lines, DateTimeOffset now, CancellationToken cancel)
    {
        if (lines.Count == 0)
            return;
        await db.ExecuteSqlAsync(
            """
            INSERT INTO scheduler.lines (account_id, priority, served_at)
            SELECT account_id, priority, $3 + n * interval '1 microsecond' FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS served(account_id, priority, n)
            ON CONFLICT (account_id, priority) DO UPDATE SET served_at = excluded.served_at
            """, cancel, lines.Select(l => l.Account.Value).ToArray(), lines.Select(l => l.Priority).ToArray(), now);
    }

    public async Task<IReadOnlyList<TaskExecution>> LockByAttemptsAsync(IReadOnlyCollection<AttemptId> attempts, CancellationToken cancel)
    {
        var ids = attempts.Select(a => a.Value).ToArray();
        var tasks = await db.Tasks.FromSql(
            $"""
            SELECT t.* FROM scheduler.tasks t
            WHERE (t.job_id, t.index) IN (SELECT a.job_id, a.task_index FROM scheduler.attempts a WHERE a.id = ANY ({ids}))
            ORDER BY t.job_id, t.index FOR NO KEY UPDATE
            """).AsNoTracking().ToListAsync(cancel);
        return await AssembleAsync(tasks, null, cancel);
    }

    public async Task<IReadOnlyList<TaskExecution>> LockLiveAsync(JobId job, CancellationToken cancel)
    {
        var id = job.Value;
        var tasks = await db.Tasks.FromSql(
            $"""
            SELECT t.* FROM scheduler.tasks t
            WHERE t.job_id = {id} AND t.state IN ('Leased', 'Executing', 'Verifying')
            ORDER BY t.job_id, t.index FOR NO KEY UPDATE
            """).AsNoTracking().ToListAsync(cancel);
        return await AssembleAsync(tasks, null, cancel);
    }

    public async Task<IReadOnlyList<TaskExecution>> ClaimOverdueAsync(DateTimeOffset now, int limit, CancellationToken cancel)
    {
        var tasks = await db.Tasks.FromSqlRaw(
            $$"""
            SELECT t.* FROM scheduler.tasks t
            WHERE (t.job_id, t.index) IN (
                SELECT a.job_id, a.task_index FROM scheduler.attempts a JOIN idle_compute.devices d ON d.id = a.device_id
                WHERE a.state IN {{QueueOrder.Live}} AND (a.expires_at <= {0} OR d.state IN ('Lost', 'Unregistered')))
            ORDER BY t.job_id, t.index LIMIT {1} FOR NO KEY UPDATE SKIP LOCKED
            """, now, limit).AsNoTracking().ToListAsync(cancel);
        return await AssembleAsync(tasks, null, cancel);
    }

    public async Task<IReadOnlyList<TaskExecution>> ClaimOverNoticeAsync(DateTimeOffset now, int limit, CancellationToken cancel)
    {
        var (over, uploading) = (now - SchedulerOptions.NoticeSlack, now - SchedulerOptions.UploadSlack);
        var tasks = await db.Tasks.FromSql(
            $"""
            SELECT t.* FROM scheduler.tasks t
            WHERE (t.job_id, t.index) IN (
                SELECT a.job_id, a.task_index FROM scheduler.attempts a
                WHERE (a.state IN ('Leased', 'Staging', 'Running') AND a.notice_until <= {over}) OR (a.state = 'Uploading' AND a.notice_until <= {uploading}))
            ORDER BY t.job_id, t.index LIMIT {limit} FOR NO KEY UPDATE SKIP LOCKED
            """).AsNoTracking().ToListAsync(cancel);
        return await AssembleAsync(tasks, null, cancel);
    }

    public async Task<IReadOnlySet<string>> GoneDevicesAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel) =>
        (await db.QuerySqlAsync("SELECT id FROM idle_compute.devices WHERE id = ANY ($1) AND state IN ('Lost', 'Unregistered')", r => r.GetString(0), cancel, (object)deviceIds.ToArray()))
            .ToHashSet(StringComparer.Ordinal);

    public async Task<IReadOnlyList<TaskExecution>> ClaimStalledAuditsAsync(DateTimeOffset since, int limit, CancellationToken cancel)
    {
        var tasks = await db.Tasks.FromSql(
            $"""
            SELECT t.* FROM scheduler.tasks t JOIN scheduler.jobs j ON j.id = t.job_id
            WHERE t.audited AND t.state = 'Verifying' AND t.open_slots > 0 AND t.eligible_at <= {since} AND j.state IN ('Running', 'Paused')
              AND (SELECT count(*) FROM scheduler.attempts a WHERE a.job_id = t.job_id AND a.task_index = t.index AND a.state = 'Reported') = 1
            ORDER BY t.job_id, t.index LIMIT {limit} FOR NO KEY UPDATE OF t SKIP LOCKED
            """).AsNoTracking().ToListAsync(cancel);
        return await AssembleAsync(tasks, null, cancel);
    }

    public async Task<IReadOnlyList<(Job Job, TimeSpan Median)>> NearlyDoneAsync(DateTimeOffset leasedBefore, CancellationToken cancel)
    {
        var medians = (await db.QuerySqlAsync(
            $"""
            SELECT j.id, m.median FROM (
                SELECT id FROM scheduler.jobs
                WHERE state = 'Running' AND task_count >= {Straggler.LeastTasks} AND materialised = task_count AND tasks_succeeded + tasks_failed < task_count
                  AND (tasks_succeeded + tasks_failed) * 100::bigint >= task_count * {Straggler.PercentEnded}::bigint
                  AND NOT EXISTS (SELECT FROM scheduler.tasks t WHERE t.job_id = jobs.id AND t.open_slots > 0)
                  AND EXISTS (SELECT FROM scheduler.attempts a WHERE a.job_id = jobs.id AND a.state IN {QueueOrder.Live} AND a.leased_at <= $1)
                ORDER BY random() LIMIT 64) AS j
            CROSS JOIN LATERAL (
                SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_ms) AS median
                FROM (SELECT wall_ms FROM scheduler.attempts WHERE job_id = j.id AND state = 'Accepted' ORDER BY task_index DESC LIMIT 1000) AS finished) AS m
            WHERE m.median IS NOT NULL
            """,
            r => (Id: new JobId(r.GetGuid(0)), Median: TimeSpan.FromMilliseconds(r.GetDouble(1))), cancel, leasedBefore)).ToDictionary(m => m.Id, m => m.Median);
        var ids = medians.Keys.ToList();
        return ids.Count == 0 ? [] : [.. (await db.Jobs.AsNoTracking().Where(j => ids.Contains(j.Id)).ToListAsync(cancel)).Select(j => (j, medians[j.Id]))];
    }

    public async Task<IReadOnlyList<TaskExecution>> ClaimRunningAsync(IReadOnlyCollection<JobId> jobs, DateTimeOffset leasedBefore, int limit, CancellationToken cancel)
    {
        var ids = jobs.Select(j => j.Value).ToArray();
        var tasks = await db.Tasks.FromSqlRaw(
            $$"""
            SELECT t.* FROM scheduler.tasks t
            WHERE (t.job_id, t.index) IN (
                SELECT a.job_id, a.task_index FROM scheduler.attempts a
                WHERE a.job_id = ANY ({0}) AND a.state IN {{QueueOrder.Live}} AND a.leased_at <= {1})
              AND t.open_slots = 0 AND NOT t.speculated AND NOT t.audited
            ORDER BY t.job_id, t.index LIMIT {2} FOR NO KEY UPDATE SKIP LOCKED
            """, ids, leasedBefore, limit).AsNoTracking().ToListAsync(cancel);
        return await AssembleAsync(tasks, null, cancel);
    }

    /// <summary>Reads the attempts that count and the terms of the jobs, after the task rows are locked.</summary>
    private async Task<IReadOnlyList<TaskExecution>> AssembleAsync(List<JobTask> tasks, Dictionary<JobId, Job>? jobs, CancellationToken cancel)
    {
        if (tasks.Count == 0)
            return [];
        var attempts = tasks.Exists(t => t.Epoch > 0) ? await AttemptsOfAsync(tasks, cancel) : [];
        var terms = jobs?.ToDictionary(j => j.Key, j => JobTerms.Of(j.Value)) ?? await TermsAsync([.. tasks.Select(t => t.JobId.Value).Distinct()], cancel);
        var byTask = attempts.ToLookup(a => a.Task);
        return [.. tasks.Select(t => new TaskExecution(t, [.. byTask[t.Key]], terms[t.JobId]))];
    }

    private async Task<Dictionary<JobId, JobTerms>> TermsAsync(Guid[] jobs, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT id, sla_tier, deterministic, retries, cpu_millicores, memory_bytes, hold_per_task_micro, checkpoint_path IS NOT NULL,
                price_core_hour_micro, price_gib_hour_micro, price_tier_tenths, hold_margin_bp, formula_version
            FROM scheduler.jobs WHERE id = ANY ($1)
            """,
            r => (Id: new JobId(r.GetGuid(0)), Terms: new JobTerms(
                TierTerms.Of(Enum.Parse<SlaTier>(r.GetString(1))).For(r.GetBoolean(2), r.GetBoolean(7)),
                new PriceTerms(r.GetInt64(8), r.GetInt64(9), r.GetInt32(10), r.GetInt32(11), r.GetInt64(12)), r.GetInt32(3), r.GetInt32(4), r.GetInt64(5), r.GetInt64(6))), cancel, jobs))
            .ToDictionary(x => x.Id, x => x.Terms);

    private async Task<List<Attempt>> AttemptsOfAsync(List<JobTask> tasks, CancellationToken cancel)
    {
        var leased = tasks.Where(t => t.Epoch > 0).ToList();
        var (jobs, indices) = (leased.Select(t => t.JobId.Value).ToArray(), leased.Select(t => t.Index).ToArray());
        return await db.Attempts.FromSqlRaw(
            $"""
            SELECT a.* FROM unnest(@jobs, @indices) AS wanted(job_id, index)
            JOIN scheduler.attempts a ON a.job_id = wanted.job_id AND a.task_index = wanted.index
            WHERE a.state IN {Counting}
            """, new Npgsql.NpgsqlParameter("jobs", jobs), new Npgsql.NpgsqlParameter("indices", indices)).AsNoTracking().ToListAsync(cancel);
    }

    public async Task SaveAsync(IReadOnlyCollection<TaskExecution> executions, CancellationToken cancel)
    {
        if (executions.Count == 0)
            return;
        var tasks = executions.Select(e => e.Task).ToArray();
        var statements = new List<(string, object?[])> { Update(tasks) };
        var added = executions.SelectMany(e => e.NewAttempts).ToArray();
        if (added.Length > 0)
            statements.Add(Insert(added));
        var changed = executions.SelectMany(e => e.ChangedAttempts).ToArray();
        if (changed.Length > 0)
            statements.Add(Update(changed));
        await db.ExecuteSqlAsync(statements, cancel);
    }

    private static (string Sql, object?[] Values) Update(JobTask[] tasks) => (
        """
        UPDATE scheduler.tasks t SET state = n.state, open_slots = n.open_slots, epoch = n.epoch, job_errors = n.job_errors, device_losses = n.device_losses,
            evictions = n.evictions, audited = n.audited, eligible_at = n.eligible_at, started_at = n.started_at, finished_at = n.finished_at,
            output_digest = n.output_digest, failure_reason = n.failure_reason, cost_micro = n.cost_micro,
            checkpoint_sha256 = n.checkpoint_sha256, checkpoint_epoch = n.checkpoint_epoch, idle_checkpoints = n.idle_checkpoints, speculated = n.speculated
        FROM unnest($1::uuid[], $2::int[], $3::text[], $4::smallint[], $5::int[], $6::smallint[], $7::smallint[], $8::smallint[], $9::bool[], $10::timestamptz[],
            $11::timestamptz[], $12::timestamptz[], $13::text[], $14::text[], $15::bigint[], $16::text[], $17::int[], $18::smallint[], $19::bool[])
            AS n(job_id, index, state, open_slots, epoch, job_errors, device_losses, evictions, audited, eligible_at, started_at, finished_at, output_digest, failure_reason, cost_micro,
            checkpoint_sha256, checkpoint_epoch, idle_checkpoints, speculated)
        WHERE t.job_id = n.job_id AND t.index = n.index
        """,
        [
            tasks.Select(t => t.JobId.Value).ToArray(), tasks.Select(t => t.Index).ToArray(), tasks.Select(t => t.State.ToString()).ToArray(), tasks.Select(t => t.OpenSlots).ToArray(),
            tasks.Select(t => t.Epoch).ToArray(), tasks.Select(t => t.JobErrors).ToArray(), tasks.Select(t => t.DeviceLosses).ToArray(), tasks.Select(t => t.Evictions).ToArray(),
            tasks.Select(t => t.Audited).ToArray(), tasks.Select(t => t.EligibleAt).ToArray(), tasks.Select(t => t.StartedAt).ToArray(), tasks.Select(t => t.FinishedAt).ToArray(),
            tasks.Select(t => t.OutputDigest).ToArray(), tasks.Select(t => t.FailureReason).ToArray(), tasks.Select(t => t.CostMicro).ToArray(),
            tasks.Select(t => t.CheckpointSha256).ToArray(), tasks.Select(t => t.CheckpointEpoch).ToArray(), tasks.Select(t => t.IdleCheckpoints).ToArray(),
            tasks.Select(t => t.Speculated).ToArray(),
        ]);

    private static (string Sql, object?[] Values) Insert(Attempt[] attempts) => (
        """
        INSERT INTO scheduler.attempts (id, job_id, task_index, device_id, replica, epoch, state, leased_at, expires_at, wall_ms, cpu_ms, log_bytes)
        SELECT id, job_id, task_index, device_id, replica, epoch, 'Leased', leased_at, expires_at, 0, 0, 0
        FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::smallint[], $6::int[], $7::timestamptz[], $8::timestamptz[])
            AS n(id, job_id, task_index, device_id, replica, epoch, leased_at, expires_at)
        """,
        [
            attempts.Select(a => a.Id.Value).ToArray(), attempts.Select(a => a.JobId.Value).ToArray(), attempts.Select(a => a.TaskIndex).ToArray(), attempts.Select(a => a.DeviceId).ToArray(),
            attempts.Select(a => a.Replica).ToArray(), attempts.Select(a => a.Epoch).ToArray(), attempts.Select(a => a.LeasedAt).ToArray(), attempts.Select(a => a.ExpiresAt).ToArray(),
        ]);

    private static (string Sql, object?[] Values) Update(Attempt[] attempts) => (
        """
        UPDATE scheduler.attempts a SET state = n.state, reason = n.reason, message = n.message, started_at = n.started_at, finished_at = n.finished_at, exit_code = n.exit_code,
            wall_ms = n.wall_ms, cpu_ms = n.cpu_ms, peak_memory_bytes = n.peak_memory_bytes, output_digest = n.output_digest, output = n.output, stdout_sha256 = n.stdout_sha256,
            stderr_sha256 = n.stderr_sha256, log_tail = n.log_tail, log_bytes = n.log_bytes, signature = n.signature
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::int[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[],
            $12::jsonb[], $13::text[], $14::text[], $15::text[], $16::bigint[], $17::text[])
            AS n(id, state, reason, message, started_at, finished_at, exit_code, wall_ms, cpu_ms, peak_memory_bytes, output_digest, output, stdout_sha256, stderr_sha256, log_tail,
            log_bytes, signature)
        WHERE a.id = n.id
        """,
        [
            attempts.Select(a => a.Id.Value).ToArray(), attempts.Select(a => a.State.ToString()).ToArray(), attempts.Select(a => a.Reason).ToArray(), attempts.Select(a => a.Message).ToArray(),
            attempts.Select(a => a.StartedAt).ToArray(), attempts.Select(a => a.FinishedAt).ToArray(), attempts.Select(a => a.ExitCode).ToArray(), attempts.Select(a => a.WallMs).ToArray(),
            attempts.Select(a => a.CpuMs).ToArray(), attempts.Select(a => a.PeakMemoryBytes).ToArray(), attempts.Select(a => a.OutputDigest).ToArray(),
            Sql.JsonArray([.. attempts.Select(a => a.Output)]), attempts.Select(a => a.StdoutSha256).ToArray(), attempts.Select(a => a.StderrSha256).ToArray(),
            attempts.Select(a => a.LogTail).ToArray(), attempts.Select(a => a.LogBytes).ToArray(), attempts.Select(a => a.Signature).ToArray(),
        ]);

    public async Task StartJobsAsync(IReadOnlyCollection<JobId> jobs, DateTimeOffset now, CancellationToken cancel)
    {
        if (jobs.Count == 0)
            return;
        // The guard is the transition table's row Admitted → Running.
        await db.ExecuteSqlAsync(
            "UPDATE scheduler.jobs SET state = 'Running', started_at = coalesce(started_at, $2) WHERE id = ANY ($1) AND state = 'Admitted'",
            cancel, jobs.Select(j => j.Value).Order().ToArray(), now);
    }

    public async Task<IReadOnlyList<Job>> CountEndsAsync(IReadOnlyCollection<JobEnds> ends, CancellationToken cancel)
    {
        var ordered = ends.OrderBy(e => e.Job.Value).ToArray();
        if (ordered.Length > 1)
        {
            await db.ExecuteSqlAsync("SELECT FROM scheduler.jobs WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE", cancel, ordered.Select(e => e.Job.Value).ToArray());
        }
        var finished = await db.QuerySqlAsync(
            """
            UPDATE scheduler.jobs j SET tasks_succeeded = j.tasks_succeeded + n.succeeded, tasks_failed = j.tasks_failed + n.failed, charged_micro = j.charged_micro + n.charged,
                run_ms = j.run_ms + n.run_ms
            FROM unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::bigint[]) AS n(id, succeeded, failed, charged, run_ms)
            WHERE j.id = n.id
            RETURNING j.id, j.tasks_succeeded + j.tasks_failed + j.tasks_cancelled = j.task_count AND j.state IN ('Admitted', 'Running', 'Paused')
            """,
            r => (Id: new JobId(r.GetGuid(0)), Finished: r.GetBoolean(1)), cancel,
            ordered.Select(e => e.Job.Value).ToArray(), ordered.Select(e => e.Succeeded).ToArray(), ordered.Select(e => e.Failed).ToArray(), ordered.Select(e => e.ChargedMicro).ToArray(),
            ordered.Select(e => e.RunMs).ToArray());
        var ids = finished.Where(f => f.Finished).Select(f => f.Id).ToList();
        return ids.Count == 0 ? [] : await db.Jobs.Where(j => ids.Contains(j.Id)).OrderBy(j => j.Id).ToListAsync(cancel);
    }

    public async Task<IReadOnlyDictionary<JobId, AccountId>> RequestersAsync(IReadOnlyCollection<JobId> jobs, CancellationToken cancel) =>
        (await db.QuerySqlAsync("SELECT id, account_id FROM scheduler.jobs WHERE id = ANY ($1)", r => (new JobId(r.GetGuid(0)), new AccountId(r.GetGuid(1))), cancel,
            jobs.Select(j => j.Value).ToArray())).ToDictionary(x => x.Item1, x => x.Item2);

    public async Task<IReadOnlyList<string>> CancelTasksAsync(JobId job, string reason, DateTimeOffset now, CancellationToken cancel)
    {
        await db.SaveChangesAsync(cancel);
        await db.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock({WritingLock}) FROM scheduler.jobs WHERE id = $1 AND materialised < task_count", cancel, job.Value);
        await db.ExecuteSqlAsync(
            "SELECT FROM scheduler.tasks WHERE job_id = $1 AND state NOT IN ('Succeeded', 'Failed', 'Cancelled') ORDER BY job_id, index FOR NO KEY UPDATE", cancel, job.Value);
        var tasks = await db.ExecuteSqlAsync(
            "UPDATE scheduler.tasks SET state = 'Cancelled', open_slots = 0, finished_at = $2, failure_reason = $3 WHERE job_id = $1 AND state NOT IN ('Succeeded', 'Failed', 'Cancelled')",
            cancel, job.Value, now, reason);
        var devices = await db.QuerySqlAsync(
            $"""
            WITH ended AS (
                UPDATE scheduler.attempts SET state = 'Cancelled', reason = $3, finished_at = coalesce(finished_at, $2)
                WHERE job_id = $1 AND state IN ('Leased', 'Staging', 'Running', 'Uploading', 'Reported') RETURNING device_id)
            SELECT DISTINCT device_id FROM ended
            """, r => r.GetString(0), cancel, job.Value, now, reason);
        // Tasks that have no row yet are cancelled like the others.
        await db.ExecuteSqlAsync(
            """
            UPDATE scheduler.jobs SET tasks_cancelled = tasks_cancelled + $2 + task_count - materialised
            WHERE id = $1 AND state IN ('Submitted', 'Admitted', 'Running', 'Paused')
            """, cancel, job.Value, tasks);
        return devices;
    }

    public async Task<Job?> LockJobAsync(JobId job, CancellationToken cancel)
    {
        var id = job.Value;
        // What this transaction has changed on it must not be lost by reading it again.
        await db.SaveChangesAsync(cancel);
        var found = (await db.Jobs.FromSql($"SELECT * FROM scheduler.jobs WHERE id = {id} FOR NO KEY UPDATE").ToListAsync(cancel)).SingleOrDefault();
        if (found is not null)
            // A copy tracked earlier in this transaction would hide what set-based statements have written since.
            await db.Entry(found).ReloadAsync(cancel);
        return found;
    }

    public async Task<IReadOnlyList<JobId>> OverdueJobsAsync(DateTimeOffset now, int limit, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT id FROM scheduler.jobs
            WHERE state IN ('Admitted', 'Running', 'Paused') AND (deadline <= $1 OR (started_at IS NULL AND submitted_at + queue_seconds * interval '1 second' <= $1)
                OR (deadline IS NULL AND submitted_at + queue_seconds * interval '1 second' + $3 <= $1))
            ORDER BY id LIMIT $2
            """, r => new JobId(r.GetGuid(0)), cancel, now, limit, Job.LongestLife);

    public async Task<IReadOnlyList<JobId>> ReleaseDependentsAsync(JobId completed, DateTimeOffset now, CancellationToken cancel)
    {
        var ready = await db.QuerySqlAsync(
            """
            UPDATE scheduler.jobs SET dependencies_left = dependencies_left - 1
            WHERE id IN (SELECT job_id FROM scheduler.job_dependencies WHERE depends_on = $1) AND state IN ('Admitted', 'Paused') AND dependencies_left > 0
            RETURNING id, dependencies_left, sla_tier, deterministic
            """,
            r => (Id: new JobId(r.GetGuid(0)), Left: r.GetInt32(1), Tier: Enum.Parse<SlaTier>(r.GetString(2)), Deterministic: r.GetBoolean(3)), cancel, completed.Value);
        foreach (var job in ready.Where(j => j.Left == 0))
        {
            await db.ExecuteSqlAsync(
                "UPDATE scheduler.tasks SET state = 'Ready', open_slots = $2, eligible_at = $3 WHERE job_id = $1 AND state = 'Pending'",
                cancel, job.Id.Value, (short)TierTerms.Of(job.Tier).For(job.Deterministic).Replicas, now);
        }
        return [.. ready.Where(j => j.Left == 0).Select(j => j.Id)];
    }

    public async Task<IReadOnlyList<JobId>> OpenDependentsAsync(JobId job, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT j.id FROM scheduler.job_dependencies d JOIN scheduler.jobs j ON j.id = d.job_id
            WHERE d.depends_on = $1 AND j.state IN ('Admitted', 'Running', 'Paused') ORDER BY j.id
            """, r => new JobId(r.GetGuid(0)), cancel, job.Value);
}
