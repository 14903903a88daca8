using FogCompute.Application.IdleCompute;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.IdleCompute;

/// <summary>One statement per look: a row per device, three arrays of 168 figures.</summary>
internal sealed class PresenceLog(FogDbContext db) : IPresenceLog
{
    public async Task<PresenceRecorded> LookAsync(DateTimeOffset now, TimeSpan silence, TimeSpan longest, double fade, CancellationToken cancel)
    {
        // An hour of the week is entered once a week, so on entering it its old figures fade by a week's share.
        var bucket = AvailabilityProfile.BucketOf(now) + 1;
        var counts = await db.QuerySqlAsync(
            """
            WITH seen AS (
                SELECT id, state IN ('Eligible', 'Contributing') AND last_seen_at >= $1 - greatest($2, offline_grace_seconds) * interval '1 second' AS present
                FROM idle_compute.devices WHERE unregistered_at IS NULL AND last_poll_at IS NOT NULL
                ORDER BY id
            ), looked AS (
                INSERT INTO idle_compute.device_presence AS p (device_id, observed_seconds, present_seconds, departures, present, observed_at)
                SELECT id, array_fill(0::float8, ARRAY[168]), array_fill(0::float8, ARRAY[168]), array_fill(0::float8, ARRAY[168]), present, $1 FROM seen
                ON CONFLICT (device_id) DO UPDATE SET
                    observed_seconds[$3] = p.observed_seconds[$3] * (CASE WHEN date_trunc('hour', p.observed_at, 'UTC') < date_trunc('hour', $1::timestamptz, 'UTC') THEN $5 ELSE 1 END)
                        + least($4, greatest(0, extract(epoch FROM $1 - p.observed_at))),
                    present_seconds[$3] = p.present_seconds[$3] * (CASE WHEN date_trunc('hour', p.observed_at, 'UTC') < date_trunc('hour', $1::timestamptz, 'UTC') THEN $5 ELSE 1 END)
                        + CASE WHEN EXCLUDED.present THEN least($4, greatest(0, extract(epoch FROM $1 - p.observed_at))) ELSE 0 END,
                    departures[$3] = p.departures[$3] * (CASE WHEN date_trunc('hour', p.observed_at, 'UTC') < date_trunc('hour', $1::timestamptz, 'UTC') THEN $5 ELSE 1 END)
                        + CASE WHEN p.present AND NOT EXCLUDED.present THEN 1 ELSE 0 END,
                    present = EXCLUDED.present, observed_at = $1
                RETURNING present)
            SELECT count(*)::int, (count(*) FILTER (WHERE present))::int FROM looked
            """,
            r => new PresenceRecorded(r.GetInt32(0), r.GetInt32(1)), cancel, now, silence.TotalSeconds, bucket, longest.TotalSeconds, Math.Pow(fade, 0.25));
        return counts[0];
    }
}

/// <summary>
/// The learned profiles, read at most once a minute (they change once a minute) and kept for all passes of this process. Thread-safe.
/// </summary>
internal sealed class PresenceProfiles(TimeProvider time)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);
    private volatile Book? _book;

    public async Task<IReadOnlyDictionary<string, AvailabilityProfile>> ReadAsync(FogDbContext db, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        if (_book is { } book && now - book.ReadAt < Fresh)
            return book.Profiles;
        var rows = await db.QuerySqlAsync(
            "SELECT device_id, observed_seconds, present_seconds, departures FROM idle_compute.device_presence",
            r => (Id: r.GetString(0), Profile: new AvailabilityProfile(r.GetFieldValue<double[]>(1), r.GetFieldValue<double[]>(2), r.GetFieldValue<double[]>(3))), cancel);
        _book = new Book(now, rows.ToDictionary(x => x.Id, x => x.Profile, StringComparer.Ordinal));
        return _book.Profiles;
    }

    private sealed record Book(DateTimeOffset ReadAt, IReadOnlyDictionary<string, AvailabilityProfile> Profiles);
}
