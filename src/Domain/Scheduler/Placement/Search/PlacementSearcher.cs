using System.Runtime.Intrinsics;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>One search: seeds, evolution, local improvement of the points that matter, choice.</summary>
internal sealed class PlacementSearcher
{
    private const int Objectives = PlacementState.Objectives;

    /// <summary>Shares of the budget after which no further seed is built, no further generation bred, no point of the front improved further.</summary>
    private const double SeedShare = 0.5, EvolutionShare = 0.78, ImproveShare = 0.86;

    /// <summary>Exchanges tried per slot in a round of improvement.</summary>
    private const int ExchangesPerSlot = 4;

    /// <summary>What the other objectives weigh while one is improved: among equals the better.</summary>
    private const double Aside = 1e-3;

    private readonly PlacementProblem _problem;
    private readonly PlacementModel _model;
    private readonly int[] _start;
    private readonly PlacementSettings _settings;
    private readonly TimeProvider _clock;
    private readonly long _began;
    private readonly TimeSpan _budget;
    private readonly PlacementState _state;
    private readonly PlacementSeeds _seeds;
    private readonly LocalImprovement _improvement;

    /// <param name="problem">What is placed.</param>
    /// <param name="model">The same as tables, only with slots that are placed in any case.</param>
    /// <param name="start">A feasible placement of all of them.</param>
    /// <param name="settings">Sizes.</param>
    /// <param name="clock">For the budget.</param>
    /// <param name="began">Its timestamp when the pass began.</param>
    /// <param name="budget">Time the pass may take.</param>
    public PlacementSearcher(PlacementProblem problem, PlacementModel model, int[] start, PlacementSettings settings, TimeProvider clock, long began, TimeSpan budget)
    {
        (_problem, _model, _start, _settings, _clock, _began, _budget) = (problem, model, start, settings, clock, began, budget);
        (_state, _seeds) = (new PlacementState(model), new PlacementSeeds(model));
        _improvement = new LocalImprovement(model, _state);
    }

    private TimeSpan Elapsed => _clock.GetElapsedTime(_began);

    public PlacementOutcome Run(CancellationToken cancel)
    {
        var seeds = Seeds(cancel);
        var repeats = seeds.Min(s => s.Repeats);
        var known = seeds.Where(s => s.Repeats == repeats).Select(s => s.Point).ToList();
        var knownSeeds = known.Count;
        var scale = new ObjectiveScale([.. seeds.Select(s => s.Point.Objectives)], _model.SlotCount);
        var evolution = new PlacementEvolution(_model, _state, _improvement, scale, _problem.Seed) { RepeatsAllowed = repeats };
        using var loop = Evolve.Assignments(
            evolution, new EvolutionSettings { Population = _settings.Population, Survival = _settings.Survival, Seed = _problem.Seed, SetCopiesBack = true }, _clock);
        var beforeStart = Elapsed;
        loop.Start(seeds.SelectMany(s => s.Point.Genes).ToArray());
        var worst = WorstOf(loop);
        var history = new FrontHistory();
        evolution.BeginBreeding();
        // Until one is measured: improvement makes a generation several times dearer than the first population was.
        var longest = (Elapsed - beforeStart) * 4;
        while (loop.Generation < (_settings.MaxGenerations ?? int.MaxValue) && Elapsed + longest < _budget * EvolutionShare)
        {
            cancel.ThrowIfCancellationRequested();
            history.Remember(loop);
            var before = Elapsed;
            loop.Step();
            var took = Elapsed - before;
            longest = took > longest ? took : longest;
        }
        history.Remember(loop);

        known.AddRange(loop.Front().Where(i => i.IsFeasible).Select(i => new PlacementPoint([.. i.Genes], [.. i.Objectives])));
        var found = new PlacementFront(known, _model.SlotCount);
        var wishes = new PlacementWishes(_model, found.Scale);
        var wished = Wished(found, wishes, repeats);
        var improved = Improve(found, repeats);
        var front = new PlacementFront([.. known, .. wished, .. improved], _model.SlotCount);
        var named = Enum.GetValues<PlanKind>().Select(plan => (Plan: plan, Point: front.Nearest(PlacementFront.WeightsOf(plan)))).ToList();
        var chosen = front.Points.MinBy(p => wishes.Of(p.Genes))!;
        front.Thin(_settings.FrontSize, [chosen, .. named.Select(n => n.Point)]);

        var past = new PlacementFront([.. known.Take(knownSeeds), .. history.At(loop.Generation / 2)], _model.SlotCount);
        past.Thin(_settings.FrontSize, []);
        var volume = Volume(front, front.Scale, worst);
        return new PlacementOutcome(Assignments(chosen.Genes), Unplaced(), new PlacementSearch
        {
            Front = [.. front.Points.Select(p => new FrontPoint(Describe(p.Objectives), [.. named.Where(n => n.Point == p).Select(n => n.Plan)]))],
            Chosen = front.Points.ToList().IndexOf(chosen), Slots = _model.SlotCount, Devices = _model.PoolSize,
            Generations = loop.Generation, Evaluations = loop.Evaluations, Elapsed = Elapsed,
            Hypervolume = volume, Convergence = volume > 0 ? Math.Min(1, Volume(past, front.Scale, worst) / volume) : 1,
        });
    }

