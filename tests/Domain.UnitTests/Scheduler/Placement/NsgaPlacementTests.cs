using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

public sealed class NsgaPlacementTests
{
    private static readonly PlacementSettings Short = new() { Population = 20, MaxGenerations = 3, FewestSlots = 1 };
    private static readonly PlanKind[] Plans = Enum.GetValues<PlanKind>();

    private static PlacementOutcome Place(PlacementProblem problem, PlacementSettings? settings = null) =>
        new NsgaPlacement(TimeProvider.System, settings ?? Short).Place(Unhurried(problem));

    /// <summary>Enough time that only the number of generations ends a search.</summary>
    private static PlacementProblem Unhurried(PlacementProblem problem) => problem with { Budget = TimeSpan.FromMinutes(5) };

    /// <summary>Without deadlines, which weigh in besides.</summary>
    private static PlacementProblem Buying(PlacementProblem problem, Func<int, PlanKind> plan) =>
        problem with { Tasks = [.. problem.Tasks.Select((t, i) => t with { Plan = plan(i), Deadline = null })] };

    [Test]
    public void No_answer_ever_overfills_a_device_or_breaks_a_rule_and_none_places_fewer_than_the_greedy_one()
    {
        var searched = 0;
        for (var seed = 0; seed < 500; seed++)
        {
            var problem = Pool.Random(seed);
            var outcome = Place(problem, Short with { CandidateLimit = seed % 2 == 0 ? 400 : 5 });
            Pool.RequireFeasible(problem, outcome);
            Assert.That(outcome.Assignments, Has.Count.GreaterThanOrEqualTo(new WeightedScorePlacement().Place(problem).Assignments.Count), $"seed {seed}");
            Assert.That(outcome.Assignments.Select(a => a.Score), Is.All.InRange(0.0, 1.0));
            searched += outcome.Search is null ? 0 : 1;
        }
        Assert.That(searched, Is.GreaterThan(250), "most problems are worth a search");
    }

