using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Infrastructure.IdleCompute;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>Registered devices with what is leased on each, summed over live attempts (a partial index holds just these).</summary>
internal sealed class PlacementPool(FogDbContext db, PresenceProfiles presence, SchedulerOptions options) : IPlacementPool
{
    /// <summary>$1 is now, $2 the seconds of silence after which a device does not count as there. In step with <see cref="PlacementDevice.Unavailable"/> below.</summary>
    private const string Available =
        "d.unregistered_at IS NULL AND d.state IN ('Eligible', 'Contributing') AND d.last_poll_at IS NOT NULL AND d.last_seen_at >= $1 - greatest($2, d.offline_grace_seconds) * interval '1 second'";

    public Task<IReadOnlyList<PlacementDevice>> DevicesAsync(DateTimeOffset now, CancellationToken cancel) => ReadAsync("d.unregistered_at IS NULL", now, cancel);

    public Task<IReadOnlyList<PlacementDevice>> AvailableAsync(DateTimeOffset now, CancellationToken cancel) => ReadAsync(Available, now, cancel, now, options.Silence.TotalSeconds);

    public Task<bool> HasRoomAsync(DateTimeOffset now, CancellationToken cancel) => db.ScalarSqlAsync<bool>(
        $"""
        SELECT EXISTS (SELECT FROM idle_compute.devices d
            WHERE {Available} AND d.slots > (SELECT count(*) FROM scheduler.attempts a WHERE a.device_id = d.id AND a.state IN {QueueOrder.Live}))
        """, cancel, now, options.Silence.TotalSeconds);

    private async Task<IReadOnlyList<PlacementDevice>> ReadAsync(string which, DateTimeOffset now, CancellationToken cancel, params object[] values)
    {
        var profiles = await presence.ReadAsync(db, cancel);
        return await db.QuerySqlAsync(
            $"""
            SELECT d.id, d.account_id, d.cpu_millicores, d.memory_bytes, d.disk_bytes, d.gpus, d.slots, d.isolation_levels, d.payload_kinds, d.network_allowed, d.labels, d.region,
                d.reputation_right, d.reputation_wrong, d.reputation_at, d.tasks_completed, d.losses, d.benchmark_score, d.state, d.state_reason, d.last_seen_at, d.last_poll_at,
                coalesce(l.millicores, 0), coalesce(l.memory, 0), coalesce(l.disk, 0), coalesce(l.gpus, 0), coalesce(l.leases, 0), d.offline_grace_seconds, d.type
            FROM idle_compute.devices d
            LEFT JOIN (
                SELECT a.device_id, sum(j.cpu_millicores)::int AS millicores, sum(j.memory_bytes)::bigint AS memory, sum(j.disk_limit_bytes)::bigint AS disk, sum(j.gpus)::int AS gpus, count(*)::int AS leases
                FROM scheduler.attempts a JOIN scheduler.jobs j ON j.id = a.job_id
                WHERE a.state IN {QueueOrder.Live} GROUP BY a.device_id
            ) l ON l.device_id = d.id
            WHERE {which}
            ORDER BY d.id
            """,
            r =>
            {
                var state = Enum.Parse<DeviceState>(r.GetString(18));
                var reason = r.IsDBNull(19) ? null : r.GetString(19);
                var silent = now - r.GetFieldValue<DateTimeOffset>(20) > Max(options.Silence, TimeSpan.FromSeconds(r.GetInt32(27)));
                var reputation = new Reputation(r.GetDouble(12), r.GetDouble(13), r.GetFieldValue<DateTimeOffset>(14));
                var (completed, losses) = (r.GetInt64(15), r.GetInt64(16));
                return new PlacementDevice
                {
                    Id = r.GetString(0), Owner = r.GetGuid(1), CpuMillicores = r.GetInt32(2), MemoryBytes = r.GetInt64(3), DiskBytes = r.IsDBNull(4) ? null : r.GetInt64(4),
                    Gpus = r.GetInt32(5), Slots = r.GetInt32(6), Isolation = r.GetFieldValue<string[]>(7).Select(Enum.Parse<Isolation>).ToHashSet(),
                    PayloadKinds = r.GetFieldValue<string[]>(8).ToHashSet(StringComparer.Ordinal), NetworkAllowed = r.GetBoolean(9),
                    Labels = r.GetFieldValue<string[]>(10).ToHashSet(StringComparer.Ordinal), Region = r.IsDBNull(11) ? null : r.GetString(11),
                    Trust = reputation.LowerBound(now), Reliability = reputation.Mean(now),
                    Availability = completed + losses == 0 ? 1 : completed / (double)(completed + losses), BenchmarkScore = r.IsDBNull(17) ? null : r.GetDouble(17),
                    Unavailable = r.IsDBNull(21) ? "no_agent" : silent ? "silent" : state is DeviceState.Eligible or DeviceState.Contributing ? null : reason ?? state.ToString().ToLowerInvariant(),
                    LeasedMillicores = r.GetInt32(22), LeasedBytes = r.GetInt64(23), LeasedDisk = r.GetInt64(24), LeasedGpus = r.GetInt32(25), Leases = r.GetInt32(26),
                    WattsPerCore = NominalPower.WattsPerCore(Enum.Parse<DeviceType>(r.GetString(28))),
                    Presence = profiles.GetValueOrDefault(r.GetString(0), AvailabilityProfile.Unknown),
                };
            },
            cancel, values);
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
