using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Operations;
using FogCompute.Application.Platform;
using FogCompute.Application.Common.Security;
using FogCompute.Infrastructure.Audit;
using FogCompute.Infrastructure.Caching;
using FogCompute.Infrastructure.Messaging;
using FogCompute.Infrastructure.Operations;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Migrations;
using FogCompute.Infrastructure.RecurringJobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure;

public static class PlatformServices
{
    /// <summary>
    /// What every module leans on: the database, its migrations, transactions, remembered answers, signals and recurring jobs. The host stays
    /// the caller's: dispose it after the application has stopped.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="host">The database to use.</param>
    /// <param name="jobs">Recurring jobs; null: <see cref="RecurringJobTable.Rows"/>.</param>
    public static IServiceCollection AddPlatform(this IServiceCollection services, DatabaseHost host, IReadOnlyList<RecurringJob>? jobs = null)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(host); // An instance: the container disposes only what it made.
        services.AddSingleton(provider => host.CreateDataSource(provider.GetService<ILoggerFactory>()));
        services.AddDbContextPool<FogDbContext>((provider, options) => options.UseNpgsql(provider.GetRequiredService<NpgsqlDataSource>()));
        services.AddScoped<IUnitOfWork, UnitOfWork>();
        services.AddScoped<IdempotencyStore>();
        services.AddScoped<IIdempotencyStore>(provider => provider.GetRequiredService<IdempotencyStore>());
        services.AddScoped<IIdempotencyKeys>(provider => provider.GetRequiredService<IdempotencyStore>());

        services.AddAudit();

        services.AddSingleton<MigrationState>();
        services.AddHostedService<MigrationService>();

        services.AddSingleton<PostgresSignals>();
        services.AddSingleton<ISignals>(provider => provider.GetRequiredService<PostgresSignals>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<PostgresSignals>());

        services.AddSingleton<IReadOnlyList<RecurringJob>>(jobs ?? RecurringJobTable.Rows);
        services.AddSingleton<RecurringJobsHealth>();
        services.AddSingleton<RecurringJobMeter>();
        services.AddSingleton<ServerIdentity>();
        services.AddSingleton<JobLeadership>();
        services.AddSingleton<JobControls>();
        services.AddSingleton<RunHistory>();
        services.AddSingleton<JobExecutor>();
        services.AddSingleton<QuartzSchedules>();
        services.AddScoped<IRecurringJobs, JobOffice>();
        services.AddSingleton<QueueMemory>();
        services.AddScoped<IOperationsFigures, OperationsFigures>();
        services.AddHostedService<RecurringJobRunner>();
        return services;
    }
}
