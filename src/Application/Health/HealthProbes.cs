using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace FogCompute.Application.Health;

/// <param name="DurationMs">How long the look took, milliseconds.</param>
public sealed record HealthCheck(HealthStatus Status, double DurationMs, string Message);

/// <summary>Runs probes side by side, each under its own time limit.</summary>
internal sealed partial class HealthProbes(IEnumerable<IHealthProbe> probes, TimeProvider clock, ILogger<HealthProbes> log)
{
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

    public async Task<IReadOnlyList<(IHealthProbe Probe, HealthCheck Check)>> RunAsync(Func<IHealthProbe, bool> wanted, CancellationToken cancel) =>
        await Task.WhenAll(probes.Where(wanted).Select(async probe => (probe, await RunAsync(probe, cancel))));

    private async Task<HealthCheck> RunAsync(IHealthProbe probe, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        HealthReport report;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        try
        {
            // WaitAsync as well as the token: a probe stuck in something that ignores tokens must not hold the answer.
            var check = probe.CheckAsync(limit.Token);
            report = await check.WaitAsync(Timeout, clock, cancel);
        }
        catch (TimeoutException)
        {
            report = new HealthReport(HealthStatus.Unavailable, $"No answer within {Timeout.TotalSeconds:0} s.");
        }
        catch (Exception failure) when (!cancel.IsCancellationRequested)
        {
            Failed(log, failure, probe.Name);
            report = new HealthReport(HealthStatus.Unavailable, "The check failed; the log of the control plane has the reason.");
        }
        await limit.CancelAsync();
        return new HealthCheck(report.Status, Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 3), report.Message);
    }

    [LoggerMessage(30, LogLevel.Warning, "health_check_failed {module}")]
    private static partial void Failed(ILogger logger, Exception failure, string module);
}
