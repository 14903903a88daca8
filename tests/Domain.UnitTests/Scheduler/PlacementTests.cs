using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.Scheduler;

public sealed class HardFilterTests
{
    private const long GiB = 1L << 30;
    private static readonly Guid Owner = Guid.Parse("00000000-0000-7000-8000-000000000001");

    internal static readonly Requirements Needs = new() { CpuMillicores = 1000, MemoryBytes = GiB, PayloadKind = "command", Isolation = Isolation.Sandbox };

    internal static PlacementDevice Device(string id = "d1", Guid? owner = null) => new()
    {
        Id = id, Owner = owner ?? Owner, CpuMillicores = 4000, MemoryBytes = 8 * GiB, Slots = 4, Trust = 0.5,
        Isolation = new HashSet<Isolation> { Isolation.Process, Isolation.Sandbox }, PayloadKinds = new HashSet<string> { "builtin", "command" },
    };

    internal static PlacementTask Task(Requirements? needs = null, int index = 0, int slots = 1) =>
        new() { Key = new TaskKey(new JobId(Owner), index), Needs = needs ?? Needs, Slots = slots };

    private static TestCaseData Refusal(string code, Func<Requirements, Requirements> needs, Func<PlacementDevice, PlacementDevice>? device = null) =>
        new TestCaseData(code, needs(Needs), (device ?? (d => d))(Device())).SetArgDisplayNames(code);

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
        var device = Device() with
        {
            DiskBytes = 100, Gpus = 1, NetworkAllowed = true, Labels = new HashSet<string> { "fast", "quiet" }, Region = "eu", Attested = true, Trust = 0.5,
        };
        var needs = Needs with
        {
            CpuMillicores = 4000, MemoryBytes = 8 * GiB, DiskBytes = 100, Gpus = 1, Network = NetworkNeed.Full, Labels = ["quiet"], Regions = ["us", "eu"], AttestedOnly = true, MinimumTrust = 0.5,
        };
        Assert.That(HardFilter.Static(needs, device), Is.Null);
    }

    [Test]
    public void A_disk_of_unknown_size_refuses_nothing() =>
        Assert.That(HardFilter.Explain(Task(Needs with { DiskBytes = 1L << 50 }), Device()), Is.Null);

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
        var device = Device() with { PayloadKinds = new HashSet<string> { kind }, Isolation = offered.ToHashSet() };
        Assert.That(HardFilter.Static(Needs with { PayloadKind = kind, Isolation = asked }, device), Is.EqualTo(taken ? null : Refusals.Isolation));
    }

    [Test]
    public void Replicas_of_a_task_never_share_a_device()
    {
        var task = Task() with { UsedDevices = new HashSet<string> { "d1" } };
        Assert.That(HardFilter.Diversity(task, Device("d1")), Is.EqualTo(Refusals.DistinctDevice));
        Assert.That(HardFilter.Diversity(task, Device("d2")), Is.Null);
    }

    [Test]
    public void Distinct_owners_bind_only_where_the_pool_says_so()
    {
        var task = Task() with { UsedOwners = new HashSet<Guid> { Owner }, PreferDistinctOwners = true };
        Assert.That(HardFilter.Diversity(task, Device("d2")), Is.Null);
        Assert.That(HardFilter.Diversity(task with { RequireDistinctOwners = true }, Device("d2")), Is.EqualTo(Refusals.DistinctOwner));
    }

    [Test]
    public void A_full_device_is_busy_not_unfit()
    {
        var device = Device() with { LeasedMillicores = 3500, Leases = 1 };
        Assert.That(HardFilter.Static(Needs, device), Is.Null);
        Assert.That(HardFilter.Explain(Task(), device), Is.EqualTo(Refusals.Busy));
        Assert.That(HardFilter.Explain(Task(), Device() with { Leases = 4 }), Is.EqualTo(Refusals.Busy), "no slot left");
    }
}

public sealed class WeightedScorePlacementTests
{
    private static PlacementOutcome Place(IReadOnlyList<PlacementTask> tasks, params PlacementDevice[] devices) => new WeightedScorePlacement().Place(new PlacementProblem(tasks, devices));

    private static Guid Owner(int n) => new(n, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);

    [Test]
    public void Prefers_the_faster_device() =>
        Assert.That(Place([HardFilterTests.Task()], HardFilterTests.Device("slow") with { BenchmarkScore = 1 }, HardFilterTests.Device("fast") with { BenchmarkScore = 2 }).Assignments.Single().DeviceId, Is.EqualTo("fast"));

