using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace FogCompute.Api.ContractTests.Scheduler;

/// <summary>A pass that searched shows its front, and its figures stand in the stats.</summary>
public sealed class PlacementPassTests
{
    private const int Devices = 20, Tasks = 200;

    private ApiServer _server = null!;
    private PoolOverHttp _pool = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        _server = await ApiServer.StartAsync();
        _pool = new PoolOverHttp(_server);
    }

    [OneTimeTearDown]
    public async Task Stop() => await _server.DisposeAsync();

    [Test, Order(1)]
    public async Task Before_any_search_there_is_none_and_the_answer_says_why()
    {
        using var answer = await _server.Client.GetAsync("/api/scheduler/passes/latest");
        var problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.That((answer.StatusCode, problem["code"]!.GetValue<string>()), Is.EqualTo((HttpStatusCode.NotFound, "scheduler.pass_not_found")));
        Assert.That(problem["detail"]!.GetValue<string>(), Does.Contain("placed at once, without a search"));
        var stats = await _pool.GetAsync("/api/scheduler/stats");
        Assert.That((stats["optimizationScore"]!.GetValue<double>(), stats["nsga"]!["generationsRun"]!.GetValue<int>()), Is.EqualTo((0.0, 0)));
    }

    [Test, Order(2)]
    public async Task Two_hundred_tasks_on_twenty_uneven_devices_have_a_front()
    {
        string[] types = ["desktop", "laptop", "edge", "android"];
        for (var i = 0; i < Devices; i++)
            await _pool.AddAsync($"d{i:00}", cores: 10, memoryMb: 65_536, type: types[i % 4], score: 1_000 * (1 + i % 5));
        await _pool.SubmitAsync("render", tier: "silver", count: Tasks / 2);
        await _pool.SubmitAsync("train", cores: 2, memory: 2048, count: Tasks / 2, minutes: 30);
        JsonNode? pass = null;
        for (var look = 0; pass is null && look < 1_200; look++)
        {
            await Task.Delay(50);
            using var answer = await _server.Client.GetAsync("/api/scheduler/passes/latest");
            if (answer.IsSuccessStatusCode)
                pass = JsonNode.Parse(await answer.Content.ReadAsStringAsync());
        }
        Assert.That(pass, Is.Not.Null);
        var front = pass!["front"]!.AsArray().Select(p => p!).ToList();
        var names = front.SelectMany(p => p["names"]!.AsArray().Select(n => n!.GetValue<string>())).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(names, Is.EquivalentTo(new[] { "knee", "fast", "cheap", "safe", "green" }), "each plan is one point's");
            Assert.That(pass["chosen"]!.GetValue<int>(), Is.InRange(0, front.Count - 1));
            Assert.That(pass["devices"]!.GetValue<int>(), Is.EqualTo(Devices));
            Assert.That(pass["placed"]!.GetValue<int>(), Is.GreaterThan(16).And.EqualTo(pass["slots"]!.GetValue<int>()));
            // How many generations fit depends on the machine; that any front beyond the seeds needs them is NsgaPlacementTests' to show.
            Assert.That(pass["generations"]!.GetValue<int>(), Is.Not.Negative);
            Assert.That(pass["evaluations"]!.GetValue<int>(), Is.Positive);
            Assert.That(pass["searchMs"]!.GetValue<double>(), Is.Positive.And.LessThan(pass["tookMs"]!.GetValue<double>()));
            Assert.That(pass["hypervolume"]!.GetValue<double>(), Is.InRange(0.0, 1.0).And.Positive);
            Assert.That(pass["convergence"]!.GetValue<double>(), Is.InRange(0.0, 1.0));
            Assert.That(front.Select(p => p["finishSeconds"]!.GetValue<double>()), Is.Ordered);
        });
        string[] objectives = ["finishSeconds", "costCredits", "energyJoules", "risk", "imbalance"];
        double Of(JsonNode point, string objective) => double.Parse(point[objective]!.ToJsonString(), CultureInfo.InvariantCulture);
        var dominated = front.Where(p => front.Any(o => o != p && objectives.All(m => Of(o, m) <= Of(p, m)) && objectives.Any(m => Of(o, m) < Of(p, m)))).ToList();
        Assert.That(dominated, Has.Count.LessThanOrEqualTo(front.Count / 10), "none is dominated, but for what rounding to the wire's decimals does");

        Assert.That((await _pool.GetAsync($"/api/scheduler/passes/{pass["id"]!.GetValue<string>()}"))["at"]!.GetValue<string>(), Is.EqualTo(pass["at"]!.GetValue<string>()));
        var stats = await _pool.GetAsync("/api/scheduler/stats");
        Assert.Multiple(() =>
        {
            Assert.That(stats["optimizationScore"]!.GetValue<double>(), Is.InRange(0.0, 1.0));
            Assert.That(stats["nsga"]!["paretoFront"]!.GetValue<int>(), Is.Positive);
            Assert.That(stats["nsga"]!["convergenceRate"]!.GetValue<double>(), Is.InRange(0.0, 100.0));
            Assert.That(stats["performance"]!["avgPlacementTime"]!.GetValue<double>(), Is.Positive);
        });
    }

    [Test, Order(3)]
    public async Task An_unknown_pass_is_not_found()
    {
        using var answer = await _server.Client.GetAsync($"/api/scheduler/passes/{Guid.CreateVersion7()}");
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
    }
}
