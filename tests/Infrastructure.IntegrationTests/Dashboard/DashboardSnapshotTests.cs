using FogCompute.Application.Benchmarks.Contracts;
using FogCompute.Application.Betanet.Contracts;
using FogCompute.Application.Dashboard;
using FogCompute.Application.P2P.Contracts;
using FogCompute.Application.Privacy.Contracts;
using FogCompute.Application.Realtime;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Dashboard;

public sealed class DashboardSnapshotTests
{
    private sealed class Parts : IBetanet, IPrivacyNetwork, IPeerNetwork, IPoolFigures, IDashboardFigures, IHostMetrics
    {
        public int Gathered;
        public TaskCompletionSource? Gate { get; set; }
        public BetanetStatus? Net { get; set; }
        public Exception? NetFailure { get; set; }
        public PoolCounts? Pool { get; set; } = new(1, 2, 3, 4, 5, 6, 7_000_000, 8);
        public HostMetrics? Latest { get; set; } = new(DateTimeOffset.UnixEpoch, 12.5, 50, 1, 2, 33, 2_000_000, 1_000_000, 16, "link_speed");
        public MachineDescription Machine { get; } = new("a processor", 2, 1 << 30, "6.1", "solid_state", "0.1.0");

        public Task<BetanetStatus?> StatusAsync(CancellationToken cancel) => NetFailure is null ? Task.FromResult(Net) : Task.FromException<BetanetStatus?>(NetFailure);
        public Task<BetanetDeployment?> DeployAsync(string nodeType, string region, CancellationToken cancel) => Task.FromResult<BetanetDeployment?>(null);
        Task<PrivacyStats?> IPrivacyNetwork.StatsAsync(CancellationToken cancel) => Task.FromResult<PrivacyStats?>(null);
        public Task<IReadOnlyList<PrivacyCircuit>?> CircuitsAsync(CancellationToken cancel) => Task.FromResult<IReadOnlyList<PrivacyCircuit>?>(null);
        Task<P2PStats?> IPeerNetwork.StatsAsync(CancellationToken cancel) => Task.FromResult<P2PStats?>(null);
        Task<DashboardCounts> IDashboardFigures.CountAsync(CancellationToken cancel) => Task.FromResult(new DashboardCounts(7_200_000, 1.5, 9, TimeSpan.FromMilliseconds(0.25)));

        async Task<PoolCounts?> IPoolFigures.CountAsync(CancellationToken cancel)
        {
            Interlocked.Increment(ref Gathered);
            if (Gate is not null)
                await Gate.Task;
            return Pool;
        }
    }

    private readonly ManualTimeProvider _time = new();
    private Parts _parts = null!;
    private ServiceProvider _services = null!;
    private DashboardSnapshot _snapshot = null!;

    [SetUp]
    public void SetUp()
    {
        _parts = new Parts();
        _services = new ServiceCollection().AddLogging().AddSingleton<TimeProvider>(_time).AddSingleton<IBetanet>(_parts).AddSingleton<IPrivacyNetwork>(_parts).AddSingleton<IPeerNetwork>(_parts)
            .AddSingleton<IPoolFigures>(_parts).AddSingleton<IDashboardFigures>(_parts).AddSingleton<IHostMetrics>(_parts).AddSingleton<DashboardSnapshot>().BuildServiceProvider();
        _snapshot = _services.GetRequiredService<DashboardSnapshot>();
    }

    [TearDown]
    public async Task TearDown() => await _services.DisposeAsync();

    [Test]
    public async Task Callers_that_come_together_share_one_gathering_and_one_that_leaves_does_not_end_it()
    {
        _parts.Gate = new TaskCompletionSource();
        using var leaves = new CancellationTokenSource();
        var impatient = _snapshot.GetAsync(leaves.Token);
        var callers = Enumerable.Range(0, 100).Select(_ => Task.Run(() => _snapshot.GetAsync(CancellationToken.None))).ToList();
        await leaves.CancelAsync();
        Assert.That(async () => await impatient, Throws.InstanceOf<OperationCanceledException>());
        _parts.Gate.SetResult();
        var answers = await Task.WhenAll(callers);
        Assert.That(_parts.Gathered, Is.EqualTo(1));
        Assert.That(answers, Is.All.SameAs(answers[0]));
    }

