using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Identity;
using FogCompute.Domain.IdleCompute;
using FogCompute.Infrastructure.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

#pragma warning disable IDE0130 // the context is one class; each module adds its port beside its mapping
namespace FogCompute.Infrastructure.Persistence
{
    public sealed partial class FogDbContext : IIdleComputeDb
    {
        public DbSet<Device> Devices => Set<Device>();
    }
}
#pragma warning restore IDE0130

namespace FogCompute.Infrastructure.IdleCompute
{
    internal sealed class DeviceMapping : IEntityTypeConfiguration<Device>
    {
        public void Configure(EntityTypeBuilder<Device> builder)
        {
            builder.ToTable("devices", "idle_compute").HasKey(d => d.Id);
            builder.Property(d => d.Id).ValueGeneratedNever();
            builder.Ignore(d => d.Reputation).Ignore(d => d.Availability);
        }
    }

    internal sealed class DeviceDirectory(FogDbContext db, Application.Scheduler.SchedulerOptions options, TimeProvider time) : IDeviceDirectory
    {
        public async Task<ReportingDevice?> FindAsync(string deviceId, CancellationToken cancel) =>
            (await db.QuerySqlAsync("SELECT id, account_id, public_key, verified_streak FROM idle_compute.devices WHERE id = $1 AND unregistered_at IS NULL",
                r => new ReportingDevice(r.GetString(0), new AccountId(r.GetGuid(1)), r.IsDBNull(2) ? null : r.GetFieldValue<byte[]>(2), r.GetInt32(3)), cancel, deviceId)).SingleOrDefault();

        public async Task<IReadOnlyDictionary<string, AccountId>> OwnersAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel) =>
            (await db.QuerySqlAsync("SELECT id, account_id FROM idle_compute.devices WHERE id = ANY ($1)", r => (r.GetString(0), new AccountId(r.GetGuid(1))), cancel, (object)deviceIds.ToArray()))
                .ToDictionary(x => x.Item1, x => x.Item2, StringComparer.Ordinal);

        public async Task<IReadOnlyDictionary<string, DeviceProvider>> ProvidersAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel) =>
            (await db.QuerySqlAsync("SELECT id, account_id, benchmark_score FROM idle_compute.devices WHERE id = ANY ($1)",
                r => (Id: r.GetString(0), Provider: new DeviceProvider(new AccountId(r.GetGuid(1)), r.IsDBNull(2) ? null : r.GetDouble(2))), cancel, (object)deviceIds.ToArray()))
                .ToDictionary(x => x.Id, x => x.Provider, StringComparer.Ordinal);

        public async Task<DevicePresence?> PresenceAsync(string deviceId, CancellationToken cancel) =>
            (await db.QuerySqlAsync("SELECT state, state_reason, slots, last_seen_at, last_poll_at IS NULL FROM idle_compute.devices WHERE id = $1 AND unregistered_at IS NULL",
                r => new DevicePresence(Enum.Parse<DeviceState>(r.GetString(0)), r.IsDBNull(1) ? null : r.GetString(1), r.GetInt32(2), r.GetBoolean(4) ? DateTimeOffset.MinValue : r.GetFieldValue<DateTimeOffset>(3)),
                cancel, deviceId)).SingleOrDefault();

        public async Task<bool> AnotherTakesLeasesAsync(string deviceId, CancellationToken cancel) =>
            await db.ScalarSqlAsync<bool>(
                """
                SELECT EXISTS (SELECT FROM idle_compute.devices WHERE id <> $1 AND unregistered_at IS NULL AND state IN ('Eligible', 'Contributing') AND last_poll_at > $2)
                """, cancel, deviceId, time.GetUtcNow() - options.Silence);

        public async Task<IReadOnlyList<Device>> LockAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel)
        {
            var ids = deviceIds.ToArray();
            return await db.Devices.FromSql($"SELECT * FROM idle_compute.devices WHERE id = ANY ({ids}) AND unregistered_at IS NULL ORDER BY id FOR NO KEY UPDATE").ToListAsync(cancel);
        }

        public async Task<IReadOnlyDictionary<string, AccountId>> LockOwnersAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel) =>
            (await db.QuerySqlAsync("SELECT id, account_id FROM idle_compute.devices WHERE id = ANY ($1) AND unregistered_at IS NULL ORDER BY id FOR NO KEY UPDATE",
                r => (Id: r.GetString(0), Owner: new AccountId(r.GetGuid(1))), cancel, (object)deviceIds.ToArray())).ToDictionary(x => x.Id, x => x.Owner, StringComparer.Ordinal);

        public async Task<bool> HearAsync(IReadOnlyCollection<SignOfLife> heard, DateTimeOffset now, CancellationToken cancel) =>
            await db.ScalarSqlAsync<bool>(
                """
                WITH given AS (
                    SELECT g.id, g.battery, g.charging, d.state = 'Lost' AS lost, d.last_seen_at < $4 - greatest($5, d.offline_grace_seconds) * interval '1 second' AS silent
                    FROM unnest($1::text[], $2::float8[], $3::bool[]) AS g (id, battery, charging) JOIN idle_compute.devices d ON d.id = g.id),
                written AS (
                    UPDATE idle_compute.devices d SET
                        battery_percent = coalesce(g.battery, d.battery_percent), charging = coalesce(g.charging, d.charging), last_seen_at = greatest(d.last_seen_at, $4),
                        state = CASE WHEN g.lost THEN 'Eligible' ELSE d.state END, state_reason = CASE WHEN g.lost THEN NULL ELSE d.state_reason END
                    FROM given g WHERE d.id = g.id)
                SELECT coalesce(bool_or(lost OR silent), false) FROM given
                """, cancel,
                heard.Select(h => h.DeviceId).ToArray(), heard.Select(h => h.Battery).ToArray(), heard.Select(h => h.Charging).ToArray(), now, options.Silence.TotalSeconds);

        public async Task ReserveIdsAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel) =>
            await db.ExecuteSqlAsync(
                "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended('device:' || id, 0) AS key FROM unnest($1::text[]) AS given (id) ORDER BY key) AS keys",
                cancel, (object)deviceIds.ToArray());

        public async Task<IReadOnlyList<Device>> LockAnyAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel)
        {
            var ids = deviceIds.ToArray();
            return await db.Devices.FromSql($"SELECT * FROM idle_compute.devices WHERE id = ANY ({ids}) ORDER BY id FOR NO KEY UPDATE").ToListAsync(cancel);
        }

        public async Task<IReadOnlyList<Device>> ClaimSilentAsync(DateTimeOffset now, TimeSpan silence, CancellationToken cancel)
        {
            var seconds = silence.TotalSeconds;
            return await db.Devices.FromSql(
                $"""
                SELECT * FROM idle_compute.devices
                WHERE unregistered_at IS NULL AND state <> 'Lost' AND last_poll_at IS NOT NULL
                  AND last_seen_at < {now} - greatest({seconds}, offline_grace_seconds) * interval '1 second'
                ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
                """).ToListAsync(cancel);
        }
    }
}