    [Test]
    public void What_a_search_says_of_itself_is_true()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var problem = Pool.Random(seed);
            if (Place(problem, Short with { FrontSize = 10 }) is not { Search: { } search } outcome)
                continue;
            var front = search.Front.Select(p => Pool.Figures(p.Objectives)).ToList();
            Assert.That(front, Has.Count.LessThanOrEqualTo(10));
            Assert.That(front.Select(p => p[0]), Is.Ordered, "by finish");
            for (var i = 0; i < front.Count; i++)
                Assert.That(front.Where((_, j) => j != i).Any(other => other.Zip(front[i]).All(p => p.First <= p.Second)), Is.False, "dominated");
            Assert.That(Pool.Objectives(problem, outcome.Assignments), Is.EqualTo(front[search.Chosen]).Within(1e-6).Percent, "the chosen point is what was done");
            Assert.That(search.Slots, Is.EqualTo(outcome.Assignments.Count));
            Assert.That(search.Devices, Is.EqualTo(problem.Devices.Count(d => d.Unavailable is null)));
            Assert.That((search.Generations, search.Evaluations), Is.EqualTo((3, 80L)));
            Assert.That(search.Hypervolume, Is.InRange(0.0, 1.0));
            Assert.That(search.Convergence, Is.InRange(0.0, 1.0));
        }
    }

    [Test]
    public void Every_task_is_put_where_it_wants_to_be_not_where_the_mean_of_all_wants_it()
    {
        PlacementDevice Machine(string id, double score, double watts) => Pool.Device(id) with { CpuMillicores = 64_000, MemoryBytes = 64 * Pool.GiB, Slots = 64, BenchmarkScore = score, WattsPerCore = watts };
        var tasks = Enumerable.Range(0, 20).Select(i => Pool.Task(index: i) with { Estimate = TimeSpan.FromHours(1), Plan = PlanKind.Green, MicroPerHour = 100_000 }).ToList();
        // It would end on the slow machine too, if it took as long as expected.
        tasks[7] = tasks[7] with { Deadline = Pool.Now.AddHours(2.5), Plan = PlanKind.Cheap };
        var outcome = Place(new PlacementProblem(tasks, [Machine("fast", 200, 20), Machine("frugal", 50, 2)]) { Now = Pool.Now });
        Assert.That(outcome.Search, Is.Not.Null);
        Assert.That(outcome.Assignments.Where(a => a.DeviceId == "fast").Select(a => a.Task.Index), Is.EqualTo(new[] { 7 }));
    }

    [Test]
    public void Each_plan_names_the_point_that_is_best_in_it_and_the_knee_is_nearest_to_the_ideal()
    {
        var front = Place(Pool.Mixed(60, 12, 1), Short with { MaxGenerations = 10 }).Search!.Front;
        var figures = front.Select(p => Pool.Figures(p.Objectives)).ToList();
        Assert.That(front.SelectMany(p => p.Names), Is.EquivalentTo(Plans), "every plan is named once");
        double[] Named(PlanKind plan) => figures[front.ToList().FindIndex(p => p.Names.Contains(plan))];
        foreach (var (plan, m) in new[] { (PlanKind.Fast, 0), (PlanKind.Cheap, 1), (PlanKind.Green, 2), (PlanKind.Safe, 3) })
            Assert.That(Named(plan)[m], Is.EqualTo(figures.Min(f => f[m])), plan.ToString());
        Assert.That(Distance(Named(PlanKind.Knee), figures, [1, 1, 1, 1, 1]), Is.EqualTo(figures.Min(f => Distance(f, figures, [1, 1, 1, 1, 1]))).Within(1e-9));
        Assert.That(Named(PlanKind.Fast), Is.Not.EqualTo(Named(PlanKind.Safe)), "the wishes differ here");
    }

    [TestCaseSource(nameof(Plans))]
    public void A_pass_of_tasks_that_bought_one_plan_takes_its_point(PlanKind plan)
    {
        var search = Place(Buying(Pool.Mixed(40, 10, 2), _ => plan)).Search!;
        Assert.That(search.Front[search.Chosen].Names, Does.Contain(plan));
    }

    [Test]
    public void A_deadline_adds_as_much_weight_on_risk_and_on_finish_as_the_plan_has()
    {
        var problem = Buying(Pool.Mixed(60, 12, 5), _ => PlanKind.Cheap);
        var search = Place(problem with { Tasks = [.. problem.Tasks.Select(t => t with { Deadline = Pool.Now.AddHours(5) })] }).Search!;
        var figures = search.Front.Select(p => Pool.Figures(p.Objectives)).ToList();
        double[] weights = [1, 1, 0, 1, 0];
        // What nobody wishes for weighs a thousandth.
        Assert.That(Distance(figures[search.Chosen], figures, weights), Is.EqualTo(figures.Min(f => Distance(f, figures, weights))).Within(5e-3));
    }

    [Test]
    public void A_search_finds_better_than_the_weighted_score_by_what_was_bought()
    {
        foreach (var (plan, m) in new[] { (PlanKind.Fast, 0), (PlanKind.Cheap, 1), (PlanKind.Green, 2), (PlanKind.Safe, 3) })
        {
            var problem = Buying(Pool.Mixed(80, 16, 4), _ => plan);
            var greedy = Pool.Objectives(problem, new WeightedScorePlacement().Place(problem).Assignments);
            Assert.That(Pool.Objectives(problem, Place(problem).Assignments)[m], Is.LessThan(greedy[m]), plan.ToString());
        }
    }

    [Test]
    public void What_was_intended_before_is_where_the_search_begins()
    {
        var problem = Buying(Pool.Mixed(60, 12, 5, kinds: 6), i => i % 2 == 0 ? PlanKind.Green : PlanKind.Safe);
        var before = Place(problem, new PlacementSettings { MaxGenerations = 40 }).Assignments;
        var wanted = Pool.Objectives(problem, before);
        // No time for more than seeds, and the front is too wide for one of them to be as good by chance.
        var nothing = new PlacementSettings { Population = 14, MaxGenerations = 0 };
        bool Reached(PlacementOutcome outcome) => outcome.Search!.Front.Any(p => Pool.NoWorse(Pool.Figures(p.Objectives), wanted));
        Assert.That(Reached(Place(problem with { Previous = before }, nothing)), Is.True);
        Assert.That(Reached(Place(problem, nothing)), Is.False);
    }

    [Test]
    public void An_intention_for_tasks_and_devices_that_are_gone_is_no_harm()
    {
        var problem = Pool.Mixed(40, 10, 6);
        Assignment[] stale =
        [
            new(new TaskKey(new JobId(Pool.Owner(99)), 1), "d1", 1), new(problem.Tasks[0].Key, "gone", 1), .. Enumerable.Repeat(new Assignment(problem.Tasks[1].Key, "d1", 1), 3),
            .. problem.Tasks.Select(t => new Assignment(t.Key, "d0", 1)),
        ];
        Pool.RequireFeasible(problem, Place(problem with { Previous = stale }));
    }

    private static IEnumerable<TestCaseData> TooLittleToSearch()
    {
        TestCaseData Case(string name, PlacementProblem problem) => new TestCaseData(problem).SetArgDisplayNames(name);
        yield return Case("16 slots", Pool.Mixed(16, 8, 7));
        yield return Case("no budget", Pool.Mixed(40, 8, 7) with { Budget = TimeSpan.Zero });
        yield return Case("a budget below 5 ms", Pool.Mixed(40, 8, 7) with { Budget = TimeSpan.FromMilliseconds(4.9) });
        var brief = Pool.Mixed(40, 8, 7);
        yield return Case("too little work", brief with { Tasks = [.. brief.Tasks.Select(t => t with { Estimate = TimeSpan.FromMilliseconds(12) })] });
        yield return Case("one device", Pool.Mixed(40, 1, 7));
        yield return Case("no device", Pool.Mixed(40, 1, 7) with { Devices = [] });
    }

    [TestCaseSource(nameof(TooLittleToSearch))]
    public void The_weighted_score_decides_alone_where_a_search_does_not_pay(PlacementProblem problem)
    {
        var outcome = new NsgaPlacement(TimeProvider.System).Place(problem);
        var greedy = new WeightedScorePlacement().Place(problem);
        Assert.That(outcome.Search, Is.Null);
        Assert.That(outcome.Assignments, Is.EqualTo(greedy.Assignments));
        Assert.That(outcome.Unplaced, Is.EqualTo(greedy.Unplaced));
    }

    [Test]
    public void Seventeen_slots_with_a_choice_and_enough_work_are_searched() =>
        Assert.That(new NsgaPlacement(TimeProvider.System).Place(Pool.Mixed(17, 8, 7)).Search, Is.Not.Null);

    // Estimate per task in seconds, budget of the problem, most a pass may take; milliseconds.
    [TestCase(1000, 250, 250)]
    [TestCase(1000, 60, 60)]
    [TestCase(0.1, 250, 40, Description = "1 % of 40 tasks of 0.1 s")]
    public void The_budget_is_kept(double estimate, double budget, double most)
    {
        var problem = Pool.Mixed(40, 10, 8);
        problem = problem with { Budget = TimeSpan.FromMilliseconds(budget), Tasks = [.. problem.Tasks.Select(t => t with { Estimate = TimeSpan.FromSeconds(estimate) })] };
        var search = new NsgaPlacement(new TickingClock(TimeSpan.FromMilliseconds(most / 200))).Place(problem).Search!;
        Assert.That(search.Elapsed, Is.LessThanOrEqualTo(TimeSpan.FromMilliseconds(most)));
        Assert.That(search.Elapsed, Is.GreaterThan(TimeSpan.FromMilliseconds(most / 2)), "and used");
        Assert.That(search.Generations, Is.Positive);
    }

    [Test]
    public void The_same_seed_has_the_same_answer_where_generations_and_not_time_end_the_search()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var problem = Pool.Random(seed);
            var (one, other) = (Place(problem), Place(problem));
            Assert.That(one.Assignments, Is.EqualTo(other.Assignments));
            Assert.That(one.Search?.Front.Select(p => p.Objectives), Is.EqualTo(other.Search?.Front.Select(p => p.Objectives)));
        }
        var mixed = Pool.Mixed(60, 12, 9);
        Assert.That(Place(mixed with { Seed = 2 }).Search!.Front.Select(p => p.Objectives), Is.Not.EqualTo(Place(mixed).Search!.Front.Select(p => p.Objectives)));
    }

    [Test]
    public void A_search_can_be_cancelled()
    {
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        Assert.That(() => new NsgaPlacement(TimeProvider.System).Place(Pool.Mixed(40, 10, 10), cancel.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void Who_goes_without_is_decided_by_the_order_of_service()
    {
        var problem = Pool.Mixed(60, 4, 11, kinds: 1);
        problem = problem with { Devices = [.. problem.Devices.Select(d => d with { Slots = 6, Leases = 0 })] };
        var outcome = Place(problem);
        Assert.That(outcome.Search, Is.Not.Null);
        Assert.That(outcome.Assignments.Select(a => a.Task), Is.EqualTo(problem.Tasks.Take(24).Select(t => t.Key)));
        Assert.That(outcome.Unplaced, Is.EqualTo(problem.Tasks.Skip(24).Select(t => t.Key)));
    }

    [Test]
    public void An_early_task_makes_another_move_rather_than_go_without()
    {
        // By score the first task goes to the fast device, which alone could take the second.
        var only = Pool.Needs with { Labels = ["fast"] };
        PlacementDevice[] devices = [Pool.Device("fast") with { Slots = 1, BenchmarkScore = 9, Labels = new HashSet<string> { "fast" } }, Pool.Device("slow") with { Slots = 1, BenchmarkScore = 1 }];
        PlacementTask[] tasks = [Pool.Task() with { Estimate = TimeSpan.FromHours(1) }, Pool.Task(only, 1) with { Estimate = TimeSpan.FromHours(1) }];
        Assert.That(new WeightedScorePlacement().Place(new PlacementProblem(tasks, devices)).Assignments, Has.Count.EqualTo(1));
        Assert.That(Place(new PlacementProblem(tasks, devices)).Assignments.Select(a => (a.Task.Index, a.DeviceId)), Is.EqualTo(new[] { (0, "slow"), (1, "fast") }));
    }

    [Test]
    public void Replicas_are_spread_over_owners_where_it_is_preferred_and_possible()
    {
        var problem = Buying(Pool.Mixed(20, 15, 12), _ => PlanKind.Fast);
        problem = problem with { Tasks = [.. problem.Tasks.Select(t => t with { Slots = 3, PreferDistinctOwners = true })], Devices = [.. problem.Devices.Select(d => d with { Slots = 8, CpuMillicores = 8000, MemoryBytes = 8 * Pool.GiB })] };
        var outcome = Place(problem);
        var owners = problem.Devices.ToDictionary(d => d.Id, d => d.Owner);
        Assert.That(outcome.Assignments, Has.Count.EqualTo(60));
        foreach (var task in outcome.Assignments.GroupBy(a => a.Task))
            Assert.That(task.Select(a => owners[a.DeviceId]), Is.Unique);
    }

    [Test]
    public void In_a_large_pool_a_few_hundred_devices_stand_for_all_and_nobody_goes_without_for_it()
    {
        var problem = Pool.Mixed(80, 90, 13);
        problem = problem with { Devices = [.. problem.Devices.Select(d => d with { Slots = 1, Leases = 0 })] };
        var outcome = Place(problem, Short with { CandidateLimit = 25 });
        Pool.RequireFeasible(problem, outcome);
        Assert.That(outcome.Assignments, Has.Count.EqualTo(80));
        Assert.That(outcome.Search!.Devices, Is.EqualTo(90));
        Assert.That(Pool.Objectives(problem, outcome.Assignments), Is.EqualTo(Pool.Figures(outcome.Search.Front[outcome.Search.Chosen].Objectives)).Within(1e-6).Percent, "idle devices count too");
    }

    private static double Distance(double[] point, List<double[]> front, double[] weights) =>
        Enumerable.Range(0, 5).Sum(m => front.Max(f => f[m]) - front.Min(f => f[m]) is > 0 and var extent ? weights[m] * (point[m] - front.Min(f => f[m])) / extent : 0);

    /// <summary>Moves on by a step whenever it is asked.</summary>
    private sealed class TickingClock(TimeSpan step) : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now += step.Ticks;
    }
}
