using FogCompute.Node.Policy;
using FogCompute.Node.Probes;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Node.Tests.Policy;

/// <summary>What must hold for every course of sensor values.</summary>
[TestFixture]
public sealed class HarvestPolicyProperties
{
    private static readonly DateTimeOffset Start = new(2026, 6, 3, 12, 0, 0, TimeSpan.Zero);
    private static readonly HarvestSettings Owner = HarvestSettings.Owner with { Zone = TimeZoneInfo.Utc };

    /// <summary>Something that happens: some seconds pass, then the sensors read this.</summary>
    public sealed record Step(int Seconds, SensorReadings Sensors, int Running);

    private static Gen<double?> Maybe(params double[] values) => Gen.Elements(values.Select(v => (double?)v).Append(null));

    private static readonly Gen<Step> Steps =
        from seconds in Gen.Choose(1, 40)
        from battery in Maybe(5, 19, 35, 90)
        from charging in Gen.Elements<bool?>(true, true, true, false, null)
        from heat in Maybe(30, 45, 46, 55, 64, 65, 90)
        from cpu in Maybe(0, 0.2, 0.25, 0.3, 1)
        from idle in Maybe(0, 100, 170, 180, 5000)
        from network in Gen.Elements("ethernet", "wifi", "ethernet", "metered", null)
        from running in Gen.Choose(0, 2)
        select new Step(seconds, new SensorReadings { BatteryPercent = battery, Charging = charging, TemperatureCelsius = heat, OtherCpu = cpu, UserIdleSeconds = idle, Network = network }, running);

    private static List<(DateTimeOffset At, Step Step, HarvestVerdict Verdict)> Play(IEnumerable<Step> steps, HarvestSettings settings)
    {
        var state = HarvestState.Initial;
        var now = Start;
        var course = new List<(DateTimeOffset, Step, HarvestVerdict)>();
        foreach (var step in steps)
        {
            now = now.AddSeconds(step.Seconds);
            (state, var verdict) = HarvestPolicy.Evaluate(state, new HarvestInput(step.Sensors, false, step.Running, 0), settings, now);
            course.Add((now, step, verdict));
        }
        return course;
    }

    private static void Holds(Func<List<(DateTimeOffset At, Step Step, HarvestVerdict Verdict)>, bool> property) =>
        Prop.ForAll(Steps.ListOf().ToArbitrary(), steps => property(Play(steps, Owner))).QuickCheckThrowOnFailure();

    [Test]
    public void Never_flaps_a_stop_lasts_at_least_the_hold() => Holds(course =>
    {
        DateTimeOffset? stopped = null;
        for (var i = 1; i < course.Count; i++)
        {
            if (course[i - 1].Verdict.TakesWork && !course[i].Verdict.TakesWork)
                stopped = course[i].At;
            if (!course[i - 1].Verdict.TakesWork && course[i].Verdict.TakesWork && stopped is { } since && course[i].At - since < Owner.Hold)
                return false;
        }
        return true;
    });

    [Test]
    public void Never_takes_work_at_or_above_the_stop_temperature() =>
        Holds(course => course.All(c => !(c.Step.Sensors.TemperatureCelsius >= Owner.StopTemperature) || !c.Verdict.TakesWork));

    [Test]
    public void Never_takes_work_while_a_condition_of_the_owner_is_broken() => Holds(course => course.All(c =>
        !c.Verdict.TakesWork || (c.Step.Sensors.Charging != false && !(c.Step.Sensors.OtherCpu > 0.25) && !(c.Step.Sensors.UserIdleSeconds < 180) && c.Step.Sensors.Network != "metered")));

    [Test]
    public void Every_stop_has_a_typed_reason_and_every_limit_is_a_share() => Holds(course => course.All(c =>
        (c.Verdict.TakesWork == c.Verdict.Reason is null)
        && (c.Verdict.Reason is null || HarvestReasons.ByImportance.Contains(c.Verdict.Reason))
        && c.Verdict.CpuLimit > 0 && c.Verdict.CpuLimit <= Owner.MaxCpu));

    [Test]
    public void A_sensor_that_does_not_exist_never_blocks()
    {
        // Taking any one sensor away can only turn a first verdict from refusing to taking, never back.
        Prop.ForAll(Steps.ToArbitrary(), Gen.Choose(0, 5).ToArbitrary(), (step, which) =>
        {
            var s = step.Sensors;
            var without = which switch
            {
                0 => s with { BatteryPercent = null },
                1 => s with { Charging = null },
                2 => s with { TemperatureCelsius = null },
                3 => s with { OtherCpu = null },
                4 => s with { UserIdleSeconds = null },
                _ => s with { Network = null },
            };
            foreach (var settings in (HarvestSettings[])[Owner, Owner with { AllowBattery = true }])
                if (Play([step], settings)[0].Verdict.TakesWork && !Play([step with { Sensors = without }], settings)[0].Verdict.TakesWork)
                    return false;
            return Play([step with { Sensors = new SensorReadings() }], Owner)[0].Verdict.TakesWork;
        }).QuickCheckThrowOnFailure();
    }

    [Test]
    public void Running_work_is_stopped_within_the_grace() => Holds(course =>
    {
        // Once the verdict turned against work, no attempt is let run for longer than the grace.
        DateTimeOffset? since = null;
        foreach (var (at, step, verdict) in course)
        {
            since = verdict.TakesWork || step.Running == 0 ? null : since ?? at;
            if (since is { } start && at - start >= Owner.Grace && !verdict.StopRunning)
                return false;
        }
        return true;
    });
}
