namespace FogCompute.Cli.Tests;

/// <summary><c>fog ops</c>.</summary>
[TestFixture]
internal sealed class OpsTests : CliFixture
{
    private const string Jobs = """
        {"jobs":[{"name":"ForgetQuotes","kind":"schedule","why":"…","schedule":"every 10 min","periodSeconds":600,"server":"lab:7","running":false,
        "lastRun":{"started":"2199-01-01T00:00:00+00:00","durationMs":3.25,"outcome":"failed","error":"broken gear"},"nextRun":"2199-01-01T00:10:00+00:00","paused":true,"runs":12,"failures":1,"p50Ms":2,"p95Ms":41,"recent":[]}]}
        """;

    [Test]
    public async Task Lists_recurring_jobs()
    {
        Columns = 200;
        Plane.On("GET", "/api/ops/jobs", Jobs);
        var ran = await RunAsync("ops", "jobs");
        Assert.That(ran.Out, Does.Match(@"ForgetQuotes +schedule +every 10 min +PAUSED"));
        Assert.That(ran.Out, Does.Contain("3.2 ms").Or.Contain("3.3 ms"));
        Assert.That((await RunAsync("ops", "jobs", "--json")).Json["jobs"]![0]!["p95Ms"]!.GetValue<int>(), Is.EqualTo(41));
    }

    [Test]
    public async Task Shows_runs_with_their_errors()
    {
        Columns = 200;
        Plane.On("GET", "/api/ops/jobs/ForgetQuotes/runs", """{"runs":[{"id":"0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10","trigger":"manual","outcome":"failed","server":"lab:7","started":"2199-01-01T00:00:00+00:00","durationMs":12,"runs":1,"askedBy":null,"error":{"type":"System.Exception","message":"broken gear","trace":"…"}}],"next":null}""");
        var ran = await RunAsync("ops", "runs", "ForgetQuotes", "--limit", "5");
        Assert.That(ran.Out, Does.Contain("System.Exception: broken gear").And.Contain("12 ms"));
        Assert.That(Plane.Requests.Single().Query, Is.EqualTo("?limit=5"));
        Assert.That((await RunAsync("ops", "runs", "ForgetQuotes", "--limit", "0")).ExitCode, Is.EqualTo(ExitCodes.Usage));
    }

    [Test]
    public async Task Triggers_pauses_and_resumes()
    {
        Plane.On("POST", "/api/ops/jobs/ForgetQuotes/trigger", """{"runId":"0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10"}""");
        Plane.On("POST", "/api/ops/jobs/ForgetQuotes/pause", """{"name":"ForgetQuotes","paused":true}""");
        Plane.On("POST", "/api/ops/jobs/ForgetQuotes/resume", """{"name":"ForgetQuotes","paused":false}""");
        Assert.That((await RunAsync("ops", "trigger", "ForgetQuotes")).Out, Does.Contain("0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10"));
        Assert.That((await RunAsync("ops", "pause", "ForgetQuotes")).Out, Does.Contain("ForgetQuotes is paused."));
        Assert.That((await RunAsync("ops", "resume", "ForgetQuotes")).Out, Does.Contain("ForgetQuotes runs by itself."));
    }

    [Test]
    public async Task Says_where_the_names_are_when_one_is_unknown()
    {
        Plane.On("GET", "/api/ops/jobs/Nope/runs", Problem(404, "operations.unknown_job", "There is no recurring job 'Nope'."), 404);
        var ran = await RunAsync("ops", "runs", "Nope");
        Assert.That(ran.ExitCode, Is.EqualTo(ExitCodes.NotFound));
        Assert.That(ran.Error, Does.Contain("fog ops jobs").And.Not.Contain("fog job list"));
    }

    [Test]
    public async Task Counts_the_queue()
    {
        Plane.On("GET", "/api/ops/queues", """
            {"waiting":12,"waitingBy":[{"reason":"ready","tasks":10,"oldestSeconds":4},{"reason":"retry_backoff","tasks":2,"oldestSeconds":null}],"leased":1,"executing":3,"verifying":0,"retrying":2,"oldestWaitingSeconds":4.2,
            "lastHour":{"succeeded":100,"failed":1,"retries":3},"lastDay":{"succeeded":900,"failed":2,"retries":9},"perSecond":[]}
            """);
        var ran = await RunAsync("ops", "queues");
        Assert.That(ran.Out, Does.Contain("12 tasks wait, the oldest ready one for 4 s; 2 of them for another try.").And.Contain("  10 ready").And.Contain("Last hour: 100 succeeded, 1 failed, 3 retries."));
    }
}
