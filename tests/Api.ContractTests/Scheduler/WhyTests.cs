using System.Text.Json.Nodes;

namespace FogCompute.Api.ContractTests.Scheduler;

/// <summary>What <c>why</c> says would change a wait.</summary>
public sealed class WhyTests
{
    private ApiServer _server = null!;
    private PoolOverHttp _pool = null!;

    [SetUp]
    public async Task Start()
    {
        _server = await ApiServer.StartAsync();
        _pool = new PoolOverHttp(_server);
    }

    [TearDown]
    public async Task Stop() => await _server.DisposeAsync();

    private async Task<Dictionary<string, (string Message, int? Devices)>> ChangesAsync(string job) =>
        (await _pool.GetAsync($"/api/scheduler/jobs/{job}/why"))["changes"]!.AsArray()
            .ToDictionary(c => c!["code"]!.GetValue<string>(), c => (c!["message"]!.GetValue<string>(), c["devices"]?.GetValue<int>()));

    [Test]
    public async Task Names_the_amount_that_would_let_devices_in_and_what_a_further_device_must_offer()
    {
        await _pool.AddAsync("one", cores: 2);
        await _pool.AddAsync("two", cores: 3);
        await _pool.AddAsync("small-twice", cores: 2, memoryMb: 1024);
        var changes = await ChangesAsync(await _pool.SubmitAsync("wide", tier: "silver", cores: 8, memory: 4096));
        Assert.That(changes["ask_less"], Is.EqualTo(("Asking for at most 2 cores: 2 device(s) miss nothing but cores.", (int?)2)), "the third lacks memory as well");
        Assert.That(changes["more_devices"], Is.EqualTo(("2 more device(s) with ≥ 8 core(s), ≥ 4 GiB of memory.", (int?)2)));
        Assert.That(changes, Does.Not.ContainKey("lower_tier"), "no tier runs on no device");
    }

    [Test]
    public async Task Names_the_tier_that_the_pool_could_meet()
    {
        await _pool.AddAsync("only");
        var changes = await ChangesAsync(await _pool.SubmitAsync("golden", tier: "gold"));
        Assert.That(changes["lower_tier"].Message, Is.EqualTo("Submitted as bronze it needs 1 device(s), and the pool has 1."));
        Assert.That(changes["more_devices"].Devices, Is.EqualTo(2));
    }

    [Test]
    public async Task Names_devices_that_only_their_owners_hold_back()
    {
        await _pool.AddAsync("laptop", type: "laptop");
        await _pool.PollAsync("laptop", "ineligible", "on_battery", slots: 0);
        var changes = await ChangesAsync(await _pool.SubmitAsync("patient"));
        Assert.That(changes["owner_lends"], Is.EqualTo(("1 suitable device(s) being lent again; their owners' policy holds them back now (on_battery).", (int?)1)));
    }

    [Test]
    public async Task Names_a_constraint_that_alone_keeps_devices_away()
    {
        await _pool.AddAsync("unlabelled");
        var changes = await ChangesAsync(await _pool.SubmitAsync("labelled", constraints: new JsonObject { ["labels"] = new JsonArray("gpu-lab") }));
        Assert.That(changes["ask_less"].Message, Is.EqualTo("Without the label(s) gpu-lab: 1 device(s) would do."));
    }

    [Test]
    public async Task Says_what_a_busy_pool_and_a_longer_queue_would_take()
    {
        await _pool.AddAsync("busy", cores: 1);
        await _pool.SubmitAsync("first", cores: 1, count: 3, priority: 60);
        string? waiting = null;
        for (var look = 0; waiting is null && look < 1_200; look++)
        {
            await Task.Delay(50);
            if ((await _pool.GetAsync("/api/scheduler/nodes"))["nodes"]![0]!["load"]!.GetValue<double>() > 0)
                waiting = await _pool.SubmitAsync("second", cores: 1);
        }
        var changes = await ChangesAsync(waiting!);
        Assert.That(changes["more_devices"].Message, Does.StartWith("1 more device with ≥ 1 core(s)").And.EndsWith("or wait until one of the 1 suitable device(s) is free."));
        Assert.That(changes["higher_priority"].Message, Does.Contain("above 60"));
    }

    [Test]
    public async Task An_idle_device_says_what_the_waiting_jobs_ask_beyond_it()
    {
        await _pool.AddAsync("idle", cores: 2);
        Assert.That((await _pool.GetAsync("/api/idle-compute/devices/idle/why"))["reason"]!.GetValue<string>(), Is.EqualTo("no_work"));
        await _pool.SubmitAsync("wide", cores: 8);
        await _pool.SubmitAsync("wider", cores: 16);
        await _pool.SubmitAsync("labelled", constraints: new JsonObject { ["labels"] = new JsonArray("gpu-lab") });
        var why = await _pool.GetAsync("/api/idle-compute/devices/idle/why");
        Assert.That(why["summary"]!.GetValue<string>(), Is.EqualTo("2 waiting job(s) ask for more than its 2 core(s). 1 waiting job(s) ask for labels it does not carry (it has: none)."));
        Assert.That(why["reasons"]!.AsArray().Select(r => r!["code"]!.GetValue<string>()), Is.EqualTo(new[] { "cpu", "labels" }));
    }

    [Test]
    public async Task A_job_that_has_what_it_needs_asks_for_no_change()
    {
        await _pool.AddAsync("free");
        var job = await _pool.SubmitAsync("runs");
        for (var look = 0; look < 1_200 && (await _pool.GetAsync($"/api/scheduler/jobs/{job}"))["status"]!.GetValue<string>() != "running"; look++)
            await Task.Delay(50);
        Assert.That(await ChangesAsync(job), Is.Empty);
    }
}
