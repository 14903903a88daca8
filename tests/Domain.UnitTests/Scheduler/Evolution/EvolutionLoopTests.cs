using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.UnitTests.Scheduler.Evolution;

public sealed class EvolutionLoopTests
{
    private static readonly SurvivalStrategy[] Strategies = Enum.GetValues<SurvivalStrategy>();

    [TestCaseSource(nameof(Strategies))]
    public void A_seed_gives_the_same_run_whatever_the_number_of_threads(SurvivalStrategy strategy)
    {
        double[] Genes(ulong seed, int threads)
        {
            using var loop = Evolve.Reals(TestProblem.Dtlz2(3), new EvolutionSettings { Population = 40, Seed = seed, Threads = threads, Survival = strategy }, TimeProvider.System);
            loop.Start();
            for (var generation = 0; generation < 30; generation++)
                loop.Step();
            return loop.Genes.ToArray();
        }

        var once = Genes(7, 1);
        foreach (var threads in new[] { 1, 2, 3, 8 })
            Assert.That(Genes(7, threads), Is.EqualTo(once), $"{threads} threads");
        Assert.That(Genes(8, 1), Is.Not.EqualTo(once));
    }

    [Test]
    public void Starting_again_repeats_the_run()
    {
        using var loop = Evolve.Reals(TestProblem.Dtlz2(4), new EvolutionSettings { Population = 20, MaxEvaluations = 400 }, TimeProvider.System);
        var first = loop.Run([], CancellationToken.None);
        var second = loop.Run([], CancellationToken.None);
        Assert.That(second.Front.SelectMany(i => i.Objectives), Is.EqualTo(first.Front.SelectMany(i => i.Objectives)));
        Assert.That(second.Evaluations, Is.EqualTo(400));
        Assert.That(second.Generations, Is.EqualTo(19));
        Assert.That(second.EndedBy, Is.EqualTo(EvolutionEnd.Evaluations));
    }

