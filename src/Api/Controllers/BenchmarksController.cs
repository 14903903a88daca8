using FogCompute.Application.Benchmarks;
using FogCompute.Application.Common.Messaging;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace FogCompute.Api.Controllers;

[Tags("benchmarks")]
[Route("api/benchmarks")]
public sealed class BenchmarksController(IDispatcher dispatcher) : ControllerBase
{
    [HttpGet("data")]
    public Task<BenchmarkData> GetBenchmarkData(CancellationToken cancel) => dispatcher.SendAsync(new GetBenchmarkDataQuery(), cancel);

    [HttpPost("start")]
    public Task<BenchmarkStarted> StartBenchmark([FromBody] StartBenchmarkCommand command, CancellationToken cancel) => dispatcher.SendAsync(command, cancel);

    [HttpPost("stop")]
    public Task<BenchmarkStopped> StopBenchmark([FromBody(EmptyBodyBehavior = EmptyBodyBehavior.Allow)] StopBenchmarkCommand? body, [FromQuery(Name = "benchmark_id")] Guid? id, CancellationToken cancel) =>
        dispatcher.SendAsync(new StopBenchmarkCommand { BenchmarkId = id ?? body?.BenchmarkId }, cancel);

    [HttpGet("history")]
    public Task<BenchmarkList> ListBenchmarks([FromQuery] ListBenchmarksQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);

    [HttpGet("compare")]
    public Task<BenchmarkComparison> CompareBenchmarks([FromQuery] CompareBenchmarksQuery query, CancellationToken cancel) => dispatcher.SendAsync(query, cancel);
}
