using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using FogCompute.Application.Benchmarks;

namespace FogCompute.Api.ContractTests.Benchmarks;

/// <summary>Benchmarks over HTTP; each really runs, for a second or until it is stopped.</summary>
[NonParallelizable]
public sealed class BenchmarkTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private async Task<JsonNode> GetAsync(string path)
    {
        using var answer = await _server.Client.GetAsync(path);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, Is.True, $"GET {path}: {text}");
        return JsonNode.Parse(text)!;
    }

    private async Task<string> StartAsync(string type, int seconds) =>
        (await _server.PostAsync("/api/benchmarks/start", new JsonObject { ["type"] = type, ["duration"] = seconds }))["benchmarkId"]!.GetValue<string>();

    /// <summary>The ended run with its figures.</summary>
    private async Task<JsonNode> EndedAsync(string id, bool summary = true)
    {
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(120); await Task.Delay(50))
        {
            var run = (await GetAsync("/api/benchmarks/history"))["benchmarks"]!.AsArray().Single(b => b!["benchmarkId"]!.GetValue<string>() == id)!;
            if (run["status"]!.GetValue<string>() != "running" && (!summary || run["summary"]!.AsArray().Count > 0))
                return run;
        }
        throw new TimeoutException($"Benchmark {id} does not end.");
    }

    private static JsonNode Measure(JsonNode run, string name) => run["summary"]!.AsArray().Single(m => m!["name"]!.GetValue<string>() == name)!;

    [Test]
    public async Task Latency_measures_the_database_and_says_that_no_device_answered()
    {
        var run = await EndedAsync(await StartAsync("latency", 1));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(run["status"]!.GetValue<string>(), Is.EqualTo("completed"));
            Assert.That(Measure(run, "database")["p50"]!.GetValue<double>(), Is.GreaterThan(0));
            Assert.That(Measure(run, "database")["p99"]!.GetValue<double>(), Is.GreaterThanOrEqualTo(Measure(run, "database")["p50"]!.GetValue<double>()));
            Assert.That(Measure(run, "device")["p50"], Is.Null);
            Assert.That(Measure(run, "device")["note"]!.GetValue<string>(), Does.Contain("No device answered"));
            Assert.That(run["machine"]!["cores"]!.GetValue<int>(), Is.EqualTo(Environment.ProcessorCount));
        }
        var data = await GetAsync("/api/benchmarks/data");
        Assert.That(data["benchmark"]!["benchmarkId"]!.GetValue<string>(), Is.EqualTo(run["benchmarkId"]!.GetValue<string>()));
        Assert.That(data["metrics"]!.AsArray(), Has.Count.EqualTo(1));
        Assert.That(data["metrics"]![0]!["latency"]!.GetValue<double>(), Is.GreaterThan(0));
        Assert.That((await GetAsync("/api/scheduler/jobs?status=pending"))["total"]!.GetValue<int>(), Is.Zero, "its jobs were left in the queue");
    }

    [Test]
    public async Task Throughput_moves_artifacts_and_leaves_none()
    {
        // As a control plane leaves it that is killed in the middle of a run.
        var left = Directory.CreateDirectory(Path.Combine(_server.Home, "artifacts", "benchmark-0190f7a0000070008000000000000099", "blobs"));
        Directory.SetLastWriteTimeUtc(left.Parent!.FullName, DateTime.UnixEpoch);
        var id = await StartAsync("throughput", 600);
        // Two seconds in which something moved have an upload and a download, however slow the disk.
        while ((await GetAsync("/api/benchmarks/data"))["metrics"]!.AsArray().Count(p => p!["throughput"] is not null) < 2)
            await Task.Delay(50);
        await _server.PostAsync($"/api/benchmarks/stop?benchmark_id={id}", new JsonObject());
        var run = await EndedAsync(id);
        Assert.That(Measure(run, "upload")["rate"]!.GetValue<double>(), Is.GreaterThan(0));
        Assert.That(Measure(run, "download")["rate"]!.GetValue<double>(), Is.GreaterThan(0));
        Assert.That(Directory.Exists(Path.Combine(_server.Home, "artifacts")) ? Directory.GetDirectories(Path.Combine(_server.Home, "artifacts"), "benchmark-*") : [], Is.Empty);
    }

    [Test]
    public async Task Stress_ends_at_once_when_it_is_stopped_and_keeps_what_it_measured()
    {
        var id = await StartAsync("stress", 600);
        while ((await GetAsync("/api/benchmarks/data"))["metrics"]!.AsArray().Count == 0)
            await Task.Delay(50);
        using var second = await _server.Client.PostAsync("/api/benchmarks/start", ApiServer.Json("""{"type":"latency"}"""));
        await second.ProblemAsync(409, "benchmarks.already_running");

        var stopped = await _server.PostAsync($"/api/benchmarks/stop?benchmark_id={id}", new JsonObject());
        Assert.That(stopped["status"]!.GetValue<string>(), Is.EqualTo("stopped"));
        var run = await EndedAsync(id);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(run["status"]!.GetValue<string>(), Is.EqualTo("stopped"));
            Assert.That(Measure(run, "hashing")["rate"]!.GetValue<double>(), Is.GreaterThan(0));
            Assert.That(Measure(run, "database")["count"]!.GetValue<int>(), Is.GreaterThan(0), "the database answers meanwhile");
            Assert.That(run["ran"]!.GetValue<double>(), Is.LessThan(60));
        }
        using var again = await _server.Client.PostAsync($"/api/benchmarks/stop?benchmark_id={id}", null);
        await again.ProblemAsync(409, "benchmarks.not_running");
        using var none = await _server.Client.PostAsync("/api/benchmarks/stop", null);
        await none.ProblemAsync(409, "benchmarks.none_running");
        using var unknown = await _server.Client.PostAsync("/api/benchmarks/stop?benchmark_id=0190f7a0-0000-7000-8000-000000000099", null);
        await unknown.ProblemAsync(404, "benchmarks.not_found");
    }

    [Test]
    public async Task A_run_whose_process_is_gone_is_interrupted_and_blocks_nobody()
    {
        await using var insert = _server.Database.DataSource.CreateCommand(
            """
            INSERT INTO benchmarks.runs (id, type, state, requested_by, duration_seconds, started_at, runner, heartbeat_at)
            VALUES ('0190f7a0-0000-7000-8000-0000000000aa', 'Stress', 'Running', gen_random_uuid(), 3600, now() - interval '2 minutes', gen_random_uuid(), now() - interval '1 minute')
            """);
        await insert.ExecuteNonQueryAsync();
        var id = await StartAsync("latency", 1);
        var gone = await EndedAsync("0190f7a0-0000-7000-8000-0000000000aa", summary: false);
        Assert.That(gone["status"]!.GetValue<string>(), Is.EqualTo("interrupted"));
        Assert.That(gone["why"]!.GetValue<string>(), Does.Contain("no sign of life"));
        Assert.That((await EndedAsync(id))["status"]!.GetValue<string>(), Is.EqualTo("completed"));
    }

    [Test]
    public async Task Another_control_plane_sees_and_stops_it_and_a_stopped_process_says_interrupted()
    {
        await using var database = await FogCompute.Testing.TestDatabase.CreateAsync();
        var runner = await ApiServer.StartAsync(database: database);
        var started = await runner.PostAsync("/api/benchmarks/start", new JsonObject { ["type"] = "latency", ["duration"] = 600 });
        while (JsonNode.Parse(await runner.Client.GetStringAsync("/api/benchmarks/data"))!["metrics"]!.AsArray().Count == 0)
            await Task.Delay(50);
        await runner.StopAsync();
        await using var look = database.DataSource.CreateCommand("SELECT state || ': ' || why FROM benchmarks.runs");
        Assert.That(await look.ExecuteScalarAsync(), Is.EqualTo("Interrupted: The control plane that ran it was stopped."));
        Assert.That(started["status"]!.GetValue<string>(), Is.EqualTo("running"));
        await runner.DisposeAsync();
    }

    [Test]
    public async Task Comparing_gives_ratios_and_names_what_differs_between_the_machines()
    {
        await BenchmarkSeed.TwoAsync(_server);
        var comparison = await GetAsync($"/api/benchmarks/compare?a={BenchmarkSeed.A}&b={BenchmarkSeed.B}");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(comparison["measures"]![0]!["p50"]!.GetValue<double>(), Is.EqualTo(2));
            Assert.That(comparison["measures"]![0]!["rate"], Is.Null);
            Assert.That(comparison["sameMachine"]!.GetValue<bool>(), Is.False);
            Assert.That(comparison["machineDifferences"]!.AsArray().Select(d => d!["field"]!.GetValue<string>()), Is.EqualTo(new[] { "cores" }));
        }
        using var unknown = await _server.Client.GetAsync($"/api/benchmarks/compare?a={BenchmarkSeed.A}&b=0190f7a0-0000-7000-8000-000000000099");
        await unknown.ProblemAsync(404, "benchmarks.not_found");
        using var other = await _server.Client.GetAsync($"/api/benchmarks/compare?a={BenchmarkSeed.A}&b={BenchmarkSeed.OfAnotherType}");
        Assert.That((await other.ProblemAsync(422, "benchmarks.different_types")).FieldsOf(), Is.EqualTo(new[] { "b" }));
    }

    [Test]
    public async Task Only_operators_start_them()
    {
        var (_, member, _) = await _server.NewMemberAsync("benchmarks-member");
        using var answer = await member.PostAsync("/api/benchmarks/start", ApiServer.Json("""{"type":"stress"}"""));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
        member.Dispose();
    }

    [Test]
    public void Percentiles_are_samples()
    {
        var measure = BenchmarkMeasure.Of("x", "ms", [.. Enumerable.Range(1, 100).Reverse().Select(i => (double)i)]);
        Assert.That((measure.P50, measure.P95, measure.P99, measure.Mean), Is.EqualTo(((double?)50, (double?)95, (double?)99, (double?)50.5)));
        Assert.That(BenchmarkMeasure.Of("x", "ms", [7]).P99, Is.EqualTo(7));
        Assert.That(BenchmarkMeasure.Of("x", "ms", []).P50, Is.Null);
    }
}

