using FluentValidation;
using FogCompute.Api.Pages;
using FogCompute.Api.Realtime;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Health;
using Microsoft.AspNetCore.Mvc;

[assembly: ApiController]

namespace FogCompute.Api.Http;

/// <summary>Composition of the HTTP edge: what Program.cs adds, and the order in which a request passes through it.</summary>
internal static class HttpServer
{
    private const long DefaultBodyBytes = 1 << 20;

    public static void AddHttp(this WebApplicationBuilder builder, ServerOptions server)
    {
        var services = builder.Services;
        builder.AddHardening(EdgeSettings.Read(builder.Configuration));
        services.AddRateLimits(RateSettings.Read(builder.Configuration));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // API_HOST alone says where: endpoints of Kestrel's own settings would open what nobody has asked an admin for.
            kestrel.Configure(new ConfigurationBuilder().Build());
            kestrel.Listen(server.Address, server.Port);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = DefaultBodyBytes;
            kestrel.Limits.MaxRequestHeadersTotalSize = 32 * 1024;
            kestrel.Limits.MaxRequestHeaderCount = 100;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
        });
        builder.Logging.ClearProviders().AddJsonLog()
            .AddFilter("Microsoft", LogLevel.Warning).AddFilter("Npgsql", LogLevel.Warning).AddFilter("System.Net.Http", LogLevel.Warning)
            // Whoever asked tells what failed, once; this would tell it twice more for each request of an outage, with the trace.
            .AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Critical);
        // Messages of validators name fields as the caller wrote them.
        ValidatorOptions.Global.DisplayNameResolver = (_, member, _) => member is null ? null : WireNames.Of(member.Name);
        services.Configure<HostOptions>(host =>
        {
            host.ShutdownTimeout = server.Drain + Draining.Limit;
            // A request that takes its time must not use up the time of the recurring commands.
            host.ServicesStopConcurrently = true;
        });
        services.AddSingleton<Draining>();
        services.AddHostedService(provider => provider.GetRequiredService<Draining>());
        services.AddSingleton(server);
        services.AddSingleton(TelemetrySettings.Read(builder.Configuration));
        services.AddSingleton<MetricsListeners>();
        services.AddSingleton<LocalOperator>();
        services.AddSingleton<FirstRun>();
        services.AddSingleton(new FirstRunNotice(Console.Error));
        services.AddExceptionHandler<Problems>();
        services.AddCors(cors => cors.AddDefaultPolicy(policy => policy
            .WithOrigins([.. server.CorsOrigins]).AllowAnyHeader().AllowAnyMethod().AllowCredentials()
            .WithExposedHeaders("Location", "Retry-After", "Upload-Offset", "ETag", "Content-Range", "Content-Disposition", "RateLimit", "RateLimit-Policy")
            .SetPreflightMaxAge(TimeSpan.FromMinutes(10))));
        services.AddControllers(mvc =>
        {
            JsonSetup.Configure(mvc);
            mvc.Conventions.Add(new UseCaseConventionAdapter());
        }).ConfigureApiBehaviorOptions(api =>
        {
            api.SuppressMapClientErrors = true;
            api.InvalidModelStateResponseFactory = JsonSetup.RefuseUnboundValues;
        });
        services.AddOpenApiDocument();
    }

    /// <param name="databaseReady">Waits until the schema is there.</param>
    public static void AddOpening(this IServiceCollection services, Func<IServiceProvider, Func<CancellationToken, Task>> databaseReady) =>
        services.AddHostedService(provider => ActivatorUtilities.CreateInstance<Opening>(provider, databaseReady(provider)));

    public static void UseHttp(this WebApplication app)
    {
        app.UseMiddleware<TelemetryRequests>();
        app.UseSafeHeaders();
        var draining = app.Services.GetRequiredService<Draining>();
        app.Use(draining.CloseConnectionsAsync);
        app.UseCors();
        app.Use(draining.InvokeAsync);
        app.UseExceptionHandler(_ => { });
        app.UseStatusCodePages(Problems.DescribeAsync);
        app.UseHostFilter();
        app.Use(HeadAsync);
        app.UseRouting();
        app.UseMiddleware<BadTokens>();
        app.UseMiddleware<Authentication>();
        app.UseRateLimiter();
        app.UseMiddleware<ApiQuota>();
        app.UseWebSockets();
        app.UseWebSocketLimit();
        app.UseApiReference();
        app.MapControllers();
        app.MapMetricsSocket();
        app.MapAccountPages();
        app.MapTelemetryPage();
        app.MapOpsPage();
        app.MapOpenApiDocument();

        // Its gauge is there from the start, not from the first listener on.
        _ = app.Services.GetRequiredService<MetricsListeners>();
        var readiness = app.Services.GetRequiredService<Readiness>();
        app.Lifetime.ApplicationStopping.Register(readiness.Stopping);
    }

    /// <summary>HEAD of whatever lies outside the API (pages, health, metrics) is GET without the body, which Kestrel leaves out by the method that came.</summary>
    private static async Task HeadAsync(HttpContext http, RequestDelegate next)
    {
        if (!HttpMethods.IsHead(http.Request.Method) || RateLimits.Covers(http))
        {
            await next(http);
            return;
        }
        http.Request.Method = HttpMethods.Get;
        try
        {
            await next(http);
        }
        finally
        {
            http.Request.Method = HttpMethods.Head; // For the log.
        }
    }

    private sealed class UseCaseConventionAdapter : Microsoft.AspNetCore.Mvc.ApplicationModels.IApplicationModelConvention
    {
        private readonly UseCaseConvention _convention = new();

        public void Apply(Microsoft.AspNetCore.Mvc.ApplicationModels.ApplicationModel application)
        {
            foreach (var action in application.Controllers.SelectMany(c => c.Actions))
                _convention.Apply(action);
        }
    }
}
