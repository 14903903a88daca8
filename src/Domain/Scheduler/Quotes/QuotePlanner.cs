using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Quotes;

/// <summary>
/// Plans a whole job on the pool as it is: which devices, how many slots of each. NSGA finds the front of finish, charge, energy and risk from
/// seeds that are good at one of them; up to five of its points get names; the finish of those is simulated. Pure; reads a clock only to keep
/// its budget. About 0.1 s for the search and less for the simulations, whatever the size of job and pool.
/// </summary>
public static class QuotePlanner
{
    /// <summary>Devices looked at: the best by each objective, taking turns.</summary>
    private const int MostDevices = 256;

    private const int Population = 80;

    /// <summary>Relative difference below which two figures are the same.</summary>
    private const double Same = 1e-6;

    public static QuoteOutcome Plan(QuoteProblem problem, TimeProvider clock, CancellationToken cancel = default)
    {
        var refused = new Dictionary<string, int>(StringComparer.Ordinal);
        var suitable = new List<PlacementDevice>();
        foreach (var device in problem.Devices)
        {
            if (HardFilter.Static(problem.Needs, device) is { } rule)
                refused[rule] = refused.GetValueOrDefault(rule) + 1;
            else
                suitable.Add(device);
        }
        var candidates = Candidates(problem, suitable);
        if (candidates.Count < problem.Terms.Replicas)
        {
            var full = suitable.Count(d => Room(problem, new FreeCapacity(d)) == 0);
            if (full > 0)
                refused[Refusals.Busy] = full;
            return new QuoteOutcome([], [], refused, suitable.Count);
        }
        var model = new PlanModel(problem, candidates);
        var points = Name(Front(model, Search(problem, model, clock, cancel), problem));
        var simulation = new FinishSimulation(problem, model);
        var plans = points.Where(p => p.Point.Names.Count > 0).Select(p => Plan(p, model, simulation, problem)).OrderBy(p => p.Names[0]).ToList();
        return new QuoteOutcome(plans, [.. points.Select(p => p.Point)], refused, suitable.Count);
    }

    /// <summary>Devices with room now; when these are fewer than the tier has replicas, those of which it is known when they have room, whole.</summary>
    private static List<PlanDevice> Candidates(QuoteProblem problem, List<PlacementDevice> suitable)
    {
        var reference = RunModel.ReferenceScore(problem.Devices);
        var free = suitable.Select(d => (Device: d, Room: Room(problem, new FreeCapacity(d)))).Where(d => d.Room > 0)
            .Select(d => PlanModel.Describe(problem, d.Device, reference, d.Room, 0)).ToList();
        if (free.Count < problem.Terms.Replicas)
        {
            var whole = suitable.Select(d => (Device: d, Room: Room(problem, new FreeCapacity(Idle(d))))).Where(d => d.Room > 0).ToList();
            var speeds = whole.Sum(d => d.Room * RunModel.Speed(d.Device, reference));
            var backlog = speeds > 0 ? problem.BacklogSeconds / speeds : 0;
            free = [.. whole.Where(d => d.Device.Leases == 0 || problem.BusySeconds.ContainsKey(d.Device.Id))
                .Select(d => PlanModel.Describe(problem, d.Device, reference, d.Room, backlog + problem.BusySeconds.GetValueOrDefault(d.Device.Id)))];
        }
        if (free.Count > MostDevices)
            free = Best(free);
        return [.. free.OrderBy(d => d.EffectiveSeconds).ThenBy(d => d.Device.Id, StringComparer.Ordinal)];
    }

    private static PlacementDevice Idle(PlacementDevice device) => device with { LeasedMillicores = 0, LeasedBytes = 0, LeasedDisk = 0, LeasedGpus = 0, Leases = 0 };

    /// <summary>Runs that fit at a time: replicas of a task go to distinct devices, so never more than there are tasks.</summary>
    private static int Room(QuoteProblem problem, FreeCapacity free)
    {
        var (needs, room) = (problem.Needs, (long)Math.Min(free.Slots, problem.TaskCount));
        if (needs.CpuMillicores > 0)
            room = Math.Min(room, free.Millicores / needs.CpuMillicores);
        if (needs.MemoryBytes > 0)
            room = Math.Min(room, free.Bytes / needs.MemoryBytes);
        if (needs.Gpus > 0)
            room = Math.Min(room, free.Gpus / needs.Gpus);
        if (needs.DiskBytes > 0 && free.Disk is { } disk)
            room = Math.Min(room, disk / needs.DiskBytes);
        return (int)Math.Max(0, room);
    }

