using System.Text.Json.Nodes;

namespace FogCompute.Cli.Tests;

/// <summary><c>fog quote</c>, and <c>--plan</c> where jobs are submitted.</summary>
[TestFixture]
internal sealed class QuoteTests : CliFixture
{
    private const string Quotes = "/api/scheduler/quotes";
    private const string QuoteId = "0198c7a2-5d5e-7c1e-9d0a-00000000b001";

    private const string Quote = $$"""
        {"success":true,"quoteId":"{{QuoteId}}","expiresAt":"2199-01-02T03:14:05Z","tasks":100,"replicas":200,"recommended":"green",
         "plans":[{"plan":"knee","names":["knee","green"],"price":1.25,"expectedCharge":1.125,"finish":{"p50Seconds":600,"p95Seconds":1200,"p50":"2199-01-02T03:14:05Z","p95":"2199-01-02T03:24:05Z" },
                   "failureRisk":0.031,"energyJoules":5300,"devices":9,"slots":18},
                  {"plan":"fast","names":["fast"],"price":2.5,"expectedCharge":2.25,"finish":{"p50Seconds":100,"p95Seconds":110,"p50":"2199-01-02T03:05:45Z","p95":"2199-01-02T03:05:55Z" },
                   "failureRisk":0.02,"energyJoules":9000,"devices":14,"slots":40}],
         "front":[],"reasons":[{"code":"busy","message":"2 suitable devices are full just now.","count":2}],"calibration":{"finished":40,"withinP95":38} }
        """;

    private const string NoPlans = $$"""
        {"success":true,"quoteId":"{{QuoteId}}","expiresAt":"2199-01-02T03:14:05Z","tasks":1,"replicas":3,"plans":[],"recommended":null,"front":[],
         "reasons":[{"code":"tier_unmet","message":"The gold tier needs 3 devices; the pool has 1.","count":2}],"calibration":null}
        """;

