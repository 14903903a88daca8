using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Verification;

namespace FogCompute.Domain.UnitTests.Scheduler;

/// <summary>Copies of tasks that run long: when one is asked for, and what becomes of it.</summary>
public sealed class SpeculationTests
{
    private static readonly TimeSpan Median = TimeSpan.FromSeconds(10);

    [TestCase(20, ExpectedResult = false)]
    [TestCase(20.1, ExpectedResult = true)]
    public bool Twice_the_median_is_slow(double ran) => Straggler.IsSlow(TimeSpan.FromSeconds(ran), Median);

    [TestCase(5, ExpectedResult = false)]
    [TestCase(5.1, ExpectedResult = true)]
    public bool Nothing_is_slow_within_five_seconds(double ran) => Straggler.IsSlow(TimeSpan.FromSeconds(ran), TimeSpan.FromMilliseconds(20));

    [Test]
    public void A_device_that_will_probably_leave_before_the_median_run_is_over_is_unlikely_to_finish()
    {
        // Leaves once in half an hour of presence: stays ten minutes with probability 0.72, half an hour with 0.37.
        var hours = Enumerable.Repeat(36_000.0, AvailabilityProfile.Buckets).ToArray();
        var restless = new AvailabilityProfile(hours, hours, [.. Enumerable.Repeat(20.0, AvailabilityProfile.Buckets)]);
        Assert.Multiple(() =>
        {
            Assert.That(Straggler.IsUnlikelyToFinish(restless, TimeSpan.Zero, TimeSpan.FromMinutes(10), TaskWorld.Start), Is.False);
            Assert.That(Straggler.IsUnlikelyToFinish(restless, TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(30), TaskWorld.Start), Is.False);
            Assert.That(Straggler.IsUnlikelyToFinish(restless, TimeSpan.Zero, TimeSpan.FromMinutes(30), TaskWorld.Start), Is.True);
            Assert.That(Straggler.IsUnlikelyToFinish(restless, TimeSpan.FromHours(2), TimeSpan.FromMinutes(30), TaskWorld.Start), Is.False, "nothing is known of its rest");
            Assert.That(Straggler.IsUnlikelyToFinish(AvailabilityProfile.Unknown, TimeSpan.Zero, TimeSpan.FromMinutes(30), TaskWorld.Start), Is.False);
        });
    }

    [Test]
    public void An_attempt_is_no_older_than_its_lease_whatever_the_clock_of_its_device()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        var attempt = world.Lease();
        Assert.That(Straggler.Ran(attempt, world.Now.AddSeconds(7)), Is.EqualTo(TimeSpan.FromSeconds(7)));
        world.Execution.Progress(attempt, AttemptState.Running, world.Now.AddHours(-1), null, 0);
        Assert.That(Straggler.Ran(attempt, world.Now.AddSeconds(7)), Is.EqualTo(TimeSpan.FromSeconds(7)));
    }

    [Test]
    public void A_started_copy_wins_and_the_slow_one_is_not_needed()
    {
        var world = Copied(SlaTier.Bronze, out var slow);
        var copy = world.Lease();
        var outcome = (TaskOutcome.Accepted)world.Report(copy, "A", wallMs: 3_600_000);
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Winners, Is.EqualTo(new[] { copy }));
            Assert.That(outcome.CutShort, Is.EqualTo(new[] { slow }));
            Assert.That((slow.State, slow.Reason), Is.EqualTo((AttemptState.Cancelled, "not_needed")));
            Assert.That(outcome.CostMicro, Is.EqualTo(150_000), "one run of an hour is paid, not two");
            Assert.That(world.Task.State, Is.EqualTo(TaskState.Succeeded));
        });
    }

    [Test]
    public void The_slow_one_may_still_win_before_the_copy_has_a_device()
    {
        var world = Copied(SlaTier.Bronze, out var slow);
        Assert.That(world.Report(slow, "A"), Is.InstanceOf<TaskOutcome.Accepted>());
        Assert.That(world.Task.OpenSlots, Is.Zero);
    }

    [Test]
    public void One_copy_at_a_time_and_none_where_more_than_needed_run()
    {
        var world = Copied(SlaTier.Bronze, out _);
        Assert.That(world.Execution.Speculate(world.Now), Is.False);
        world.Lease();
        Assert.That(world.Execution.Speculate(world.Now), Is.False);
        var gold = new TaskWorld(SlaTier.Gold);
        gold.Lease();
        gold.Lease();
        Assert.That(gold.Execution.Speculate(gold.Now), Is.False, "a slot is open");
        gold.Lease();
        Assert.That(gold.Execution.Speculate(gold.Now), Is.False, "three run and two must agree");
        Assert.That(gold.Task.OpenSlots, Is.Zero);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_lost_attempt_is_replaced_by_its_copy_and_the_task_may_be_copied_again(bool leased)
    {
        var world = Copied(SlaTier.Bronze, out var slow);
        if (leased)
            world.Lease();
        world.Execution.Lose(slow, "device_lost", world.Now);
        Assert.That((world.Task.OpenSlots, world.Task.Speculated), Is.EqualTo((leased ? 0 : 1, false)));
        if (!leased)
            world.Lease();
        Assert.That(world.Execution.Speculate(world.Now), Is.True);
    }

    [Test]
    public void A_copy_of_a_silver_task_is_a_third_replica_of_which_two_must_agree()
    {
        var world = new TaskWorld(SlaTier.Silver);
        var (first, slow) = (world.Lease(), world.Lease());
        world.Report(first, "A");
        Assert.That(world.Execution.Speculate(world.Now), Is.True);
        var outcome = (TaskOutcome.Accepted)world.Return("A");
        Assert.That(outcome.Winners, Has.Count.EqualTo(2));
        Assert.That(outcome.CutShort, Is.EqualTo(new[] { slow }));
    }

    [Test]
    public void The_copy_is_the_second_opinion_of_an_audit()
    {
        var world = Copied(SlaTier.Bronze, out var slow);
        var copy = world.Lease();
        Assert.That(world.Report(copy, "A", audit: true), Is.InstanceOf<TaskOutcome.Open>());
        Assert.That((world.Task.Audited, world.Task.OpenSlots), Is.EqualTo((true, (short)0)));
        var outcome = (TaskOutcome.Accepted)world.Report(slow, "A");
        Assert.That((outcome.Verified, outcome.Winners.Count), Is.EqualTo((true, 2)));
    }

    private static TaskWorld Copied(SlaTier tier, out Attempt slow)
    {
        var world = new TaskWorld(tier);
        slow = world.Lease();
        Assert.That(world.Execution.Speculate(world.Now), Is.True);
        Assert.That((world.Task.OpenSlots, world.Task.Speculated), Is.EqualTo(((short)1, true)));
        return world;
    }
}
