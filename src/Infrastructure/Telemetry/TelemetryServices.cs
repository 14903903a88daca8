using System.Diagnostics.Metrics;
using FogCompute.Application.Common.Telemetry;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace FogCompute.Infrastructure.Telemetry;

public static class TelemetryServices
{
    /// <summary>Metrics for /metrics always; traces and metrics over OTLP when OTEL_EXPORTER_OTLP_ENDPOINT is set, by OpenTelemetry's own variables.</summary>
    public static IServiceCollection AddTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddMetrics();
        services.AddSingleton<PoolGauges>();
        services.AddSingleton(provider => new TelemetryProviders(configuration, provider.GetRequiredService<PoolGauges>()));
        services.AddSingleton<IMetricsPage>(provider => provider.GetRequiredService<TelemetryProviders>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<TelemetryProviders>());
        return services;
    }
}

/// <summary>OpenTelemetry's providers of this process. Without an endpoint nobody listens to spans, so none are made.</summary>
internal sealed class TelemetryProviders : BackgroundService, IMetricsPage
{
    /// <summary>Meters of the product, of ASP.NET Core, of Npgsql and of the runtime.</summary>
    private static readonly string[] Meters = ["FogCompute.*", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Npgsql", "System.Runtime"];

    private static readonly string[] Sources = [UseCaseMeter.Name, "Microsoft.AspNetCore", "Npgsql"];
    private static readonly TimeSpan CountPeriod = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryPeriod = TimeSpan.FromSeconds(1);

    /// <summary>A collector that is gone must not hold up the end of this process.</summary>
    private static readonly TimeSpan FlushPatience = TimeSpan.FromSeconds(1.5);

    private readonly PrometheusText _text = new();
    private readonly BaseExportingMetricReader _reader;
    private readonly MeterProvider _meters;
    private readonly TracerProvider? _traces;
    private readonly PoolGauges _pool;
    private readonly Lock _gate = new();
    private readonly bool _exportsMetrics;

    public TelemetryProviders(IConfiguration configuration, PoolGauges pool)
    {
        _pool = pool;
        _exportsMetrics = Wants(configuration, "METRICS");
        _reader = new BaseExportingMetricReader(_text);
        var meters = Sdk.CreateMeterProviderBuilder().ConfigureServices(services => services.AddSingleton(configuration)).ConfigureResource(Describe)
            .AddMeter(Meters).AddReader(_reader);
        _meters = (_exportsMetrics ? meters.AddOtlpExporter() : meters).Build();
        _traces = Wants(configuration, "TRACES")
            ? Sdk.CreateTracerProviderBuilder().ConfigureServices(services => services.AddSingleton(configuration)).ConfigureResource(Describe).AddSource(Sources).AddOtlpExporter().Build()
            : null;
    }

    public async Task<string> WriteAsync(CancellationToken cancel)
    {
        await _pool.RefreshAsync(cancel);
        lock (_gate)
        {
            if (!_reader.Collect())
                throw new InvalidOperationException("The meters could not be read.");
            return _text.Text;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // An exporter reads gauges in its own time; for /metrics they are counted when it is asked for.
        while (_exportsMetrics)
        {
            var counted = await _pool.RefreshAsync(stoppingToken);
            await Task.Delay(counted ? CountPeriod : RetryPeriod, stoppingToken);
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        var patience = (int)FlushPatience.TotalMilliseconds;
        Parallel.Invoke(() => _meters.Shutdown(patience), () => _traces?.Shutdown(patience));
        _meters.Dispose();
        _traces?.Dispose();
    }

    private static bool Wants(IConfiguration configuration, string signal) =>
        !string.IsNullOrWhiteSpace(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]) || !string.IsNullOrWhiteSpace(configuration[$"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"]);

    /// <summary>OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word.</summary>
    private static void Describe(ResourceBuilder resource) => resource
        .AddService("fogcompute-control-plane", serviceVersion: typeof(TelemetryProviders).Assembly.GetName().Version?.ToString(3), serviceInstanceId: $"{Environment.MachineName}:{Environment.ProcessId}")
        .AddEnvironmentVariableDetector();
}