internal static class BenchmarkSeed
{
    public const string A = "0190f7a0-0000-7000-8000-0000000000a1";
    public const string B = "0190f7a0-0000-7000-8000-0000000000b2";
    public const string OfAnotherType = "0190f7a0-0000-7000-8000-0000000000c3";

    /// <summary>Two latency runs of long ago on different machines, and one of another type.</summary>
    public static async Task TwoAsync(ApiServer server)
    {
        static string Machine(int cores) => $$"""{"Cpu":"Example CPU 3000","Cores":{{cores}},"Memory":1073741824,"Kernel":"6.1","Disk":"solid_state","Version":"0.1.0"}""";
        static string Summary(double p50) => $$"""[{"Name":"database","Unit":"ms","Count":10,"P50":{{p50}},"P95":2,"P99":3,"Mean":1.5,"Rate":null,"Note":null}]""";
        foreach (var (id, type, cores, p50) in new[] { (A, "Latency", 2, 1.0), (B, "Latency", 4, 2.0), (OfAnotherType, "Stress", 4, 2.0) })
        {
            await using var insert = server.Database.DataSource.CreateCommand(
                """
                INSERT INTO benchmarks.runs (id, type, state, requested_by, duration_seconds, started_at, ended_at, runner, machine, summary)
                VALUES ($1, $2, 'Completed', gen_random_uuid(), 1, $5, $5 + interval '1 second', gen_random_uuid(), $3::jsonb, $4::jsonb)
                """);
            insert.Parameters.Add(new() { Value = Guid.Parse(id) });
            insert.Parameters.Add(new() { Value = type });
            insert.Parameters.Add(new() { Value = Machine(cores) });
            insert.Parameters.Add(new() { Value = Summary(p50) });
            insert.Parameters.Add(new() { Value = new DateTimeOffset(2026, 1, type == "Latency" ? 2 : 1, 0, 0, 0, TimeSpan.Zero) });
            await insert.ExecuteNonQueryAsync();
        }
    }
}
