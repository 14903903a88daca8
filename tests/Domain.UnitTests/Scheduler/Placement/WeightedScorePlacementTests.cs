using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

public sealed class WeightedScorePlacementTests
{
    private static PlacementOutcome Place(IReadOnlyList<PlacementTask> tasks, params PlacementDevice[] devices) => new WeightedScorePlacement().Place(new PlacementProblem(tasks, devices));

    [Test]
    public void Prefers_the_faster_device() =>
        Assert.That(Place([Pool.Task()], Pool.Device("slow") with { BenchmarkScore = 1 }, Pool.Device("fast") with { BenchmarkScore = 2 }).Assignments.Single().DeviceId, Is.EqualTo("fast"));

    [Test]
    public void Prefers_the_freer_device() =>
        Assert.That(Place([Pool.Task()], Pool.Device("busy") with { LeasedMillicores = 2000, Leases = 2 }, Pool.Device("free")).Assignments.Single().DeviceId, Is.EqualTo("free"));

    [Test]
    public void Prefers_the_more_trusted_device_that_stays() =>
        Assert.That(
            Place([Pool.Task()], Pool.Device("new") with { Trust = 0.03 }, Pool.Device("flaky") with { Trust = 0.9, Availability = 0.2 }, Pool.Device("proven") with { Trust = 0.9 }).Assignments.Single().DeviceId,
            Is.EqualTo("proven"));

    [Test]
    public void An_unmeasured_device_is_neither_trusted_nor_shunned()
    {
        var outcome = Place(
            [Pool.Task(slots: 3)],
            Pool.Device("slow") with { BenchmarkScore = 1 }, Pool.Device("unmeasured"), Pool.Device("fast") with { BenchmarkScore = 10 });
        Assert.That(outcome.Assignments.Select(a => a.DeviceId), Is.EqualTo(new[] { "fast", "unmeasured", "slow" }));
    }

    [Test]
    public void Spreads_replicas_over_owners_where_the_tier_prefers_it_and_goes_on_where_it_cannot()
    {
        var devices = new[]
        {
            Pool.Device("a1", Pool.Owner(1)) with { BenchmarkScore = 9 }, Pool.Device("a2", Pool.Owner(1)) with { BenchmarkScore = 8 }, Pool.Device("b1", Pool.Owner(2)) with { BenchmarkScore = 1 },
        };
        var task = Pool.Task(slots: 3) with { PreferDistinctOwners = true };
        Assert.That(Place([task], devices).Assignments.Select(a => a.DeviceId), Is.EqualTo(new[] { "a1", "b1", "a2" }));
        var strict = Place([task with { RequireDistinctOwners = true }], devices);
        Assert.That(strict.Assignments.Select(a => a.DeviceId), Is.EqualTo(new[] { "a1", "b1" }));
        Assert.That(strict.Unplaced, Is.EqualTo(new[] { task.Key }));
    }

    [Test]
    public void Scores_are_shares_of_one_also_where_an_owner_repeats()
    {
        var outcome = Place([Pool.Task(slots: 2) with { PreferDistinctOwners = true }], Pool.Device("a1"), Pool.Device("a2"));
        Assert.That(outcome.Assignments.Select(a => a.Score), Has.Exactly(2).Items.And.All.InRange(0.0, 1.0));
    }

    [Test]
    public void Earlier_tasks_are_served_first_when_room_is_short()
    {
        var tasks = Enumerable.Range(0, 6).Select(i => Pool.Task(index: i)).ToList();
        var outcome = Place(tasks, Pool.Device());
        Assert.That(outcome.Assignments.Select(a => a.Task.Index), Is.EqualTo(new[] { 0, 1, 2, 3 }));
        Assert.That(outcome.Unplaced.Select(k => k.Index), Is.EqualTo(new[] { 4, 5 }));
    }

    [Test]
    public void The_same_problem_has_the_same_answer() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(200),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
            new WeightedScorePlacement().Place(Pool.Random(seed)).Assignments.SequenceEqual(new WeightedScorePlacement().Place(Pool.Random(seed)).Assignments)));

    [Test]
    public void No_answer_ever_overfills_a_device_or_breaks_a_rule() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(1500),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
        {
            var problem = Pool.Random(seed);
            Pool.RequireFeasible(problem, new WeightedScorePlacement().Place(problem));
            return true;
        }));

    [Test]
    public void A_task_that_still_fits_somewhere_is_never_left_out() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(1500),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
        {
            var problem = Pool.Random(seed);
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
                Pool.Require(
                    problem.Devices.All(d => HardFilter.Static(task.Needs, d) is not null || HardFilter.Diversity(task, d) is not null || chosen.Contains(d.Id)
                        || (task.RequireDistinctOwners && owners.Contains(d.Owner)) || !free[d.Id].Fits(task.Needs)),
                    "a device could have taken it");
            }
            return true;
        }));
}
