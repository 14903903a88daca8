using FogCompute.Api.Http;
using FogCompute.Api.Realtime;
using FogCompute.Application;
using FogCompute.Application.Artifacts;
using FogCompute.Infrastructure;
using FogCompute.Infrastructure.Artifacts;
using FogCompute.Infrastructure.Benchmarks;
using FogCompute.Infrastructure.Caching;
using FogCompute.Infrastructure.Dashboard;
using FogCompute.Infrastructure.Health;
using FogCompute.Infrastructure.Identity;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Migrations;
using FogCompute.Infrastructure.Realtime;
using FogCompute.Infrastructure.Scheduler;
using FogCompute.Infrastructure.Telemetry;
using FogCompute.Infrastructure.Tokenomics;
using FogCompute.Protocol;

namespace FogCompute.Api;

/// <summary>The control plane: settings, database, modules, HTTP, in this order.</summary>
public static partial class Program
{
    public static async Task<int> Main(string[] args)
    {
        using var early = LoggerFactory.Create(log => log.AddJsonLog().SetMinimumLevel(LogLevel.Information));
        try
        {
            if (FindVerb(args) is { } verb)
                return await verb();
            var builder = NewBuilder(args);
            // A mistyped setting is reported before a database is started for it.
            _ = (IdentitySettings.Read(builder.Configuration, ServerOptions.Read(builder.Configuration)), EdgeSettings.Read(builder.Configuration), RateSettings.Read(builder.Configuration), PlanSettings.Read(builder.Configuration));
            _ = (TelemetrySettings.Read(builder.Configuration), RedisOptions.From(builder.Configuration));
            await using var database = await DatabaseHost.StartAsync(DatabaseOptions.From(builder.Configuration), early.CreateLogger("FogCompute.Database"));
            await using var app = Build(builder, database);
            StopWithParent(app);
            var firstRun = app.Services.GetRequiredService<FirstRun>();
            await app.RunAsync();
            return firstRun.Refusal is { } noAdmin ? throw new ConfigurationException(noAdmin) : Environment.ExitCode;
        }
        catch (Exception refusal) when (refusal is ConfigurationException or InvalidOperationException or IOException)
        {
            // A sentence for the person who started it; the trace is of no use to them.
            await Console.Error.WriteLineAsync($"fogcompute cannot start: {refusal.Message}");
            return 1;
        }
    }

    /// <summary>Whoever starts this process for a while (a demo, a test) gets no orphan when it is killed.</summary>
    private static void StopWithParent(WebApplication app)
    {
        if (ParentWatch.FromEnvironment(TimeProvider.System) is { } parent)
            _ = parent.WaitForExitAsync(app.Lifetime.ApplicationStopping).ContinueWith(_ => app.Lifetime.StopApplication(), TaskScheduler.Default);
    }

    /// <summary>Settings come from the environment and from <c>--KEY=value</c>; no file of the current folder is read.</summary>
    public static WebApplicationBuilder NewBuilder(string[] args) =>
        WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ApplicationName = typeof(Program).Assembly.GetName().Name, ContentRootPath = AppContext.BaseDirectory });

    /// <param name="adjust">Last word on the services, for tests.</param>
    public static WebApplication Build(WebApplicationBuilder builder, DatabaseHost database, Action<IServiceCollection>? adjust = null)
    {
        var server = ServerOptions.Read(builder.Configuration);
        var (identity, mail) = IdentitySettings.Read(builder.Configuration, server);
        builder.AddHttp(server);
        builder.Services.AddApplication().AddPlatform(database)
            .AddIdentity(identity, mail).AddSingleton(PlanSettings.Read(builder.Configuration))
            .AddScheduler(SchedulerSettings.Read(builder.Configuration))
            .AddScoped<LeaseLongPoll>().AddScoped<JobLogStream>()
            .AddTokenomics(server.LedgerKey, ParameterSettings.Read(builder.Configuration))
            .AddRealtimeFigures().AddSingleton<MetricsBeat>().AddHostedService(services => services.GetRequiredService<MetricsBeat>())
            .AddSingleton<EventFeed>().AddHostedService(services => services.GetRequiredService<EventFeed>()).AddScoped<EventStream>()
            .AddArtifacts(new ArtifactOptions(Path.Combine(server.Home, "artifacts"), server.ArtifactMaxBytes))
            .AddDashboard(server.Home).AddBenchmarks()
            .AddHealth()
            .AddCaching(RedisOptions.From(builder.Configuration))
            .AddTelemetry(builder.Configuration);
        builder.Services.AddOpening(services => services.GetRequiredService<MigrationState>().WaitAsync);
        adjust?.Invoke(builder.Services);
        var app = builder.Build();
        app.UseHttp();
        return app;
    }
}
