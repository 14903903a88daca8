using FogCompute.Application.Health;
using FogCompute.Application.Realtime;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Scheduler;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Realtime;

/// <summary>What stats count, in the statements that a look each second can afford.</summary>
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

    private async Task<PoolCounts> LookAsync(CancellationToken cancel)
    {
        var queue = await SchedulerFigures.QueueLengthAsync(db, cancel);
        return (await db.QuerySqlAsync(
            $"""
            SELECT j.pending, j.running, j.total, d.total, a.harvesting, l.supply, l.stakers
            FROM (SELECT count(*) FILTER (WHERE state IN ('Submitted', 'Admitted'))::int AS pending, count(*) FILTER (WHERE state = 'Running')::int AS running, count(*)::int AS total
                  FROM scheduler.jobs) AS j,
                 (SELECT count(*)::int AS total FROM idle_compute.devices WHERE unregistered_at IS NULL) AS d,
                 (SELECT count(DISTINCT device_id)::int AS harvesting FROM scheduler.attempts WHERE state IN {QueueOrder.Live}) AS a,
                 (SELECT coalesce(-sum(balance) FILTER (WHERE kind IN ('Issuance', 'Burned') AND owner IS NULL), 0)::bigint AS supply,
                         count(*) FILTER (WHERE kind = 'Staked' AND balance > 0)::int AS stakers FROM tokenomics.accounts) AS l
            """,
            r => new PoolCounts(r.GetInt32(0), r.GetInt32(1), r.GetInt32(2), queue, r.GetInt32(3), r.GetInt32(4), r.GetInt64(5), r.GetInt32(6)), cancel)).Single();
    }
}

public static class RealtimeServices
{
    public static IServiceCollection AddRealtimeFigures(this IServiceCollection services) => services.AddScoped<IPoolFigures, PoolFigures>().AddSingleton<PoolLook>().AddScoped<ISocketTickets, SocketTickets>();
}
