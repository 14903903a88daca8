using System.Diagnostics;
using FogCompute.Application.Dashboard;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Dashboard;

internal sealed class DashboardFigures(FogDbContext db) : IDashboardFigures
{
    public async Task<DashboardCounts> CountAsync(CancellationToken cancel)
    {
        var (compute, score, runs) = (await db.QuerySqlAsync(
            """
            SELECT d.compute_ms, d.score, (SELECT count(*)::int FROM benchmarks.runs WHERE state = 'Completed')
            FROM (SELECT coalesce(sum(compute_ms), 0)::bigint AS compute_ms, avg(benchmark_score) FILTER (WHERE unregistered_at IS NULL) AS score FROM idle_compute.devices) AS d
            """,
            r => (r.GetInt64(0), r.IsDBNull(1) ? (double?)null : r.GetDouble(1), r.GetInt32(2)), cancel)).Single();
        // After the other: what opens a connection to a new server is not what a round trip takes.
        var started = Stopwatch.GetTimestamp();
        await db.ScalarSqlAsync<int>("SELECT 1", cancel);
        return new DashboardCounts(compute, score, runs, Stopwatch.GetElapsedTime(started));
    }
}