    private void AcceptJobs() => Plane.On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{JobId}}","status":"pending","sla":"bronze"}""", 201);

    private JsonNode Body(string path) => Plane.Requests.Single(r => r.Path == path).Body!;

    [Test]
    public async Task Shows_price_finish_risk_and_energy_of_every_plan()
    {
        Plane.On("POST", Quotes, Quote, 201);
        var ran = await RunAsync("quote", "--count", "100", "--sla", "silver", "--", "prog", "--json");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(ran.Out, Does.Contain("100 tasks, 200 replicas:"));
        Assert.That(ran.Out, Does.Match(@"\* +knee, green +1\.25 +1\.125 +10\.0 min \(2199-01-02 03:14Z\) +20\.0 min \(2199-01-02 03:24Z\) +3\.1 % +5\.3 kJ +9"));
        Assert.That(ran.Out, Does.Match(@"\n +fast +2\.50 +2\.25 +100\.0 s \(2199-01-02 03:05Z\) +110\.0 s \(2199-01-02 03:05Z\) +2 % +9 kJ +14"));
        Assert.That(ran.Out, Does.Contain($"Quote {QuoteId} holds until 2199-01-02 03:14:05Z.").And.Contain("Of 40 quoted jobs that finished, 38 were done by their 95 % time."));
        Assert.That(ran.Out, Does.Contain("busy (2): 2 suitable devices are full just now."));
        Assert.That(Body(Quotes)["payload"]!["argv"]!.ToJsonString(), Is.EqualTo("""["prog","--json"]"""));
        Assert.That(Body(Quotes)["array"]!.ToJsonString(), Is.EqualTo("""{"count":100}"""));
        Assert.That(Plane.Requests, Has.Count.EqualTo(1), "nothing is submitted");
    }

    [Test]
    public async Task Lists_the_plans_line_by_line_where_the_table_does_not_fit()
    {
        Columns = 80;
        Plane.On("POST", Quotes, Quote, 201);
        var ran = await RunAsync(terminal: true, "", "quote", "--", "prog");
        Assert.That(ran.Out.ReplaceLineEndings("\n"), Does.Contain("""
            * knee, green
                at most 1.25, expected 1.125
                50 % done in 10.0 min (2199-01-02 03:14Z)
                95 % done in 20.0 min (2199-01-02 03:24Z)
                risk 3.1 %, 5.3 kJ, 9 devices
              fast
                at most 2.50, expected 2.25
            """.ReplaceLineEndings("\n")));
    }

    [Test]
    public void Gives_only_the_time_of_a_finish_that_is_today()
    {
        var now = DateTimeOffset.Parse("2026-01-02T23:00:00Z");
        var plan = JsonNode.Parse("""{"finish":{"p50Seconds":60,"p95Seconds":7200,"p50":"2026-01-02T23:01:00Z","p95":"2026-01-03T01:00:00Z"}}""")!;
        Assert.That(Commands.QuoteCommand.Finish(plan, "p50", now), Is.EqualTo("60.0 s (23:01:00Z)"));
        Assert.That(Commands.QuoteCommand.Finish(plan, "p95", now), Is.EqualTo("2.0 h (2026-01-03 01:00Z)"));
        Assert.That(Commands.QuoteCommand.Finish(JsonNode.Parse("{}")!, "p50", now), Is.EqualTo("–"));
    }

    [Test]
    public async Task Quotes_a_job_file_as_it_stands()
    {
        Plane.On("POST", Quotes, Quote, 201);
        await File.WriteAllTextAsync(Path.Combine(Folder, "job.json"), """{"name":"mine","sla_tier":"gold","array":{"count":7}}""");
        var ran = await RunAsync("quote", "job.json", "--json");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That((string?)ran.Json["quoteId"], Is.EqualTo(QuoteId));
        Assert.That(Body(Quotes).ToJsonString(), Is.EqualTo("""{"name":"mine","sla_tier":"gold","array":{"count":7}}"""));
    }

    [Test]
    public async Task Ends_with_1_and_the_reasons_when_there_is_no_plan()
    {
        Plane.On("POST", Quotes, NoPlans, 201);
        var ran = await RunAsync("quote", "--sla", "gold", "--", "prog");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Out, Does.Contain("cannot run this job").And.Contain("tier_unmet (2): The gold tier needs 3 devices; the pool has 1."));
    }

    [Test]
    public async Task Submits_at_the_price_and_by_the_plan_of_a_fresh_quote()
    {
        Plane.On("POST", Quotes, Quote, 201);
        AcceptJobs();
        var ran = await RunAsync("run", "--plan", "green", "--max-price", "1.25", "--", "prog");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(ran.Error, Does.Contain("Plan green: at most 1.25 credits, 1.125 expected; done in 10.0 min"));
        var (quoted, submitted) = (Body(Quotes), Body("/api/scheduler/jobs"));
        Assert.That((string?)submitted["quote_id"], Is.EqualTo(QuoteId));
        Assert.That((string?)submitted["plan"], Is.EqualTo("green"));
        Assert.That((decimal?)submitted["max_price"], Is.EqualTo(1.25m));
        submitted.AsObject().Remove("quote_id");
        submitted.AsObject().Remove("plan");
        Assert.That(submitted.ToJsonString(), Is.EqualTo(quoted.ToJsonString()), "what is submitted is what was quoted");
    }

    [Test]
    public async Task Submits_a_file_by_a_plan()
    {
        Plane.On("POST", Quotes, Quote, 201);
        AcceptJobs();
        await File.WriteAllTextAsync(Path.Combine(Folder, "job.json"), """{"name":"mine"}""");
        var ran = await RunAsync("job", "submit", "job.json", "--plan", "fast", "--json");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That((string?)ran.Json["jobId"], Is.EqualTo(JobId));
        Assert.That((string?)Body("/api/scheduler/jobs")["plan"], Is.EqualTo("fast"));
    }

    [Test]
    public async Task Leaves_the_highest_price_to_the_server_when_no_plan_is_asked_for()
    {
        AcceptJobs();
        var ran = await RunAsync("run", "--max-price", "0.5", "--", "prog");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That((decimal?)Body("/api/scheduler/jobs")["max_price"], Is.EqualTo(0.5m));
        Assert.That(Body("/api/scheduler/jobs")["plan"], Is.Null);
        Assert.That(Plane.Requests, Has.Count.EqualTo(1));
    }

    [TestCase("run --plan fast --max-price 2.4 -- prog", "2.50 credits"), TestCase("job submit capped.json --plan fast", "2.50 credits"), TestCase("run --plan safe -- prog", "no plan 'safe'")]
    public async Task Submits_nothing_when_the_plan_is_too_dear_or_missing(string line, string reason)
    {
        Plane.On("POST", Quotes, Quote, 201);
        AcceptJobs();
        await File.WriteAllTextAsync(Path.Combine(Folder, "capped.json"), """{"name":"mine","max_price":2.4}""");
        var ran = await RunAsync(line.Split(' '));
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain(reason).And.Contain("nothing was submitted"));
        Assert.That(Plane.Requests.Select(r => r.Path), Is.EqualTo(new[] { Quotes }));
    }

    [Test]
    public async Task Submits_nothing_and_gives_the_reasons_when_the_quote_has_no_plans()
    {
        Plane.On("POST", Quotes, NoPlans, 201);
        AcceptJobs();
        var ran = await RunAsync("run", "--plan", "knee", "--json", "--", "prog");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That((string?)ran.Json["error"]!["detail"]![0], Does.Contain("The gold tier needs 3 devices"));
        Assert.That(Plane.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Ends_with_1_and_names_the_fields_the_server_refused()
    {
        Plane.On("POST", Quotes, Problem(422, "platform.invalid", "The job has mistakes.", ""","errors":{"cpu_required":["Must be at least 0.01."]}"""), 422);
        var ran = await RunAsync("quote", "--", "prog");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain("cpu_required: Must be at least 0.01."));
    }

    [Test]
    public async Task Ends_with_8_when_nobody_listens()
    {
        var ran = await RunAsync("--server", $"http://127.0.0.1:{Processes.LocalPool.FreePort()}", "quote", "--", "prog");
        Assert.That(ran.ExitCode, Is.EqualTo(8));
    }

    [TestCase("quote two.json"), TestCase("quote job.json job.json"), TestCase("quote job.json --count 3"), TestCase("quote none.json"), TestCase("job submit two.json --plan fast"),
     TestCase("run --plan dear -- prog"), TestCase("run --max-price 0 -- prog"), TestCase("quote")]
    public async Task Refuses_a_wrong_command_line_before_anything_is_sent(string line)
    {
        await File.WriteAllTextAsync(Path.Combine(Folder, "job.json"), """{"name":"a"}""");
        await File.WriteAllTextAsync(Path.Combine(Folder, "two.json"), """[{"name":"a"},{"name":"b"}]""");
        var ran = await RunAsync(line.Split(' '));
        Assert.That(ran.ExitCode, Is.EqualTo(2), ran.Error);
        Assert.That(Plane.Requests, Is.Empty);
    }
}
