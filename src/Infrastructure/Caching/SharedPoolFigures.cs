using System.Text.Json;
using FogCompute.Application.Realtime;
using FogCompute.Infrastructure.Realtime;
using Microsoft.Extensions.Caching.Distributed;

namespace FogCompute.Infrastructure.Caching;

/// <summary>
/// Counts of the pool that control planes share: whichever counts first in a second has counted for all, so the database is asked once a second however many
/// of them have listeners. A control plane alone counts each second as before, because its own count has ended by then.
/// </summary>
internal sealed class SharedPoolFigures(PoolFigures own, IDistributedCache cache) : IPoolFigures
{
    private const string Key = "pool_counts";

    private static readonly DistributedCacheEntryOptions Life = new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromMilliseconds(900) };

    public async Task<PoolCounts?> CountAsync(CancellationToken cancel)
    {
        if (await cache.GetAsync(Key, cancel) is { } shared)
            return JsonSerializer.Deserialize<PoolCounts>(shared);
        var counts = await own.CountAsync(cancel);
        if (counts is not null)
            await cache.SetAsync(Key, JsonSerializer.SerializeToUtf8Bytes(counts), Life, cancel);
        return counts;
    }
}
