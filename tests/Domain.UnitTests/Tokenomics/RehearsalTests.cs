using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Domain.UnitTests.Scheduler;

namespace FogCompute.Domain.UnitTests.Tokenomics;

public sealed class RehearsalTests
{
    private const long GiB = 1L << 30;
    private static readonly DateTimeOffset From = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static int _ids;

    private static RecordedDevice Device(string id, int slots = 1, int streak = 0) => new(
        new PlacementDevice
        {
            Id = id, Owner = Guid.Empty, CpuMillicores = 1000 * slots, MemoryBytes = 64 * GiB, Slots = slots, Isolation = new HashSet<Isolation> { Isolation.Process },
            PayloadKinds = new HashSet<string> { "builtin" },
        }, From, streak);

    private static RecordedJob Job(double readyAt, params RecordedTask[] tasks)
    {
        var price = Prices.Of(SlaTier.Bronze);
        return new RecordedJob
        {
            Id = new JobId(new Guid(++_ids, 0, 0, new byte[8])), Tier = SlaTier.Bronze, Deterministic = true, Checkpointing = false, Priority = 50, Estimate = TimeSpan.FromSeconds(100), WallSeconds = 110,
            Needs = new Requirements { CpuMillicores = 1000, MemoryBytes = GiB, PayloadKind = "builtin" }, Quoted = false, Price = price,
            HoldPerTaskMicro = price.Hold(Pricing.Task(1000, GiB, price, TimeSpan.FromSeconds(100))), ReadyAt = From.AddSeconds(readyAt), TaskCount = tasks.Length, Tasks = tasks,
        };
    }

    private static RecordedAttempt Ran(string device, double seconds, double at = 0, AttemptState state = AttemptState.Accepted) => new(device, state, From.AddSeconds(at), seconds);

    private static RecordedTask Task(int index, double seconds, params RecordedAttempt[] attempts) =>
        new(index, Pricing.Task(1000, GiB, Prices.Of(SlaTier.Bronze), TimeSpan.FromSeconds(seconds)), seconds * 1000, attempts.Length > 1, false, attempts);

    private static RecordedDays Days(IEnumerable<RecordedJob> jobs, params RecordedDevice[] devices) => new(From, From.AddDays(7), [.. jobs], devices, 0);

    private static RehearsalOutcome Rehearse(RecordedDays days, ParameterDefinition parameter, long value) => Rehearsal.Of(days, ParameterValues.Defaults, parameter, value);

    private static RecordedDays Hundred() => Days(
        [Job(0, [.. Enumerable.Range(0, 100).Select(i => Task(i, 60, Ran(i % 4 == 0 ? "a" : "b", 60)))])], Device("a", 4), Device("b", 4), Device("c", 4));

    [Test]
    public void A_doubled_price_doubles_charges_earnings_fees_and_burns()
    {
        var found = Rehearse(Hundred(), ParameterCatalogue.CoreHour, 250_000);
        // One core and one GiB: 0.15 credits an hour, then 0.30.
        Assert.That((found.Jobs, found.Tasks, found.RecordedMicro), Is.EqualTo((1, 100, 250_000L)));
        Assert.That(found.Before, Is.EqualTo(new RehearsedMoney(250_000, 242_500, 5_000, 2_500)));
        Assert.That(found.After, Is.EqualTo(new RehearsedMoney(500_000, 485_000, 10_000, 5_000)));
        Assert.That(found.Devices, Is.EqualTo(new[] { new RehearsedDevice("b", 181_875, 363_750), new RehearsedDevice("a", 60_625, 121_250) }));
        Assert.That(found.Tiers.Select(t => t.HourAfter / t.HourBefore), Is.All.EqualTo(2));
        Assert.That((found.Waiting, found.NoWaiting), Is.EqualTo(((RehearsedWaiting?)null, "Who is served first, and where, follows from priority, time and need, not from what is charged or paid; how requesters and owners would answer another price is not on record.")));
    }

    [Test]
    public void The_value_in_force_changes_nothing_and_comes_to_what_was_charged()
    {
        foreach (var parameter in ParameterCatalogue.All)
        {
            var found = Rehearse(Hundred(), parameter, parameter.Default);
            Assert.That((found.After, found.Before.Charged), Is.EqualTo((found.Before, found.RecordedMicro)), parameter.Name);
            Assert.That(found.Waiting?.After, Is.EqualTo(found.Waiting?.Before), parameter.Name);
            Assert.That(found.Waiting is null, Is.EqualTo(found.NoWaiting is not null), parameter.Name);
        }
    }

    [Test]
    public void Money_is_conserved_whatever_is_proposed()
    {
        foreach (var parameter in ParameterCatalogue.All)
        foreach (var value in new[] { parameter.Min, parameter.Max })
        {
            var after = Rehearse(Hundred(), parameter, value).After;
            Assert.That(after.Paid + after.Fees + after.Burned, Is.EqualTo(after.Charged), parameter.Name);
        }
    }

    [Test]
    public void Shares_move_money_and_leave_charges()
    {
        var found = Rehearse(Hundred(), ParameterCatalogue.ProviderShare, 5_000);
        Assert.That(found.After, Is.EqualTo(new RehearsedMoney(250_000, 125_000, 122_500, 2_500)));
    }

    [Test]
    public void A_quoted_cap_moves_with_the_price()
    {
        var job = Job(0, Task(0, 60, Ran("a", 60)));
        var capped = job with { Quoted = true, HoldPerTaskMicro = 1_000 };
        var found = Rehearse(Days([capped], Device("a")), ParameterCatalogue.BronzePrice, 20);
        Assert.That((found.Before.Charged, found.After.Charged), Is.EqualTo((1_000L, 2_000L)));
    }