    private static PlacementObjectives Describe(double[] objectives) => new(objectives[0], objectives[1], objectives[2], objectives[3], objectives[4]);

    /// <summary>
    /// Feasible placements: the one known, what was intended before, the heuristics, then greedy ones by random weights, improved by these, until the
    /// population is full or their share of the budget is spent.
    /// </summary>
    private List<(PlacementPoint Point, int Repeats)> Seeds(CancellationToken cancel)
    {
        var seeds = new List<(PlacementPoint Point, int Repeats)>();
        void Add(int[] genes)
        {
            if (seeds.Count == _settings.Population)
                return;
            _state.Load(genes);
            if (_state.Unsettled == 0)
                seeds.Add((new PlacementPoint(genes, Measured()), _state.Repeats));
        }
        int[] Greedy(Weights weights, Func<int, double>? order)
        {
            var genes = new int[_model.SlotCount];
            _seeds.FillGreedy(genes, weights, order);
            return genes;
        }

        if (!_settings.Seeded)
        {
            var drawn = new Xoshiro256(_problem.Seed);
            for (var i = 0; i < _settings.Population; i++)
                Add([.. Enumerable.Range(0, _model.SlotCount).Select(slot => drawn.NextBelow(_model.CandidateCount(slot)))]);
            // None of them can be mended: nearly every place is taken.
            if (seeds.Count == 0)
                Add([.. _start]);
            return seeds;
        }

        Add([.. _start]);
        var previous = _model.GenesOf(_problem.Previous);
        if (previous.Any(gene => gene >= 0))
            Add([.. previous.Zip(_start, (before, now) => before >= 0 ? before : now)]);

        // One greedy placement per objective; how these fare in the others scales all that follow.
        var extremes = new List<double[]>();
        for (var m = 0; m < Objectives; m++)
        {
            var alone = new Weights(m < PlacementModel.Figures ? Vector256<double>.Zero.WithElement(m, 1) : Vector256<double>.Zero, m < PlacementModel.Figures ? 0 : 1);
            var genes = Greedy(alone, _seeds.ByRegret(alone));
            Add(genes);
            _state.Load(genes);
            extremes.Add(Measured());
        }
        var scale = new ObjectiveScale(extremes, _model.SlotCount);
        var fast = scale.Weigh(PlacementFront.WeightsOf(PlanKind.Fast));
        Add(Greedy(fast, Quickest));
        Add(Greedy(fast, slot => _model.Tasks[_model.SlotTask[slot]].Deadline?.UtcTicks ?? double.MaxValue));
        Add(_seeds.BestFit());
        var even = scale.Weigh(PlacementFront.WeightsOf(PlanKind.Knee));
        Add(Greedy(even, _seeds.ByRegret(even)));
        var random = new Xoshiro256(_problem.Seed);
        for (var i = seeds.Count; i < _settings.Population && Elapsed < _budget * SeedShare; i++)
        {
            cancel.ThrowIfCancellationRequested();
            var weights = scale.Weigh(RandomWeights(random));
            var genes = Greedy(weights, _seeds.ByRegret(weights));
            Improve(genes, _state, _improvement, weights, rounds: 1, until: SeedShare);
            Add(genes);
        }
        return seeds;
    }

    private double[] Measured()
    {
        var objectives = new double[Objectives];
        _state.Measure(objectives);
        return objectives;
    }

    /// <summary>Seconds on the fastest candidate.</summary>
    private double Quickest(int slot) => _model.Table[_model.ClassStart[_model.SlotClass[slot]] * PlacementModel.Figures];

    /// <summary>Uniform on the simplex: exponential variates, divided by their sum.</summary>
    private static double[] RandomWeights(Xoshiro256 random)
    {
        var weights = new double[Objectives];
        for (var m = 0; m < Objectives; m++)
            weights[m] = -Math.Log(random.NextUnit());
        var sum = weights.Sum();
        return [.. weights.Select(w => w / sum)];
    }

    private static double[] WorstOf(EvolutionLoop<int> loop)
    {
        var worst = new double[Objectives];
        worst.AsSpan().Fill(double.NegativeInfinity);
        for (var at = 0; at < loop.Objectives.Length; at++)
            worst[at % Objectives] = Math.Max(worst[at % Objectives], loop.Objectives[at]);
        return worst;
    }

