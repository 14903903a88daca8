using System.Diagnostics;
using System.Net;
using FogCompute.Api.Http;
using FogCompute.Application.Health;
using FogCompute.Testing;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>Takes as long as the test wants.</summary>
public sealed class WaitController : ControllerBase
{
    public static readonly SemaphoreSlim Entered = new(0);
    public static readonly SemaphoreSlim GoOn = new(0);

    [HttpGet("/test/wait")]
    [UseCase(typeof(GetLivenessQuery))]
    public async Task<LivenessAnswer> Wait(CancellationToken cancel)
    {
        Entered.Release();
        await GoOn.WaitAsync(cancel);
        return new LivenessAnswer("woken");
    }
}

public sealed class HealthTests
{
    private static readonly string[] Services =
        ["dao", "scheduler", "edge", "harvest", "fog_coordinator", "onion", "vpn_coordinator", "p2p", "betanet", "database", "cache", "jobs"];

    [Test]
    public async Task Reports_every_part_as_it_was_measured()
    {
        await using var server = await ApiServer.StartAsync(["--REDIS_URL=redis://localhost:1"]);
        var health = await (await server.Client.GetAsync("/health")).JsonAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(health.GetProperty("services").EnumerateObject().Select(s => s.Name), Is.EquivalentTo(Services));
            Assert.That(health.GetProperty("services").EnumerateObject().Select(s => s.Value.GetString()), Is.All.AnyOf("healthy", "degraded", "unknown", "unavailable"));
            Assert.That(health.GetProperty("services").GetProperty("database").GetString(), Is.EqualTo("healthy"));
            Assert.That(health.GetProperty("services").GetProperty("edge").GetString(), Is.EqualTo("unknown"), "no device was ever enrolled");
            Assert.That(health.GetProperty("services").GetProperty("betanet").GetString(), Is.EqualTo("unavailable"));
            Assert.That(health.GetProperty("status").GetString(), Is.EqualTo("degraded"), "REDIS_URL is set and nothing answers there");
            Assert.That(health.GetProperty("checks").GetProperty("cache").GetProperty("message").GetString(), Does.Contain("REDIS_URL").And.Contain("does not answer").And.Contain("PostgreSQL"));
            Assert.That(health.GetProperty("checks").GetProperty("database").GetProperty("durationMs").GetDouble(), Is.GreaterThan(0));
        }
    }

    [Test]
    public async Task Says_so_while_the_database_is_away_and_recovers()
    {
        await using var server = await ApiServer.StartAsync(database: await TestDatabase.CreatePrivateAsync());
        await server.Database.RestartAsync(kill: true, meanwhile: async () =>
        {
            var started = Stopwatch.GetTimestamp();
            using var health = await server.Client.GetAsync("/health");
            Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(TimeSpan.FromSeconds(10)), "it answers, and does not wait for the database");
            Assert.That(health.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That((await health.JsonAsync()).GetProperty("status").GetString(), Is.EqualTo("unhealthy"));

            using var ready = await server.Client.GetAsync("/readyz");
            var problem = await ready.ProblemAsync(503, "common.not_ready");
            Assert.That(problem.FieldsOf(), Is.EqualTo(new[] { "database" }));
            using var live = await server.Client.GetAsync("/livez");
            Assert.That(live.StatusCode, Is.EqualTo(HttpStatusCode.OK));

            using var read = await server.Client.GetAsync("/api/identity/whoami");
            await read.ProblemAsync(503, "common.database_unavailable");
            Assert.That(read.Headers.RetryAfter, Is.Not.Null);
            using var write = await server.Client.PostAsync("/api/identity/accounts", ApiServer.Json("""{"name":"during-outage"}"""));
            await write.ProblemAsync(503, "common.database_unavailable");
            using var token = server.NewClient("fogk_0000000000000000000000000000000000000000000");
            using var unknown = await token.GetAsync("/api/identity/whoami");
            await unknown.ProblemAsync(503, "common.database_unavailable");
        });

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!(await server.Client.GetAsync("/readyz", patience.Token)).IsSuccessStatusCode)
            await Task.Delay(50, patience.Token);
        using var again = await server.Client.PostAsync("/api/identity/accounts", ApiServer.Json("""{"name":"after-outage"}"""));
        Assert.That(again.StatusCode, Is.EqualTo(HttpStatusCode.Created));
    }

    [Test]
    public async Task Finishes_what_is_in_flight_and_refuses_what_is_new_when_it_stops()
    {
        await using var server = await ApiServer.StartAsync(adjust: services => services.AddControllers().AddApplicationPart(typeof(WaitController).Assembly));
        var inFlight = server.Client.GetAsync("/test/wait");
        Assert.That(await WaitController.Entered.WaitAsync(TimeSpan.FromSeconds(60)), Is.True);
        var stopping = server.StopAsync();

        using var ready = await server.Client.GetAsync("/readyz");
        await ready.ProblemAsync(503, "common.not_ready");
        Assert.That(ready.Headers.ConnectionClose, Is.True);
        using var live = await server.Client.GetAsync("/livez");
        Assert.That(live.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var refused = await server.Client.GetAsync("/api/identity/whoami");
        await refused.ProblemAsync(503, "common.shutting_down");
        Assert.That(refused.Headers.RetryAfter?.Delta, Is.EqualTo(TimeSpan.FromSeconds(1)));
        Assert.That(stopping.IsCompleted, Is.False);

        WaitController.GoOn.Release();
        using var answer = await inFlight;
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        await stopping;
    }

    [Test]
    public async Task Still_serves_while_it_drains()
    {
        await using var server = await ApiServer.StartAsync(["--FOG_DRAIN_SECONDS=5"]);
        var stopping = server.StopAsync();
        using var ready = await server.Client.GetAsync("/readyz");
        await ready.ProblemAsync(503, "common.not_ready");
        using var served = await server.Client.GetAsync("/api/identity/whoami");
        Assert.That(served.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(served.Headers.ConnectionClose, Is.True);
        await stopping;
    }
}
