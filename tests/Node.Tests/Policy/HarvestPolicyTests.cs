using FogCompute.Node.Policy;
using FogCompute.Node.Probes;

namespace FogCompute.Node.Tests.Policy;

[TestFixture]
public sealed class HarvestPolicyTests
{
    private static readonly DateTimeOffset Noon = new(2026, 6, 3, 12, 0, 0, TimeSpan.Zero); // a Wednesday
    private static readonly SensorReadings Good = new()
    {
        BatteryPercent = 90, Charging = true, TemperatureCelsius = 40, OtherCpu = 0.05, UserIdleSeconds = 900, Network = "ethernet",
    };
    private static readonly HarvestSettings Owner = HarvestSettings.Owner with { Zone = TimeZoneInfo.Utc };

    /// <summary>A machine whose policy is evaluated step by step.</summary>
    private sealed class Machine(HarvestSettings settings)
    {
        private HarvestState _state = HarvestState.Initial;
        public DateTimeOffset Now { get; private set; } = Noon;
        public SensorReadings Sensors { get; set; } = Good;
        public bool Paused { get; set; }
        public int Running { get; set; }
        public long Transferred { get; set; }

        public HarvestVerdict After(double seconds)
        {
            Now = Now.AddSeconds(seconds);
            (_state, var verdict) = HarvestPolicy.Evaluate(_state, new HarvestInput(Sensors, Paused, Running, Transferred), settings, Now);
            return verdict;
        }

        /// <summary>Evaluates every 10 s for so long.</summary>
        public HarvestVerdict Steadily(double seconds)
        {
            var verdict = After(0);
            for (var done = 0.0; done < seconds; done += 10)
                verdict = After(Math.Min(10, seconds - done));
            return verdict;
        }
    }

    [Test]
    public void Takes_work_at_once_when_nothing_is_against_it()
    {
        Assert.That(new Machine(Owner).After(0), Has.Property("State").EqualTo("eligible").And.Property("Reason").Null);
        Assert.That(new Machine(Owner) { Running = 1 }.After(0).State, Is.EqualTo("contributing"));
    }

    private static IEnumerable<TestCaseData> Blocking()
    {
        yield return new TestCaseData("on_battery", Good with { Charging = false }, Owner).SetName("Blocks_on_battery");
        yield return new TestCaseData("battery_low", Good with { Charging = false, BatteryPercent = 19 }, Owner with { AllowBattery = true }).SetName("Blocks_a_low_battery");
        yield return new TestCaseData("user_active", Good with { UserIdleSeconds = 179 }, Owner).SetName("Blocks_while_the_user_is_active");
        yield return new TestCaseData("cpu_busy", Good with { OtherCpu = 0.26 }, Owner).SetName("Blocks_while_other_programs_use_the_cpu");
        yield return new TestCaseData("too_hot", Good with { TemperatureCelsius = 46 }, Owner).SetName("Blocks_a_start_above_45_degrees");
        yield return new TestCaseData("outside_hours", Good, Owner with { Hours = [new HarvestWindow(new HashSet<DayOfWeek> { DayOfWeek.Wednesday }, new(22, 0), new(7, 0))] }).SetName("Blocks_outside_the_hours");
        yield return new TestCaseData("network_not_allowed", Good with { Network = "metered" }, Owner).SetName("Blocks_on_a_metered_network");
    }

    [TestCaseSource(nameof(Blocking))]
    public void Blocks(string reason, SensorReadings sensors, HarvestSettings settings)
    {
        var verdict = new Machine(settings) { Sensors = sensors }.After(0);
        Assert.That((verdict.State, verdict.Reason, verdict.TakesWork), Is.EqualTo(("ineligible", reason, false)));
        Assert.That(verdict.Blockers.Single().Message, Is.Not.Empty);
    }

    [Test]
    public void Allows_battery_from_20_percent_where_the_owner_allows_battery()
    {
        var machine = new Machine(Owner with { AllowBattery = true }) { Sensors = Good with { Charging = false, BatteryPercent = 20 } };
        Assert.That(machine.After(0).State, Is.EqualTo("eligible"));
    }

    [Test]
    public void Blocks_at_the_transfer_cap_until_the_next_day()
    {
        var machine = new Machine(Owner with { MaxDailyTransfer = 1000 }) { Transferred = 1000 };
        Assert.That(machine.After(0).Reason, Is.EqualTo("transfer_cap"));
        machine.Transferred = 0;
        Assert.That(machine.After(1).State, Is.EqualTo("eligible"));
    }

