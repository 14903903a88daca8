using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler;
using FogCompute.Protocol;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Scheduler;

public sealed class QuoteTests
{
    private const string Quotes = "/api/scheduler/quotes";
    private const string Jobs = "/api/scheduler/jobs";

    /// <summary>The machine's clock, as much later as the test says.</summary>
    private sealed class LaterTime : TimeProvider
    {
        public TimeSpan Later { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Later;
    }

    private readonly LaterTime _clock = new();
    private ApiServer _server = null!;

    [SetUp]
    public async Task SetUp()
    {
        _clock.Later = TimeSpan.Zero;
        _server = await ApiServer.StartAsync(["--FOG_DEVICE_SILENCE_SECONDS=86400"], adjust: s => s.AddSingleton<TimeProvider>(_clock));
    }

    [TearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    /// <summary>A job whose one replica is never audited, so that what is reported is what counts.</summary>
    private static JsonObject Job(int count = 1, double minutes = 1, string name = "render") => new()
    {
        ["name"] = name, ["deterministic"] = false, ["cpu_required"] = 1, ["memory_required"] = 512, ["duration_estimate"] = minutes, ["limits"] = new JsonObject { ["wall_seconds"] = 600 },
        ["payload"] = new JsonObject { ["kind"] = "builtin", ["kernel"] = "noop" }, ["array"] = new JsonObject { ["count"] = count },
    };

    private static JsonObject With(JsonObject job, string field, JsonNode? value)
    {
        var copy = job.DeepClone().AsObject();
        copy[field] = value?.DeepClone();
        return copy;
    }

    private Task<HttpResponseMessage> SendAsync(JsonObject job, string path = Jobs, HttpClient? client = null) => (client ?? _server.Client).PostAsync(path, ApiServer.Json(job.ToJsonString()));

    private async Task<JsonNode> GetAsync(string path) => JsonNode.Parse(await _server.Client.GetStringAsync(path))!;

    private static JsonNode Plan(JsonNode quote, string name) => quote["plans"]!.AsArray().Single(p => p!["names"]!.AsArray().Any(n => n!.GetValue<string>() == name))!;

    [Test]
    public async Task Answers_three_to_five_plans_of_a_mixed_pool_and_keeps_them()
    {
        using var pool = new Pool(_server);
        foreach (var (id, score) in new[] { ("a", 400.0), ("b", 100), ("c", 100), ("d", 30) })
            await pool.AddAsync(id, 4, score);
        using var answer = await SendAsync(Job(400), Quotes);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Created));
        var quote = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        TestContext.Out.WriteLine(quote.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        var plans = quote["plans"]!.AsArray();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(answer.Headers.Location!.OriginalString, Is.EqualTo($"{Quotes}/{quote["quoteId"]}"));
            Assert.That((await GetAsync(answer.Headers.Location.OriginalString)).ToJsonString(), Is.EqualTo(quote.ToJsonString()));
            Assert.That(quote["expiresAt"]!.GetValue<DateTimeOffset>(), Is.EqualTo(_clock.GetUtcNow().AddSeconds(60)).Within(TimeSpan.FromSeconds(15)));
            Assert.That((quote["tasks"]!.GetValue<int>(), quote["replicas"]!.GetValue<int>(), quote["recommended"]!.GetValue<string>()), Is.EqualTo((400, 1, "knee")));
            Assert.That(plans, Has.Count.InRange(3, 5));
            Assert.That(plans.SelectMany(p => p!["names"]!.AsArray()).Select(n => n!.GetValue<string>()), Is.EquivalentTo(new[] { "knee", "fast", "cheap", "safe", "green" }));
            Assert.That(quote["reasons"]!.AsArray(), Is.Empty);
            Assert.That(quote["calibration"], Is.Null);
            Assert.That(quote["basis"]!["finishedRuns"]!.GetValue<int>(), Is.Zero);
            Assert.That(quote["front"]!.AsArray(), Has.Count.GreaterThanOrEqualTo(plans.Count));
            foreach (var plan in plans)
            {
                Assert.That(plan!["price"]!.GetValue<decimal>(), Is.GreaterThanOrEqualTo(plan["expectedCharge"]!.GetValue<decimal>()).And.GreaterThan(0));
                Assert.That(plan["finish"]!["p95Seconds"]!.GetValue<double>(), Is.GreaterThanOrEqualTo(plan["finish"]!["p50Seconds"]!.GetValue<double>()));
                Assert.That(plan["failureRisk"]!.GetValue<double>(), Is.InRange(0, 1));
                Assert.That(plan["waitSeconds"]!.GetValue<double>(), Is.Zero);
            }
            Assert.That(Plan(quote, "fast")["finish"]!["p50Seconds"]!.GetValue<double>(), Is.LessThanOrEqualTo(plans.Min(p => p!["finish"]!["p50Seconds"]!.GetValue<double>()) * 1.05));
        }
        Assert.That((await GetAsync("/api/tokenomics/balance"))["held"]!.GetValue<decimal>(), Is.Zero, "a quote holds nothing");
    }

