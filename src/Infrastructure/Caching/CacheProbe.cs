using System.Globalization;
using FogCompute.Application.Health;

namespace FogCompute.Infrastructure.Caching;

/// <summary>What control planes share besides the database: a write to Redis and back, measured now.</summary>
internal sealed class CacheProbe(RedisConnection? redis = null) : IHealthProbe
{
    public string Name => "cache";
    public bool IsVital => false;

    public async Task<HealthReport> CheckAsync(CancellationToken cancel)
    {
        if (redis is null)
            return new HealthReport(HealthStatus.Healthy, "cache: in-process. REDIS_URL is not set.");
        return await redis.MeasureAsync() is { } took
            ? new HealthReport(HealthStatus.Healthy, string.Create(CultureInfo.InvariantCulture, $"Redis took a write in {took.TotalMilliseconds:0.0} ms."))
            : new HealthReport(HealthStatus.Degraded, $"Redis (REDIS_URL) does not answer since {redis.AwaySince:yyyy-MM-dd HH:mm:ss}Z. Until it does: rate limits count in each control plane, "
                + "signals travel over PostgreSQL alone, and each control plane counts the pool for /ws/metrics itself.");
    }
}
