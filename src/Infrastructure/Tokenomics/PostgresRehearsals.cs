using System.Text.Json;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Protocol;

namespace FogCompute.Infrastructure.Tokenomics;

/// <summary>tokenomics.rehearsals, and the scheduler's and the devices' tables as they stand.</summary>
internal sealed class PostgresRehearsals(FogDbContext db) : IRehearsals, IRecordedDays
{
    public Task AddAsync(RehearsalAnswer rehearsal, AccountId askedBy, CancellationToken cancel) => db.ExecuteSqlAsync(
        "INSERT INTO tokenomics.rehearsals (proposal, asked_by, at, days, result) VALUES ($1, $2, $3, $4, $5)", cancel,
        rehearsal.ProposalId, askedBy.Value, rehearsal.At, rehearsal.Days, Sql.Json(JsonSerializer.Serialize(rehearsal, WireJson.Responses)));

    public async Task<RehearsalAnswer?> LatestAsync(string proposal, CancellationToken cancel) =>
        (await db.QuerySqlAsync("SELECT result::text FROM tokenomics.rehearsals WHERE proposal = $1 ORDER BY id DESC LIMIT 1",
            r => JsonSerializer.Deserialize<RehearsalAnswer>(r.GetString(0), WireJson.Responses)!, cancel, proposal)).SingleOrDefault();

    public async Task<RecordedDays> ReadAsync(DateTimeOffset from, DateTimeOffset to, int mostTasks, CancellationToken cancel)
    {
        var tasks = await TasksAsync(from, to, mostTasks, cancel);
        var jobs = await JobsAsync(tasks.ToLookup(t => t.Job, t => t.Task), cancel);
        var leases = tasks.SelectMany(t => t.Task.Attempts).GroupBy(a => a.Device, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Min(a => a.LeasedAt), StringComparer.Ordinal);
        return new RecordedDays(from, to, jobs, await DevicesAsync(leases, cancel), tasks.Count == 0 ? 0 : (int)Math.Min(int.MaxValue, tasks[0].Total - tasks.Count));
    }

    private Task<List<(Guid Job, long Total, RecordedTask Task)>> TasksAsync(DateTimeOffset from, DateTimeOffset to, int most, CancellationToken cancel) => db.QuerySqlAsync(
        """
        SELECT t.job_id, t.total, t.index, t.cost_micro, t.audited, t.speculated, a.device, a.state, a.leased_at, a.seconds, a.wall_ms
        FROM (
            SELECT t.job_id, t.index, t.cost_micro, t.audited, t.speculated, count(*) OVER () AS total
            FROM scheduler.jobs j JOIN scheduler.tasks t ON t.job_id = j.id
            WHERE j.tasks_succeeded > 0 AND (j.finished_at IS NULL OR j.finished_at >= $1) AND t.state = 'Succeeded' AND t.finished_at >= $1 AND t.finished_at < $2
            ORDER BY t.finished_at DESC, t.job_id, t.index LIMIT $3
        ) AS t
        CROSS JOIN LATERAL (
            SELECT array_agg(device_id ORDER BY leased_at, id) AS device, array_agg(state ORDER BY leased_at, id) AS state, array_agg(leased_at ORDER BY leased_at, id) AS leased_at,
                array_agg(greatest(wall_ms / 1000.0, extract(epoch FROM coalesce(finished_at, leased_at) - leased_at), 0)::float8 ORDER BY leased_at, id) AS seconds,
                array_agg(wall_ms ORDER BY leased_at, id) AS wall_ms
            FROM scheduler.attempts WHERE job_id = t.job_id AND task_index = t.index AND state <> 'Declined'
            HAVING count(*) FILTER (WHERE state = 'Accepted') > 0
        ) AS a
        """,
        r =>
        {
            var states = r.GetFieldValue<string[]>(7).Select(Enum.Parse<AttemptState>).ToArray();
            var (devices, leased, seconds, wall) = (r.GetFieldValue<string[]>(6), r.GetFieldValue<DateTimeOffset[]>(8), r.GetFieldValue<double[]>(9), r.GetFieldValue<long[]>(10));
            return (r.GetGuid(0), r.GetInt64(1), new RecordedTask(
                r.GetInt32(2), r.GetInt64(3), wall.Where((_, i) => states[i] == AttemptState.Accepted).Average(ms => (double)ms), r.GetBoolean(4), r.GetBoolean(5),
                [.. devices.Select((d, i) => new RecordedAttempt(d, states[i], leased[i], seconds[i]))]));
        }, cancel, from, to, most);