    [TestCase(2, SurvivalStrategy.Crowding)]
    [TestCase(3, SurvivalStrategy.Crowding)]
    [TestCase(3, SurvivalStrategy.ReferencePoints)]
    [TestCase(5, SurvivalStrategy.ReferencePoints)]
    [TestCase(2, SurvivalStrategy.Hypervolume)]
    [TestCase(3, SurvivalStrategy.Hypervolume)]
    [TestCase(4, SurvivalStrategy.Hypervolume)]
    public void A_generation_allocates_nothing(int objectives, SurvivalStrategy strategy)
    {
        var problem = objectives == 2 ? TestProblem.Zdt4 : TestProblem.Dtlz2(objectives);
        using var loop = Evolve.Reals(problem, new EvolutionSettings { Population = 24, Survival = strategy }, TimeProvider.System);
        RequireNoAllocation(loop);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_generation_of_assignments_under_constraints_allocates_nothing(bool setCopiesBack)
    {
        using var loop = Evolve.Assignments(new Placing(), new EvolutionSettings { Population = 24, SetCopiesBack = setCopiesBack }, TimeProvider.System);
        RequireNoAllocation(loop);
    }

    [Test]
    public void Copies_give_way_to_whatever_differs()
    {
        int Different(bool setCopiesBack)
        {
            using var loop = Evolve.Assignments(new Placing(), new EvolutionSettings { Population = 60, SetCopiesBack = setCopiesBack }, TimeProvider.System);
            loop.Start();
            for (var generation = 0; generation < 100; generation++)
                loop.Step();
            var objectives = loop.Objectives.ToArray();
            return Enumerable.Range(0, 60).Select(row => (objectives[2 * row], objectives[2 * row + 1])).Distinct().Count();
        }
        Assert.That(Different(true), Is.GreaterThan(Different(false)));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Assignments_find_the_whole_front_that_enumeration_finds(bool setCopiesBack)
    {
        var problem = new Placing();
        using var loop = Evolve.Assignments(problem, new EvolutionSettings { Population = 60, MaxEvaluations = 30_000, SetCopiesBack = setCopiesBack }, TimeProvider.System);
        var found = loop.Run([], CancellationToken.None);
        Assert.That(found.Front.Select(i => i.IsFeasible), Is.All.True);
        Assert.That(found.Front.Select(i => (i.Objectives[0], i.Objectives[1])), Is.EqualTo(problem.Enumerate()));
    }

    [Test]
    public void Infeasible_individuals_give_way_to_feasible_ones()
    {
        // Both coordinates wanted small, their sum at least 1: the front is the line f1 + f2 = 1.
        using var loop = Evolve.Reals(new Line(), new EvolutionSettings { Population = 60, MaxEvaluations = 9_000 }, TimeProvider.System);
        var result = loop.Run([], CancellationToken.None);
        Assert.That(result.Front, Has.Count.GreaterThan(50));
        foreach (var individual in result.Front)
        {
            Assert.That(individual.IsFeasible, Is.True);
            Assert.That(individual.Objectives.Sum(), Is.EqualTo(1).Within(0.02));
        }
        Assert.That(result.Front.Min(i => i.Objectives[0]), Is.LessThan(0.02));
        Assert.That(result.Front.Min(i => i.Objectives[1]), Is.LessThan(0.02));
    }

    [TestCaseSource(nameof(Strategies))]
    public void Every_strategy_keeps_the_better_fronts_whole_and_puts_feasibility_first(SurvivalStrategy strategy)
    {
        for (var seed = 0; seed < 60; seed++)
        {
            var crowd = Crowd.Of(seed, 40, 2 + seed % 4, seed % 3 * 4, seed % 5 * 25);
            var survivors = new Replay(crowd.Objectives, 20, crowd.ObjectiveCount, crowd.Violations).Survivors(strategy);
            Assert.That(survivors, Has.Length.EqualTo(20).And.Unique);
            var ranks = DebSort.Ranks(crowd.Objectives, crowd.ObjectiveCount, crowd.Violations);
            var worst = survivors.Max(row => ranks[row]);
            Assert.That(Enumerable.Range(0, 40).Where(row => ranks[row] < worst), Is.SubsetOf(survivors), $"seed {seed}");
        }
    }

    [Test]
    public void Seeds_enter_the_first_population_and_good_ones_stay()
    {
        var problem = TestProblem.Zdt1;
        var optimal = new double[2 * 30];
        (optimal[0], optimal[30]) = (0.25, 0.75);
        using var loop = Evolve.Reals(problem, new EvolutionSettings { Population = 20 }, TimeProvider.System);
        loop.Start(optimal);
        Assert.That(loop.Genes[..60].ToArray(), Is.EqualTo(optimal));
        for (var generation = 0; generation < 5; generation++)
            loop.Step();
        var front = loop.Front();
        Assert.That(front.Select(i => i.Objectives[0]), Has.Some.EqualTo(0.25).And.Some.EqualTo(0.75));
    }

    [Test]
    public void Repair_comes_before_evaluation()
    {
        using var loop = Evolve.Assignments(new Placing { RepairTo = 2 }, new EvolutionSettings { Population = 8 }, TimeProvider.System);
        loop.Start();
        loop.Step();
        Assert.That(loop.Genes.ToArray(), Is.All.EqualTo(2));
    }

    [Test]
    public void Cancelling_ends_a_run_after_the_generation_at_hand()
    {
        using var cancel = new CancellationTokenSource();
        var problem = new Line { OnEvaluate = calls => { if (calls == 5) cancel.Cancel(); } };
        using var loop = Evolve.Reals(problem, new EvolutionSettings { Population = 10, MaxEvaluations = 1_000_000 }, TimeProvider.System);
        Assert.That(() => loop.Run([], cancel.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(loop.Generation, Is.EqualTo(4));
        Assert.That(() => loop.Run([], cancel.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void A_budget_is_kept_by_not_beginning_what_would_not_fit()
    {
        var clock = new HandClock();
        var problem = new Line { OnEvaluate = _ => clock.Advance(TimeSpan.FromMilliseconds(30)) };
        using var loop = Evolve.Reals(problem, new EvolutionSettings { Population = 10, MaxEvaluations = 1_000_000, Budget = TimeSpan.FromMilliseconds(250) }, clock);
        var result = loop.Run([], CancellationToken.None);
        Assert.That(result.EndedBy, Is.EqualTo(EvolutionEnd.Budget));
        Assert.That(result.Elapsed, Is.EqualTo(TimeSpan.FromMilliseconds(240)));
        Assert.That(result.Generations, Is.EqualTo(7));
    }

    [Test]
    public void A_budget_of_nothing_still_gives_the_first_population()
    {
        using var loop = Evolve.Reals(new Line(), new EvolutionSettings { Population = 10, Budget = TimeSpan.Zero }, new HandClock());
        var result = loop.Run([], CancellationToken.None);
        Assert.That((result.Generations, result.Evaluations, result.EndedBy), Is.EqualTo((0, 10L, EvolutionEnd.Budget)));
        Assert.That(result.Front, Is.Not.Empty);
    }

    [Test]
    public void A_number_of_generations_ends_a_run()
    {
        using var loop = Evolve.Reals(new Line(), new EvolutionSettings { Population = 10, MaxGenerations = 3 }, TimeProvider.System);
        var result = loop.Run([], CancellationToken.None);
        Assert.That((result.Generations, result.EndedBy), Is.EqualTo((3, EvolutionEnd.Generations)));
    }

    [Test]
    public void Several_threads_evaluate_at_the_same_time()
    {
        // The first two batches wait for each other: one thread alone would wait in vain.
        using var both = new CountdownEvent(2);
        var met = 0;
        var problem = new Line
        {
            OnEvaluate = calls =>
            {
                if (calls > 2)
                    return;
                both.Signal();
                if (both.Wait(TimeSpan.FromSeconds(30)))
                    Interlocked.Increment(ref met);
            },
        };
        using var loop = Evolve.Reals(problem, new EvolutionSettings { Population = 40, Threads = 2 }, TimeProvider.System);
        loop.Start();
        Assert.That(met, Is.EqualTo(2));
    }

    [TestCase(1)]
    [TestCase(4)]
    public void A_failing_evaluation_reaches_the_caller(int threads)
    {
        var problem = new Line { OnEvaluate = calls => { if (calls == 3) throw new NotSupportedException("as planned"); } };
        using var loop = Evolve.Reals(problem, new EvolutionSettings { Population = 40, Threads = threads }, TimeProvider.System);
        Assert.That(() => loop.Run([], CancellationToken.None), Throws.InstanceOf<NotSupportedException>().With.Message.EqualTo("as planned"));
    }

    [Test]
    public void Refuses_objectives_that_are_not_numbers_and_says_whose()
    {
        using var loop = Evolve.Reals(new Line { Poison = double.NaN }, new EvolutionSettings(), TimeProvider.System);
        Assert.That(() => loop.Start(), Throws.InvalidOperationException.With.Message.Contains("Line").And.Message.Contains("NaN"));
    }

    [Test]
    public void Refuses_settings_that_make_no_sense()
    {
        static EvolutionLoop<double> With(EvolutionSettings settings) => Evolve.Reals(TestProblem.Zdt1, settings, TimeProvider.System);
        Assert.That(() => With(new EvolutionSettings { Population = 7 }), Throws.ArgumentException.With.Message.Contains("even"));
        Assert.That(() => With(new EvolutionSettings { Population = 2 }), Throws.ArgumentException);
        Assert.That(() => With(new EvolutionSettings { MaxEvaluations = 99 }), Throws.ArgumentException);
        Assert.That(() => With(new EvolutionSettings { MaxGenerations = -1 }), Throws.ArgumentException);
        Assert.That(() => With(new EvolutionSettings { Budget = TimeSpan.FromSeconds(-1) }), Throws.ArgumentException);
        Assert.That(() => With(new EvolutionSettings { Threads = 0 }), Throws.ArgumentException);
        Assert.That(() => Evolve.Reals(TestProblem.Zdt1, new EvolutionSettings(), TimeProvider.System, new VariationSettings { CrossoverProbability = 1.1 }), Throws.ArgumentException);
        Assert.That(() => Evolve.Reals(TestProblem.Zdt1, new EvolutionSettings(), TimeProvider.System, new VariationSettings { MutationEta = double.NaN }), Throws.ArgumentException);
    }

    [Test]
    public void Refuses_seeds_outside_the_bounds_of_the_wrong_length_or_too_many()
    {
        using var loop = Evolve.Reals(TestProblem.Zdt1, new EvolutionSettings { Population = 4 }, TimeProvider.System);
        Assert.That(() => loop.Start(new double[29]), Throws.ArgumentException);
        Assert.That(() => loop.Start(new double[150]), Throws.ArgumentException);
        var outside = new double[30];
        outside[4] = 1.5;
        Assert.That(() => loop.Start(outside), Throws.ArgumentException.With.Message.Contains("variable 4"));
        Assert.That(() => loop.Step(), Throws.InvalidOperationException);
    }

    private static void RequireNoAllocation<TGene>(EvolutionLoop<TGene> loop)
        where TGene : unmanaged, System.Numerics.INumber<TGene>
    {
        loop.Start();
        loop.Step();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var generation = 0; generation < 60; generation++)
            loop.Step();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    /// <summary>Six tasks on four devices: time of the last to finish against cost; device 3 may not take task 0, and no device more than three.</summary>
    private sealed class Placing : IEvolutionProblem<int>
    {
        private static readonly double[] Work = [3, 1, 4, 1, 5, 9];
        private static readonly double[] Speed = [1, 2, 3, 5];
        private static readonly double[] Price = [1, 2.5, 4, 8];

        public int? RepairTo { get; init; }

        public int ObjectiveCount => 2;

        public ReadOnlyMemory<int> Lower { get; } = new int[6];

        public ReadOnlyMemory<int> Upper { get; } = new[] { 3, 3, 3, 3, 3, 3 };

        public void Repair(Span<int> vectors)
        {
            if (RepairTo is { } device)
                vectors.Fill(device);
        }

        public void Evaluate(ReadOnlySpan<int> vectors, Span<double> objectives, Span<double> violations)
        {
            Span<double> busy = stackalloc double[4];
            Span<int> tasks = stackalloc int[4];
            for (var row = 0; row < violations.Length; row++)
            {
                busy.Clear();
                tasks.Clear();
                var cost = 0.0;
                for (var task = 0; task < 6; task++)
                {
                    var device = vectors[row * 6 + task];
                    busy[device] += Work[task] / Speed[device];
                    cost += Work[task] / Speed[device] * Price[device];
                    tasks[device]++;
                }
                var last = 0.0;
                for (var device = 0; device < 4; device++)
                {
                    last = Math.Max(last, busy[device]);
                    violations[row] += Math.Max(0, tasks[device] - 3);
                }
                violations[row] += vectors[row * 6] == 3 ? 1 : 0;
                (objectives[2 * row], objectives[2 * row + 1]) = (last, cost);
            }
        }

        /// <summary>The front by trying all 4 096 placements.</summary>
        public IEnumerable<(double, double)> Enumerate()
        {
            var all = new List<(double Time, double Cost)>();
            var (genes, objectives, violation) = (new int[6], new double[2], new double[1]);
            for (var code = 0; code < 4096; code++)
            {
                for (var task = 0; task < 6; task++)
                    genes[task] = code >> (2 * task) & 3;
                violation[0] = 0;
                Evaluate(genes, objectives, violation);
                if (violation[0] <= 0)
                    all.Add((objectives[0], objectives[1]));
            }
            return all.Distinct().Where(p => !all.Any(q => q != p && q.Time <= p.Time && q.Cost <= p.Cost)).Order();
        }
    }

    private sealed class Line : IEvolutionProblem<double>
    {
        private int _calls;

        public Action<int>? OnEvaluate { get; init; }

        public double Poison { get; init; }

        public int ObjectiveCount => 2;

        public ReadOnlyMemory<double> Lower { get; } = new double[2];

        public ReadOnlyMemory<double> Upper { get; } = new[] { 1.0, 1.0 };

        public void Evaluate(ReadOnlySpan<double> vectors, Span<double> objectives, Span<double> violations)
        {
            OnEvaluate?.Invoke(Interlocked.Increment(ref _calls));
            vectors.CopyTo(objectives);
            objectives[0] += Poison;
            for (var row = 0; row < violations.Length; row++)
                violations[row] = Math.Max(0, 1 - vectors[2 * row] - vectors[2 * row + 1]);
        }
    }

    private sealed class HandClock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Advance(TimeSpan time) => _ticks += time.Ticks;
    }
}
