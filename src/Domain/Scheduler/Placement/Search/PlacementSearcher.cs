using System.Runtime.Intrinsics;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Placement.Search;

/// <summary>One search: seeds, evolution, local improvement of the points that matter, choice.</summary>
internal sealed class PlacementSearcher(
    PlacementProblem problem, PlacementModel model, int[] start, PlacementSettings settings, TimeProvider clock, long began, TimeSpan budget)
{
    private const int Objectives = PlacementState.Objectives;

    private readonly PlacementState _state = new(model);
    private readonly PlacementSeeds _seeds = new(model);
    private readonly Xoshiro256 _random = new(problem.Seed ^ 0x706C6163656D656E);

    public PlacementOutcome Run(double seedShare, double evolutionShare, CancellationToken cancel)
    {
        var evolution = new PlacementEvolution(model, _state);
        var genes = new List<int[]>();
        if (settings.Seeded)
            FillSeeds(genes, seedShare, cancel);
        evolution.RepeatsAllowed = RepeatsOfBest([start, .. genes]);

        using var loop = Evolve.Assignments(evolution, new EvolutionSettings { Population = settings.Population, Survival = settings.Survival, Seed = problem.Seed }, clock);
        loop.Start(genes.SelectMany(g => g).ToArray());
        var worst = WorstOf(loop);
        var history = new FrontHistory();
        var longest = TimeSpan.Zero;
        history.Remember(0, loop);
        while (loop.Generation < (settings.MaxGenerations ?? int.MaxValue) && clock.GetElapsedTime(began) + longest < budget * evolutionShare)
        {
            cancel.ThrowIfCancellationRequested();
            var before = clock.GetTimestamp();
            loop.Step();
            history.Remember(loop.Generation, loop);
            var took = clock.GetElapsedTime(before);
            longest = took > longest ? took : longest;
        }

        var found = loop.Front().Where(i => i.IsFeasible).Select(i => new PlacementPoint([.. i.Genes], [.. i.Objectives])).ToList();
        var wanted = Wanted();
        // Only a first population without seeds can have led to nothing that keeps the rules.
        if (found.Count == 0)
            found.Add(PointOf(start));
        var improved = Improve(new PlacementFront(found), wanted, evolution.RepeatsAllowed);
        var front = new PlacementFront([.. found, .. improved]);
        var named = Enum.GetValues<PlanKind>().ToDictionary(plan => plan, plan => front.Points[front.Nearest(PlacementFront.WeightsOf(plan))]);
        var chosen = front.Points[front.Nearest(wanted)];
        front.Thin(settings.FrontSize, [.. named.Values.Append(chosen).Distinct().Select(p => front.Points.ToList().IndexOf(p))]);
        var (volume, half) = Volumes(front, worst, history.At(loop.Generation / 2));
        return new PlacementOutcome(Assignments(chosen.Genes, wanted), Unplaced(), new PlacementSearch
        {
            Front = [.. front.Points.Select(p => new FrontPoint(Describe(p), [.. named.Where(n => ReferenceEquals(n.Value, p)).Select(n => n.Key)]))],
            Chosen = front.Points.ToList().IndexOf(chosen), Slots = model.SlotCount, Devices = model.PoolSize,
            Generations = loop.Generation, Evaluations = loop.Evaluations, Elapsed = clock.GetElapsedTime(began),
            Hypervolume = volume, Convergence = volume > 0 ? Math.Min(1, half / volume) : 1,
        });
    }

    private PlacementPoint PointOf(int[] genes)
    {
        var (mended, objectives) = (genes.ToArray(), new double[Objectives]);
        _state.Load(mended);
        _state.Measure(objectives);
        return new PlacementPoint(mended, objectives);
    }

    private static PlacementObjectives Describe(PlacementPoint point) =>
        new(point.Objectives[0], point.Objectives[1], point.Objectives[2], point.Objectives[3], point.Objectives[4]);

    /// <summary>The pass's weights: the mean over its slots of what their tasks bought.</summary>
    private double[] Wanted()
    {
        var wanted = new double[Objectives];
        foreach (var task in model.SlotTask)
        {
            var weights = PlacementFront.WeightsOf(model.Tasks[task].Plan);
            for (var m = 0; m < Objectives; m++)
                wanted[m] += weights[m] / model.SlotCount;
        }
        return wanted;
    }

    /// <summary>The heuristics first, then greedy placements by random weights until the population is full or its share of the budget spent.</summary>
    /// <returns>Ideal and extent of each objective by the extreme seeds.</returns>
    private double[] FillSeeds(List<int[]> seeds, double share, CancellationToken cancel)
    {
        seeds.Add(start);
        var previous = NsgaPlacement.GenesOf(model, problem.Previous);
        if (previous.Any(g => g >= 0))
            seeds.Add([.. previous.Zip(start, (before, now) => before >= 0 ? before : now)]);

        // One greedy placement per objective; how they fare in the others' objectives scales all that follow.
        var objectives = new double[Objectives];
        var (ideal, worst) = (new double[Objectives], new double[Objectives]);
        ideal.AsSpan().Fill(double.PositiveInfinity);
        for (var m = 0; m < Objectives; m++)
        {
            var pure = new double[Objectives];
            pure[m] = 1;
            var weights = Scaled(pure, [1, 1, 1, 1, 1]);
            var genes = Greedy(weights, _seeds.ByRegret(weights));
            _state.Load(genes);
            _state.Measure(objectives);
            for (var other = 0; other < Objectives; other++)
                (ideal[other], worst[other]) = (Math.Min(ideal[other], objectives[other]), Math.Max(worst[other], objectives[other]));
        }
        var extents = new double[Objectives];
        for (var m = 0; m < Objectives; m++)
            extents[m] = worst[m] - ideal[m];

        Greedy(Scaled([1, 0, 0, 0, 0], extents), slot => Quickest(slot));
        Greedy(Scaled([1, 0, 0, 0, 0], extents), slot => model.Tasks[model.SlotTask[slot]].Deadline?.UtcTicks ?? double.MaxValue);
        var packed = new int[model.SlotCount];
        _seeds.FillBestFit(packed);
        seeds.Add(packed);
        var even = Scaled(PlacementFront.WeightsOf(PlanKind.Knee), extents);
        Greedy(even, _seeds.ByRegret(even));
        while (seeds.Count < settings.Population && clock.GetElapsedTime(began) < budget * share)
        {
            cancel.ThrowIfCancellationRequested();
            var weights = Scaled(RandomWeights(), extents);
            Greedy(weights, _seeds.ByRegret(weights));
        }
        return extents;

        int[] Greedy(Weights weights, Func<int, double>? order)
        {
            var genes = new int[model.SlotCount];
            _seeds.FillGreedy(genes, weights, order);
            seeds.Add(genes);
            return genes;
        }
    }

    private double Quickest(int slot)
    {
        var (from, to) = (model.ClassStart[model.SlotClass[slot]], model.ClassStart[model.SlotClass[slot] + 1]);
        var least = double.PositiveInfinity;
        for (var at = from; at < to; at++)
            least = Math.Min(least, model.Table[at * PlacementModel.Figures]);
        return least;
    }

    /// <summary>Uniform on the simplex: exponential variates, divided by their sum.</summary>
    private double[] RandomWeights()
    {
        var weights = new double[Objectives];
        for (var m = 0; m < Objectives; m++)
            weights[m] = -Math.Log(_random.NextUnit());
        var sum = weights.Sum();
        for (var m = 0; m < Objectives; m++)
            weights[m] /= sum;
        return weights;
    }

    private Weights Scaled(double[] weights, IReadOnlyList<double> extents)
    {
        double Of(int m) => extents[m] > 0 ? weights[m] / extents[m] : 0;
        return new Weights(Vector256.Create(Of(0), Of(1), Of(2), Of(3)) / model.SlotCount, Of(4));
    }

    private int RepeatsOfBest(List<int[]> seeds)
    {
        var fewest = int.MaxValue;
        foreach (var genes in seeds)
        {
            _state.Load(genes);
            if (_state.Unsettled == 0)
                fewest = Math.Min(fewest, _state.Repeats);
        }
        return fewest;
    }

    private static double[] WorstOf(EvolutionLoop<int> loop)
    {
        var worst = new double[Objectives];
        worst.AsSpan().Fill(double.NegativeInfinity);
        for (var at = 0; at < loop.Objectives.Length; at++)
            worst[at % Objectives] = Math.Max(worst[at % Objectives], loop.Objectives[at]);
        return worst;
    }

    /// <summary>Moves slots of the named and the chosen point wherever that lowers what the point is wanted for, until nothing does.</summary>
    private List<PlacementPoint> Improve(PlacementFront front, double[] wanted, int repeatsAllowed)
    {
        var improved = new List<PlacementPoint>();
        foreach (var aim in Enum.GetValues<PlanKind>().Select(PlacementFront.WeightsOf).Append(wanted))
        {
            var genes = front.Points[front.Nearest(aim)].Genes.ToArray();
            _state.Load(genes);
            Descend(Scaled([.. aim.Select(w => w + 1e-3)], front.Extent));
            _state.Chosen.CopyTo(genes);
            _state.Load(genes);
            if (_state.Unsettled > 0 || _state.Repeats > repeatsAllowed)
                continue;
            var objectives = new double[Objectives];
            _state.Measure(objectives);
            improved.Add(new PlacementPoint(genes, objectives));
        }
        return improved;
    }

    private void Descend(in Weights weights)
    {
        for (var moved = true; moved && clock.GetElapsedTime(began) < budget;)
        {
            moved = false;
            for (var slot = 0; slot < model.SlotCount; slot++)
            {
                var before = _state.Chosen[slot];
                var repeats = _state.Repeats;
                _state.Move(slot, -1);
                var (best, least) = (before, _state.CostOfSeating(slot, before, weights) - 1e-12);
                for (var candidate = 0; candidate < model.CandidateCount(slot); candidate++)
                {
                    var cost = _state.CostOfSeating(slot, candidate, weights);
                    if (cost >= least)
                        continue;
                    var device = model.Candidates[model.ClassStart[model.SlotClass[slot]] + candidate];
                    if (!_state.Fits(model.SlotClass[slot], device) || _state.Conflicts(slot, device) || _state.WouldRepeat(slot, device))
                        continue;
                    (best, least) = (candidate, cost);
                }
                _state.Move(slot, best);
                moved |= best != before;
            }
        }
    }

    /// <summary>What the front dominates of the box from the ideal point to the worst of the first population, and what an earlier one did.</summary>
    private (double Now, double Half) Volumes(PlacementFront front, double[] worst, double[] earlier)
    {
        var volume = new Hypervolume(Objectives, settings.FrontSize);
        var reference = new double[Objectives];
        reference.AsSpan().Fill(1);
        double Share(IReadOnlyList<double[]> rows) => volume.Measure(
            rows.SelectMany(row => Enumerable.Range(0, Objectives).Select(m => worst[m] > front.Ideal[m] ? (row[m] - front.Ideal[m]) / (worst[m] - front.Ideal[m]) : 0)).ToArray(), reference);

        var past = new PlacementFront([.. Enumerable.Range(0, earlier.Length / Objectives).Select(i => new PlacementPoint([], earlier[(i * Objectives)..((i + 1) * Objectives)]))]);
        past.Thin(settings.FrontSize, []);
        return (Share([.. front.Points.Select(p => p.Objectives)]), Share([.. past.Points.Select(p => p.Objectives)]));
    }

    private Assignment[] Assignments(int[] genes, double[] wanted) =>
        [.. genes.Select((candidate, slot) => new Assignment(
            model.Tasks[model.SlotTask[slot]].Key, model.Devices[model.Candidates[model.ClassStart[model.SlotClass[slot]] + candidate]].Id, Score(slot, candidate, wanted)))];

    /// <summary>By the pass's weights, how near the device comes to the best of the class's candidates in each figure (1) from the worst (0).</summary>
    private double Score(int slot, int candidate, double[] wanted)
    {
        var (from, to) = (model.ClassStart[model.SlotClass[slot]], model.ClassStart[model.SlotClass[slot] + 1]);
        var (score, total) = (0.0, 0.0);
        for (var m = 0; m < PlacementModel.Figures; m++)
        {
            var (least, most) = (double.PositiveInfinity, double.NegativeInfinity);
            for (var at = from; at < to; at++)
            {
                var figure = model.Table[at * PlacementModel.Figures + m];
                (least, most) = (Math.Min(least, figure), Math.Max(most, figure));
            }
            var own = model.Table[(from + candidate) * PlacementModel.Figures + m];
            score += wanted[m] * (most > least ? (most - own) / (most - least) : 1);
            total += wanted[m];
        }
        return Math.Clamp(score / total, 0, 1);
    }

    private List<TaskKey> Unplaced()
    {
        var placed = new int[model.Tasks.Count];
        foreach (var task in model.SlotTask)
            placed[task]++;
        return [.. Enumerable.Range(0, placed.Length).Where(task => placed[task] < model.Tasks[task].Slots).Select(task => model.Tasks[task].Key)];
    }
}

/// <summary>Fronts of earlier generations, few and evenly spread over however many there will be: when full, every other one is dropped.</summary>
internal sealed class FrontHistory
{
    private const int Most = 32;
    private readonly List<(int Generation, double[] Rows)> _kept = [];
    private int _stride = 1;

    public void Remember(int generation, EvolutionLoop<int> loop)
    {
        if (generation % _stride != 0)
            return;
        _kept.Add((generation, loop.Objectives.ToArray()));
        if (_kept.Count < Most)
            return;
        _stride *= 2;
        _kept.RemoveAll(k => k.Generation % _stride != 0);
    }

    /// <summary>The one kept nearest to a generation.</summary>
    public double[] At(int generation) => _kept.MinBy(k => Math.Abs(k.Generation - generation)).Rows;
}