    /// <summary>The point of the front that suits the tasks' wishes best, improved towards them until nothing helps or time is up.</summary>
    private List<PlacementPoint> Wished(PlacementFront front, PlacementWishes wishes, int repeatsAllowed)
    {
        var genes = front.Points.MinBy(p => wishes.Of(p.Genes))!.Genes.ToArray();
        Improve(genes, wishes.State, wishes.Improvement, wishes.Weights, int.MaxValue, ImproveShare);
        return Remeasured(genes, repeatsAllowed) is { } point ? [point] : [];
    }

    /// <summary>The named points, improved towards what they are named for until nothing helps or time is up.</summary>
    private List<PlacementPoint> Improve(PlacementFront front, int repeatsAllowed)
    {
        var improved = new List<PlacementPoint>();
        foreach (var aim in Enum.GetValues<PlanKind>().Select(PlacementFront.WeightsOf))
        {
            var genes = front.Nearest(aim).Genes.ToArray();
            Improve(genes, _state, _improvement, front.Scale.Weigh(aim.Select(w => w + Aside).ToArray()), int.MaxValue, ImproveShare);
            if (Remeasured(genes, repeatsAllowed) is { } point)
                improved.Add(point);
        }
        return improved;
    }

    /// <summary>Measured from the beginning: sums that were moved along have rounding errors.</summary>
    private PlacementPoint? Remeasured(int[] genes, int repeatsAllowed)
    {
        _state.Load(genes);
        return _state.Unsettled == 0 && _state.Repeats <= repeatsAllowed ? new PlacementPoint(genes, Measured()) : null;
    }

    /// <summary>Rounds of moves of every slot and of exchanges, until one helps nothing or a share of the budget is spent.</summary>
    private void Improve(int[] genes, PlacementState state, LocalImprovement improvement, in Weights weights, int rounds, double until)
    {
        state.Load(genes);
        if (state.Unsettled > 0)
            return;
        var chance = _problem.Seed;
        for (var (round, helped) = (0, true); round < rounds && helped && Elapsed < _budget * until; round++)
        {
            helped = false;
            for (var slot = 0; slot < _model.SlotCount; slot++)
                helped |= improvement.TryMove(slot, weights);
            helped |= improvement.Some(0, ExchangesPerSlot * _model.SlotCount, weights, ref chance);
        }
        state.Chosen.CopyTo(genes);
    }

    /// <summary>Share that a front dominates of the box from the ideal to the worst of the first population; exact, of the points that are left of it.</summary>
    private static double Volume(PlacementFront front, ObjectiveScale scale, double[] worst)
    {
        var ideal = scale.Ideal;
        var rows = front.Points.SelectMany(p => p.Objectives.Select((value, m) => worst[m] > ideal[m] ? Math.Max(0, (value - ideal[m]) / (worst[m] - ideal[m])) : 0)).ToArray();
        return Hypervolume.Of(rows, [1, 1, 1, 1, 1]);
    }

    private Assignment[] Assignments(int[] genes) =>
        [.. genes.Select((candidate, slot) => new Assignment(
            _model.Tasks[_model.SlotTask[slot]].Key, _model.Devices[_model.Candidates[_model.ClassStart[_model.SlotClass[slot]] + candidate]].Id, Score(slot, candidate)))];

    /// <summary>By what the task wants, how near the device comes to the best of the class's candidates in each figure (1) from the worst (0).</summary>
    private double Score(int slot, int candidate)
    {
        var wanted = PlacementWishes.WeightsOf(_model.Tasks[_model.SlotTask[slot]]);
        var (from, to) = (_model.ClassStart[_model.SlotClass[slot]], _model.ClassStart[_model.SlotClass[slot] + 1]);
        var (score, total) = (0.0, 0.0);
        for (var m = 0; m < PlacementModel.Figures; m++)
        {
            var (least, most) = (double.PositiveInfinity, double.NegativeInfinity);
            for (var at = from; at < to; at++)
            {
                var figure = _model.Table[at * PlacementModel.Figures + m];
                (least, most) = (Math.Min(least, figure), Math.Max(most, figure));
            }
            var own = _model.Table[(from + candidate) * PlacementModel.Figures + m];
            score += wanted[m] * (most > least ? (most - own) / (most - least) : 1);
            total += wanted[m];
        }
        return Math.Clamp(score / total, 0, 1);
    }

    private List<TaskKey> Unplaced()
    {
        var placed = new int[_model.Tasks.Count];
        foreach (var task in _model.SlotTask)
            placed[task]++;
        return [.. Enumerable.Range(0, placed.Length).Where(task => placed[task] < _model.Tasks[task].Slots).Select(task => _model.Tasks[task].Key)];
    }
}
