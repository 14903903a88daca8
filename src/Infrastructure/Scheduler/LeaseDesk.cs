using System.Text.Json;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Protocol;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>Leases as devices fetch and renew them.</summary>
internal sealed class LeaseDesk(FogDbContext db) : ILeaseDesk
{
    /// <summary>Leases sent in one answer.</summary>
    private const int Most = 256;

    public async Task<IReadOnlyList<LeaseMessage>> NewLeasesAsync(string deviceId, IReadOnlyCollection<Guid> held, DateTimeOffset now, CancellationToken cancel)
    {
        // One parse of a job's specification however many of its tasks are in the batch.
        var specifications = new Dictionary<Guid, JobSpecification>();
        var jobs = new Dictionary<Guid, JobRow>();
        var leases = await db.QuerySqlAsync(
            $"""
            SELECT a.id, a.job_id, a.task_index, a.replica, a.epoch, a.expires_at, t.checkpoint_sha256
            FROM scheduler.attempts a JOIN scheduler.tasks t ON t.job_id = a.job_id AND t.index = a.task_index
            WHERE a.device_id = $1 AND a.state IN {QueueOrder.Live} AND a.expires_at > $2 AND a.id <> ALL ($3) AND a.notice_until IS NULL
            ORDER BY a.expires_at, a.id LIMIT $4
            """,
            r => (Id: r.GetGuid(0), Job: r.GetGuid(1), Index: r.GetInt32(2), Replica: r.GetInt16(3), Epoch: r.GetInt32(4), Expires: r.GetFieldValue<DateTimeOffset>(5),
                Checkpoint: r.IsDBNull(6) ? null : r.GetString(6)),
            cancel, deviceId, now, held.ToArray(), Most);
        if (leases.Count == 0)
            return [];
        var rows = await db.QuerySqlAsync(
            """
            SELECT id, task_count, cpu_millicores, memory_bytes, isolation, network, stage_in_seconds, wall_seconds, stage_out_seconds, memory_limit_bytes, disk_limit_bytes,
                output_limit_bytes, process_limit, queue_seconds, specification, checkpoint_path, sla_tier, deterministic
            FROM scheduler.jobs WHERE id = ANY ($1)
            """,
            r => new JobRow(r.GetGuid(0), r.GetInt32(1), r.GetInt32(2), r.GetInt64(3), r.GetString(4).ToLowerInvariant(), r.GetString(5).ToLowerInvariant(),
                new LimitsSpec
                {
                    StageInSeconds = r.GetInt32(6), WallSeconds = r.GetInt32(7), StageOutSeconds = r.GetInt32(8), MemoryBytes = r.GetInt64(9), DiskBytes = r.GetInt64(10),
                    OutputBytes = r.GetInt64(11), Processes = r.GetInt32(12), QueueSeconds = r.GetInt32(13),
                },
                JsonSerializer.Deserialize<JobSpecification>(r.GetString(14), WireJson.Requests)!, r.IsDBNull(15) ? null : r.GetString(15),
                TierTerms.Of(Enum.Parse<SlaTier>(r.GetString(16))).For(r.GetBoolean(17)).TakesCheckpoints),
            cancel, leases.Select(l => l.Job).Distinct().ToArray());
        foreach (var row in rows)
            (jobs[row.Id], specifications[row.Id]) = (row, row.Specification);
        return [.. leases.Select(lease =>
        {
            var (job, specification) = (jobs[lease.Job], specifications[lease.Job]);
            return new LeaseMessage
            {
                AttemptId = lease.Id, JobId = lease.Job, TaskIndex = lease.Index, TaskCount = job.TaskCount, Replica = lease.Replica, Epoch = lease.Epoch,
                ExpiresInSeconds = (lease.Expires - now).TotalSeconds, Payload = specification.Payload, Inputs = specification.Inputs, Outputs = specification.Outputs,
                Limits = job.Limits, CpuMillicores = job.CpuMillicores, MemoryBytes = job.MemoryBytes, Isolation = job.Isolation, Network = job.Network,
                Checkpoint = job.CheckpointPath is { } path ? new LeaseCheckpoint(path, lease.Checkpoint, job.TakesCheckpoints) : null,
            };
        })];
    }

    public async Task<(IReadOnlyList<Revocation> Revoked, IReadOnlyList<Notice> Notices)> RenewAsync(
        string deviceId, IReadOnlyCollection<Guid> held, DateTimeOffset now, TimeSpan lease, CancellationToken cancel)
    {
        if (held.Count == 0)
            return ([], []);
        var ids = held.ToArray();
        var rows = await db.QuerySqlAsync(
            "SELECT id, state, reason, expires_at, notice_until FROM scheduler.attempts WHERE id = ANY ($1) AND device_id = $2",
            r => (Id: r.GetGuid(0), Live: r.GetString(1) is "Leased" or "Staging" or "Running" or "Uploading", State: r.GetString(1), Reason: r.IsDBNull(2) ? null : r.GetString(2), Expires: r.GetFieldValue<DateTimeOffset>(3),
                Notice: r.IsDBNull(4) ? (DateTimeOffset?)null : r.GetFieldValue<DateTimeOffset>(4)),
            cancel, ids, deviceId);
        // Renewed once a third of the life is used, so a busy agent's polls do not write at each turn.
        var due = rows.Where(r => r.Live && r.Expires > now && r.Expires - now < lease * 2 / 3).Select(r => r.Id).Order().ToArray();
        if (due.Length > 0)
        {
            await db.ExecuteSqlAsync(
                $"UPDATE scheduler.attempts SET expires_at = $3 WHERE id = ANY ($1) AND device_id = $2 AND state IN {QueueOrder.Live}",
                cancel, due, deviceId, now + lease);
        }
        var known = rows.ToDictionary(r => r.Id);
        return (
            [.. held.Where(id => !known.TryGetValue(id, out var row) || !row.Live)
                .Select(id => new Revocation(id, known.TryGetValue(id, out var row) ? row.Reason ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(row.State) : "unknown_lease"))],
            [.. rows.Where(r => r is { Live: true, Notice: not null }).Select(r => new Notice(r.Id, PreemptForPriorityCommand.Reason, Math.Max(0, (r.Notice!.Value - now).TotalSeconds)))]);
    }

    private sealed record JobRow(
        Guid Id, int TaskCount, int CpuMillicores, long MemoryBytes, string Isolation, string Network, LimitsSpec Limits, JobSpecification Specification, string? CheckpointPath,
        bool TakesCheckpoints);
}