    [Test]
    public void More_audits_share_the_pay_and_take_longer()
    {
        var found = Rehearse(Hundred(), ParameterCatalogue.BronzeAudit, 5_000);
        Assert.That(found.After.Charged, Is.EqualTo(found.Before.Charged), "an audit costs the requester nothing");
        Assert.That(found.Waiting!.Before.Audits, Is.Zero);
        Assert.That(found.Waiting.After.Audits, Is.InRange(35, 65));
        Assert.That(found.Devices.Single(d => d.Device == "c").After, Is.GreaterThan(0));
        Assert.That(found.Waiting.After.MeanFinish, Is.GreaterThan(found.Waiting.Before.MeanFinish));
    }

    [Test]
    public void Fewer_audits_give_the_pay_to_the_first()
    {
        var days = Days([Job(0, [.. Enumerable.Range(0, 20).Select(i => Task(i, 60, Ran("a", 60), Ran("b", 60, at: 60)))])], Device("a"), Device("b"));
        var found = Rehearse(days, ParameterCatalogue.BronzeAudit, 0);
        Assert.That(found.Devices, Is.EqualTo(new[] { new RehearsedDevice("a", 24_240, 48_500), new RehearsedDevice("b", 24_240, 0) }));
        Assert.That((found.Waiting!.Before.Audits, found.Waiting.After.Audits), Is.EqualTo((20, 0)));
    }

    [Test]
    public void Without_preemption_urgent_work_waits_for_what_runs()
    {
        var low = Job(0, Task(0, 1_000, Ran("a", 1_000))) with { Priority = 10 };
        var high = Job(100, Task(0, 60, Ran("a", 60, at: 105))) with { Priority = 80 };
        var waiting = Rehearse(Days([low, high], Device("a")), ParameterCatalogue.Preemption, 0).Waiting!;
        // On: the urgent task waits 5 s and the other starts again after it, 0 and 5 s of waiting. Off: it waits 900 s.
        Assert.That((waiting.Before.Notices, waiting.Before.MeanWait), Is.EqualTo((1, 2.5)));
        Assert.That(waiting.Before.MeanFinish, Is.EqualTo((65 + 1_165) / 2.0));
        Assert.That((waiting.After.Notices, waiting.After.MeanWait, waiting.After.MeanFinish), Is.EqualTo((0, 450.0, (1_000 + 960) / 2.0)));
    }

    [Test]
    public void Work_with_a_checkpoint_goes_on_where_it_was()
    {
        var low = Job(0, Task(0, 1_000, Ran("a", 1_000))) with { Priority = 10, Checkpointing = true };
        var high = Job(100, Task(0, 60, Ran("a", 60, at: 105))) with { Priority = 80 };
        var waiting = Rehearse(Days([low, high], Device("a")), ParameterCatalogue.Preemption, 0).Waiting!;
        Assert.That(waiting.Before.MeanFinish, Is.EqualTo((65 + 1_060) / 2.0));
    }

    [Test]
    public void Without_copies_an_array_waits_for_its_slowest()
    {
        var tasks = Enumerable.Range(0, 7).Select(i => Task(i, 60, Ran("a", 60))).Append(Task(7, 900, Ran("b", 900)));
        var waiting = Rehearse(Days([Job(0, [.. tasks])], Device("a", 8), Device("b")), ParameterCatalogue.Speculation, 0).Waiting!;
        Assert.That(waiting.After, Is.EqualTo(new WaitFigures(0, 0, 900, 900, 0, 0, 0)));
        Assert.That(waiting.Before.Copies, Is.EqualTo(1));
        Assert.That(waiting.Before.MeanFinish, Is.EqualTo(180).Within(0.1), "slow after twice the median, and the copy takes a median");
    }

    [Test]
    public void Work_queues_for_the_places_that_there_are()
    {
        var days = Days([Job(0, Task(0, 60, Ran("a", 60)), Task(1, 60, Ran("a", 60, at: 60)), Task(2, 60, Ran("a", 60, at: 120)))], Device("a"));
        var waiting = Rehearse(days, ParameterCatalogue.Preemption, 0).Waiting!;
        Assert.That(waiting.After, Is.EqualTo(new WaitFigures(60, 120, 180, 180, 0, 0, 0)));
    }

    [Test]
    public void A_replay_says_the_same_each_time_and_is_quick()
    {
        var draw = new Random(7);
        var devices = Enumerable.Range(0, 40).Select(i => Device($"d{i:D2}", 4)).ToArray();
        var jobs = Enumerable.Range(0, 150).Select(_ => Job(draw.Next(0, 8_000), [.. Enumerable.Range(0, draw.Next(1, 60)).Select(i => draw.Next(10, 600) is var s ? Task(i, s, Ran($"d{draw.Next(40):D2}", s)) : null!)])
            with { Priority = draw.Next(0, 100) }).ToList();
        var days = Days(jobs, devices);
        var started = TimeProvider.System.GetTimestamp();
        var found = Rehearse(days, ParameterCatalogue.Preemption, 0);
        var took = TimeProvider.System.GetElapsedTime(started);
        Assert.That(found.Waiting!.Before.Notices, Is.GreaterThan(0));
        Assert.That(found.Waiting, Is.EqualTo(Rehearse(days, ParameterCatalogue.Preemption, 0).Waiting));
        Assert.That(took, Is.LessThan(TimeSpan.FromSeconds(60)), $"{found.Tasks} tasks");
        TestContext.Out.WriteLine($"{found.Tasks} tasks twice in {took.TotalSeconds:F2} s; {found.Waiting}");
    }
}