    private async Task<IReadOnlyList<RecordedJob>> JobsAsync(ILookup<Guid, RecordedTask> tasks, CancellationToken cancel) => await db.QuerySqlAsync(
        """
        SELECT j.id, j.sla_tier, j.deterministic, j.checkpoint_path IS NOT NULL, j.cpu_millicores, j.memory_bytes, j.gpus, j.disk_limit_bytes, j.isolation, j.network, j.payload_kind,
            j.labels, j.regions, j.excluded_devices, j.priority, j.estimate_ms, j.wall_seconds, j.quote_id IS NOT NULL, j.price_core_hour_micro, j.price_gib_hour_micro, j.price_tier_tenths,
            j.hold_margin_bp, j.formula_version, j.hold_per_task_micro, j.task_count,
            CASE WHEN EXISTS (SELECT FROM scheduler.job_dependencies d WHERE d.job_id = j.id)
                THEN coalesce((SELECT min(a.leased_at) FROM scheduler.attempts a WHERE a.job_id = j.id), j.submitted_at) ELSE j.submitted_at END
        FROM scheduler.jobs j WHERE j.id = ANY ($1) ORDER BY j.id
        """,
        r =>
        {
            var tier = Enum.Parse<SlaTier>(r.GetString(1));
            return new RecordedJob
            {
                Id = new JobId(r.GetGuid(0)), Tier = tier, Deterministic = r.GetBoolean(2), Checkpointing = r.GetBoolean(3), Priority = r.GetInt32(14),
                Needs = new Requirements
                {
                    CpuMillicores = r.GetInt32(4), MemoryBytes = r.GetInt64(5), Gpus = r.GetInt32(6), DiskBytes = r.GetInt64(7), Isolation = Enum.Parse<Isolation>(r.GetString(8)),
                    Network = Enum.Parse<NetworkNeed>(r.GetString(9)), PayloadKind = r.GetString(10), Labels = r.GetFieldValue<string[]>(11), Regions = r.GetFieldValue<string[]>(12),
                    ExcludedDevices = r.GetFieldValue<string[]>(13), AttestedOnly = TierTerms.Of(tier).AttestedOnly,
                },
                Estimate = TimeSpan.FromMilliseconds(r.GetInt64(15)), WallSeconds = r.GetInt32(16), Quoted = r.GetBoolean(17),
                Price = new PriceTerms(r.GetInt64(18), r.GetInt64(19), r.GetInt32(20), r.GetInt32(21), r.GetInt64(22)), HoldPerTaskMicro = r.GetInt64(23), TaskCount = r.GetInt32(24),
                ReadyAt = r.GetFieldValue<DateTimeOffset>(25), Tasks = [.. tasks[r.GetGuid(0)].OrderBy(t => t.Index)],
            };
        }, cancel, tasks.Select(t => t.Key).ToArray());

    /// <summary>Also those that have left the pool since. Figures that only a search over placements uses are left out.</summary>
    private async Task<IReadOnlyList<RecordedDevice>> DevicesAsync(Dictionary<string, DateTimeOffset> leases, CancellationToken cancel) => await db.QuerySqlAsync(
        """
        SELECT id, account_id, cpu_millicores, memory_bytes, disk_bytes, gpus, slots, isolation_levels, payload_kinds, network_allowed, labels, region, verified_streak
        FROM idle_compute.devices WHERE id = ANY ($1) ORDER BY id
        """,
        r => new RecordedDevice(
            new PlacementDevice
            {
                Id = r.GetString(0), Owner = r.GetGuid(1), CpuMillicores = r.GetInt32(2), MemoryBytes = r.GetInt64(3), DiskBytes = r.IsDBNull(4) ? null : r.GetInt64(4), Gpus = r.GetInt32(5),
                Slots = r.GetInt32(6), Isolation = r.GetFieldValue<string[]>(7).Select(Enum.Parse<Isolation>).ToHashSet(),
                PayloadKinds = r.GetFieldValue<string[]>(8).ToHashSet(StringComparer.Ordinal), NetworkAllowed = r.GetBoolean(9),
                Labels = r.GetFieldValue<string[]>(10).ToHashSet(StringComparer.Ordinal), Region = r.IsDBNull(11) ? null : r.GetString(11),
            },
            leases[r.GetString(0)], r.GetInt32(12)), cancel, (object)leases.Keys.ToArray());
}
