using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;

namespace FogCompute.Domain.UnitTests.Scheduler;

/// <summary>Who is believed, tier by tier. Each letter is the digest of one more device.</summary>
public sealed class QuorumTests
{
    // Accepted as soon as the last letter is in, not before.
    [TestCase(SlaTier.Bronze, "A", 'A', 1, 0)]
    [TestCase(SlaTier.Silver, "AA", 'A', 2, 0)]
    [TestCase(SlaTier.Silver, "ABA", 'A', 2, 1)]
    [TestCase(SlaTier.Silver, "ABB", 'B', 2, 1)]
    [TestCase(SlaTier.Gold, "AA", 'A', 2, 0)]
    [TestCase(SlaTier.Gold, "ABA", 'A', 2, 1)]
    [TestCase(SlaTier.Gold, "ABCB", 'B', 2, 2)]
    [TestCase(SlaTier.Gold, "ABCDD", 'D', 2, 3)]
    [TestCase(SlaTier.Platinum, "AAA", 'A', 3, 0)]
    [TestCase(SlaTier.Platinum, "AABA", 'A', 3, 1)]
    [TestCase(SlaTier.Platinum, "ABABB", 'B', 3, 2)]
    [TestCase(SlaTier.Platinum, "ABCCC", 'C', 3, 2)]
    public void Accepts_the_digest_that_enough_devices_returned(SlaTier tier, string digests, char winner, int winners, int losers)
    {
        var world = new TaskWorld(tier);
        foreach (var digest in digests[..^1])
            Assert.That(world.Return(digest.ToString()), Is.TypeOf<TaskOutcome.Open>());

        var outcome = world.Return(digests[^1..]);

        Assert.That(outcome, Is.TypeOf<TaskOutcome.Accepted>());
        var accepted = (TaskOutcome.Accepted)outcome;
        Assert.That(accepted.Winners, Has.Count.EqualTo(winners).And.All.Matches<Attempt>(a => a.State == AttemptState.Accepted && a.OutputDigest == winner.ToString()));
        Assert.That(accepted.Losers, Has.Count.EqualTo(losers).And.All.Matches<Attempt>(a => a.State == AttemptState.Rejected && a.Reason == "digest_mismatch"));
        Assert.That(accepted.Verified, Is.EqualTo(winners > 1));
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Succeeded));
        Assert.That(world.Task.OutputDigest, Is.EqualTo(winner.ToString()));
        Assert.That(world.Task.OpenSlots, Is.Zero);
    }

    [TestCase(SlaTier.Silver, "ABC")]
    [TestCase(SlaTier.Gold, "ABCDE")]
    [TestCase(SlaTier.Platinum, "AABBC")]
    [TestCase(SlaTier.Platinum, "ABCDE")]
    public void Without_agreement_the_task_fails_and_nobody_is_accepted(SlaTier tier, string digests)
    {
        var world = new TaskWorld(tier);
        foreach (var digest in digests[..^1])
            Assert.That(world.Return(digest.ToString()), Is.TypeOf<TaskOutcome.Open>());

        var outcome = world.Return(digests[^1..]);

        Assert.That(outcome, Is.TypeOf<TaskOutcome.Failed>());
        Assert.That(((TaskOutcome.Failed)outcome).Reason, Is.EqualTo("no_agreement"));
        Assert.That(world.Execution.Attempts, Has.All.Matches<Attempt>(a => a.State == AttemptState.Rejected && a.Reason == "no_agreement"));
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Failed));
        Assert.That(world.Task.CostMicro, Is.Zero);
        Assert.That(world.Task.OutputDigest, Is.Null);
    }

    [TestCase(SlaTier.Silver, "AB", 3)]
    [TestCase(SlaTier.Gold, "ABC", 4)]
    [TestCase(SlaTier.Gold, "ABCD", 5)]
    [TestCase(SlaTier.Platinum, "AAB", 4)]
    [TestCase(SlaTier.Platinum, "AABB", 5)]
    public void A_disagreement_asks_for_exactly_one_more_device(SlaTier tier, string digests, int devices)
    {
        var world = new TaskWorld(tier);
        foreach (var digest in digests)
            world.Return(digest.ToString());
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Verifying));
        Assert.That(world.Task.OpenSlots, Is.EqualTo(1));
        Assert.That(world.Execution.Attempts.Count + world.Task.OpenSlots, Is.EqualTo(devices));
    }

    [Test]
    public void A_tie_is_not_broken_while_an_asked_for_replica_is_still_out()
    {
        var world = new TaskWorld(SlaTier.Gold);
        var slow = world.Lease();
        world.Return("A");
        world.Return("B");
        Assert.That(world.Task.OpenSlots, Is.Zero, "the third replica may settle it");
        Assert.That(world.Report(slow, "B"), Is.TypeOf<TaskOutcome.Accepted>());
    }

    [Test]
    public void Stragglers_are_cut_short_once_enough_agree()
    {
        var world = new TaskWorld(SlaTier.Gold);
        var slow = world.Lease();
        world.Execution.Progress(slow, AttemptState.Running, world.Now, "half way", 8);
        world.Return("A");

        var accepted = (TaskOutcome.Accepted)world.Return("A");

        Assert.That(accepted.CutShort, Is.EqualTo(new[] { slow }));
        Assert.That(slow.State, Is.EqualTo(AttemptState.Cancelled));
        Assert.That(slow.Reason, Is.EqualTo("not_needed"));
        Assert.That(accepted.Winners.Concat(accepted.Losers), Does.Not.Contain(slow));
        Assert.That(world.Execution.ChangedAttempts, Does.Contain(slow), "the device must be told");
    }

    [Test]
    public void A_job_without_deterministic_results_runs_once_whatever_its_tier()
    {
        foreach (var tier in Enum.GetValues<SlaTier>())
        {
            var world = new TaskWorld(tier, deterministic: false);
            Assert.That(world.Task.OpenSlots, Is.EqualTo(1));
            var accepted = (TaskOutcome.Accepted)world.Return("whatever");
            Assert.That(accepted.Verified, Is.False, "one result says nothing about its device");
            Assert.That(world.Execution.Terms.Tier.Audited, Is.False);
        }
    }

    [Test]
    public void An_audited_bronze_result_waits_for_a_second_device_and_both_are_paid_for()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        Assert.That(world.Return("A", audit: true), Is.TypeOf<TaskOutcome.Open>());
        Assert.That(world.Task.Audited, Is.True);
        Assert.That(world.Task.OpenSlots, Is.EqualTo(1));
        Assert.That(world.Task.State, Is.EqualTo(TaskState.Verifying));

        var accepted = (TaskOutcome.Accepted)world.Return("A", audit: true);

        Assert.That(accepted.Winners, Has.Count.EqualTo(2));
        Assert.That(accepted.Verified, Is.True);
    }

    [TestCase("ABA", 'A')]
    [TestCase("ABB", 'B')]
    public void An_audit_that_disagrees_is_decided_by_a_third_device(string digests, char winner)
    {
        var world = new TaskWorld(SlaTier.Bronze);
        world.Return(digests[..1], audit: true);
        Assert.That(world.Return(digests[1..2]), Is.TypeOf<TaskOutcome.Open>());
        var accepted = (TaskOutcome.Accepted)world.Return(digests[2..]);
        Assert.That(world.Task.OutputDigest, Is.EqualTo(winner.ToString()));
        Assert.That(accepted.Losers, Has.Count.EqualTo(1));
    }

    [Test]
    public void An_audit_in_which_three_devices_disagree_fails_the_task()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        world.Return("A", audit: true);
        world.Return("B");
        Assert.That(world.Return("C"), Is.TypeOf<TaskOutcome.Failed>());
    }

    [Test]
    public void A_waived_audit_lets_the_single_result_stand_unverified()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        world.Return("A", audit: true);

        var accepted = (TaskOutcome.Accepted)world.Execution.WaiveAudit(world.Now);

        Assert.That(accepted.Winners, Has.Count.EqualTo(1));
        Assert.That(accepted.Verified, Is.False);
        Assert.That(world.Task.Audited, Is.False);
        Assert.That(world.Task.OpenSlots, Is.Zero);
    }

    [Test]
    public void An_audit_that_runs_is_not_waived()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        world.Return("A", audit: true);
        var second = world.Lease();
        Assert.That(world.Execution.WaiveAudit(world.Now), Is.TypeOf<TaskOutcome.Open>());
        Assert.That(world.Task.Audited, Is.True);
        Assert.That(world.Report(second, "A"), Is.TypeOf<TaskOutcome.Accepted>());
    }

    [Test]
    public void An_audit_that_found_a_contradiction_is_never_waived()
    {
        var world = new TaskWorld(SlaTier.Bronze);
        world.Return("A", audit: true);
        world.Return("B");

        Assert.That(world.Execution.WaiveAudit(world.Now), Is.TypeOf<TaskOutcome.Open>(), "one of the two lies; believing the first would be a guess");
        Assert.That(world.Task.OpenSlots, Is.EqualTo(1));
        Assert.That(world.Task.Audited, Is.True);
    }

    [Test]
    public void A_task_without_audit_has_nothing_to_waive()
    {
        var world = new TaskWorld(SlaTier.Silver);
        world.Return("A");
        Assert.That(world.Execution.WaiveAudit(world.Now), Is.TypeOf<TaskOutcome.Open>());
        Assert.That(world.Task.OpenSlots, Is.EqualTo(1));
    }

    [Test]
    public void Tiers_that_compare_replicas_are_not_audited_on_top()
    {
        var world = new TaskWorld(SlaTier.Silver);
        world.Return("A", audit: true);
        Assert.That(world.Return("A", audit: true), Is.TypeOf<TaskOutcome.Accepted>());
        Assert.That(world.Task.Audited, Is.False);
    }
}

public sealed class AuditPolicyTests
{
    [TestCase(0.02, 0, 0.02)]
    [TestCase(0.02, 9, 0.02)]
    [TestCase(0.02, 10, 0.02)]   // 1/10 is above the tier's rate
    [TestCase(0.02, 50, 0.02)]
    [TestCase(0.02, 100, 0.01)]
    [TestCase(0.02, 200, 0.005)]
    [TestCase(0.02, 100_000, 0.005)]
    [TestCase(0.05, 25, 0.04)]
    [TestCase(0, 0, 0)]
    [TestCase(0, 1000, 0)]
    public void A_record_of_right_results_earns_fewer_audits_down_to_a_floor(double tierRate, int streak, double expected) =>
        Assert.That(Prices.Audits(tierRate).Rate(streak), Is.EqualTo(expected).Within(1e-12));

    [Test]
    public void A_longer_streak_never_raises_the_rate()
    {
        for (var streak = 0; streak < 1000; streak++)
            Assert.That(Prices.Audits(0.05).Rate(streak + 1), Is.LessThanOrEqualTo(Prices.Audits(0.05).Rate(streak)));
    }
}
