using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Infrastructure.Persistence;
using Npgsql;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>Events of jobs and devices; triggers write them, <c>scheduler.seal_events</c> numbers them.</summary>
internal sealed class EventLog(FogDbContext db) : IEventLog
{
    private const string Shown = "($1::uuid IS NULL OR account_id = $1) AND ($2::uuid IS NULL OR job_id = $2) AND ($3::text IS NULL OR device_id = $3) AND ($4 OR device_id IS NULL)";
    private const string Columns = "position, at, kind, account_id, job_id, device_id, name, reason";

    public Task<int> SealAsync(int atMost, CancellationToken cancel) => db.ScalarSqlAsync<int>("SELECT scheduler.seal_events($1)", cancel, atMost);

    public async Task<EventBounds> BoundsAsync(CancellationToken cancel) => (await db.QuerySqlAsync(
        "SELECT coalesce((SELECT min(position) FROM scheduler.events WHERE position IS NOT NULL), p.last + 1), p.last FROM scheduler.event_positions p",
        r => new EventBounds(r.GetInt64(0), r.GetInt64(1)), cancel)).Single();

    public async Task<IReadOnlyList<SchedulerEvent>> ReadAsync(EventFilter filter, long after, int limit, CancellationToken cancel) => await db.QuerySqlAsync(
        $"SELECT {Columns} FROM scheduler.events WHERE position > $5 AND {Shown} ORDER BY position LIMIT $6", Event, cancel, [.. Values(filter), after, limit]);

    public async Task<IReadOnlyList<SchedulerEvent>> NewestAsync(EventFilter filter, int limit, CancellationToken cancel) => await db.QuerySqlAsync(
        $"SELECT * FROM (SELECT {Columns} FROM scheduler.events WHERE position IS NOT NULL AND {Shown} ORDER BY position DESC LIMIT $5) AS newest ORDER BY position", Event, cancel, [.. Values(filter), limit]);

    public Task<int> ForgetAsync(TimeSpan kept, long most, int batch, CancellationToken cancel) => db.ExecuteSqlAsync(
        """
        WITH oldest AS (SELECT position, at FROM scheduler.events WHERE position IS NOT NULL ORDER BY position LIMIT $3),
            upto AS (SELECT greatest((SELECT last FROM scheduler.event_positions) - $2, (SELECT max(position) FROM oldest WHERE at < clock_timestamp() - $1)) AS position)
        DELETE FROM scheduler.events e USING oldest, upto WHERE e.position = oldest.position AND e.position <= upto.position
        """, cancel, kept, most, batch);

    private static object?[] Values(EventFilter filter) =>
        [Sql.Typed(filter.Owner?.Value, NpgsqlDbType.Uuid), Sql.Typed(filter.Job, NpgsqlDbType.Uuid), Sql.Typed(filter.Device, NpgsqlDbType.Text), filter.Devices];

    private static SchedulerEvent Event(NpgsqlDataReader r) => new(
        r.GetInt64(0), r.GetFieldValue<DateTimeOffset>(1), r.GetString(2), r.GetGuid(3), r.IsDBNull(4) ? null : r.GetGuid(4), r.IsDBNull(5) ? null : r.GetString(5),
        r.IsDBNull(6) ? null : r.GetString(6), r.IsDBNull(7) ? null : r.GetString(7));
}