    [Test]
    public void Prefers_the_freer_device() =>
        Assert.That(Place([HardFilterTests.Task()], HardFilterTests.Device("busy") with { LeasedMillicores = 2000, Leases = 2 }, HardFilterTests.Device("free")).Assignments.Single().DeviceId, Is.EqualTo("free"));

    [Test]
    public void Prefers_the_more_trusted_device_that_stays() =>
        Assert.That(
            Place([HardFilterTests.Task()], HardFilterTests.Device("new") with { Trust = 0.03 }, HardFilterTests.Device("flaky") with { Trust = 0.9, Availability = 0.2 }, HardFilterTests.Device("proven") with { Trust = 0.9 }).Assignments.Single().DeviceId,
            Is.EqualTo("proven"));

    [Test]
    public void An_unmeasured_device_is_neither_trusted_nor_shunned()
    {
        var outcome = Place(
            [HardFilterTests.Task(slots: 3)],
            HardFilterTests.Device("slow") with { BenchmarkScore = 1 }, HardFilterTests.Device("unmeasured"), HardFilterTests.Device("fast") with { BenchmarkScore = 10 });
        Assert.That(outcome.Assignments.Select(a => a.DeviceId), Is.EqualTo(new[] { "fast", "unmeasured", "slow" }));
    }

    [Test]
    public void Spreads_replicas_over_owners_where_the_tier_prefers_it_and_goes_on_where_it_cannot()
    {
        var devices = new[]
        {
            HardFilterTests.Device("a1", Owner(1)) with { BenchmarkScore = 9 }, HardFilterTests.Device("a2", Owner(1)) with { BenchmarkScore = 8 }, HardFilterTests.Device("b1", Owner(2)) with { BenchmarkScore = 1 },
        };
        var task = HardFilterTests.Task(slots: 3) with { PreferDistinctOwners = true };
        Assert.That(Place([task], devices).Assignments.Select(a => a.DeviceId), Is.EqualTo(new[] { "a1", "b1", "a2" }));
        var strict = Place([task with { RequireDistinctOwners = true }], devices);
        Assert.That(strict.Assignments.Select(a => a.DeviceId), Is.EqualTo(new[] { "a1", "b1" }));
        Assert.That(strict.Unplaced, Is.EqualTo(new[] { task.Key }));
    }

    [Test]
    public void Scores_are_shares_of_one_also_where_an_owner_repeats()
    {
        var outcome = Place([HardFilterTests.Task(slots: 2) with { PreferDistinctOwners = true }], HardFilterTests.Device("a1"), HardFilterTests.Device("a2"));
        Assert.That(outcome.Assignments.Select(a => a.Score), Has.Exactly(2).Items.And.All.InRange(0.0, 1.0));
    }

    [Test]
    public void Earlier_tasks_are_served_first_when_room_is_short()
    {
        var tasks = Enumerable.Range(0, 6).Select(i => HardFilterTests.Task(index: i)).ToList();
        var outcome = Place(tasks, HardFilterTests.Device());
        Assert.That(outcome.Assignments.Select(a => a.Task.Index), Is.EqualTo(new[] { 0, 1, 2, 3 }));
        Assert.That(outcome.Unplaced.Select(k => k.Index), Is.EqualTo(new[] { 4, 5 }));
    }