    [Test]
    public async Task A_snapshot_serves_for_a_second_and_not_longer()
    {
        var first = await _snapshot.GetAsync(CancellationToken.None);
        _time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.That(await _snapshot.GetAsync(CancellationToken.None), Is.SameAs(first));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.That(await _snapshot.GetAsync(CancellationToken.None), Is.Not.SameAs(first));
        Assert.That(_parts.Gathered, Is.EqualTo(2));
    }

    [Test]
    public async Task Shows_what_each_part_says_and_nothing_for_what_does_not_exist()
    {
        var stats = await _snapshot.GetAsync(CancellationToken.None);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(stats.Betanet, Is.EqualTo(new BetanetPart(0, 0, 0, 0, "offline")));
            Assert.That(stats.Bitchat, Is.EqualTo(new BitchatPart(0, 0, 0, false, null, new MeshPart(0, 0))));
            Assert.That(stats.Privacy, Is.EqualTo(new PrivacyPart(0, null)));
            Assert.That(stats.Benchmarks, Is.EqualTo(new BenchmarksPart(9, 1.5, 4, 0.25, 3, 16, 12.5, 50)));
            Assert.That(stats.Idle, Is.EqualTo(new IdlePart(5, 6, 2)));
            Assert.That(stats.IdleCompute, Is.EqualTo(stats.Idle));
            Assert.That(stats.Tokenomics, Is.EqualTo(new TokenomicsPart(7, 8)));
            Assert.That(stats.Unavailable, Is.Empty);
        }
    }

    [Test]
    public async Task A_part_that_is_down_is_null_and_named_and_the_rest_stays()
    {
        _parts.NetFailure = new InvalidOperationException("down");
        _parts.Pool = null;
        var stats = await _snapshot.GetAsync(CancellationToken.None);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(stats.Betanet, Is.EqualTo(new BetanetPart(null, null, null, null, "offline")));
            Assert.That(stats.Tokenomics, Is.EqualTo(new TokenomicsPart(null, null)));
            Assert.That(stats.Idle.TotalDevices, Is.Null);
            Assert.That(stats.Benchmarks.CpuUsage, Is.EqualTo(12.5));
            Assert.That(stats.Unavailable, Is.EqualTo(new[] { "benchmarks", "betanet", "idle", "idleCompute", "tokenomics" }));
        }
    }

    [Test]
    public async Task A_part_that_does_not_even_give_up_is_left_behind()
    {
        _parts.Gate = new TaskCompletionSource(); // Deaf to being cancelled, as a driver is whose server was stopped in its tracks.
        var asked = _snapshot.GetAsync(CancellationToken.None);
        while (!asked.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(2));
            await Task.Delay(10);
        }
        var stats = await asked;
        Assert.That((stats.Idle.TotalDevices, stats.Benchmarks.TestsRun, stats.Benchmarks.CpuUsage), Is.EqualTo(((int?)null, (int?)9, (double?)12.5)));
        Assert.That(stats.Unavailable, Does.Contain("idle"));
        _parts.Gate.SetResult();
    }

    [Test]
    public async Task A_network_that_exists_is_shown()
    {
        _parts.Net = new BetanetStatus("operational", new BetanetNodes(3, 2, 1), new BetanetTraffic(40, 10, 1, 500), _time.GetUtcNow(), 66.7, []) { Connections = 11 };
        Assert.That((await _snapshot.GetAsync(CancellationToken.None)).Betanet, Is.EqualTo(new BetanetPart(3, 11, 40, 500, "online")));
    }
}
