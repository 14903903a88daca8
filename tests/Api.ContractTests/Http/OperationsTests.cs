using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using FogCompute.Infrastructure.RecurringJobs;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>The operations API and its page.</summary>
public sealed partial class OperationsTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static readonly (HttpMethod Method, string Path)[] Routes =
    [
        (HttpMethod.Get, "/api/ops/jobs"), (HttpMethod.Get, "/api/ops/jobs/ForgetQuotes/runs"), (HttpMethod.Post, "/api/ops/jobs/ForgetQuotes/trigger"), (HttpMethod.Post, "/api/ops/jobs/ForgetQuotes/pause"),
        (HttpMethod.Post, "/api/ops/jobs/ForgetQuotes/resume"), (HttpMethod.Get, "/api/ops/queues"), (HttpMethod.Get, "/api/ops/failures"), (HttpMethod.Get, "/api/ops/tasks"), (HttpMethod.Get, "/api/ops/servers"),
    ];

    [Test]
    public async Task Operators_may_and_nobody_else()
    {
        var (_, member, _) = await _server.NewMemberAsync("ordinary");
        var (_, operate, _) = await _server.NewMemberAsync("operator", ["operate"]);
        using var stranger = _server.NewClient("fogk_nobody");
        using (member)
        using (operate)
        {
            foreach (var (method, path) in Routes)
            {
                using var refused = await member.SendAsync(new HttpRequestMessage(method, path));
                await refused.ProblemAsync(403, "identity.forbidden");
                using var unknown = await stranger.SendAsync(new HttpRequestMessage(method, path));
                Assert.That(unknown.StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized), path);
                using var taken = await operate.SendAsync(new HttpRequestMessage(method, path));
                Assert.That(taken.IsSuccessStatusCode, Is.True, $"{method} {path}: {taken.StatusCode}");
            }
        }
    }

    [Test]
    public async Task Lists_every_row_of_the_table_and_who_leads_it()
    {
        var jobs = await EventuallyAsync("/api/ops/jobs", answer => answer.GetProperty("jobs").EnumerateArray().All(j => j.GetProperty("lastRun").ValueKind == JsonValueKind.Object && j.GetProperty("server").ValueKind == JsonValueKind.String));
        var all = jobs.GetProperty("jobs").EnumerateArray().ToDictionary(j => j.GetProperty("name").GetString()!);
        Assert.That(all.Keys, Is.EquivalentTo(RecurringJobTable.Rows.Select(r => r.Name)));
        var pump = all["PlacePendingJobs"];
        Assert.Multiple(() =>
        {
            Assert.That(pump.GetProperty("kind").GetString(), Is.EqualTo("pump"));
            Assert.That(pump.GetProperty("schedule").GetString(), Is.EqualTo("when signalled, else every second"));
            Assert.That(pump.GetProperty("lastRun").GetProperty("outcome").GetString(), Is.EqualTo("succeeded"));
            Assert.That(pump.GetProperty("p95Ms").GetDouble(), Is.Positive);
            Assert.That(pump.GetProperty("nextRun").ValueKind, Is.EqualTo(JsonValueKind.Null));
            Assert.That(all["ForgetPasses"].GetProperty("kind").GetString(), Is.EqualTo("schedule"));
            Assert.That(all["ForgetPasses"].GetProperty("nextRun").GetDateTimeOffset(), Is.EqualTo(TimeProvider.System.GetUtcNow().AddHours(1)).Within(TimeSpan.FromMinutes(5)));
            Assert.That(all.Values.Select(j => j.GetProperty("why").GetString()), Has.All.Not.Empty);
        });
        var server = (await GetAsync("/api/ops/servers")).GetProperty("servers").EnumerateArray().Single();
        Assert.That(server.GetProperty("pid").GetInt32(), Is.EqualTo(Environment.ProcessId));
        Assert.That(server.GetProperty("alive").GetBoolean(), Is.True);
        Assert.That(server.GetProperty("leads").EnumerateArray().Select(l => l.GetString()), Is.EquivalentTo(RecurringJobTable.Rows.Where(r => r.Kind == RecurringKind.Pump).Select(r => r.Name)));
    }

    [TestCase("ForgetIdempotencyKeys")]
    [TestCase("ExpireJobs")]
    public async Task Runs_now_and_remembers_it(string name)
    {
        using var answer = await _server.Client.PostAsync($"/api/ops/jobs/{name}/trigger", null);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Accepted));
        Assert.That(answer.Headers.Location?.ToString(), Is.EqualTo($"/api/ops/jobs/{name}/runs"));
        var id = (await answer.JsonAsync()).GetProperty("runId").GetGuid();
        var runs = await EventuallyAsync($"/api/ops/jobs/{name}/runs", a => a.GetProperty("runs").EnumerateArray().Any(r => r.GetProperty("id").GetGuid() == id && r.GetProperty("outcome").GetString() == "succeeded"));
        var run = runs.GetProperty("runs").EnumerateArray().Single(r => r.GetProperty("id").GetGuid() == id);
        Assert.Multiple(() =>
        {
            Assert.That(run.GetProperty("trigger").GetString(), Is.EqualTo("manual"));
            Assert.That(run.GetProperty("durationMs").GetDouble(), Is.Positive);
            Assert.That(run.GetProperty("server").GetString(), Does.EndWith($":{Environment.ProcessId}"));
            Assert.That(run.GetProperty("askedBy").GetString(), Is.Not.Empty);
        });
        var page = await GetAsync($"/api/ops/jobs/{name}/runs?limit=1");
        if (page.GetProperty("next").ValueKind == JsonValueKind.String)
            Assert.That((await GetAsync($"/api/ops/jobs/{name}/runs?limit=1&cursor={page.GetProperty("next").GetString()}")).GetProperty("runs")[0].GetProperty("id").GetGuid(), Is.Not.EqualTo(page.GetProperty("runs")[0].GetProperty("id").GetGuid()));
    }

    [Test]
    public async Task A_pause_is_loud_in_health_until_it_is_resumed()
    {
        Assert.That((await PostAsync("/api/ops/jobs/AdvanceProposals/pause")).GetProperty("paused").GetBoolean(), Is.True);
        var since = (await PostAsync("/api/ops/jobs/AdvanceProposals/pause")).GetProperty("pausedSince").GetDateTimeOffset();
        var health = await GetAsync("/health");
        Assert.Multiple(() =>
        {
            Assert.That(since, Is.EqualTo(TimeProvider.System.GetUtcNow()).Within(TimeSpan.FromMinutes(1)));
            Assert.That(health.GetProperty("services").GetProperty("jobs").GetString(), Is.EqualTo("degraded"));
            Assert.That(health.GetProperty("checks").GetProperty("jobs").GetProperty("message").GetString(), Does.StartWith("PAUSED by an operator: AdvanceProposals"));
        });
        var resumed = await PostAsync("/api/ops/jobs/AdvanceProposals/resume");
        Assert.That(resumed.GetProperty("paused").GetBoolean(), Is.False);
        Assert.That(resumed.GetProperty("pausedBy").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That((await GetAsync("/health")).GetProperty("checks").GetProperty("jobs").GetProperty("message").GetString(), Does.Not.Contain("PAUSED"));
    }

    [Test]
    public async Task Counts_what_waits_by_reason()
    {
        var before = await GetAsync("/api/ops/queues");
        using (var answer = await _server.Client.PostAsync("/api/scheduler/jobs", ApiServer.Json("""{ "name": "waits", "sla_tier": "bronze", "cpu_required": 1, "memory_required": 16, "duration_estimate": 1, "array": { "count": 7 } }""")))
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Created), await answer.Content.ReadAsStringAsync());
        var queues = await EventuallyAsync("/api/ops/queues", q => q.GetProperty("waiting").GetInt64() == before.GetProperty("waiting").GetInt64() + 7);
        Assert.Multiple(() =>
        {
            Assert.That(queues.GetProperty("waitingBy").EnumerateArray().Single(w => w.GetProperty("reason").GetString() == "ready").GetProperty("tasks").GetInt64(), Is.GreaterThanOrEqualTo(7));
            Assert.That(queues.GetProperty("oldestWaitingSeconds").GetDouble(), Is.GreaterThanOrEqualTo(0));
            Assert.That(queues.GetProperty("lastHour").GetProperty("failed").GetInt64(), Is.Zero);
            Assert.That(queues.GetProperty("executing").GetInt64(), Is.Zero);
        });
    }

    [Test]
    public async Task Tells_failures_with_what_became_of_them()
    {
        await using (var seed = _server.Database.DataSource.CreateCommand(
            """
            INSERT INTO idle_compute.devices (id, account_id, type, key_hash, cpu_millicores, memory_bytes, gpus, slots, isolation_levels, payload_kinds, network_allowed, labels, offline_grace_seconds, state,
                registered_at, last_seen_at, tasks_completed, compute_ms, reputation_right, reputation_wrong, reputation_at, verified_streak, losses, evictions)
            SELECT 'ops-device', id, 'server', '\x01', 1000, 1, 0, 1, '{}', '{}', false, '{}', 0, 'Unregistered', now(), now(), 0, 0, 0, 0, now(), 0, 0, 0 FROM identity.accounts LIMIT 1
            """))
            await seed.ExecuteNonQueryAsync();
        using (var answer = await _server.Client.PostAsync("/api/scheduler/jobs", ApiServer.Json("""{ "name": "fails", "sla_tier": "bronze", "cpu_required": 1, "memory_required": 16, "duration_estimate": 1, "array": { "count": 2 } }""")))
        {
            var job = (await answer.JsonAsync()).GetProperty("jobId").GetGuid();
            await using var fail = _server.Database.DataSource.CreateCommand(
                """
                INSERT INTO scheduler.attempts (id, job_id, task_index, device_id, replica, epoch, state, reason, message, leased_at, expires_at, started_at, finished_at, exit_code, wall_ms, cpu_ms, log_tail, log_bytes)
                SELECT gen_random_uuid(), $1, i, 'ops-device', 0, 1, 'Crashed', 'exit_code', 'Exit code 3.', now(), now(), now(), now() + i * interval '1 second', 3, 10, 5, 'the last words', 14 FROM generate_series(0, 1) AS i
                """);
            fail.Parameters.Add(new() { Value = job });
            await fail.ExecuteNonQueryAsync();
        }
        var first = await GetAsync("/api/ops/failures?limit=1");
        var second = await GetAsync($"/api/ops/failures?limit=1&cursor={first.GetProperty("next").GetString()}");
        var failures = new[] { first, second }.Select(p => p.GetProperty("failures")[0]).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(failures.Select(f => f.GetProperty("taskIndex").GetInt32()), Is.EqualTo(new[] { 1, 0 }), "newest first");
            foreach (var f in failures)
            {
                Assert.That((f.GetProperty("kind").GetString(), f.GetProperty("state").GetString(), f.GetProperty("reason").GetString(), f.GetProperty("exitCode").GetInt32()), Is.EqualTo(("attempt", "crashed", "exit_code", 3)));
                Assert.That((f.GetProperty("jobName").GetString(), f.GetProperty("outcome").GetString(), f.GetProperty("logTail").GetString()), Is.EqualTo(("fails", "retried", "the last words")));
            }
            Assert.That(second.GetProperty("next").ValueKind, Is.EqualTo(JsonValueKind.Null));
        });
    }

    [TestCase("/api/ops/jobs/Unknown/runs", 404, "operations.unknown_job")]
    [TestCase("/api/ops/jobs/ExpireJobs/runs?limit=0", 422, "common.validation_failed")]
    [TestCase("/api/ops/failures?limit=201", 422, "common.validation_failed")]
    [TestCase("/api/ops/failures?cursor=yesterday", 422, "common.validation_failed")]
    [TestCase("/api/ops/tasks?view=all", 422, "common.validation_failed")]
    [TestCase("/api/ops/tasks?view=%20", 422, "common.validation_failed")]
    public async Task Refuses(string path, int status, string code)
    {
        using var answer = await _server.Client.GetAsync(path);
        await answer.ProblemAsync(status, code);
    }

    [TestCase("trigger")]
    [TestCase("pause")]
    [TestCase("resume")]
    public async Task Refuses_to_do_anything_with_an_unknown_job(string what)
    {
        using var answer = await _server.Client.PostAsync($"/api/ops/jobs/Unknown/{what}", null);
        await answer.ProblemAsync(404, "operations.unknown_job");
    }

    [TestCase("processing")]
    [TestCase("succeeded")]
    [TestCase("retrying")]
    public async Task Lists_tasks_of_each_view(string view) => Assert.That((await GetAsync($"/api/ops/tasks?view={view}")).GetProperty("tasks").ValueKind, Is.EqualTo(JsonValueKind.Array));

    [Test]
    public async Task The_page_is_served_under_a_policy_without_inline_code()
    {
        using var page = await _server.Client.GetAsync("/ops/jobs");
        var html = await page.Content.ReadAsStringAsync();
        Assert.That(page.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(page.Content.Headers.ContentType?.ToString(), Is.EqualTo("text/html; charset=utf-8"));
        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.That(policy, Does.Contain("default-src 'none'").And.Contain("script-src 'self'").And.Contain("frame-ancestors 'none'").And.Not.Contain("unsafe").And.Not.Contain("*"));
        Assert.That(Inline().Matches(html).Select(m => m.Value), Is.Empty);
        var files = Links().Matches(html).Select(m => m.Groups[1].Value).Where(l => l.StartsWith("/ops/", StringComparison.Ordinal)).Distinct().ToList();
        Assert.That(files, Is.EquivalentTo(new[] { "/ops/icon.svg", "/ops/ops.css", "/ops/ops.js" }));
        foreach (var file in files)
        {
            using var answer = await _server.Client.GetAsync(file);
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), file);
            Assert.That(Elsewhere().Matches((await answer.Content.ReadAsStringAsync()).Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal)), Is.Empty, $"{file} loads something from elsewhere");
            using var again = new HttpRequestMessage(HttpMethod.Get, file);
            again.Headers.IfNoneMatch.Add(answer.Headers.ETag!);
            using var unchanged = await _server.Client.SendAsync(again);
            Assert.That(unchanged.StatusCode, Is.EqualTo(HttpStatusCode.NotModified));
        }
    }

    [TestCase("/ops/jobs")]
    [TestCase("/ops/ops.js")]
    [TestCase("/livez")]
    [TestCase("/health")]
    [TestCase("/metrics")]
    [TestCase("/openapi.json")]
    public async Task HEAD_answers_what_GET_does_without_the_body(string path)
    {
        using var head = await _server.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));
        using var get = await _server.Client.GetAsync(path);
        Assert.That(head.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(head.Content.Headers.ContentType, Is.EqualTo(get.Content.Headers.ContentType));
        Assert.That(head.Headers.ETag, Is.EqualTo(get.Headers.ETag));
        Assert.That(await head.Content.ReadAsByteArrayAsync(), Is.Empty);
    }

    [Test]
    public async Task HEAD_of_an_operation_is_still_refused()
    {
        using var head = await _server.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/api/scheduler/stats"));
        Assert.That(head.StatusCode, Is.EqualTo(HttpStatusCode.MethodNotAllowed));
    }

    [Test]
    public async Task Everything_that_the_page_asks_for_is_in_the_document()
    {
        var script = await _server.Client.GetStringAsync("/ops/ops.js");
        Assert.That(script, Does.Not.Contain("innerHTML").And.Not.Contain("eval(").And.Not.Contain("setAttribute('style'"));
        var asked = Calls().Matches(script).Select(m => (Path: m.Groups[1].Value.Replace("${encodeURIComponent(name)}", "{name}", StringComparison.Ordinal), Post: m.Value.EndsWith("'POST')", StringComparison.Ordinal))).ToList();
        Assert.That(asked, Has.Count.EqualTo(9), "every route has its line");
        var paths = (await GetAsync("/openapi.json")).GetProperty("paths");
        foreach (var (path, post) in asked)
            Assert.That(paths.TryGetProperty(path, out var operations) && operations.TryGetProperty(post ? "post" : "get", out _), Is.True, path);
    }

    [GeneratedRegex("""<script(?![^>]*\ssrc=)|<style|\sstyle\s*=|\son[a-z]+\s*=|javascript:""", RegexOptions.IgnoreCase)]
    private static partial Regex Inline();

    [GeneratedRegex("""(?:src|href)="([^"]+)""")]
    private static partial Regex Links();

    [GeneratedRegex("""https?://|@import|url\(""")]
    private static partial Regex Elsewhere();

    [GeneratedRegex("""ask\([`']([^`'?$]*(?:\$\{encodeURIComponent\(name\)\}[^`'?$]*)?)[^\n]*?\)(?=,?\n|\.then)""")]
    private static partial Regex Calls();

    private async Task<JsonElement> GetAsync(string path)
    {
        using var answer = await _server.Client.GetAsync(path);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), $"{path}: {await answer.Content.ReadAsStringAsync()}");
        return await answer.JsonAsync();
    }

    private async Task<JsonElement> PostAsync(string path)
    {
        using var answer = await _server.Client.PostAsync(path, null);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), $"{path}: {await answer.Content.ReadAsStringAsync()}");
        return await answer.JsonAsync();
    }

    private async Task<JsonElement> EventuallyAsync(string path, Func<JsonElement, bool> holds)
    {
        for (var tries = 0; ; tries++)
        {
            var answer = await GetAsync(path);
            if (holds(answer))
                return answer;
            Assert.That(tries, Is.LessThan(600), $"{path} never became what was wanted: {answer}");
            await Task.Delay(100);
        }
    }
}
