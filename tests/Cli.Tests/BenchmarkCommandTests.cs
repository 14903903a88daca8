using Microsoft.AspNetCore.Http;

namespace FogCompute.Cli.Tests;

[TestFixture]
internal sealed class BenchmarkCommandTests : CliFixture
{
    private const string Id = "0198c7a2-5d5e-7c1e-9d0a-00000000b001";

    private const string Run =
        $$"""
        {"benchmarkId":"{{Id}}","type":"latency","status":"completed","started":"2026-01-02T03:04:05Z","ended":"2026-01-02T03:04:07Z","duration":2,"ran":2.0,
         "machine":{"cpu":"Example CPU 3000","cores":2,"memory":1024,"kernel":"6.1","disk":"solid_state","version":"0.1.0"},
         "summary":[{"name":"database","unit":"ms","count":90,"p50":0.25,"p95":0.5,"p99":0.75,"mean":0.3,"rate":null,"note":null},
                    {"name":"device","unit":"ms","count":0,"p50":null,"p95":null,"p99":null,"mean":null,"rate":null,"note":"No device answered."}],"why":null}
        """;

    private static string Data(string status, string points) =>
        $$"""{"timestamp":1,"latency":0.2,"throughput":0,"cpuUsage":1,"memoryUsage":2,"networkUtilization":0,"metrics":[{{points}}],"benchmark":{"benchmarkId":"{{Id}}","type":"latency","status":"{{status}}","started":"2026-01-02T03:04:05Z","duration":2} }""";

    private void GiveAnswers() => Plane
        .On("POST", "/api/benchmarks/start", $$"""{"success":true,"benchmarkId":"{{Id}}","type":"latency","status":"running"}""")
        .On("GET", "/api/benchmarks/data", Data("completed", """{"timestamp":1,"latency":0.25,"throughput":null,"cpuUsage":12.5,"memoryUsage":40,"networkUtilization":0}"""))
        .On("GET", "/api/benchmarks/history", $$"""{"benchmarks":[{{Run}}],"total":1}""");

    [Test]
    public async Task Starts_one_shows_each_second_and_ends_with_the_figures()
    {
        GiveAnswers();
        var ran = await RunAsync("benchmark", "latency", "--seconds", "2");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(Plane.Requests.First(r => r.Path == "/api/benchmarks/start").Body!.ToJsonString(), Is.EqualTo("""{"type":"latency","duration":2}"""));
        Assert.That(ran.Error, Does.Contain("1 s  latency 0.25 ms"));
        Assert.That(ran.Out, Does.Contain("database").And.Contain("0.75").And.Contain("device: No device answered.").And.Contain("completed after 2.0 s on Example CPU 3000, 2 cores, kernel 6.1."));
    }

    [Test]
    public async Task With_json_stdout_is_the_run()
    {
        GiveAnswers();
        Assert.That((string?)(await RunAsync("--json", "benchmark")).Json["benchmarkId"], Is.EqualTo(Id));
    }

    [Test]
    public async Task Ends_with_5_while_another_one_runs()
    {
        Plane.On("POST", "/api/benchmarks/start", Problem(409, "benchmarks.already_running", "A benchmark runs already."), 409);
        Assert.That((await RunAsync("benchmark", "stress")).ExitCode, Is.EqualTo(5));
    }

    [TestCase(200, null)]
    [TestCase(409, "benchmarks.not_running")]
    public async Task Interrupted_it_stops_the_benchmark_even_one_that_ends_at_that_moment(int status, string? code)
    {
        using var interrupt = new CancellationTokenSource();
        Interrupted = interrupt.Token;
        Plane.On("POST", "/api/benchmarks/start", $$"""{"success":true,"benchmarkId":"{{Id}}","type":"stress","status":"running"}""").On("GET", "/api/benchmarks/data", async context =>
        {
            await interrupt.CancelAsync();
            await context.Response.WriteAsync(Data("running", ""));
        }).On("POST", "/api/benchmarks/stop", code is null ? $$"""{"success":true,"benchmarkId":"{{Id}}","status":"stopped"}""" : Problem(status, code, "That benchmark does not run any more."), status);
        var ran = await RunAsync("benchmark", "stress");
        Assert.That(Plane.Requests.Single(r => r.Path == "/api/benchmarks/stop").Body!.ToJsonString(), Is.EqualTo($$"""{"benchmark_id":"{{Id}}"}"""));
        Assert.That(ran.ExitCode, Is.EqualTo(ExitCodes.Interrupted), ran.Error);
    }

    [Test]
    public async Task Lists_and_compares()
    {
        GiveAnswers();
        Plane.On("GET", "/api/benchmarks/compare", $$"""{"a":{{Run}},"b":{{Run}},"measures":[{"name":"database","unit":"ms","p50":2,"p95":1.5,"p99":null,"mean":1,"rate":null}],"sameMachine":false,"machineDifferences":[{"field":"cores","a":"2","b":"4"}]}""");
        Assert.That((await RunAsync("benchmark", "list")).Out, Does.Contain(Id).And.Contain("database 0.25 ms"));
        var ran = await RunAsync("benchmark", "compare", Id, Id);
        Assert.That(ran.Out, Does.Contain("2.00 ×").And.Contain("The machines differ in cores: 2 and 4."));
        Assert.That(Plane.Requests.Last().Query, Is.EqualTo($"?a={Id}&b={Id}"));
    }
}
