namespace FogCompute.Application.Dashboard;

/// <summary>What the dashboard alone counts in the database.</summary>
public interface IDashboardFigures
{
    Task<DashboardCounts> CountAsync(CancellationToken cancel);
}

/// <param name="ComputeMs">Milliseconds that enrolled devices computed.</param>
/// <param name="DeviceScore">Mean benchmark score of enrolled devices; null: none has one.</param>
/// <param name="BenchmarksRun">Benchmarks that ran to their end.</param>
/// <param name="RoundTrip">Of a statement that does nothing, measured now.</param>
public sealed record DashboardCounts(long ComputeMs, double? DeviceScore, int BenchmarksRun, TimeSpan RoundTrip);
