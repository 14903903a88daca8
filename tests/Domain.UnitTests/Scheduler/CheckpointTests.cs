using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;

namespace FogCompute.Domain.UnitTests.Scheduler;

public sealed class CheckpointTests
{
    private static TaskOutcome Checkpoint(TaskWorld world, string? sha256, long wallMs = 60_000, string reason = Checkpoints.Asked, AttemptState end = AttemptState.Preempted) =>
        world.Execution.Report(
            world.Lease(), new AttemptResult { End = end, Reason = reason, CheckpointSha256 = sha256, WallMs = wallMs, StartedAt = world.Now }, audit: false, 0.5, world.Now);

    [TestCase(AttemptState.Preempted, Checkpoints.Asked, 0)]
    [TestCase(AttemptState.Preempted, "preempted", 0)]
    [TestCase(AttemptState.Evicted, "user_active", 1)]
    public void A_checkpoint_is_kept_and_the_task_goes_on_at_once_at_nobodys_cost(AttemptState end, string reason, int evictions)
    {
        var world = new TaskWorld(SlaTier.Bronze, retries: 0);
        Assert.That(Checkpoint(world, "one", reason: reason, end: end), Is.TypeOf<TaskOutcome.Open>());
        Assert.That((world.Task.CheckpointSha256, world.Task.CheckpointEpoch), Is.EqualTo(("one", (int?)1)));
        Assert.That((world.Task.State, world.Task.OpenSlots, world.Task.EligibleAt), Is.EqualTo((TaskState.Ready, (short)1, world.Now)));
        Assert.That((world.Task.JobErrors, world.Task.DeviceLosses, world.Task.Evictions), Is.EqualTo(((short)0, (short)0, (short)evictions)));

        Checkpoint(world, "two", reason: reason, end: end);
        Assert.That((world.Task.CheckpointSha256, world.Task.CheckpointEpoch), Is.EqualTo(("two", (int?)2)));
        Assert.That(world.Return("A", wallMs: 3_600_000), Is.TypeOf<TaskOutcome.Accepted>().With.Property("CostMicro").EqualTo(150_000), "metered is the run that was accepted");
    }

    [Test]
    public void An_end_without_a_checkpoint_leaves_the_last_one()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        Checkpoint(world, "one");
        Checkpoint(world, null, reason: "preempted");
        world.Crash(world.Lease());
        world.Execution.Lose(world.Lease(), "device_lost", world.Now);
        Assert.That((world.Task.CheckpointSha256, world.Task.CheckpointEpoch), Is.EqualTo(("one", (int?)1)));
    }

    [Test]
    public void A_checkpoint_that_cannot_be_restored_is_dropped_and_one_that_cannot_be_packed_is_not_taken()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        Checkpoint(world, "one");
        world.Execution.Report(world.Lease(), new AttemptResult { End = AttemptState.Crashed, Reason = Checkpoints.Invalid, StartedAt = world.Now }, false, 0.5, world.Now);
        Assert.That(world.Task.CheckpointSha256, Is.EqualTo("one"), "it ran: its own new checkpoint was the bad one");
        world.Execution.Report(world.Lease(), new AttemptResult { End = AttemptState.Crashed, Reason = Checkpoints.Invalid }, false, 0.5, world.Now);
        Assert.That((world.Task.CheckpointSha256, world.Task.CheckpointEpoch), Is.EqualTo(((string?)null, (int?)null)));
        Assert.That(world.Task.JobErrors, Is.EqualTo(2));
    }

    [TestCase(SlaTier.Silver, true, false)]
    [TestCase(SlaTier.Gold, true, false)]
    [TestCase(SlaTier.Gold, false, true)]
    public void Several_replicas_never_share_a_state(SlaTier tier, bool deterministic, bool taken)
    {
        var world = new TaskWorld(tier, deterministic);
        Checkpoint(world, "one", reason: "preempted");
        Assert.That(world.Task.CheckpointSha256, Is.EqualTo(taken ? "one" : null));
        Assert.That(TierTerms.Of(tier).For(deterministic, checkpointing: true), Is.EqualTo(TierTerms.Of(tier).For(deterministic)));
    }

    [Test]
    public void A_job_that_may_resume_is_not_audited() =>
        Assert.That(TierTerms.Of(SlaTier.Bronze).For(true, checkpointing: true), Is.EqualTo(TierTerms.Of(SlaTier.Bronze) with { Audited = false }));

    [TestCase("short", 999)]
    [TestCase("same", 60_000)]
    [TestCase("none", 60_000)]
    public void A_payload_that_only_asks_to_be_started_again_fails_at_the_sixth_time(string how, long wallMs)
    {
        var world = new TaskWorld(SlaTier.Bronze, retries: 20);
        Checkpoint(world, "start");
        for (var time = 1; time <= 5; time++)
            Assert.That(Checkpoint(world, how switch { "short" => $"state {time}", "same" => "start", _ => null }, wallMs), Is.TypeOf<TaskOutcome.Open>(), $"{time}");
        var end = Checkpoint(world, how == "none" ? null : "start", wallMs);
        Assert.That(end, Is.TypeOf<TaskOutcome.Failed>().With.Property("Reason").EqualTo("checkpoint_loop"));
        Assert.That((world.Task.State, world.Task.JobErrors), Is.EqualTo((TaskState.Failed, (short)0)));
    }

    [Test]
    public void One_run_that_gets_somewhere_starts_the_count_afresh_and_notices_do_not_count()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        for (var time = 0; time < 50; time++)
        {
            Assert.That(Checkpoint(world, $"state {time}", wallMs: time % 5 == 0 ? 1000 : 10), Is.TypeOf<TaskOutcome.Open>());
            Assert.That(Checkpoint(world, $"state {time}", wallMs: 10, reason: "preempted"), Is.TypeOf<TaskOutcome.Open>());
        }
        Assert.That(world.Task.IdleCheckpoints, Is.EqualTo(4));
    }
}
