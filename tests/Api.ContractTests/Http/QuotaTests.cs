using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Api.Http;
using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Infrastructure.Identity;
using FogCompute.Infrastructure.Persistence.Migrations;
using FogCompute.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace FogCompute.Api.ContractTests.Http;

public sealed class QuotaTests
{
    private ApiServer _server = null!;

    /// <summary>Free: 1 hour, 40 calls, about 10 KiB.</summary>
    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync(["--FOG_PLAN_FREE=1/40/0.00001", "--FOG_PLAN_PRO=2/none/none"]);

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static StringContent Job(int tasks) => ApiServer.Json($$"""{"name":"n","cpu_required":0.1,"memory_required":16,"duration_estimate":10,"limits":{"wall_seconds":600},"array":{"count":{{tasks}} } }""");

    private static async Task<JsonElement> QuotasAsync(HttpClient client) => await (await client.GetAsync("/api/identity/quotas")).JsonAsync();

    private async Task SetPlanAsync(Guid account, string plan)
    {
        using var answer = await _server.Client.PutAsync($"/api/identity/accounts/{account}/plan", ApiServer.Json($$"""{"plan":"{{plan}}"}"""));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), await answer.Content.ReadAsStringAsync());
    }

    [Test]
    public async Task Compute_hours_are_reserved_by_the_submit_and_given_back_when_nothing_ran()
    {
        var (account, member, _) = await _server.NewMemberAsync("computes");
        using var first = await member.PostAsync("/api/scheduler/jobs", Job(6));
        Assert.That(first.StatusCode, Is.EqualTo(HttpStatusCode.Created), await first.Content.ReadAsStringAsync());
        var job = (await first.JsonAsync()).GetProperty("jobId").GetString();
        var compute = (await QuotasAsync(member)).GetProperty("computeHours");
        Assert.That((compute.GetProperty("limit").GetDouble(), compute.GetProperty("used").GetDouble(), compute.GetProperty("reserved").GetDouble()), Is.EqualTo((1.0, 1.0, 1.0)));

        using var refused = await member.PostAsync("/api/scheduler/jobs", Job(1));
        var detail = (await refused.ProblemAsync(429, "identity.compute_quota_exceeded")).GetProperty("detail").GetString();
        Assert.That(detail, Does.Contain("free plan").And.Contain("allows 1 compute hours").And.Contain("1 are used").And.Contain("0.1667"));
        var now = TimeProvider.System.GetUtcNow();
        Assert.That(now + refused.Headers.RetryAfter!.Delta!.Value, Is.EqualTo(Plans.NextDay(now)).Within(TimeSpan.FromSeconds(20)));
        var balance = await (await member.GetAsync("/api/tokenomics/balance")).JsonAsync();
        using var none = await member.GetAsync("/api/scheduler/jobs");
        Assert.That((await none.JsonAsync()).GetProperty("jobs").GetArrayLength(), Is.EqualTo(1), "a refused submit leaves nothing");
        Assert.That(balance.GetProperty("held").GetDecimal(), Is.GreaterThan(0));

        (await member.DeleteAsync($"/api/scheduler/jobs/{job}")).EnsureSuccessStatusCode();
        // Not over HTTP: calls are counted, and how many these would be depends on the machine.
        await using (var scope = _server.Services.CreateAsyncScope())
        {
            while ((await scope.ServiceProvider.GetRequiredService<IUsage>().OfAsync(new AccountId(account), Plans.DayOf(now), CancellationToken.None)).ComputeMs > 0)
                await Task.Delay(50);
        }
        Assert.That((await QuotasAsync(member)).GetProperty("computeHours").GetProperty("used").GetDouble(), Is.Zero);
        using var again = await member.PostAsync("/api/scheduler/jobs", Job(1));
        Assert.That(again.StatusCode, Is.EqualTo(HttpStatusCode.Created), await again.Content.ReadAsStringAsync());
    }

    [Test]
    public async Task A_hundred_parallel_reservations_at_the_border_never_pass_it()
    {
        var account = new AccountId(Guid.CreateVersion7());
        var day = new DateOnly(2031, 5, 1);
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(async _ =>
        {
            await using var scope = _server.Services.CreateAsyncScope();
            return await scope.ServiceProvider.GetRequiredService<IUsage>().ReserveComputeAsync(account, day, new JobId(Guid.CreateVersion7()), 10, 405, CancellationToken.None);
        }));
        await using var scope = _server.Services.CreateAsyncScope();
        var use = await scope.ServiceProvider.GetRequiredService<IUsage>().OfAsync(account, day, CancellationToken.None);
        Assert.That(answers.Count(a => a is null), Is.EqualTo(40));
        Assert.That((use.ComputeMs, use.ReservedMs), Is.EqualTo((400L, 400L)));
        Assert.That(answers.Where(a => a is not null), Is.All.EqualTo(400L));
    }

    [Test]
    public async Task What_ran_takes_the_place_of_what_was_reserved()
    {
        var (account, member, _) = await _server.NewMemberAsync("measured");
        using var submitted = await member.PostAsync("/api/scheduler/jobs", Job(3));
        var job = (await submitted.JsonAsync()).GetProperty("jobId").GetGuid();
        await using (var end = _server.Database.DataSource.CreateCommand("UPDATE scheduler.jobs SET state = 'Completed', run_ms = 360000 WHERE id = $1"))
        {
            end.Parameters.Add(new() { Value = job });
            Assert.That(await end.ExecuteNonQueryAsync(), Is.EqualTo(1));
        }
        await using var scope = _server.Services.CreateAsyncScope();
        var usage = scope.ServiceProvider.GetRequiredService<IUsage>();
        var day = Plans.DayOf(TimeProvider.System.GetUtcNow());
        while ((await usage.OfAsync(new AccountId(account), day, CancellationToken.None)).ReservedMs > 0)
            await Task.Delay(100);
        Assert.That((await usage.OfAsync(new AccountId(account), day, CancellationToken.None)).ComputeMs, Is.EqualTo(360_000));
    }

    [Test]
    public async Task What_is_cancelled_just_before_its_end_has_run_all_the_same()
    {
        var (account, member, _) = await _server.NewMemberAsync("cancels");
        using var submitted = await member.PostAsync("/api/scheduler/jobs", Job(3));
        var job = (await submitted.JsonAsync()).GetProperty("jobId").GetGuid();
        (await member.PostAsync("/api/idle-compute/devices", ApiServer.Json("""{"device_id":"ran-it","device_type":"desktop","cpu_cores":2,"memory_mb":1024}"""))).EnsureSuccessStatusCode();
        // One task runs since six minutes, one is just being fetched, one was lost by its device.
        await using (var run = _server.Database.DataSource.CreateCommand(
            """
            INSERT INTO scheduler.attempts (id, job_id, task_index, device_id, replica, epoch, state, leased_at, expires_at, started_at, finished_at, wall_ms, cpu_ms, log_bytes)
            SELECT gen_random_uuid(), $1, n, 'ran-it', 0, 1, (ARRAY['Running', 'Staging', 'Lost'])[n + 1], now() - interval '7 minutes', now() + interval '1 hour',
                CASE WHEN n <> 1 THEN now() - interval '6 minutes' END, CASE WHEN n = 2 THEN now() END, 0, 0, 0 FROM generate_series(0, 2) n
            """))
        {
            run.Parameters.Add(new() { Value = job });
            Assert.That(await run.ExecuteNonQueryAsync(), Is.EqualTo(3));
        }
        (await member.DeleteAsync($"/api/scheduler/jobs/{job}")).EnsureSuccessStatusCode();
        await using var scope = _server.Services.CreateAsyncScope();
        var usage = scope.ServiceProvider.GetRequiredService<IUsage>();
        var day = Plans.DayOf(TimeProvider.System.GetUtcNow());
        while ((await usage.OfAsync(new AccountId(account), day, CancellationToken.None)).ReservedMs > 0)
            await Task.Delay(100);
        Assert.That((await usage.OfAsync(new AccountId(account), day, CancellationToken.None)).ComputeMs, Is.InRange(360_000, 600_000), "neither what was lost nor what did not begin");
    }

    [Test]
    public async Task Api_calls_are_counted_and_refused_beyond_the_plan_also_those_of_enrolment_tokens_but_not_those_of_devices_and_operators()
    {
        var (_, member, secret) = await _server.NewMemberAsync("calls");
        for (var i = 0; i < 40; i++)
            Assert.That((await member.GetAsync("/api/identity/whoami")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var refused = await member.GetAsync("/api/identity/whoami");
        var detail = (await refused.ProblemAsync(429, "identity.api_quota_exceeded")).GetProperty("detail").GetString();
        Assert.That(detail, Does.Contain("free plan").And.Contain("allows 40 API calls").And.Contain("40 are used"));
        Assert.That(refused.Headers.RetryAfter?.Delta, Is.GreaterThan(TimeSpan.Zero).And.LessThanOrEqualTo(TimeSpan.FromDays(1)));

        // Nor may it go on with what it makes others for: each registers a device.
        var (counted, _, _) = await _server.NewMemberAsync("enrols");
        using var token = _server.NewClient((await _server.PostAsync("/api/identity/enrolment-tokens", new JsonObject { ["account_id"] = counted.ToString(), ["uses"] = null }))["secret"]!.GetValue<string>());
        for (var i = 0; i < 40; i++)
            Assert.That((await token.GetAsync("/api/identity/whoami")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var enough = await token.GetAsync("/api/identity/whoami");
        await enough.ProblemAsync(429, "identity.api_quota_exceeded");

        using var device = _server.NewClient(DevicesByName.Prefix + "busy");
        for (var i = 0; i < 60; i++)
        {
            Assert.That((await device.GetAsync("/api/identity/whoami")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That((await _server.Client.GetAsync("/api/identity/whoami")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        }
        Assert.That((await QuotasAsync(_server.Client)).GetProperty("plan").GetString(), Is.EqualTo("enterprise"));
        Assert.That(secret, Is.Not.Empty);
    }

    [Test]
    public async Task Processes_learn_of_each_others_counts_with_each_flush()
    {
        var state = _server.Services.GetRequiredService<MigrationState>();
        var time = new ManualTimeProvider();
        using var one = new ApiCallCounter(_server.Database.DataSource, state, time, NullLogger<ApiCallCounter>.Instance);
        using var two = new ApiCallCounter(_server.Database.DataSource, state, time, NullLogger<ApiCallCounter>.Instance);
        var account = new AccountId(Guid.CreateVersion7());
        for (var i = 0; i < 10; i++)
            Assert.That(one.TryCount(account, 15, out _) && two.TryCount(account, 15, out _), Is.True);
        await one.FlushAsync(CancellationToken.None);
        await two.FlushAsync(CancellationToken.None);
        Assert.That(two.TryCount(account, 15, out var used), Is.False, "it has seen all twenty");
        Assert.That(used, Is.EqualTo(20));
        time.Advance(TimeSpan.FromDays(1));
        Assert.That(two.TryCount(account, 15, out used), Is.True, "a new day");
        Assert.That(used, Is.Zero);
    }

    [Test]
    public async Task Artifacts_have_a_limit_in_all_and_what_is_there_already_costs_nothing()
    {
        var (_, member, _) = await _server.NewMemberAsync("stores");
        string[] FilesOf(char filling) => Directory.GetFiles(_server.Home, Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(new string(filling, 6_000)))) + "*", SearchOption.AllDirectories);
        async Task<HttpResponseMessage> PutAsync(char filling, bool sized = true)
        {
            var bytes = Encoding.ASCII.GetBytes(new string(filling, 6_000));
            var request = new HttpRequestMessage(HttpMethod.Put, $"/api/artifacts/{Convert.ToHexStringLower(SHA256.HashData(bytes))}") { Content = new ByteArrayContent(bytes) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            request.Headers.TransferEncodingChunked = !sized;
            return await member.SendAsync(request);
        }
        Assert.That((await PutAsync('a')).StatusCode, Is.EqualTo(HttpStatusCode.Created));
        foreach (var sized in new[] { true, false })
        {
            using var refused = await PutAsync('b', sized);
            var detail = (await refused.ProblemAsync(429, "identity.artifact_quota_exceeded")).GetProperty("detail").GetString();
            Assert.That(detail, Does.Contain("free plan").And.Contain("GiB"));
            Assert.That(refused.Headers.RetryAfter, Is.Null, "time does not help");
        }
        Assert.That(FilesOf('b'), Is.Empty, "what was refused leaves nothing on the disk");
        Assert.That((await PutAsync('a')).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await QuotasAsync(member)).GetProperty("artifactGib").GetProperty("used").GetDouble(), Is.EqualTo(6_000.0 / (1 << 30)).Within(1e-6));
    }

    [Test]
    public async Task Of_uploads_at_once_those_that_do_not_fit_leave_nothing_and_what_was_begun_takes_room()
    {
        var (_, member, _) = await _server.NewMemberAsync("stores-much");
        async Task<HttpResponseMessage> PutAsync(byte[] bytes, string? range = null)
        {
            var request = new HttpRequestMessage(HttpMethod.Put, $"/api/artifacts/{Convert.ToHexStringLower(SHA256.HashData(bytes))}") { Content = new ByteArrayContent(range is null ? bytes : bytes[..^1]) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            if (range is not null)
                request.Content.Headers.TryAddWithoutValidation("Content-Range", range);
            return await member.SendAsync(request);
        }
        byte[][] contents = [.. Enumerable.Range(0, 6).Select(i => Encoding.ASCII.GetBytes(new string((char)('0' + i), 6_000)))];
        var answers = await Task.WhenAll(contents.Select(c => PutAsync(c)));
        Assert.That(answers.Select(a => (int)a.StatusCode).Order(), Is.EqualTo(new[] { 201, 429, 429, 429, 429, 429 }));
        var kept = contents.Where(c => Directory.GetFiles(_server.Home, Convert.ToHexStringLower(SHA256.HashData(c)) + "*", SearchOption.AllDirectories).Length > 0).ToList();
        Assert.That(kept, Is.EqualTo(new[] { contents[Array.FindIndex(answers, a => (int)a.StatusCode == 201)] }));

        (_, member, _) = await _server.NewMemberAsync("begins-much");
        using var begun = await PutAsync(contents[0], "bytes 0-5998/6000");
        Assert.That((int)begun.StatusCode, Is.EqualTo(202), await begun.Content.ReadAsStringAsync());
        using var more = await PutAsync(contents[1], "bytes 0-5998/6000");
        await more.ProblemAsync(429, "identity.artifact_quota_exceeded");
        using var again = await PutAsync(contents[0]);
        Assert.That((int)again.StatusCode, Is.EqualTo(201), "its own beginning does not stand in its way");
    }

    [Test]
    public async Task Operators_set_plans_and_the_log_has_it()
    {
        var (account, member, _) = await _server.NewMemberAsync("promoted");
        using var refused = await member.PutAsync($"/api/identity/accounts/{account}/plan", ApiServer.Json("""{"plan":"enterprise"}"""));
        await refused.ProblemAsync(403, "identity.forbidden");
        using var missing = await _server.Client.PutAsync($"/api/identity/accounts/{Guid.NewGuid()}/plan", ApiServer.Json("""{"plan":"pro"}"""));
        await missing.ProblemAsync(404, "identity.account_not_found");
        await SetPlanAsync(account, "enterprise");
        var log = JsonNode.Parse(await _server.Client.GetStringAsync("/api/audit/entries?action=identity.plan_changed"))!["entries"]!.AsArray();
        Assert.That(log.Single(e => (string?)e!["subject"] == account.ToString())!["details"]!["plan"]!.GetValue<string>(), Is.EqualTo("enterprise"));
        // Nobody's plan was remembered yet when it was set: the first call sees it.
        var (other, fresh, _) = await _server.NewMemberAsync("promoted-first");
        await SetPlanAsync(other, "enterprise");
        using var job = await fresh.PostAsync("/api/scheduler/jobs", Job(30));
        Assert.That(job.StatusCode, Is.EqualTo(HttpStatusCode.Created), await job.Content.ReadAsStringAsync());
        var quotas = await QuotasAsync(fresh);
        Assert.That(quotas.GetProperty("plan").GetString(), Is.EqualTo("enterprise"));
        Assert.That(quotas.GetProperty("computeHours").GetProperty("limit").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [TestCase("10/5000")]
    [TestCase("10/1.5/5")]
    [TestCase("-1/1/1")]
    [TestCase("a/b/c")]
    public void A_plan_that_cannot_be_read_is_named(string value) =>
        Assert.That(() => PlanSettings.Read(new ConfigurationBuilder().AddInMemoryCollection([new("FOG_PLAN_PRO", value)]).Build()), Throws.TypeOf<ConfigurationException>().With.Message.Contains("FOG_PLAN_PRO").And.Message.Contains(value));

    [Test]
    public void Unknown_plans_are_free() =>
        Assert.That((Plans.Default.Of((Plan)77), PlanBook.Parse("Platinum"), PlanBook.Parse(null), PlanBook.Parse("7")), Is.EqualTo((PlanLimits.Free, Plan.Free, Plan.Free, Plan.Free)));
}