    [Test]
    public void Unplugging_stops_running_work_at_once()
    {
        var machine = new Machine(Owner) { Running = 2 };
        machine.After(0);
        machine.Sensors = Good with { Charging = false };
        var verdict = machine.After(1);
        Assert.That((verdict.State, verdict.Reason, verdict.StopRunning), Is.EqualTo(("suspending", "on_battery", true)));
        machine.Running = 0;
        Assert.That(machine.After(1).State, Is.EqualTo("ineligible"));
    }

    [Test]
    public void A_soft_reason_gives_running_work_30_seconds()
    {
        var machine = new Machine(Owner) { Running = 1 };
        machine.After(0);
        machine.Sensors = Good with { OtherCpu = 0.9 };
        Assert.That((machine.After(10).StopRunning, machine.After(20).StopRunning, machine.After(10).StopRunning), Is.EqualTo((false, false, true)));
    }

    [Test]
    public void Returns_a_minute_after_the_cause_is_gone()
    {
        var machine = new Machine(Owner);
        machine.After(0);
        machine.Sensors = Good with { Charging = false };
        machine.Steadily(300);
        machine.Sensors = Good;
        Assert.That(machine.After(1), Has.Property("TakesWork").False.And.Property("Reason").EqualTo("on_battery"));
        Assert.That(machine.After(50).TakesWork, Is.False);
        Assert.That(machine.After(10).TakesWork, Is.True);
    }

    [Test]
    public void Returns_when_the_user_has_been_away_for_three_minutes_not_later()
    {
        var machine = new Machine(Owner);
        machine.After(0);
        machine.Sensors = Good with { UserIdleSeconds = 0 };
        Assert.That(machine.After(1).Reason, Is.EqualTo("user_active"));
        HarvestVerdict verdict = null!;
        for (var idle = 10; idle <= 180; idle += 10)
        {
            machine.Sensors = Good with { UserIdleSeconds = idle };
            verdict = machine.After(10);
            Assert.That(verdict.TakesWork, Is.EqualTo(idle >= 180), $"idle {idle} s");
        }
    }

    [Test]
    public void Runs_on_between_start_and_stop_temperature_and_returns_after_five_cool_minutes()
    {
        var machine = new Machine(Owner) { Running = 1 };
        machine.After(0);
        machine.Sensors = Good with { TemperatureCelsius = 64 };
        Assert.That(machine.After(10).State, Is.EqualTo("contributing"));
        machine.Sensors = Good with { TemperatureCelsius = 65 };
        Assert.That(machine.After(10), Has.Property("Reason").EqualTo("too_hot").And.Property("StopRunning").True);
        machine.Running = 0;
        machine.Sensors = Good with { TemperatureCelsius = 46 };
        Assert.That(machine.Steadily(900).TakesWork, Is.False, "46 °C is not cool");
        machine.Sensors = Good with { TemperatureCelsius = 45 };
        Assert.That(machine.Steadily(290).TakesWork, Is.False);
        Assert.That(machine.Steadily(10).TakesWork, Is.True);
    }

    [Test]
    public void Halves_the_cpu_every_ten_seconds_while_hot_and_recovers()
    {
        var machine = new Machine(Owner) { Running = 1 };
        Assert.That(machine.After(0).CpuLimit, Is.EqualTo(0.5));
        machine.Sensors = Good with { TemperatureCelsius = 56 };
        Assert.That(machine.After(10).CpuLimit, Is.EqualTo(0.25));
        Assert.That(machine.After(5).CpuLimit, Is.EqualTo(0.25));
        Assert.That(machine.After(5).CpuLimit, Is.EqualTo(0.125));
        Assert.That(machine.After(10).CpuLimit, Is.EqualTo(0.0625));
        machine.Sensors = Good with { TemperatureCelsius = 54 };
        Assert.That(machine.After(10).CpuLimit, Is.EqualTo(0.0625), "inside the hysteresis");
        machine.Sensors = Good with { TemperatureCelsius = 50 };
        Assert.That(machine.After(10).CpuLimit, Is.EqualTo(0.125));
        Assert.That(machine.Steadily(60).CpuLimit, Is.EqualTo(0.5));
    }

