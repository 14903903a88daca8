using System.Diagnostics;
using System.Text.Json;
using FogCompute.Application.Benchmarks;
using FogCompute.Application.Benchmarks.Contracts;
using FogCompute.Infrastructure.Persistence;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Benchmarks;

internal sealed class BenchmarkRuns(FogDbContext db) : IBenchmarkRuns
{
    private const string Columns = "id, type, state, started_at, ended_at, duration_seconds, machine, summary, why, requested_by";

    public async Task<bool> StartAsync(Guid id, BenchmarkType type, int seconds, Guid requestedBy, DateTimeOffset now, CancellationToken cancel) =>
        await db.ExecuteSqlAsync(
            """
            INSERT INTO benchmarks.runs (id, type, state, requested_by, duration_seconds, started_at) VALUES ($1, $2, 'Running', $3, $4, $5)
            ON CONFLICT ((true)) WHERE state = 'Running' DO NOTHING
            """, cancel, id, type.ToString(), requestedBy, seconds, now) == 1;

    public async Task<bool> StopAsync(Guid id, DateTimeOffset now, CancellationToken cancel) =>
        await db.ExecuteSqlAsync("UPDATE benchmarks.runs SET state = 'Stopped', ended_at = greatest($2, started_at) WHERE id = $1 AND state = 'Running'", cancel, id, now) == 1;

    public async Task<Guid?> RunningAsync(CancellationToken cancel) =>
        (await db.QuerySqlAsync("SELECT id FROM benchmarks.runs WHERE state = 'Running'", r => (Guid?)r.GetGuid(0), cancel)).SingleOrDefault();

    public async Task<BenchmarkRun?> FindAsync(Guid id, CancellationToken cancel) =>
        (await db.QuerySqlAsync($"SELECT {Columns} FROM benchmarks.runs WHERE id = $1", r => Map(r).Run, cancel, id)).SingleOrDefault();

    public async Task<IReadOnlyList<BenchmarkRun>> NewestAsync(BenchmarkType? type, int limit, CancellationToken cancel) =>
        await db.QuerySqlAsync($"SELECT {Columns} FROM benchmarks.runs WHERE type = coalesce($1, type) ORDER BY started_at DESC, id DESC LIMIT $2", r => Map(r).Run, cancel, Word(type), limit);

    public Task<int> CountAsync(BenchmarkType? type, CancellationToken cancel) =>
        db.ScalarSqlAsync<int>("SELECT count(*)::int FROM benchmarks.runs WHERE type = coalesce($1, type)", cancel, Word(type));

    public async Task<IReadOnlyList<BenchmarkPoint>> PointsAsync(Guid id, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            "SELECT at, latency_ms, throughput_mb, cpu_percent, memory_percent, network_percent FROM benchmarks.points WHERE run_id = $1 ORDER BY second",
            r => new BenchmarkPoint(r.GetFieldValue<DateTimeOffset>(0).ToUnixTimeMilliseconds(), Number(r, 1), Number(r, 2), Number(r, 3), Number(r, 4), Number(r, 5)), cancel, id);

    public Task<int> InterruptSilentAsync(CancellationToken cancel) => db.ExecuteSqlAsync(
        """
        UPDATE benchmarks.runs SET state = 'Interrupted', ended_at = greatest(heartbeat_at, started_at), why = 'The control plane that ran it has shown no sign of life for 15 s.'
        WHERE state = 'Running' AND heartbeat_at < now() - interval '15 seconds'
        """, cancel);

    public Task<int> ForgetAsync(int keep, CancellationToken cancel) => db.ExecuteSqlAsync(
        "DELETE FROM benchmarks.runs WHERE state <> 'Running' AND id NOT IN (SELECT id FROM benchmarks.runs ORDER BY started_at DESC, id DESC LIMIT $1)", cancel, keep);

