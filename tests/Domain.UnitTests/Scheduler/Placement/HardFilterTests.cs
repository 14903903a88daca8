using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

public sealed class HardFilterTests
{
    private const long GiB = Pool.GiB;

    private static TestCaseData Refusal(string code, Func<Requirements, Requirements> needs, Func<PlacementDevice, PlacementDevice>? device = null) =>
        new TestCaseData(code, needs(Pool.Needs), (device ?? (d => d))(Pool.Device())).SetArgDisplayNames(code);

    private static IEnumerable<TestCaseData> BrokenRules =>
    [
        Refusal("on_battery", n => n, d => d with { Unavailable = "on_battery" }),
        Refusal(Refusals.PayloadKind, n => n with { PayloadKind = "wasm" }),
        Refusal(Refusals.Isolation, n => n with { Isolation = Isolation.Container }),
        Refusal(Refusals.Cpu, n => n with { CpuMillicores = 4001 }),
        Refusal(Refusals.Memory, n => n with { MemoryBytes = 8 * GiB + 1 }),
        Refusal(Refusals.Disk, n => n with { DiskBytes = 101 }, d => d with { DiskBytes = 100 }),
        Refusal(Refusals.Gpu, n => n with { Gpus = 1 }),
        Refusal(Refusals.Network, n => n with { Network = NetworkNeed.Full }),
        Refusal(Refusals.Labels, n => n with { Labels = ["fast", "quiet"] }, d => d with { Labels = new HashSet<string> { "fast" } }),
        Refusal(Refusals.Region, n => n with { Regions = ["eu"] }, d => d with { Region = "us" }),
        Refusal(Refusals.Region, n => n with { Regions = ["eu"] }),
        Refusal(Refusals.Excluded, n => n with { ExcludedDevices = ["d1"] }),
        Refusal(Refusals.Attestation, n => n with { AttestedOnly = true }),
        Refusal(Refusals.Trust, n => n with { MinimumTrust = 0.51 }),
    ];

    [TestCaseSource(nameof(BrokenRules))]
    public void A_device_that_breaks_a_rule_is_refused_with_its_word(string code, Requirements needs, PlacementDevice device) =>
        Assert.That(HardFilter.Static(needs, device), Is.EqualTo(code));

    [Test]
    public void A_device_that_has_just_enough_of_everything_is_taken()
    {
        var device = Pool.Device() with
        {
            DiskBytes = 100, Gpus = 1, NetworkAllowed = true, Labels = new HashSet<string> { "fast", "quiet" }, Region = "eu", Attested = true, Trust = 0.5,
        };
        var needs = Pool.Needs with
        {
            CpuMillicores = 4000, MemoryBytes = 8 * GiB, DiskBytes = 100, Gpus = 1, Network = NetworkNeed.Full, Labels = ["quiet"], Regions = ["us", "eu"], AttestedOnly = true, MinimumTrust = 0.5,
        };
        Assert.That(HardFilter.Static(needs, device), Is.Null);
    }

    [Test]
    public void A_disk_of_unknown_size_refuses_nothing() =>
        Assert.That(HardFilter.Explain(Pool.Task(Pool.Needs with { DiskBytes = 1L << 50 }), Pool.Device()), Is.Null);

    // payload kind, asked isolation, what the device has, taken?
    [TestCase("builtin", Isolation.Process, new[] { Isolation.Process }, true)]
    [TestCase("builtin", Isolation.Sandbox, new Isolation[0], true)]
    [TestCase("builtin", Isolation.Container, new[] { Isolation.Container }, false)]
    [TestCase("command", Isolation.Process, new[] { Isolation.Process }, true)]
    [TestCase("command", Isolation.Process, new[] { Isolation.Sandbox }, true)]
    [TestCase("command", Isolation.Sandbox, new[] { Isolation.Process }, false)]
    [TestCase("command", Isolation.Sandbox, new[] { Isolation.Sandbox }, true)]
    [TestCase("command", Isolation.Wasm, new[] { Isolation.Sandbox, Isolation.Wasm }, false)]
    [TestCase("wasm", Isolation.Process, new[] { Isolation.Process, Isolation.Sandbox }, false)]
    [TestCase("wasm", Isolation.Wasm, new[] { Isolation.Wasm }, true)]
    [TestCase("container", Isolation.Sandbox, new[] { Isolation.Container }, true)]
    [TestCase("container", Isolation.Wasm, new[] { Isolation.Container }, false)]
    public void Isolation_is_never_weaker_than_asked(string kind, Isolation asked, Isolation[] offered, bool taken)
    {
        var device = Pool.Device() with { PayloadKinds = new HashSet<string> { kind }, Isolation = offered.ToHashSet() };
        Assert.That(HardFilter.Static(Pool.Needs with { PayloadKind = kind, Isolation = asked }, device), Is.EqualTo(taken ? null : Refusals.Isolation));
    }

    [Test]
    public void Replicas_of_a_task_never_share_a_device()
    {
        var task = Pool.Task() with { UsedDevices = new HashSet<string> { "d1" } };
        Assert.That(HardFilter.Diversity(task, Pool.Device("d1")), Is.EqualTo(Refusals.DistinctDevice));
        Assert.That(HardFilter.Diversity(task, Pool.Device("d2")), Is.Null);
    }

    [Test]
    public void Distinct_owners_bind_only_where_the_pool_says_so()
    {
        var task = Pool.Task() with { UsedOwners = new HashSet<Guid> { Pool.Owner(0) }, PreferDistinctOwners = true };
        Assert.That(HardFilter.Diversity(task, Pool.Device("d2")), Is.Null);
        Assert.That(HardFilter.Diversity(task with { RequireDistinctOwners = true }, Pool.Device("d2")), Is.EqualTo(Refusals.DistinctOwner));
    }

    [Test]
    public void A_full_device_is_busy_not_unfit()
    {
        var device = Pool.Device() with { LeasedMillicores = 3500, Leases = 1 };
        Assert.That(HardFilter.Static(Pool.Needs, device), Is.Null);
        Assert.That(HardFilter.Explain(Pool.Task(), device), Is.EqualTo(Refusals.Busy));
        Assert.That(HardFilter.Explain(Pool.Task(), Pool.Device() with { Leases = 4 }), Is.EqualTo(Refusals.Busy), "no slot left");
    }
}
