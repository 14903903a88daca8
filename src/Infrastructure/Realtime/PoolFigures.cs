using FogCompute.Application.Health;
using FogCompute.Application.Realtime;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Realtime;

/// <summary>One statement for the whole snapshot, so that its figures belong together.</summary>
internal sealed class PoolFigures(FogDbContext db, IOutageTranslator outages) : IPoolFigures
{
    public async Task<PoolCounts?> CountAsync(CancellationToken cancel)
    {
        try
        {
            return await LookAsync(cancel);
        }
        catch (Exception failure) when (!cancel.IsCancellationRequested && outages.Translate(failure) is not null)
        {
            return null;
        }
    }

    private async Task<PoolCounts> LookAsync(CancellationToken cancel) =>
        (await db.QuerySqlAsync(
            """
            SELECT j.pending, j.running, j.total, s.slots + j.unwritten, d.total, a.harvesting, l.supply, l.stakers
            FROM (SELECT count(*) FILTER (WHERE state IN ('Submitted', 'Admitted'))::int AS pending, count(*) FILTER (WHERE state = 'Running')::int AS running, count(*)::int AS total,
                         coalesce(sum(task_count - materialised) FILTER (WHERE state IN ('Admitted', 'Running')), 0)::int AS unwritten FROM scheduler.jobs) AS j,
                 (SELECT coalesce(sum(t.open_slots), 0)::int AS slots FROM scheduler.tasks t JOIN scheduler.jobs j ON j.id = t.job_id
                  WHERE t.open_slots > 0 AND j.state IN ('Admitted', 'Running')) AS s,
                 (SELECT count(*)::int AS total FROM idle_compute.devices WHERE unregistered_at IS NULL) AS d,
                 (SELECT count(DISTINCT device_id)::int AS harvesting FROM scheduler.attempts WHERE state IN ('Leased', 'Staging', 'Running', 'Uploading')) AS a,
                 (SELECT coalesce(-sum(balance) FILTER (WHERE kind IN ('Issuance', 'Burned') AND owner IS NULL), 0)::bigint AS supply,
                         count(*) FILTER (WHERE kind = 'Staked' AND balance > 0)::int AS stakers FROM tokenomics.accounts) AS l
            """,
            r => new PoolCounts(r.GetInt32(0), r.GetInt32(1), r.GetInt32(2), r.GetInt32(3), r.GetInt32(4), r.GetInt32(5), r.GetInt64(6), r.GetInt32(7)), cancel)).Single();
}

public static class RealtimeServices
{
    public static IServiceCollection AddRealtimeFigures(this IServiceCollection services) => services.AddScoped<IPoolFigures, PoolFigures>();
}
