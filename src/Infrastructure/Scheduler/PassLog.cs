using System.Text.Json;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Protocol;

namespace FogCompute.Infrastructure.Scheduler;

/// <summary>Fronts of placement passes, one row each.</summary>
internal sealed class PassLog(FogDbContext db) : IPassLog
{
    public Task WriteAsync(PlacementPassDetail pass, CancellationToken cancel) => db.ExecuteSqlAsync(
        """
        INSERT INTO scheduler.passes (id, at, took_ms, tasks, slots, devices, placed, unplaced, generations, evaluations, search_ms, hypervolume, convergence, chosen, front, jobs)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        """,
        cancel, pass.Id, pass.At, pass.TookMs, pass.Tasks, pass.Slots, pass.Devices, pass.Placed, pass.Unplaced, pass.Generations, pass.Evaluations, pass.SearchMs, pass.Hypervolume,
        pass.Convergence, pass.Chosen, Sql.Json(JsonSerializer.Serialize(pass.Front, WireJson.Responses)), pass.Jobs.ToArray());

    public async Task<PlacementPassDetail?> ReadAsync(Guid? id, CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT id, at, took_ms, tasks, slots, devices, placed, unplaced, generations, evaluations, search_ms, hypervolume, convergence, chosen, front, jobs
            FROM scheduler.passes WHERE $1::uuid IS NULL OR id = $1 ORDER BY at DESC LIMIT 1
            """,
            r => new PlacementPassDetail
            {
                Id = r.GetGuid(0), At = r.GetFieldValue<DateTimeOffset>(1), TookMs = r.GetDouble(2), Tasks = r.GetInt32(3), Slots = r.GetInt32(4), Devices = r.GetInt32(5),
                Placed = r.GetInt32(6), Unplaced = r.GetInt32(7), Generations = r.GetInt32(8), Evaluations = r.GetInt64(9), SearchMs = r.GetDouble(10), Hypervolume = r.GetDouble(11),
                Convergence = r.GetDouble(12), Chosen = r.GetInt32(13), Front = JsonSerializer.Deserialize<PassPoint[]>(r.GetString(14), WireJson.Responses) ?? [],
                Jobs = r.GetFieldValue<Guid[]>(15),
            }, cancel, Sql.Typed(id, NpgsqlTypes.NpgsqlDbType.Uuid))).SingleOrDefault();

    public Task<int> ForgetAsync(DateTimeOffset before, int atMost, CancellationToken cancel) =>
        db.ExecuteSqlAsync("DELETE FROM scheduler.passes WHERE id IN (SELECT id FROM scheduler.passes WHERE at < $1 ORDER BY at LIMIT $2)", cancel, before, atMost);
}
