using FogCompute.Application.Common.Security;
using FogCompute.Application.Health;
using FogCompute.Application.Realtime;
using FogCompute.Infrastructure.Messaging;
using FogCompute.Infrastructure.Realtime;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace FogCompute.Infrastructure.Caching;

public static class CachingServices
{
    /// <summary>Call last: it goes before what other modules registered.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="redis">Null: everything stays in this process and in PostgreSQL.</param>
    public static IServiceCollection AddCaching(this IServiceCollection services, RedisOptions? redis)
    {
        services.AddSingleton<IHealthProbe, CacheProbe>();
        services.TryAddSingleton<LocalTokenBuckets>();
        services.TryAddSingleton<ITokenBuckets>(provider => provider.GetRequiredService<LocalTokenBuckets>());
        if (redis is null)
            return services;
        services.AddSingleton(redis);
        services.AddSingleton<RedisConnection>();
        services.AddSingleton<ISignalRelay, RedisSignalRelay>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<RedisConnection>());
        services.AddSingleton<IDistributedCache, RedisCache>();
        services.AddSingleton<ITokenBuckets>(provider => ActivatorUtilities.CreateInstance<RedisTokenBuckets>(provider, provider.GetRequiredService<LocalTokenBuckets>()));
        services.TryAddScoped<PoolFigures>();
        services.AddScoped<IPoolFigures, SharedPoolFigures>();
        return services;
    }
}

/// <summary>Signals over Redis.</summary>
internal sealed class RedisSignalRelay(RedisConnection redis) : ISignalRelay
{
    public bool IsUp => redis.IsUp;

    public Action<string>? Receiver
    {
        set => redis.Receiver = value;
    }

    public Task<bool> PublishAsync(string message) => redis.PublishAsync(message);
}
