namespace FogCompute.Application.Common.Telemetry;

/// <summary>What the meters of this process hold.</summary>
public interface IMetricsPage
{
    /// <summary>Everything as of now, in Prometheus' text format 0.0.4.</summary>
    Task<string> WriteAsync(CancellationToken cancel);
}