    public async Task<double> RoundTripAsync(CancellationToken cancel)
    {
        await db.Database.OpenConnectionAsync(cancel); // Waiting for a connection is not the round trip.
        try
        {
            var started = Stopwatch.GetTimestamp();
            await db.ScalarSqlAsync<int>("SELECT 1", cancel);
            return Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 3);
        }
        finally
        {
            await db.Database.CloseConnectionAsync();
        }
    }

    /// <summary>Takes a run that nobody has begun; null: there is none.</summary>
    public async Task<(BenchmarkRun Run, Guid RequestedBy)?> ClaimAsync(Guid runner, MachineDescription machine, CancellationToken cancel)
    {
        var claimed = await db.QuerySqlAsync(
            $"UPDATE benchmarks.runs SET runner = $1, heartbeat_at = now(), machine = $2 WHERE state = 'Running' AND runner IS NULL RETURNING {Columns}", Map, cancel, runner, Sql.Json(JsonSerializer.Serialize(machine)));
        return claimed.Count == 0 ? null : claimed[0];
    }

    /// <summary>The sign of life, with the last second's point; false: it was stopped or taken away.</summary>
    public async Task<bool> TouchAsync(Guid id, Guid runner, int second, BenchmarkPoint? point, CancellationToken cancel)
    {
        if (await db.ExecuteSqlAsync("UPDATE benchmarks.runs SET heartbeat_at = now() WHERE id = $1 AND runner = $2 AND state = 'Running'", cancel, id, runner) == 0)
            return false;
        if (point is not null)
        {
            await db.ExecuteSqlAsync(
                "INSERT INTO benchmarks.points (run_id, second, at, latency_ms, throughput_mb, cpu_percent, memory_percent, network_percent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                cancel, id, second, DateTimeOffset.FromUnixTimeMilliseconds(point.Timestamp), Double(point.Latency), Double(point.Throughput), Double(point.CpuUsage), Double(point.MemoryUsage), Double(point.NetworkUtilization));
        }
        return true;
    }

    /// <summary>Writes what was measured; the state only if nobody else ended it before.</summary>
    public Task<int> EndAsync(Guid id, Guid runner, BenchmarkState state, string? why, IReadOnlyList<BenchmarkMeasure> summary, DateTimeOffset now, CancellationToken cancel) => db.ExecuteSqlAsync(
        """
        UPDATE benchmarks.runs SET summary = $3, ended_at = CASE WHEN state = 'Running' THEN greatest($4, started_at) ELSE ended_at END,
            why = CASE WHEN state = 'Running' THEN $5 ELSE why END, state = CASE WHEN state = 'Running' THEN $6 ELSE state END
        WHERE id = $1 AND runner = $2
        """, cancel, id, runner, Sql.Json(JsonSerializer.Serialize(summary)), now, Sql.Typed(why, NpgsqlDbType.Text), state.ToString());

    private static (BenchmarkRun Run, Guid RequestedBy) Map(NpgsqlDataReader r) => (
        new BenchmarkRun(
            r.GetGuid(0), Enum.Parse<BenchmarkType>(r.GetString(1)), Enum.Parse<BenchmarkState>(r.GetString(2)), r.GetFieldValue<DateTimeOffset>(3), r.IsDBNull(4) ? null : r.GetFieldValue<DateTimeOffset>(4), r.GetInt32(5),
            r.IsDBNull(6) ? null : JsonSerializer.Deserialize<MachineDescription>(r.GetString(6)), JsonSerializer.Deserialize<List<BenchmarkMeasure>>(r.GetString(7)) ?? [], r.IsDBNull(8) ? null : r.GetString(8)),
        r.GetGuid(9));

    private static NpgsqlParameter Word(BenchmarkType? type) => Sql.Typed(type?.ToString(), NpgsqlDbType.Text);

    private static NpgsqlParameter Double(double? value) => Sql.Typed(value, NpgsqlDbType.Double);

    private static double? Number(NpgsqlDataReader r, int column) => r.IsDBNull(column) ? null : Math.Round(r.GetDouble(column), 4);
}
