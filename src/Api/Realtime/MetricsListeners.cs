using System.Diagnostics.Metrics;

namespace FogCompute.Api.Realtime;

/// <summary>The meter <c>FogCompute.Realtime</c>: <c>fogcompute.realtime.listeners</c>, WebSockets on /ws/metrics of this process.</summary>
internal sealed class MetricsListeners
{
    public MetricsListeners(IMeterFactory meters, MetricsBeat beat) => meters.Create("FogCompute.Realtime")
        .CreateObservableUpDownCounter("fogcompute.realtime.listeners", () => beat.Clients, "{listener}", "WebSockets that listen to the pool's metrics here.");
}