    private static readonly Func<PlanDevice, double>[] Orders = [d => d.EffectiveSeconds + d.WaitSeconds, d => d.CostMicro, d => d.Joules, d => d.Risk];

    private static List<PlanDevice> Best(List<PlanDevice> devices)
    {
        var orders = Orders.Select(by => devices.OrderBy(by).ThenBy(d => d.Device.Id, StringComparer.Ordinal).ToList()).ToList();
        var best = new HashSet<PlanDevice>(ReferenceEqualityComparer.Instance);
        for (var rank = 0; best.Count < MostDevices; rank++)
        {
            foreach (var order in orders.Where(_ => best.Count < MostDevices))
                best.Add(order[rank]);
        }
        return [.. best];
    }

    private static List<Individual<int>> Search(QuoteProblem problem, PlanModel model, TimeProvider clock, CancellationToken cancel)
    {
        var settings = new EvolutionSettings
        {
            // Few devices have few plans: there is nothing to search for long.
            Population = Population, MaxGenerations = Math.Clamp(30 + 3 * model.Devices.Count, 30, 200), MaxEvaluations = long.MaxValue, Budget = problem.Budget, Seed = problem.Seed,
        };
        using var loop = Evolve.Assignments(model, settings, clock);
        var seeds = Seeds(model, problem.Terms.Replicas);
        var found = loop.Run(seeds, cancel).Front;
        // A population spreads over the front and may lose its corners; the seeds that stand there are the named points' best candidates.
        var (objectives, violations) = (new double[seeds.Length / model.Devices.Count * PlanModel.Objectives], new double[seeds.Length / model.Devices.Count]);
        model.Repair(seeds);
        model.Evaluate(seeds, objectives, violations);
        return [.. found, .. violations.Select((violation, i) => new Individual<int>(
            seeds[(i * model.Devices.Count)..((i + 1) * model.Devices.Count)], objectives[(i * PlanModel.Objectives)..((i + 1) * PlanModel.Objectives)], violation))];
    }

    /// <summary>Everything, and by each objective the best k devices for k doubling from the replicas of a task.</summary>
    private static int[] Seeds(PlanModel model, int least)
    {
        var count = model.Devices.Count;
        var seeds = new List<int[]> { model.Upper.ToArray() };
        foreach (var by in Orders)
        {
            var order = Enumerable.Range(0, count).OrderBy(i => by(model.Devices[i])).ToList();
            for (var k = least; k < count; k *= 2)
            {
                var plan = new int[count];
                foreach (var i in order.Take(k))
                    plan[i] = model.Devices[i].Room;
                seeds.Add(plan);
            }
        }
        return [.. seeds.Take(Population).SelectMany(s => s)];
    }

    /// <summary>A point with the genes behind it; <paramref name="PricePerTask"/> is the most that a task is charged.</summary>
    private sealed record Named(QuotePoint Point, int[] Genes, long PricePerTask);

    /// <summary>
    /// The search's front with its charges worked out: a task is charged for at most the run time that one run in twenty exceeds on the plan's
    /// slowest device, so the cap, and with it the expectation, depends on the plan. What that makes dominated goes.
    /// </summary>
    private static List<Named> Front(PlanModel model, List<Individual<int>> individuals, QuoteProblem problem)
    {
        var points = individuals.Where(i => i.IsFeasible).Select(i => Appraise(model, [.. i.Genes], i.Objectives, problem)).ToList();
        var front = new List<Named>();
        foreach (var point in points.OrderBy(p => p.Point.FinishSeconds).ThenBy(p => p.Point.CostMicro).ThenBy(p => p.Point.Joules).ThenBy(p => p.Point.Risk))
        {
            if (!points.Exists(other => Dominates(other.Point, point.Point)) && !front.Exists(other => IsSame(other.Point, point.Point)))
                front.Add(point);
        }
        return front;
    }

