using System.Text.Json;
using FogCompute.EndToEnd.Tests.Harness;

namespace FogCompute.EndToEnd.Tests.OnePool;

/// <summary>With a real agent in the pool a benchmark measures the way to a device and back.</summary>
[TestFixture]
internal sealed class BenchmarkTests : SharedPoolScenario
{
    [TestCase("latency", "device")]
    [TestCase("throughput", "dispatch")]
    public async Task Measures_the_way_through_a_device(string type, string measure)
    {
        await Pool.StartAgentsAsync(1, new AgentOptions { Label = $"benchmark-{type}", Cpu = 2, MemoryMb = 512 });
        async Task<int> FinishedAsync() => (await Pool.Operator.GetAsync<JsonElement>("api/scheduler/jobs?status=completed&limit=1000")).GetProperty("jobs").EnumerateArray()
            .Count(j => j.GetProperty("name").GetString() == "benchmark");
        var before = await FinishedAsync();
        var id = (await Pool.Operator.PostAsync<JsonElement>("api/benchmarks/start", new { Type = type, Duration = 60 })).GetProperty("benchmarkId").GetString();
        try
        {
            // Stopped as soon as there is something: how long that takes depends on the machine.
            while (await FinishedAsync() == before)
                await Task.Delay(200);
            await Task.Delay(500);
        }
        finally
        {
            await Pool.Operator.PostAsync<JsonElement>($"api/benchmarks/stop?benchmark_id={id}", new { });
        }
        JsonElement run;
        do
        {
            await Task.Delay(100);
            run = (await Pool.Operator.GetAsync<JsonElement>("api/benchmarks/history")).GetProperty("benchmarks").EnumerateArray().Single(b => b.GetProperty("benchmarkId").GetString() == id);
        }
        while (run.GetProperty("summary").GetArrayLength() == 0);
        var measured = run.GetProperty("summary").EnumerateArray().Single(m => m.GetProperty("name").GetString() == measure);
        TestContext.Out.WriteLine(run.GetProperty("summary").GetRawText());
        Assert.That(measured.GetProperty("count").GetInt32(), Is.GreaterThan(0), measured.GetRawText());
        Assert.That(measured.GetProperty("p50").GetDouble(), Is.GreaterThan(0));
    }
}