    [Test]
    public void The_same_problem_has_the_same_answer() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(200),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
            new WeightedScorePlacement().Place(Problem(seed)).Assignments.SequenceEqual(new WeightedScorePlacement().Place(Problem(seed)).Assignments)));

    [Test]
    public void No_answer_ever_overfills_a_device_or_breaks_a_rule() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(1500),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
        {
            var problem = Problem(seed);
            var outcome = new WeightedScorePlacement().Place(problem);
            var tasks = problem.Tasks.ToDictionary(t => t.Key);
            var devices = problem.Devices.ToDictionary(d => d.Id);

            // Capacity, added up here independently of FreeCapacity.
            foreach (var load in outcome.Assignments.GroupBy(a => a.DeviceId))
            {
                var device = devices[load.Key];
                var needs = load.Select(a => tasks[a.Task].Needs).ToList();
                Require(device.LeasedMillicores + needs.Sum(n => n.CpuMillicores) <= device.CpuMillicores, "cores overfilled");
                Require(device.LeasedBytes + needs.Sum(n => n.MemoryBytes) <= device.MemoryBytes, "memory overfilled");
                Require(device.DiskBytes is null || device.LeasedDisk + needs.Sum(n => n.DiskBytes) <= device.DiskBytes, "disk overfilled");
                Require(device.LeasedGpus + needs.Sum(n => n.Gpus) <= device.Gpus, "GPUs overfilled");
                Require(device.Leases + needs.Count <= device.Slots, "slots overfilled");
            }
            foreach (var task in problem.Tasks)
            {
                var chosen = outcome.Assignments.Where(a => a.Task == task.Key).Select(a => devices[a.DeviceId]).ToList();
                Require(chosen.TrueForAll(d => HardFilter.Static(task.Needs, d) is null), "a hard rule is broken");
                Require(chosen.Select(d => d.Id).Concat(task.UsedDevices).Distinct().Count() == chosen.Count + task.UsedDevices.Count, "two replicas on one device");
                Require(!task.RequireDistinctOwners || chosen.Select(d => d.Owner).Concat(task.UsedOwners).Distinct().Count() == chosen.Count + task.UsedOwners.Count, "two replicas of one owner");
                Require(chosen.Count <= task.Slots, "more replicas than asked");
                Require(outcome.Unplaced.Contains(task.Key) == chosen.Count < task.Slots, "unplaced tasks are not named exactly");
            }
            return true;
        }));

    [Test]
    public void A_task_that_still_fits_somewhere_is_never_left_out() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(1500),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
        {
            var problem = Problem(seed);
            var outcome = new WeightedScorePlacement().Place(problem);
            var tasks = problem.Tasks.ToDictionary(t => t.Key);
            var free = problem.Devices.ToDictionary(d => d.Id, d => new FreeCapacity(d));
            foreach (var assignment in outcome.Assignments)
            {
                var left = free[assignment.DeviceId];
                left.Take(tasks[assignment.Task].Needs);
                free[assignment.DeviceId] = left;
            }
            foreach (var key in outcome.Unplaced)
            {
                var chosen = outcome.Assignments.Where(a => a.Task == key).Select(a => a.DeviceId).ToHashSet();
                var owners = problem.Devices.Where(d => chosen.Contains(d.Id)).Select(d => d.Owner).ToHashSet();
                var task = tasks[key];
                Require(
                    problem.Devices.All(d => HardFilter.Static(task.Needs, d) is not null || HardFilter.Diversity(task, d) is not null || chosen.Contains(d.Id)
                        || (task.RequireDistinctOwners && owners.Contains(d.Owner)) || !free[d.Id].Fits(task.Needs)),
                    "a device could have taken it");
            }
            return true;
        }));

    /// <summary>A pool of 0–12 uneven, partly leased devices of few owners and 0–30 tasks of three kinds of job.</summary>
    private static PlacementProblem Problem(int seed)
    {
        var random = new Random(seed);
        var devices = Enumerable.Range(0, random.Next(13)).Select(i => HardFilterTests.Device($"d{i}", Owner(random.Next(4))) with
        {
            CpuMillicores = random.Next(1, 9) * 1000, MemoryBytes = random.Next(1, 17) * (1L << 30), DiskBytes = random.Next(3) == 0 ? null : random.Next(100),
            Gpus = random.Next(3), Slots = random.Next(6), LeasedMillicores = random.Next(3) * 500, LeasedBytes = random.Next(2) * (1L << 29), Leases = random.Next(3),
            NetworkAllowed = random.Next(2) == 0, Region = random.Next(2) == 0 ? "eu" : null, Trust = random.NextDouble(), Availability = random.NextDouble(),
            BenchmarkScore = random.Next(2) == 0 ? null : random.NextDouble() * 1000, Unavailable = random.Next(6) == 0 ? "user_active" : null,
        }).ToList();
        var jobs = Enumerable.Range(0, 3).Select(_ => HardFilterTests.Needs with
        {
            CpuMillicores = random.Next(1, 5) * 500, MemoryBytes = random.Next(1, 5) * (1L << 29), DiskBytes = random.Next(60), Gpus = random.Next(4) == 0 ? 1 : 0,
            Network = random.Next(3) == 0 ? NetworkNeed.Full : NetworkNeed.None, Regions = random.Next(3) == 0 ? ["eu"] : [], MinimumTrust = random.Next(2) * 0.2,
        }).ToList();
        var tasks = Enumerable.Range(0, random.Next(31)).Select(i =>
        {
            var used = devices.Where(_ => random.Next(8) == 0).ToList();
            var strict = random.Next(3) == 0;
            // Where owners must differ, what is used already does.
            used = strict ? used.DistinctBy(d => d.Owner).ToList() : used;
            return HardFilterTests.Task(jobs[random.Next(3)], i, random.Next(1, 4)) with
            {
                UsedDevices = used.Select(d => d.Id).ToHashSet(), UsedOwners = used.Select(d => d.Owner).ToHashSet(), PreferDistinctOwners = random.Next(2) == 0, RequireDistinctOwners = strict,
            };
        }).ToList();
        return new PlacementProblem(tasks, devices);
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new InvalidOperationException(otherwise);
    }
}
