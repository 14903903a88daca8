using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Scheduler;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.IdleCompute;

public sealed class DeviceTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly AccountId Owner = new(Guid.Parse("00000000-0000-7000-8000-000000000001"));

    private static readonly DeviceCapabilities Offer = new()
    {
        Type = DeviceType.Laptop, CpuMillicores = 4000, MemoryBytes = 8L << 30, Slots = 4, Isolation = [Isolation.Sandbox], PayloadKinds = ["command"], BatteryPercent = 80, Charging = true,
    };

    private static Device Register() => Device.Register("laptop-1", Owner, Offer, [1], Now);

    [Test]
    public void A_registered_device_is_eligible_but_has_no_agent_yet()
    {
        var device = Register();
        Assert.That((device.State, device.StateReason, device.LastPollAt), Is.EqualTo((DeviceState.Eligible, (string?)null, (DateTimeOffset?)null)));
        Assert.That(device.IsolationLevels, Is.EqualTo(new[] { "Sandbox" }));
        Assert.That(device.Availability, Is.EqualTo(1), "nothing was lost yet");
    }

    [Test]
    public void The_same_owner_registers_again_with_a_new_key_and_keeps_the_record()
    {
        var device = Register();
        device.CountCompleted(3, 9000);
        device.CountVerified(5, 0, Now);
        device.Unregister(Now);
        device.RegisterAgain(Owner, Offer with { CpuMillicores = 8000 }, [2], Now.AddDays(1));
        Assert.That((device.State, device.UnregisteredAt, device.CpuMillicores), Is.EqualTo((DeviceState.Eligible, (DateTimeOffset?)null, 8000)));
        Assert.That((device.TasksCompleted, device.ComputeMs, device.VerifiedStreak), Is.EqualTo((3L, 9000L, 5)));
        Assert.That(device.KeyHash, Is.EqualTo(new byte[] { 2 }));
        Assert.That(device.RegisteredAt, Is.EqualTo(Now));
    }

    [Test]
    public void Another_owner_cannot_take_the_name_over()
    {
        var device = Register();
        var refusal = Assert.Throws<FogException>(() => device.RegisterAgain(new AccountId(Guid.CreateVersion7(Now)), Offer, [2], Now))!;
        Assert.That(refusal.Error, Is.EqualTo(IdleComputeErrors.DeviceOfAnotherOwner));
        Assert.That(device.KeyHash, Is.EqualTo(new byte[] { 1 }), "the owner's key still works");
    }

    [Test]
    public void A_poll_is_news_only_when_more_than_the_time_changed()
    {
        var device = Register();
        Assert.That(device.Report(DeviceState.Eligible, null, 4, 80, true, 40, 0.1, Now), Is.True, "the first poll shows that there is an agent");
        Assert.That(device.Report(DeviceState.Eligible, null, 4, 79, true, 41, 0.2, Now.AddSeconds(15)), Is.False);
        Assert.That(device.Report(DeviceState.Eligible, null, 2, 79, true, 41, 0.2, Now.AddSeconds(30)), Is.True);
        Assert.That(device.Report(DeviceState.Suspending, "user_active", 2, 79, true, 41, 0.2, Now.AddSeconds(45)), Is.True);
        Assert.That((device.LastSeenAt, device.LastPollAt, device.TemperatureCelsius), Is.EqualTo((Now.AddSeconds(45), (DateTimeOffset?)Now.AddSeconds(45), (double?)41)));
    }

    [Test]
    public void Losses_lower_availability_and_evictions_do_not()
    {
        var device = Register();
        device.CountCompleted(8, 1);
        device.CountEvictions(100);
        Assert.That(device.Availability, Is.EqualTo(1));
        device.CountLosses(2);
        Assert.That(device.Availability, Is.EqualTo(0.8).Within(1e-12));
        Assert.That((device.Losses, device.Evictions), Is.EqualTo((2L, 100L)));
    }

    [Test]
    public void Losses_and_evictions_leave_reputation_alone()
    {
        var device = Register();
        device.CountVerified(20, 0, Now);
        var trust = device.Reputation.LowerBound(Now);
        device.CountLosses(50);
        device.CountEvictions(50);
        Assert.That(device.Reputation.LowerBound(Now), Is.EqualTo(trust));
        Assert.That(device.VerifiedStreak, Is.EqualTo(20));
    }

    [Test]
    public void One_wrong_result_ends_the_streak()
    {
        var device = Register();
        device.CountVerified(30, 0, Now);
        device.CountVerified(3, 1, Now);
        Assert.That(device.VerifiedStreak, Is.Zero);
        device.CountVerified(2, 0, Now);
        Assert.That(device.VerifiedStreak, Is.EqualTo(2));
    }
}

public sealed class ReputationTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private static double Trust(int right, int wrong, double daysLater = 0) => new Reputation(0, 0, Now).Observe(right, wrong, Now).LowerBound(Now.AddDays(daysLater));

    // Mean of Beta(right + 1, wrong + 1) less 1.645 standard deviations, worked out by hand.
    [TestCase(0, 0, 0.02513)]   // 1/2 − 1.645 × √(1/12)
    [TestCase(8, 0, 0.75120)]   // 9/10 − 1.645 × √(9/1100)
    [TestCase(98, 0, 0.97371)]  // 99/100 − 1.645 × √(99/1010000)
    [TestCase(5, 5, 0.27188)]   // 1/2 − 1.645 × √(36/1872)
    [TestCase(1, 9, 0)]         // below 0: clamped
    public void Trust_is_the_lower_bound_of_what_was_seen(int right, int wrong, double expected) =>
        Assert.That(Trust(right, wrong), Is.EqualTo(expected).Within(1e-5));

    // Laplace's rule of succession, faded by half in 30 days.
    [TestCase(0, 0, 0, 0.5), TestCase(8, 0, 0, 0.9), TestCase(1, 9, 0, 1 / 6.0), TestCase(8, 0, 30, 5 / 6.0)]
    public void Reliability_is_the_mean_of_what_was_seen(int right, int wrong, double daysLater, double expected) =>
        Assert.That(new Reputation(right, wrong, Now).Mean(Now.AddDays(daysLater)), Is.EqualTo(expected).Within(1e-12));

    [Test]
    public void More_right_results_never_lower_trust_and_a_wrong_one_never_raises_it() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(3000),
        Prop.ForAll(Gen.Choose(0, 500).ToArbitrary(), Gen.Choose(0, 500).ToArbitrary(), (right, wrong) =>
            Trust(right, wrong) is >= 0 and <= 1 && Trust(right + 1, wrong) >= Trust(right, wrong) && Trust(right, wrong + 1) <= Trust(right, wrong) + 1e-12));

    [Test]
    public void Evidence_halves_every_thirty_days()
    {
        var reputation = new Reputation(0, 0, Now).Observe(100, 40, Now).Observe(0, 0, Now.AddDays(30));
        Assert.That((reputation.Right, reputation.Wrong), Is.EqualTo((50.0, 20.0)));
    }

    [Test]
    public void An_idle_record_fades_towards_a_newcomers()
    {
        Assert.That(Trust(50, 0, daysLater: 60), Is.LessThan(Trust(50, 0)));
        Assert.That(Trust(50, 0, daysLater: 3650), Is.EqualTo(Trust(0, 0)).Within(1e-6));
    }

    [Test]
    public void A_clock_that_went_back_does_not_add_evidence()
    {
        var reputation = new Reputation(10, 0, Now).Observe(0, 0, Now.AddDays(-30));
        Assert.That(reputation.Right, Is.EqualTo(10));
    }
}
