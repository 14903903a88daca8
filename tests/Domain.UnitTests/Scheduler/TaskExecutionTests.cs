using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;

namespace FogCompute.Domain.UnitTests.Scheduler;

public sealed class TaskExecutionTests
{
    [Test]
    public void A_lease_takes_an_open_slot_and_ends_after_its_time()
    {
        var world = new TaskWorld(SlaTier.Silver);
        var attempt = world.Lease("laptop-1");
        Assert.That(world.Task.OpenSlots, Is.EqualTo(1));
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Leased));
        Assert.That(attempt.DeviceId, Is.EqualTo("laptop-1"));
        Assert.That(attempt.ExpiresAt - attempt.LeasedAt, Is.EqualTo(TaskWorld.LeaseTime));
        Assert.That(attempt.Task, Is.EqualTo(world.Task.Key));
        Assert.That(world.Execution.NewAttempts, Is.EqualTo(new[] { attempt }));
    }

    [Test]
    public void A_slot_that_is_not_open_cannot_be_leased()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        world.Lease();
        Assert.That(() => world.Lease(), Throws.InvalidOperationException);
        Assert.That(world.Task.Epoch, Is.EqualTo(1), "a refused lease leaves no trace");
    }

    [Test]
    public void A_task_that_waits_for_other_jobs_offers_no_slot()
    {
        var task = JobTask.Create(new JobId(Guid.CreateVersion7(TaskWorld.Start)), 7, 3, ready: false, TaskWorld.Start);
        Assert.That(task.State, Is.EqualTo(TaskState.Pending));
        Assert.That(task.OpenSlots, Is.Zero);
        Assert.That(task.Key.Index, Is.EqualTo(7));
    }

    [Test]
    public void Epochs_grow_with_every_lease_and_replicas_are_distinct_while_they_live()
    {
        var world = new TaskWorld(SlaTier.Gold);
        var first = new[] { world.Lease(), world.Lease(), world.Lease() };
        Assert.That(first.Select(a => a.Epoch), Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That(first.Select(a => (int)a.Replica), Is.EqualTo(new[] { 0, 1, 2 }));

        world.End(first[1], AttemptState.Evicted, "on_battery");
        var again = world.Lease();

        Assert.That(again.Epoch, Is.EqualTo(4), "a fencing token is never used twice");
        Assert.That(again.Replica, Is.EqualTo(1), "the freed replica is taken up again");
    }

    [Test]
    public void A_reported_replica_keeps_its_number_until_the_task_ends()
    {
        var world = new TaskWorld(SlaTier.Silver);
        var first = world.Lease();
        var second = world.Lease();
        world.Report(first, "A");
        world.End(second, AttemptState.Lost);
        Assert.That(world.Lease().Replica, Is.EqualTo(1));
    }

    [TestCase(AttemptState.Crashed)]
    [TestCase(AttemptState.TimedOut)]
    public void A_failure_of_the_payload_spends_a_retry_and_waits_longer_each_time(AttemptState end)
    {
        var world = new TaskWorld(SlaTier.Bronze, retries: 3);
        var waits = new List<double>();
        for (var failure = 1; failure <= 3; failure++)
        {
            Assert.That(world.End(world.Lease(), end, "exit_code"), Is.TypeOf<TaskOutcome.Open>());
            Assert.That(world.Task.JobErrors, Is.EqualTo(failure));
            waits.Add((world.Task.EligibleAt - world.Now).TotalSeconds);
        }
        Assert.That(waits, Is.EqualTo(new[] { 5.0, 10.0, 20.0 }).Within(1e-6));
        Assert.That((world.Task.DeviceLosses, world.Task.Evictions), Is.EqualTo(((short)0, (short)0)));

        var outcome = world.End(world.Lease(), end, "exit_code");

        Assert.That(outcome, Is.TypeOf<TaskOutcome.Failed>());
        Assert.That(world.Task.FailureReason, Is.EqualTo("exit_code"));
        Assert.That(world.Task.OpenSlots, Is.Zero);
    }

    [Test]
    public void Without_retries_the_first_failure_of_the_payload_is_the_last()
    {
        var world = new TaskWorld(SlaTier.Bronze, retries: 0);
        Assert.That(world.Crash(world.Lease()), Is.TypeOf<TaskOutcome.Failed>());
    }

    [Test]
    public void Exhausted_retries_end_the_other_replicas_without_calling_them_wrong()
    {
        var world = new TaskWorld(SlaTier.Gold, retries: 0);
        var (crashing, running, reported) = (world.Lease(), world.Lease(), world.Lease());
        world.Report(reported, "A");

        var failed = (TaskOutcome.Failed)world.Crash(crashing);

        Assert.That(failed.CutShort, Is.EqualTo(new[] { running }));
        Assert.That(reported.State, Is.EqualTo(AttemptState.Cancelled));
        Assert.That(reported.Reason, Is.EqualTo("task_failed"));
        Assert.That(world.Task.CostMicro, Is.Zero);
    }

    [Test]
    public void Lost_devices_never_cost_a_retry_however_often()
    {
        var world = new TaskWorld(SlaTier.Bronze, retries: 0);
        for (var loss = 1; loss <= 50; loss++)
        {
            Assert.That(world.Execution.Lose(world.Lease(), "device_lost", world.Now), Is.TypeOf<TaskOutcome.Open>());
            Assert.That(world.Task.DeviceLosses, Is.EqualTo(loss));
        }
        Assert.That((world.Task.JobErrors, world.Task.Evictions), Is.EqualTo(((short)0, (short)0)));
        Assert.That(world.Task.OpenSlots, Is.EqualTo(1));
    }

    [Test]
    public void Retries_count_failures_of_the_payload_and_nothing_else_that_went_before()
    {
        var world = new TaskWorld(SlaTier.Bronze, retries: 1);
        for (var i = 0; i < 5; i++)
        {
            world.Execution.Lose(world.Lease(), "device_lost", world.Now);
            world.End(world.Lease(), AttemptState.Evicted, "user_active");
            world.End(world.Lease(), AttemptState.Declined, "runtime_missing");
            world.Execution.Preempt(world.Lease(), "paused", world.Now);
        }
        Assert.That(world.Crash(world.Lease()), Is.TypeOf<TaskOutcome.Open>(), "its one retry is left");
        Assert.That(world.Crash(world.Lease()), Is.TypeOf<TaskOutcome.Failed>());
    }

    [Test]
    public void The_first_losses_go_on_at_once_and_later_ones_wait()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        for (var loss = 1; loss <= 3; loss++)
        {
            world.Execution.Lose(world.Lease(), "device_lost", world.Now);
            Assert.That(world.Task.EligibleAt, Is.EqualTo(world.Now));
        }
        world.Execution.Lose(world.Lease(), "device_lost", world.Now);
        Assert.That(world.Task.EligibleAt, Is.GreaterThan(world.Now));
    }

    [Test]
    public void An_owner_who_takes_the_machine_back_costs_nobody_anything()
    {
        var world = new TaskWorld(SlaTier.Bronze, retries: 0);
        for (var eviction = 1; eviction <= 50; eviction++)
        {
            Assert.That(world.End(world.Lease(), AttemptState.Evicted, "user_active"), Is.TypeOf<TaskOutcome.Open>());
            Assert.That(world.Task.Evictions, Is.EqualTo(eviction));
            Assert.That(world.Task.EligibleAt, Is.EqualTo(world.Now), "it goes on elsewhere at once");
        }
        Assert.That((world.Task.JobErrors, world.Task.DeviceLosses), Is.EqualTo(((short)0, (short)0)));
    }

    [Test]
    public void A_declined_lease_counts_for_nobody_and_is_offered_again_a_moment_later()
    {
        var world = new TaskWorld(SlaTier.Bronze, retries: 0);
        Assert.That(world.End(world.Lease(), AttemptState.Declined, "runtime_missing"), Is.TypeOf<TaskOutcome.Open>());
        Assert.That((world.Task.JobErrors, world.Task.DeviceLosses, world.Task.Evictions), Is.EqualTo(((short)0, (short)0, (short)0)));
        Assert.That(world.Task.EligibleAt - world.Now, Is.EqualTo(TimeSpan.FromSeconds(1)));
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Ready));
    }

    [Test]
    public void A_pause_takes_the_running_attempt_back_and_spends_nothing()
    {
        var world = new TaskWorld(SlaTier.Bronze, retries: 0);
        var attempt = world.Lease();
        world.Execution.Progress(attempt, AttemptState.Running, world.Now, null, 0);

        world.Execution.Preempt(attempt, "paused", world.Now);

        Assert.That(attempt.State, Is.EqualTo(AttemptState.Preempted));
        Assert.That(attempt.Reason, Is.EqualTo("paused"));
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Ready));
        Assert.That(world.Task.OpenSlots, Is.EqualTo(1));
        Assert.That((world.Task.JobErrors, world.Task.DeviceLosses, world.Task.Evictions), Is.EqualTo(((short)0, (short)0, (short)0)));
    }

    [Test]
    public void A_pause_keeps_the_results_that_are_in()
    {
        var world = new TaskWorld(SlaTier.Silver);
        world.Return("A");
        world.Execution.Preempt(world.Lease(), "paused", world.Now);
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Verifying));
        Assert.That(world.Return("A"), Is.TypeOf<TaskOutcome.Accepted>());
    }

    [Test]
    public void The_second_end_of_an_attempt_is_refused()
    {
        foreach (var end in new[] { AttemptState.Lost, AttemptState.Evicted, AttemptState.Declined, AttemptState.TimedOut })
        {
            var world = new TaskWorld(SlaTier.Bronze);
            var attempt = world.Lease();
            world.End(attempt, end);
            Assert.That(() => world.Report(attempt, "A"), Throws.TypeOf<FogException>(), $"a result after {end}");
            Assert.That(world.Task.OutputDigest, Is.Null);
        }
    }

    [Test]
    public void Progress_moves_forward_only()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        var attempt = world.Lease();
        world.Execution.Progress(attempt, AttemptState.Staging, null, null, 0);
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Leased), "staging is not running");
        var startedAt = world.Now + TimeSpan.FromSeconds(3);
        world.Execution.Progress(attempt, AttemptState.Running, startedAt, "line 1\n", 7);
        world.Execution.Progress(attempt, AttemptState.Staging, null, "late", 4);
        Assert.That(attempt.State, Is.EqualTo(AttemptState.Running));
        Assert.That(attempt.LogTail, Is.EqualTo("line 1\n"));
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Executing));
        Assert.That(world.Task.StartedAt, Is.EqualTo(startedAt));
    }

    [Test]
    public void Progress_that_a_report_overtook_changes_nothing()
    {
        var world = new TaskWorld(SlaTier.Silver);
        var attempt = world.Lease();
        world.Report(attempt, "A");
        world.Execution.Progress(attempt, AttemptState.Running, world.Now, "old", 3);
        Assert.That(attempt.State, Is.EqualTo(AttemptState.Reported));
        Assert.That(attempt.LogTail, Is.Null);
    }

    [Test]
    public void The_charge_is_the_mean_time_of_the_agreeing_replicas()
    {
        var world = new TaskWorld(SlaTier.Gold);
        world.Return("A", wallMs: 1_000_000);
        world.Return("B", wallMs: 3_600_000);
        var accepted = (TaskOutcome.Accepted)world.Return("B", wallMs: 7_200_000);
        // 1.5 h of one core and 1 GiB at gold: 0.15 × 1.5 × 5 credits. What the outvoted device spent is not charged.
        Assert.That(accepted.CostMicro, Is.EqualTo(1_125_000));
        Assert.That(world.Task.CostMicro, Is.EqualTo(1_125_000));
    }

    [Test]
    public void The_charge_never_exceeds_what_was_held()
    {
        var world = new TaskWorld(SlaTier.Bronze, hold: 1000);
        Assert.That(((TaskOutcome.Accepted)world.Return("A", wallMs: 3_600_000)).CostMicro, Is.EqualTo(1000));
    }

    [Test]
    public void A_run_too_short_to_measure_is_charged_as_one_second()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        Assert.That(((TaskOutcome.Accepted)world.Return("A", wallMs: 0)).CostMicro, Is.EqualTo(42), "150 000 / 3 600, rounded up");
    }
}
