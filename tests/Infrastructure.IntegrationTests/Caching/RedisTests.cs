using System.Diagnostics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Health;
using FogCompute.Application.Realtime;
using FogCompute.Infrastructure.Caching;
using FogCompute.Infrastructure.Health;
using FogCompute.Infrastructure.IntegrationTests.Persistence.Platform;
using FogCompute.Infrastructure.Messaging;
using FogCompute.Infrastructure.Realtime;
using FogCompute.Testing;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FogCompute.Infrastructure.IntegrationTests.Caching;

/// <summary>Two control planes on one PostgreSQL and one real Redis, which is killed under them.</summary>
[TestFixture]
public sealed class RedisTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    private TestDatabase _database = null!;
    private RedisServer _redis = null!;
    private IHost _here = null!;
    private IHost _there = null!;

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _database = await TestDatabase.CreateAsync();
        _redis = await RedisServer.StartAsync();
        _here = await StartAsync(_redis);
        _there = await StartAsync(_redis);
        await BothUpAsync();
    }

    [OneTimeTearDown]
    public async Task TearDown()
    {
        await Task.WhenAll(_here.StopAsync(), _there.StopAsync());
        _here.Dispose();
        _there.Dispose();
        await _redis.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Test]
    public async Task Two_control_planes_share_a_bucket()
    {
        var policy = new BucketPolicy("shared", 10, 0.01);
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Buckets(i % 2 == 0 ? _here : _there).TakeAsync(policy, "anna", default).AsTask()));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(answers.Count(a => a.Allowed), Is.EqualTo(10));
            Assert.That(answers.Where(a => a.Allowed).Select(a => a.Remaining), Is.EquivalentTo(Enumerable.Range(0, 10)));
            Assert.That(answers.Where(a => !a.Allowed).Select(a => a.RetryAfter.TotalSeconds), Is.All.InRange(1, 100), "a token comes back after 100 s");
            Assert.That((await Buckets(_here).TakeAsync(policy, "ben", default)).Remaining, Is.EqualTo(9), "another key is another bucket");
        }
        var (_, life) = await Redis(_here).TryAsync(redis => redis.KeyTimeToLiveAsync("fogcompute:bucket:shared:anna"));
        Assert.That(life, Is.GreaterThan(TimeSpan.FromSeconds(900)).And.LessThanOrEqualTo(TimeSpan.FromSeconds(1000)), "forgotten when it is full again");
    }

    [Test]
    public async Task A_bucket_gives_again_when_it_said_it_would()
    {
        var policy = new BucketPolicy("quick", 2, 10);
        BucketAnswer answer;
        do
            answer = await Buckets(_here).TakeAsync(policy, "anna", default);
        while (answer.Allowed);
        Assert.That(answer.RetryAfter, Is.GreaterThan(TimeSpan.Zero).And.LessThanOrEqualTo(TimeSpan.FromMilliseconds(100)));
        await Task.Delay(answer.RetryAfter + TimeSpan.FromMilliseconds(2));
        Assert.That((await Buckets(_there).TakeAsync(policy, "anna", default)).Allowed, Is.True);
    }

    [Test]
    public async Task A_server_that_forgot_the_script_is_told_again()
    {
        var policy = new BucketPolicy("script", 5, 0.01);
        await Buckets(_here).TakeAsync(policy, "anna", default);
        await Redis(_there).TryAsync(redis => redis.ExecuteAsync("SCRIPT", "FLUSH"));
        Assert.That((await Buckets(_here).TakeAsync(policy, "anna", default)).Remaining, Is.EqualTo(3), "counted there, not here");
        Assert.That(Redis(_here).IsUp, Is.True);
    }

    [Test]
    public async Task The_cache_is_shared_and_its_entries_end()
    {
        var (here, there) = (Cache(_here), Cache(_there));
        await here.SetAsync("a", [1, 2, 0, 255], new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(90) });
        there.Set("b", "sliding"u8.ToArray(), new() { SlidingExpiration = TimeSpan.FromSeconds(90) });
        Assert.That(await there.GetAsync("a"), Is.EqualTo(new byte[] { 1, 2, 0, 255 }));
        foreach (var key in new[] { "a", "b" })
            await Redis(_here).TryAsync(redis => redis.KeyExpireAsync("fogcompute:cache:" + key, TimeSpan.FromSeconds(60)));
        Assert.That(here.Get("a"), Is.Not.Null);
        Assert.That(here.Get("b"), Is.EqualTo("sliding"u8.ToArray()));
        Assert.That(await LifeAsync("a"), Is.LessThanOrEqualTo(TimeSpan.FromSeconds(60)));
        Assert.That(await LifeAsync("b"), Is.GreaterThan(TimeSpan.FromSeconds(60)), "a look keeps it");
        await here.SetAsync("brief", [1], new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromMilliseconds(20) });
        await Eventually.TrueAsync(async () => await there.GetAsync("brief") is null, "ended");
        await here.RemoveAsync("b");
        Assert.That(there.Get("b"), Is.Null);
        Assert.That(() => here.SetAsync("c", [1], new()), Throws.ArgumentException, "an entry without an end");
    }

    [Test]
    public async Task A_count_of_the_pool_counts_for_both_control_planes_and_ends_with_the_second()
    {
        var counted = await CountAsync(_here);
        Assert.That(counted!.Devices, Is.Zero);
        var other = counted with { Devices = 7 };
        await Cache(_there).SetAsync("pool_counts", System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(other), new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(1) });
        Assert.That(await CountAsync(_here), Is.EqualTo(other), "what another control plane counted");
        await Cache(_here).RemoveAsync("pool_counts");
        Assert.That(await CountAsync(_there), Is.EqualTo(counted), "counted anew");
        Assert.That(await LifeAsync("pool_counts") ?? TimeSpan.Zero, Is.LessThanOrEqualTo(TimeSpan.FromMilliseconds(900)));
    }

    [Test]
    public async Task A_signal_goes_ahead_over_Redis_and_its_notification_wakes_nobody_again()
    {
        var relayed = new TaskCompletionSource();
        Redis(_there).Receiver += message =>
        {
            if (message.Contains("\nahead", StringComparison.Ordinal))
                relayed.TrySetResult();
        };
        using var first = Signals(_there).Listen("ahead");
        Signals(_here).Publish("ahead");
        Assert.That(await first.WaitAsync(Long, default), Is.True);
        await relayed.Task.WaitAsync(Long);
        using var second = Signals(_there).Listen("ahead");
        Assert.That(await second.WaitAsync(TimeSpan.FromMilliseconds(250), default), Is.False, "the notification of PostgreSQL was recognised");

        var delays = new List<double>();
        for (var i = 0; i < 50; i++)
        {
            using var ticket = Signals(_there).Listen("measured");
            var published = Stopwatch.GetTimestamp();
            Signals(_here).Publish("measured");
            Assert.That(await ticket.WaitAsync(Long, default), Is.True);
            delays.Add(Stopwatch.GetElapsedTime(published).TotalMilliseconds);
        }
        delays.Sort();
        await TestContext.Out.WriteLineAsync($"wake-up across processes with Redis: median {delays[25]:0.00} ms, p98 {delays[49]:0.00} ms");
    }

    [Test]
    public async Task A_process_without_Redis_is_woken_by_one_that_has_it_and_wakes_it()
    {
        using var plain = await _database.StartHostAsync();
        await Eventually.TrueAsync(() => plain.Services.GetRequiredService<PostgresSignals>().IsListening, "listening");
        using var there = plain.Services.GetRequiredService<ISignals>().Listen("mixed");
        Signals(_here).Publish("mixed");
        Assert.That(await there.WaitAsync(Long, default), Is.True);
        using var here = Signals(_here).Listen("back");
        plain.Services.GetRequiredService<ISignals>().Publish("back");
        Assert.That(await here.WaitAsync(Long, default), Is.True);
        await plain.StopAsync();
    }

    [Test]
    public async Task Killed_under_load_it_fails_nobody_loses_no_signal_and_comes_back_by_itself()
    {
        using var stop = new CancellationTokenSource();
        var policy = new BucketPolicy("load", 1_000_000, 1000);
        var taken = 0;
        var load = Enumerable.Range(0, 8).Select(i => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var host = i % 2 == 0 ? _here : _there;
                if ((await Buckets(host).TakeAsync(policy, "key" + i, default)).Allowed)
                    Interlocked.Increment(ref taken);
                await Cache(host).SetAsync("load" + i, [1], new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(5) });
                await Cache(host).GetAsync("load" + i);
                await Task.Delay(1);
            }
        })).ToList();
        var tickets = new List<ISignalTicket>();
        var signals = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                tickets.Add(Signals(_there).Listen("during:" + i));
                Signals(_here).Publish("during:" + i);
                await Task.Delay(5);
            }
        });
        await Task.Delay(300);
        await _redis.KillAsync();
        await Eventually.TrueAsync(() => !Redis(_here).IsUp && !Redis(_there).IsUp, "noticed");
        var before = Volatile.Read(ref taken);
        var away = await HealthAsync(_here);
        await Task.Delay(300);
        Assert.That(Volatile.Read(ref taken), Is.GreaterThan(before), "counted in the process meanwhile");
        await _redis.RestartAsync();
        await BothUpAsync();
        await stop.CancelAsync();
        await Task.WhenAll([.. load, signals]);

        Assert.That(tickets, Has.Count.GreaterThan(50));
        foreach (var ticket in tickets)
        {
            Assert.That(await ticket.WaitAsync(Long, default), Is.True, "no wake-up is lost");
            ticket.Dispose();
        }
        var back = await HealthAsync(_here);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(away.Status, Is.EqualTo(HealthStatus.Degraded));
            Assert.That(away.Message, Does.Contain("REDIS_URL").And.Contain("rate limits").And.Contain("PostgreSQL").And.Contain("/ws/metrics"));
            Assert.That(back.Status, Is.EqualTo(HealthStatus.Healthy), back.Message);
        }
        var shared = new BucketPolicy("after", 4, 0.01);
        await Buckets(_here).TakeAsync(shared, "anna", default);
        Assert.That((await Buckets(_there).TakeAsync(shared, "anna", default)).Remaining, Is.EqualTo(2), "shared again");
    }

    [Test]
    public async Task Absent_at_the_start_it_is_used_as_soon_as_it_is_there()
    {
        await using var late = RedisServer.Stopped();
        using var host = await StartAsync(late);
        Assert.That((await HealthAsync(host)).Status, Is.EqualTo(HealthStatus.Degraded));
        Assert.That((await Buckets(host).TakeAsync(new BucketPolicy("p", 1, 1), "k", default)).Allowed, Is.True);
        await late.RestartAsync();
        await Eventually.TrueAsync(() => Redis(host).IsUp, "found");
        Assert.That((await HealthAsync(host)).Status, Is.EqualTo(HealthStatus.Healthy));
        await host.StopAsync();
    }

    private Task<IHost> StartAsync(RedisServer redis) =>
        _database.StartHostAsync(services => services.AddHealth().AddRealtimeFigures().AddCaching(RedisOptions.Parse(redis.Url) with { Patience = TimeSpan.FromSeconds(5) }));

    private Task BothUpAsync() => Eventually.TrueAsync(
        () => Redis(_here).IsUp && Redis(_there).IsUp && _here.Services.GetRequiredService<PostgresSignals>().IsListening && _there.Services.GetRequiredService<PostgresSignals>().IsListening, "both are connected");

    private async Task<TimeSpan?> LifeAsync(string key) => (await Redis(_here).TryAsync(redis => redis.KeyTimeToLiveAsync("fogcompute:cache:" + key))).Value;

    private static async Task<PoolCounts?> CountAsync(IHost host)
    {
        await using var scope = host.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<IPoolFigures>().CountAsync(default);
    }

    private static Task<HealthReport> HealthAsync(IHost host) => host.Services.GetServices<IHealthProbe>().Single(p => p.Name == "cache").CheckAsync(default);

    private static RedisConnection Redis(IHost host) => host.Services.GetRequiredService<RedisConnection>();

    private static ITokenBuckets Buckets(IHost host) => host.Services.GetRequiredService<ITokenBuckets>();

    private static IDistributedCache Cache(IHost host) => host.Services.GetRequiredService<IDistributedCache>();

    private static ISignals Signals(IHost host) => host.Services.GetRequiredService<ISignals>();
}