    private static Named Appraise(PlanModel model, int[] genes, IReadOnlyList<double> objectives, QuoteProblem problem)
    {
        var (needs, fluid) = (problem.Needs, model.FluidSeconds(genes));
        var used = Enumerable.Range(0, genes.Length).Where(i => genes[i] > 0).ToList();
        var cap = used.Max(i => model.Devices[i].ChargedSeconds);
        var price = Pricing.Task(needs.CpuMillicores, needs.MemoryBytes, problem.Price, TimeSpan.FromSeconds(cap));
        var perHour = (double)Pricing.PerHour(needs.CpuMillicores, needs.MemoryBytes, problem.Price);
        var (charge, shares) = (0.0, 0.0);
        foreach (var i in used)
        {
            var share = model.Share(i, genes[i], fluid);
            shares += share;
            charge += share * RunModel.CostMicro(perHour, RunModel.ExpectedSeconds(model.Devices[i].MedianSeconds, problem.Runs.Spread, cap));
        }
        // Each charge is rounded up to a whole micro-credit, half of one on average, and is at least one.
        var expected = Math.Min(price, Math.Max(1, charge / shares + 0.5)) * problem.TaskCount;
        return new Named(new QuotePoint(objectives[0], expected, objectives[2], objectives[3], []), genes, price);
    }

    private static double[] Figures(QuotePoint point) => [point.FinishSeconds, point.CostMicro, point.Joules, point.Risk];

    private static bool Dominates(QuotePoint one, QuotePoint other)
    {
        var (a, b) = (Figures(one), Figures(other));
        return a.Zip(b).All(x => x.First <= x.Second * (1 + Same)) && a.Zip(b).Any(x => x.First < x.Second * (1 - Same));
    }

    private static bool IsSame(QuotePoint one, QuotePoint other) =>
        Figures(one).Zip(Figures(other)).All(x => Math.Abs(x.First - x.Second) <= Same * Math.Max(Math.Abs(x.First), Math.Abs(x.Second)));

    /// <summary>
    /// Gives each wish its point. Knee: nearest to the ideal corner when each objective's range on the front is 1. Where that would leave fewer than
    /// three plans to choose from although the front has more, it is the nearest of the points that answer no other wish.
    /// </summary>
    private static List<Named> Name(List<Named> front)
    {
        var figures = front.ConvertAll(p => Figures(p.Point));
        var distances = new double[front.Count];
        for (var m = 0; m < PlanModel.Objectives; m++)
        {
            var (least, most) = (figures.Min(f => f[m]), figures.Max(f => f[m]));
            if (most > least)
            {
                for (var i = 0; i < front.Count; i++)
                    distances[i] += (figures[i][m] - least) / (most - least) * ((figures[i][m] - least) / (most - least));
            }
        }
        int Best(int objective)
        {
            var least = figures.Min(f => f[objective]);
            return Enumerable.Range(0, front.Count).Where(i => figures[i][objective] <= least * (1 + Same)).MinBy(i => distances[i]);
        }
        var wishes = new (PlanKind Kind, int Point)[] { (PlanKind.Fast, Best(0)), (PlanKind.Cheap, Best(1)), (PlanKind.Safe, Best(3)), (PlanKind.Green, Best(2)) };
        var taken = wishes.Select(w => w.Point).ToHashSet();
        var knee = Enumerable.Range(0, front.Count).MinBy(i => distances[i]);
        if (taken.Contains(knee) && taken.Count < 3 && front.Count > taken.Count)
            knee = Enumerable.Range(0, front.Count).Where(i => !taken.Contains(i)).MinBy(i => distances[i]);
        var names = wishes.Append((Kind: PlanKind.Knee, Point: knee)).ToLookup(w => w.Point, w => w.Kind);
        return [.. front.Select((p, i) => p with { Point = p.Point with { Names = [.. names[i].Order()] } })];
    }

    private static QuotePlan Plan(Named point, PlanModel model, FinishSimulation simulation, QuoteProblem problem)
    {
        var finish = simulation.Run(point.Genes);
        var price = checked(point.PricePerTask * problem.TaskCount);
        return new QuotePlan
        {
            Names = point.Point.Names, PricePerTaskMicro = point.PricePerTask, PriceMicro = price, ExpectedChargeMicro = Math.Min(price, (long)Math.Ceiling(point.Point.CostMicro)),
            P50Seconds = finish.P50, P95Seconds = finish.P95, FailureRisk = finish.FailureRisk, Joules = point.Point.Joules,
            WaitSeconds = Enumerable.Range(0, point.Genes.Length).Where(i => point.Genes[i] > 0).Min(i => model.Devices[i].WaitSeconds),
            Slots = Enumerable.Range(0, point.Genes.Length).Where(i => point.Genes[i] > 0).ToDictionary(i => model.Devices[i].Device.Id, i => point.Genes[i], StringComparer.Ordinal),
        };
    }
}