    [TestCase(80, 40, 0.5)]
    [TestCase(49, 40, 0.35)]
    [TestCase(29, 40, 0.20)]
    [TestCase(80, 60, 0.15)]
    public void Adapts_the_cpu_limit(double battery, double heat, double limit)
    {
        var machine = new Machine(Owner with { AllowBattery = true });
        machine.After(0);
        machine.Sensors = Good with { Charging = false, BatteryPercent = battery, TemperatureCelsius = heat };
        Assert.That(machine.After(1).CpuLimit, Is.EqualTo(limit));
    }

    [Test]
    public void Rests_half_an_hour_after_eight_hours_of_work()
    {
        var machine = new Machine(Owner) { Running = 1 };
        Assert.That(machine.Steadily((8 * 3600) - 10).State, Is.EqualTo("contributing"));
        var resting = machine.After(10);
        Assert.That((resting.State, resting.Reason, resting.StopRunning), Is.EqualTo(("suspending", "resting", false)));
        machine.Running = 0;
        Assert.That(machine.Steadily(1780), Has.Property("Reason").EqualTo("resting").And.Property("NotBefore").Not.Null);
        Assert.That(machine.After(20).State, Is.EqualTo("eligible"));
        machine.Running = 1;
        Assert.That(machine.Steadily(7 * 3600).State, Is.EqualTo("contributing"), "the count began anew");
    }

    [Test]
    public void A_pause_disables_and_a_resume_enables_without_hold()
    {
        var machine = new Machine(Owner);
        machine.After(0);
        machine.Paused = true;
        Assert.That((machine.After(1).State, machine.After(1).Reason), Is.EqualTo(("disabled", "paused_by_owner")));
        machine.Paused = false;
        Assert.That(machine.After(1).State, Is.EqualTo("eligible"));
    }

    [Test]
    public void Names_all_reasons_the_most_important_first()
    {
        var machine = new Machine(Owner) { Sensors = Good with { Charging = false, TemperatureCelsius = 70, OtherCpu = 1 }, Paused = true };
        var verdict = machine.After(0);
        Assert.That(verdict.Blockers.Select(b => b.Reason), Is.EqualTo(new[] { "paused_by_owner", "too_hot", "on_battery", "cpu_busy" }));
        Assert.That(verdict.Reason, Is.EqualTo("paused_by_owner"));
    }

    [Test]
    public void A_dedicated_machine_is_stopped_by_heat_only()
    {
        var settings = HarvestSettings.Dedicated;
        var harsh = new SensorReadings { BatteryPercent = 3, Charging = false, TemperatureCelsius = 74, OtherCpu = 1, UserIdleSeconds = 0, Network = "metered" };
        var machine = new Machine(settings) { Sensors = harsh, Running = 1 };
        Assert.That(machine.Steadily(9 * 3600), Has.Property("State").EqualTo("contributing").And.Property("CpuLimit").EqualTo(1.0));
        machine.Sensors = harsh with { TemperatureCelsius = 96 };
        Assert.That(machine.After(1).Reason, Is.EqualTo("too_hot"));
    }

    [TestCase("2026-06-03T21:59:00Z", false)]
    [TestCase("2026-06-03T22:00:00Z", true)]
    [TestCase("2026-06-04T06:59:00Z", true)]
    [TestCase("2026-06-04T07:00:00Z", false)]
    [TestCase("2026-06-04T22:30:00Z", false)]
    public void A_window_over_midnight_belongs_to_the_day_it_begins(string time, bool inside)
    {
        var settings = HarvestSettings.Parse("""{"hours": [{"days": ["wed"], "from": "22:00", "to": "07:00"}], "time_zone": "UTC"}""");
        Assert.That(settings.InHours(DateTimeOffset.Parse(time)), Is.EqualTo(inside));
    }

    [Test]
    public void Hours_are_in_the_owners_zone()
    {
        var settings = HarvestSettings.Parse("""{"hours": [{"days": ["wed"], "from": "22:00", "to": "23:00"}], "time_zone": "America/New_York"}""");
        Assert.That(settings.InHours(new DateTimeOffset(2026, 6, 4, 2, 30, 0, TimeSpan.Zero)), Is.True);
        Assert.That(settings.InHours(new DateTimeOffset(2026, 6, 3, 22, 30, 0, TimeSpan.Zero)), Is.False);
    }
}
