using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

public sealed class PreemptionTests
{
    private const long GiB = 1L << 30;
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private int _ids;

    /// <summary>A device of four cores and four slots whose leases are exactly these.</summary>
    private static PlacementDevice Full(string id, params RunningAttempt[] attempts) => Pool.Device(id) with
    {
        LeasedMillicores = attempts.Sum(a => a.Holds.CpuMillicores), LeasedBytes = attempts.Sum(a => a.Holds.MemoryBytes), Leases = attempts.Length,
    };

    private RunningAttempt Runs(string device, int priority, int millicores = 4000, int seconds = 60, bool checkpointing = false, long memory = GiB) => new()
    {
        Id = new AttemptId(new Guid(++_ids, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0])), DeviceId = device, Priority = priority,
        Holds = Pool.Needs with { CpuMillicores = millicores, MemoryBytes = memory }, Ran = TimeSpan.FromSeconds(seconds), Checkpointing = checkpointing,
    };

    private static UrgentTask Waits(int priority, int millicores = 1000, double seconds = 6, int slots = 1, int replicas = 1, PlacementTask? task = null) =>
        new((task ?? Pool.Task(Pool.Needs with { CpuMillicores = millicores })) with { Slots = slots }, priority, replicas, Now - TimeSpan.FromSeconds(seconds));

    private static IReadOnlyList<AttemptId> Choose(IReadOnlyList<UrgentTask> waiting, IReadOnlyList<PlacementDevice> devices, params RunningAttempt[] running) =>
        [.. Preemption.Choose(waiting, devices, running, Now).Select(a => a.Id)];

    [TestCase(30, 50, true)]
    [TestCase(31, 50, false)]
    [TestCase(50, 50, false)]
    [TestCase(80, 100, true)]
    public void Only_work_at_least_twenty_below_gives_way(int running, int waiting, bool gives)
    {
        var attempt = Runs("d1", running);
        Assert.That(Choose([Waits(waiting)], [Full("d1", attempt)], attempt), gives ? Is.EqualTo(new[] { attempt.Id }) : Is.Empty);
    }

    [TestCase(4.9, false)]
    [TestCase(5, true)]
    public void Nobody_gives_way_before_the_task_has_waited_five_seconds(double seconds, bool gives)
    {
        var attempt = Runs("d1", 10);
        Assert.That(Choose([Waits(90, seconds: seconds)], [Full("d1", attempt)], attempt), gives ? Has.Count.EqualTo(1) : Is.Empty);
    }

    [Test]
    public void Nobody_gives_way_while_a_device_is_free()
    {
        var attempt = Runs("d1", 10);
        Assert.That(Choose([Waits(90)], [Full("d1", attempt), Full("d2")], attempt), Is.Empty);
    }

    [Test]
    public void Nobody_gives_way_on_a_device_that_could_not_take_the_task_anyway()
    {
        var (small, away) = (Runs("d1", 10), Runs("d2", 10));
        Assert.That(Choose([Waits(90, millicores: 4001)], [Full("d1", small), Full("d2", away) with { Unavailable = "on_battery" }], small, away), Is.Empty);
        Assert.That(Choose([Waits(90)], [Full("d2", away) with { Unavailable = "user_active" }], away), Is.Empty);
    }

    [Test]
    public void Nobody_gives_way_for_a_tier_that_the_pool_cannot_serve()
    {
        var (a, b) = (Runs("d1", 10), Runs("d2", 10));
        Assert.That(Choose([Waits(90, slots: 3, replicas: 3)], [Full("d1", a), Full("d2", b)], a, b), Is.Empty);
    }

    [Test]
    public void Replicas_take_one_device_each()
    {
        var (a, b, c) = (Runs("d1", 10, 2000), Runs("d1", 10, 2000), Runs("d2", 10));
        Assert.That(Choose([Waits(90, slots: 2, replicas: 2)], [Full("d1", a, b), Full("d2", c)], a, b, c), Is.EquivalentTo(new[] { a.Id, c.Id }));
    }

    [Test]
    public void A_device_that_had_a_replica_of_the_task_is_left_alone()
    {
        var attempt = Runs("d1", 10);
        var task = Pool.Task() with { UsedDevices = new HashSet<string> { "d1" } };
        Assert.That(Choose([Waits(90, task: task)], [Full("d1", attempt)], attempt), Is.Empty);
    }

    [Test]
    public void The_fewest_give_way_even_when_each_of_them_is_dearer()
    {
        var (large, small1, small2) = (Runs("d1", 60, 2000), Runs("d1", 10, 1000), Runs("d1", 10, 1000));
        Assert.That(Choose([Waits(90, millicores: 2000)], [Full("d1", large, small1, small2)], large, small1, small2), Is.EqualTo(new[] { large.Id }));
    }

    [Test]
    public void Lowest_priority_first_then_kept_state_then_the_shortest_run()
    {
        var attempts = new[] { Runs("d1", 20, 1000, 5), Runs("d1", 10, 1000, 500), Runs("d1", 10, 1000, 900, checkpointing: true), Runs("d1", 10, 1000, 100) };
        var device = Full("d1", attempts);
        var order = new List<AttemptId>();
        for (var left = attempts.ToList(); left.Count > 0;)
        {
            var next = Choose([Waits(90)], [device], [.. left]).Single();
            order.Add(next);
            left.RemoveAll(a => a.Id == next);
        }
        Assert.That(order, Is.EqualTo(new[] { attempts[2].Id, attempts[3].Id, attempts[1].Id, attempts[0].Id }));
    }

    [Test]
    public void The_device_where_least_is_lost_is_taken()
    {
        var (two, other, one) = (Runs("d1", 10, 2000), Runs("d1", 10, 2000), Runs("d2", 30, seconds: 9000));
        Assert.That(Choose([Waits(90, millicores: 4000)], [Full("d1", two, other), Full("d2", one)], two, other, one), Is.EqualTo(new[] { one.Id }), "one instead of two");
        var (longer, shorter) = (Runs("d1", 10, seconds: 100), Runs("d2", 10, seconds: 99));
        Assert.That(Choose([Waits(90)], [Full("d1", longer), Full("d2", shorter)], longer, shorter), Is.EqualTo(new[] { shorter.Id }));
    }

    [Test]
    public void Who_turns_out_not_to_be_needed_is_spared()
    {
        // Of cores and memory together the first gives most, so it is picked before the other two, which then do without it.
        var most = Runs("d1", 30, 1400, memory: 2 * GiB);
        var (cores, memory) = (Runs("d1", 10, 2000, memory: 1), Runs("d1", 10, 1, memory: 4 * GiB));
        var stays = Runs("d1", 90, 599, memory: 2 * GiB - 1);
        var needs = Pool.Needs with { CpuMillicores = 2000, MemoryBytes = 4 * GiB };
        var device = Full("d1", most, cores, memory, stays);
        Assert.That(Choose([Waits(90, task: Pool.Task(needs))], [device], most, cores, memory, stays), Is.EquivalentTo(new[] { cores.Id, memory.Id }));
    }

    [Test]
    public void What_is_under_notice_already_is_counted_once_and_nobody_else_is_stopped_for_it()
    {
        var noticed = Runs("d1", 10) with { UnderNotice = true };
        var other = Runs("d2", 10);
        var devices = new[] { Full("d1", noticed), Full("d2", other) };
        Assert.That(Choose([Waits(90)], devices, noticed, other), Is.Empty);
        Assert.That(Choose([Waits(90, 4000), Waits(90, 4000, task: Pool.Task(Pool.Needs with { CpuMillicores = 4000 }, index: 1))], devices, noticed, other),
            Is.EqualTo(new[] { other.Id }), "the first waits for the notice, the second needs the other device");
    }

    [Test]
    public void What_is_being_delivered_is_never_stopped()
    {
        var uploading = Runs("d1", 10) with { Uploading = true };
        Assert.That(Choose([Waits(90)], [Full("d1", uploading)], uploading), Is.Empty);
    }

    [Test]
    public void Two_waiting_tasks_share_the_room_that_one_victim_gives()
    {
        var attempt = Runs("d1", 10);
        Assert.That(Choose([Waits(90), Waits(90, task: Pool.Task(index: 1))], [Full("d1", attempt)], attempt), Is.EqualTo(new[] { attempt.Id }));
    }

    [Test]
    public void A_full_set_of_slots_is_room_that_is_missing_too()
    {
        var attempts = Enumerable.Range(0, 4).Select(i => Runs("d1", 10 + i, 100, memory: 1)).ToArray();
        Assert.That(Choose([Waits(90, 100)], [Full("d1", attempts)], attempts), Is.EqualTo(new[] { attempts[0].Id }));
    }
}
