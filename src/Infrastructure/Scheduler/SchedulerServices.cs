using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Application.IdleCompute;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Infrastructure.IdleCompute;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.Scheduler;

public static class SchedulerServices
{
    /// <summary>Jobs, leases, placement and devices over PostgreSQL.</summary>
    public static IServiceCollection AddScheduler(this IServiceCollection services, SchedulerOptions options) => services
        .AddSingleton(options)
        .AddScoped<ISchedulerDb>(provider => provider.GetRequiredService<FogDbContext>())
        .AddScoped<IIdleComputeDb>(provider => provider.GetRequiredService<FogDbContext>())
        .AddScoped<IJobQueue, JobQueue>()
        .AddScoped<ILeaseDesk, LeaseDesk>()
        .AddScoped<IPreemptionDesk, PreemptionDesk>()
        .AddScoped<IPlacementPool, PlacementPool>()
        .AddScoped<IPassLog, PassLog>()
        .AddScoped<IEventLog, EventLog>()
        .AddScoped<IPresenceLog, PresenceLog>()
        .AddSingleton<PresenceProfiles>()
        .AddScoped<SchedulerFigures>()
        .AddScoped<ISchedulerFigures>(provider => provider.GetRequiredService<SchedulerFigures>())
        .AddScoped<IQueueFigures>(provider => provider.GetRequiredService<SchedulerFigures>())
        .AddScoped<IQuotes, Quotes>()
        .AddScoped<IRunHistory, RunHistory>()
        .AddScoped<IPoolLoad, PoolLoad>()
        .AddScoped<IDeviceDirectory, DeviceDirectory>()
        .AddScoped<IAttemptAccess, AttemptAccess>()
        // A generator per request: Random is not made for several threads at once.
        .AddScoped(_ => new Random());
}