    [Test]
    public async Task A_submit_that_names_a_plan_holds_its_price_and_is_never_charged_more()
    {
        using var pool = new Pool(_server);
        await pool.AddAsync("a", 20, 100);
        var job = Job(20);
        var quote = await _server.PostAsync(Quotes, job);
        var plan = Plan(quote, "cheap");
        using var answer = await SendAsync(With(With(job, "quote_id", quote["quoteId"]), "plan", "cheap"));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Created), text);
        var submitted = JsonNode.Parse(text)!;
        var id = submitted["jobId"]!.GetValue<string>();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(submitted["quote"]!.GetValue<decimal>(), Is.EqualTo(plan["price"]!.GetValue<decimal>()));
            Assert.That(submitted["held"]!.GetValue<decimal>(), Is.EqualTo(plan["price"]!.GetValue<decimal>()));
            Assert.That(submitted["plan"]!.GetValue<string>(), Is.EqualTo("cheap"));
            Assert.That(submitted["quotedP95At"]!.GetValue<DateTimeOffset>(), Is.EqualTo(_clock.GetUtcNow().AddSeconds(plan["finish"]!["p95Seconds"]!.GetValue<double>())).Within(TimeSpan.FromSeconds(15)));
            Assert.That((await GetAsync($"{Quotes}/{quote["quoteId"]}"))["jobId"]!.GetValue<string>(), Is.EqualTo(id));
        }

        // Each takes twice its estimate, which the price foresees, and one ten times that, which it does not.
        await pool.RunAsync("a", 20, i => i == 0 ? 1_200_000 : 120_000);
        var done = await GetAsync($"{Jobs}/{id}");
        var calibration = (await GetAsync("/api/scheduler/stats"))["calibration"]!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(done["status"]!.GetValue<string>(), Is.EqualTo("completed"));
            Assert.That(done["withinQuote"]!.GetValue<bool>(), Is.True);
            Assert.That(done["cost"]!["charged"]!.GetValue<decimal>(), Is.GreaterThan(0).And.LessThanOrEqualTo(plan["price"]!.GetValue<decimal>()));
            Assert.That((calibration["finished"]!.GetValue<int>(), calibration["withinP95"]!.GetValue<int>(), calibration["percent"]!.GetValue<double>()), Is.EqualTo((1, 1, 100.0)));
        }

        // Twenty runs are enough to learn from: all but one took twice what was said.
        var learned = await _server.PostAsync(Quotes, Job(20, name: "again"));
        Assert.That(learned["basis"]!["finishedRuns"]!.GetValue<int>(), Is.EqualTo(20));
        Assert.That(learned["basis"]!["runTimeFactor"]!.GetValue<double>(), Is.EqualTo(2 * Math.Pow(10, 1 / 20.0)).Within(0.01));
        Assert.That(learned["calibration"]!["finished"]!.GetValue<int>(), Is.EqualTo(1));
        var (_, newcomer, _) = await _server.NewMemberAsync("newcomer");
        using var first = await SendAsync(Job(), Quotes, newcomer);
        Assert.That((await first.JsonAsync()).GetProperty("basis").GetProperty("finishedRuns").GetInt32(), Is.EqualTo(20), "who has no runs learns from the pool's");
    }

    [Test]
    public async Task A_job_that_ends_after_its_quoted_time_counts_against_the_quotes()
    {
        using var pool = new Pool(_server);
        await pool.AddAsync("a", 4, 100);
        var job = Job(minutes: 0.2);
        var quote = await _server.PostAsync(Quotes, job);
        var id = (await _server.PostAsync(Jobs, With(job, "quote_id", quote["quoteId"])))["jobId"]!.GetValue<string>();
        Assert.That((await GetAsync($"{Jobs}/{id}"))["plan"]!.GetValue<string>(), Is.EqualTo("knee"), "the default of a quote");
        var lease = await pool.TakeAsync("a", 1);
        _clock.Later = TimeSpan.FromSeconds(Plan(quote, "knee")["finish"]!["p95Seconds"]!.GetValue<double>() + 30);
        await pool.ReportAsync("a", lease, _ => 60_000);
        var done = await GetAsync($"{Jobs}/{id}");
        Assert.That((done["status"]!.GetValue<string>(), done["withinQuote"]!.GetValue<bool>()), Is.EqualTo(("completed", false)));
        Assert.That((await GetAsync($"{Quotes}/{quote["quoteId"]}"))["calibration"]!["percent"]!.GetValue<double>(), Is.Zero);
    }

    [Test]
    public async Task Without_a_quote_the_tier_names_the_plan_and_the_requester_may()
    {
        foreach (var (tier, plan) in new[] { ("bronze", "cheap"), ("silver", "knee"), ("gold", "safe"), ("platinum", "fast") })
            Assert.That((await _server.PostAsync(Jobs, With(Job(), "sla_tier", tier)))["plan"]!.GetValue<string>(), Is.EqualTo(plan));
        var own = await _server.PostAsync(Jobs, With(Job(), "plan", "green"));
        Assert.That((own["plan"]!.GetValue<string>(), own["quotedP95At"]), Is.EqualTo(("green", (JsonNode?)null)));
    }

    [Test]
    public async Task A_quote_is_good_for_one_job_of_its_account_and_its_body_within_a_minute()
    {
        using var pool = new Pool(_server);
        await pool.AddAsync("a", 4, 100);
        var (_, bob, _) = await _server.NewMemberAsync("bob");
        var job = Job(2);
        var quote = await _server.PostAsync(Quotes, job);
        var named = With(job, "quote_id", quote["quoteId"]);

        using (var others = await SendAsync(named, client: bob))
            Assert.That((await others.ProblemAsync(422, "scheduler.quote_unknown")).FieldsOf(), Is.EqualTo(new[] { "quote_id" }));
        using (var looked = await bob.GetAsync($"{Quotes}/{quote["quoteId"]}"))
            await looked.ProblemAsync(404, "scheduler.quote_not_found");
        using (var unknown = await SendAsync(With(job, "quote_id", Guid.Empty.ToString())))
            await unknown.ProblemAsync(422, "scheduler.quote_unknown");
        using (var changed = await SendAsync(With(With(With(named, "array", new JsonObject { ["count"] = 3 }), "priority", 60), "sla_tier", "silver")))
            Assert.That((await changed.ProblemAsync(422, "scheduler.quote_differs")).FieldsOf(), Is.EqualTo(new[] { "array", "priority", "sla_tier" }));

        // What the defaults say anyway may be said.
        using (var spelledOut = await SendAsync(With(With(named, "priority", 50), "isolation", "process")))
            Assert.That(spelledOut.StatusCode, Is.EqualTo(HttpStatusCode.Created), await spelledOut.Content.ReadAsStringAsync());
        using (var again = await SendAsync(named))
            await again.ProblemAsync(409, "scheduler.quote_used");

        var late = await _server.PostAsync(Quotes, job);
        _clock.Later = TimeSpan.FromSeconds(61);
        using var expired = await SendAsync(With(job, "quote_id", late["quoteId"]));
        var problem = await expired.ProblemAsync(409, "scheduler.quote_expired");
        Assert.That(problem.GetProperty("detail").GetString(), Does.Contain(late["expiresAt"]!.GetValue<DateTimeOffset>().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss")));
        Assert.That((await GetAsync(Jobs))["jobs"]!.AsArray(), Has.Count.EqualTo(1), "refused submits leave nothing");
    }

    [Test]
    public async Task Two_submits_at_once_cannot_both_use_a_quote()
    {
        using var pool = new Pool(_server);
        await pool.AddAsync("a", 4, 100);
        var quote = await _server.PostAsync(Quotes, Job());
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => SendAsync(With(Job(), "quote_id", quote["quoteId"]))));
        Assert.That(answers.Select(a => (int)a.StatusCode).Order(), Is.EqualTo(new[] { 201, 409, 409, 409, 409, 409 }));
    }

    [Test]
    public async Task Says_why_there_is_no_plan()
    {
        var empty = await _server.PostAsync(Quotes, Job());
        Assert.That(Codes(empty), Is.EqualTo(new[] { "no_devices" }));
        Assert.That((empty["plans"]!.AsArray().Count, empty["recommended"]), Is.EqualTo((0, (JsonNode?)null)));
        using (var named = await SendAsync(With(Job(), "quote_id", empty["quoteId"])))
            await named.ProblemAsync(409, "scheduler.quote_without_plan");

        using var pool = new Pool(_server);
        await pool.AddAsync("a", 4, 100);
        Assert.That(Codes(await _server.PostAsync(Quotes, With(With(Job(), "sla_tier", "gold"), "deterministic", true))), Is.EqualTo(new[] { "tier_unmet" }));
        Assert.That(Codes(await _server.PostAsync(Quotes, With(Job(), "cpu_required", 5))), Is.EqualTo(new[] { "tier_unmet", "cpu" }));
        var first = await _server.PostAsync(Jobs, Job());
        Assert.That(Codes(await _server.PostAsync(Quotes, With(Job(), "depends_on", new JsonArray(first["jobId"]!.GetValue<string>())))), Is.EqualTo(new[] { "waiting_for_dependencies" }));
        using var dear = await SendAsync(With(Job(), "max_price", 0.000001), Quotes);
        Assert.That((await dear.ProblemAsync(422, "scheduler.over_max_price")).FieldsOf(), Is.EqualTo(new[] { "max_price" }));

        static IEnumerable<string> Codes(JsonNode quote) => quote["reasons"]!.AsArray().Select(r => r!["code"]!.GetValue<string>());
    }

    [Test]
    public async Task A_full_pool_is_quoted_after_what_it_runs()
    {
        using var pool = new Pool(_server);
        await pool.AddAsync("a", 4, 100);
        await _server.PostAsync(Jobs, Job(8, minutes: 10));
        await pool.TakeAsync("a", 4);
        var quote = await _server.PostAsync(Quotes, Job(4));
        // Four runs of ten minutes hold the device, and as many wait for its four slots.
        Assert.That(quote["plans"]!.AsArray().Single()!["waitSeconds"]!.GetValue<double>(), Is.EqualTo(1200).Within(90));
        Assert.That(quote["plans"]![0]!["finish"]!["p50Seconds"]!.GetValue<double>(), Is.GreaterThan(1200));
    }

    [Test]
    public async Task Old_quotes_are_forgotten_and_young_ones_are_not()
    {
        var old = await _server.PostAsync(Quotes, Job());
        _clock.Later = TimeSpan.FromHours(25);
        var young = await _server.PostAsync(Quotes, Job());
        await using (var scope = _server.Services.CreateAsyncScope())
        {
            scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
            await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new ForgetQuotesCommand());
        }
        using var gone = await _server.Client.GetAsync($"{Quotes}/{old["quoteId"]}");
        await gone.ProblemAsync(404, "scheduler.quote_not_found");
        Assert.That((await GetAsync($"{Quotes}/{young["quoteId"]}"))["quoteId"]!.GetValue<string>(), Is.EqualTo(young["quoteId"]!.GetValue<string>()));
    }

    /// <summary>Devices that register, poll and report over HTTP with keys of their own, and whose runs take what the test says.</summary>
    private sealed class Pool(ApiServer server) : IDisposable
    {
        private readonly Dictionary<string, (HttpClient Client, ECDsa Key, int Slots)> _devices = [];

        public async Task AddAsync(string id, int slots, double score)
        {
            var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var registered = await server.PostAsync("/api/idle-compute/devices", new JsonObject
            {
                ["device_id"] = id, ["device_type"] = "desktop", ["cpu_cores"] = slots, ["memory_mb"] = 1024 * slots, ["slots"] = slots, ["benchmark_score"] = score,
                ["payload_kinds"] = new JsonArray("builtin"), ["isolation"] = new JsonArray("process"), ["public_key"] = Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()),
            });
            _devices[id] = (server.NewClient(registered["deviceToken"]!.GetValue<string>()), key, slots);
            await PollAsync(id, []);
        }

        /// <summary>Polls until it has so many leases.</summary>
        public async Task<List<LeaseMessage>> TakeAsync(string id, int count)
        {
            var leases = new List<LeaseMessage>();
            for (var i = 0; leases.Count < count && i < 3_000; i++)
            {
                leases.AddRange(await PollAsync(id, leases));
                await Task.Delay(20);
            }
            Assert.That(leases, Has.Count.EqualTo(count));
            return leases;
        }

        public async Task RunAsync(string id, int count, Func<int, long> wallMs) => await ReportAsync(id, await TakeAsync(id, count), wallMs);

        public async Task ReportAsync(string id, IReadOnlyList<LeaseMessage> leases, Func<int, long> wallMs)
        {
            var now = TimeProvider.System.GetUtcNow();
            var reports = leases.Select((lease, i) => new AttemptReport
            {
                AttemptId = lease.AttemptId, Epoch = lease.Epoch, Outcome = AttemptOutcomes.Succeeded, ExitCode = 0, OutputDigest = OutputManifest.Digest(0, null, []), WallMs = wallMs(i),
                StartedAt = now, FinishedAt = now,
            }).Select(r => r with { Signature = Receipt.Sign(_devices[id].Key, id, r) });
            var answer = await SendAsync<ReportResponse>(id, "reports", new ReportRequest { Items = [.. reports] });
            Assert.That(answer.Items.Select(i => i.Status), Is.All.EqualTo("recorded"));
        }

        private async Task<IReadOnlyList<LeaseMessage>> PollAsync(string id, IReadOnlyList<LeaseMessage> held) =>
            (await SendAsync<LeasePollResponse>(id, "poll", new LeasePollRequest
            {
                WaitSeconds = 0, Held = [.. held.Select(l => new HeldLease(l.AttemptId, l.Epoch))], Condition = new DeviceCondition { State = "eligible", Slots = _devices[id].Slots },
            })).Leases;

        private async Task<T> SendAsync<T>(string id, string what, object body)
        {
            using var answer = await _devices[id].Client.PostAsync($"/api/scheduler/nodes/{id}/{what}", ApiServer.Json(JsonSerializer.Serialize(body, WireJson.Requests)));
            var text = await answer.Content.ReadAsStringAsync();
            Assert.That(answer.IsSuccessStatusCode, Is.True, text);
            return JsonSerializer.Deserialize<T>(text, WireJson.Responses)!;
        }

        public void Dispose()
        {
            foreach (var (client, key, _) in _devices.Values)
            {
                client.Dispose();
                key.Dispose();
            }
        }
    }
}
