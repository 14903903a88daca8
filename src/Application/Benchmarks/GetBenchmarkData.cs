using FogCompute.Application.Benchmarks.Contracts;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Benchmarks;

// GET /api/benchmarks/data
// What this machine and the database do now, and the points of the benchmark that runs or ran last.

/// <summary>Live figures and the points of the running or last benchmark.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record GetBenchmarkDataQuery : IQuery<BenchmarkData>;

/// <param name="Timestamp">Epoch milliseconds.</param>
/// <param name="Latency">Milliseconds of a round trip to the database, measured for this answer.</param>
/// <param name="Throughput">MB/s: of a running throughput benchmark's transfers in its last second, otherwise of this machine's network.</param>
/// <param name="CpuUsage">Percent over the last second; null where the machine cannot be measured.</param>
/// <param name="MemoryUsage">Percent.</param>
/// <param name="NetworkUtilization">Percent of the link's speed, or of the largest rate seen where no link tells it.</param>
/// <param name="Metrics">One point per second, at most 3600.</param>
/// <param name="Benchmark">The benchmark that the points are of; null: none ever ran.</param>
public sealed record BenchmarkData(
    long Timestamp, double Latency, double? Throughput, double? CpuUsage, double? MemoryUsage, double? NetworkUtilization, IReadOnlyList<BenchmarkPoint> Metrics, BenchmarkBrief? Benchmark);

/// <param name="Duration">Seconds asked for.</param>
public sealed record BenchmarkBrief(Guid BenchmarkId, BenchmarkType Type, BenchmarkState Status, DateTimeOffset Started, int Duration);

internal sealed class GetBenchmarkDataHandler(IBenchmarkRuns runs, IHostMetrics host, TimeProvider time) : IQueryHandler<GetBenchmarkDataQuery, BenchmarkData>
{
    public async Task<BenchmarkData> Handle(GetBenchmarkDataQuery query, CancellationToken cancellationToken)
    {
        var latency = await runs.RoundTripAsync(cancellationToken);
        var last = (await runs.NewestAsync(null, 1, cancellationToken)).SingleOrDefault();
        var points = last is null ? [] : await runs.PointsAsync(last.Id, cancellationToken);
        var machine = host.Latest;
        var moved = last is { State: BenchmarkState.Running, Type: BenchmarkType.Throughput } && points.Count > 0 ? points[^1].Throughput : null;
        return new BenchmarkData(
            time.GetUtcNow().ToUnixTimeMilliseconds(), latency, moved ?? machine?.NetworkMegabytesPerSecond, machine?.CpuPercent, machine?.MemoryPercent, machine?.NetworkPercent, points,
            last is null ? null : new BenchmarkBrief(last.Id, last.Type, last.State, last.Started, last.Seconds));
    }
}
