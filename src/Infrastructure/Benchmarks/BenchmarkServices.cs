using FogCompute.Application.Artifacts;
using FogCompute.Application.Benchmarks;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace FogCompute.Infrastructure.Benchmarks;

public static class BenchmarkServices
{
    /// <summary>Benchmarks of the system by itself. The cache is measured where the services have one.</summary>
    public static IServiceCollection AddBenchmarks(this IServiceCollection services)
    {
        services.AddScoped<BenchmarkRuns>();
        services.AddScoped<IBenchmarkRuns>(provider => provider.GetRequiredService<BenchmarkRuns>());
        services.AddSingleton<NoopJobs>();
        services.AddSingleton<IReadOnlyDictionary<BenchmarkType, IBenchmarkLoad>>(provider =>
        {
            var (database, jobs, time) = (provider.GetRequiredService<NpgsqlDataSource>(), provider.GetRequiredService<NoopJobs>(), provider.GetRequiredService<TimeProvider>());
            return new Dictionary<BenchmarkType, IBenchmarkLoad>
            {
                [BenchmarkType.Latency] = new LatencyLoad(database, provider.GetService<IDistributedCache>(), jobs, time),
                [BenchmarkType.Throughput] = new ThroughputLoad(provider.GetRequiredService<ArtifactOptions>(), jobs, time),
                [BenchmarkType.Stress] = new StressLoad(database, time),
            };
        });
        services.AddHostedService<BenchmarkRunner>();
        return services;
    }
}
