using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Quotes;

/// <summary>A device that a plan may use, fastest first; all figures for one run of the job's class.</summary>
/// <param name="Room">Runs it can hold at a time.</param>
/// <param name="MedianSeconds">Half of its runs take longer, overhead apart.</param>
/// <param name="EffectiveSeconds">Slot time that one finished run costs on average: expected run, overhead, and what runs lost or ended on the way took.</param>
/// <param name="ChargedSeconds">Run time beyond which only one run in twenty goes, at most the wall limit.</param>
internal sealed record PlanDevice(
    PlacementDevice Device, int Room, double WaitSeconds, double MedianSeconds, double EffectiveSeconds, double ChargedSeconds, double CostMicro, double Joules, double Risk);

/// <summary>
/// Plans as vectors: one gene per device, how many of its slots the job uses. Tasks are equal, so it does not matter which task runs where.
/// Objectives: expected finish of the whole job, expected charge, joules, mean risk of a run. Cost O(devices) per plan.
/// </summary>
internal sealed class PlanModel : IEvolutionProblem<int>
{
    /// <summary>Finish, charge, joules, risk.</summary>
    public const int Objectives = 4;

    /// <summary>z of the 95 % point.</summary>
    private const double Z95 = 1.6449;

    /// <summary>A device on which hardly any run would end well counts as at most this many times its run.</summary>
    private const double LeastSuccess = 0.02;

    private readonly QuoteProblem _problem;
    private readonly double[] _tail;

    public PlanModel(QuoteProblem problem, IReadOnlyList<PlanDevice> devices)
    {
        (_problem, Devices) = (problem, devices);
        Lower = new int[devices.Count];
        Upper = devices.Select(d => d.Room).ToArray();
        MostSlots = (int)Math.Min(problem.MostRuns, devices.Sum(d => (long)d.Room));
        _tail = TailFactors(Math.Min(MostSlots, 4096), problem.Runs.TaskSpread);
    }

    public IReadOnlyList<PlanDevice> Devices { get; }
    public int MostSlots { get; }
    public int ObjectiveCount => Objectives;
    public ReadOnlyMemory<int> Lower { get; }
    public ReadOnlyMemory<int> Upper { get; }

    /// <summary>What one run costs on each device, as the pool is now.</summary>
    public static PlanDevice Describe(QuoteProblem problem, PlacementDevice device, double? referenceScore, int room, double wait)
    {
        var (runs, wall) = (problem.Runs, problem.WallLimit.TotalSeconds);
        var median = Math.Max(1e-3, RunModel.Seconds(problem.Estimate, device, referenceScore) * Math.Exp(runs.Bias));
        var expected = RunModel.ExpectedSeconds(median, runs.Spread, wall);
        var start = problem.Now.AddSeconds(Math.Min(wait, 1e9));
        var stays = Math.Max(LeastSuccess, device.Presence.Survival(start, expected + runs.OverheadSeconds));
        var within = Math.Max(LeastSuccess, RunModel.WithinProbability(wall, median, runs.Spread));
        // A run that is lost was half done on average; one that reaches the wall limit took all of it.
        var runsPerResult = (1 + (1 / stays - 1) / 2) / within;
        var perHour = (double)Pricing.PerHour(problem.Needs.CpuMillicores, problem.Needs.MemoryBytes, problem.Price);
        var task = new PlacementTask { Key = default, Needs = problem.Needs, Spread = runs.Spread, Deadline = problem.Deadline, WallLimit = problem.WallLimit };
        return new PlanDevice(
            device, room, wait, median, (expected + runs.OverheadSeconds) * runsPerResult, Math.Min(wall, median * Math.Exp(Z95 * runs.Spread)),
            RunModel.CostMicro(perHour, expected), RunModel.Joules(problem.Needs, device, expected * runsPerResult), RunModel.Risk(task, device, median, start));
    }

    /// <summary>Takes away slots that no run is left for, from the slowest devices first.</summary>
    public void Repair(Span<int> vectors)
    {
        for (var at = 0; at < vectors.Length; at += Devices.Count)
        {
            var plan = vectors.Slice(at, Devices.Count);
            var excess = -MostSlots;
            foreach (var slots in plan)
                excess += slots;
            for (var i = plan.Length - 1; i >= 0 && excess > 0; i--)
            {
                var less = Math.Min(excess, plan[i]);
                plan[i] -= less;
                excess -= less;
            }
        }
    }

    public void Evaluate(ReadOnlySpan<int> vectors, Span<double> objectives, Span<double> violations)
    {
        for (var row = 0; row < violations.Length; row++)
            violations[row] = Evaluate(vectors.Slice(row * Devices.Count, Devices.Count), objectives.Slice(row * Objectives, Objectives));
    }

    /// <summary>Seconds of the fluid phase, in which every slot is busy: Σ min(tasks, rate × time) = runs; no device takes two replicas of a task.</summary>
    public double FluidSeconds(ReadOnlySpan<int> plan)
    {
        var (rate, capped) = (0.0, 0.0);
        for (var i = 0; i < plan.Length; i++)
            rate += plan[i] / Devices[i].EffectiveSeconds;
        var seconds = _problem.RunCount / rate;
        for (var round = 1; round < _problem.Terms.Replicas; round++)
        {
            (rate, capped) = (0, 0);
            for (var i = 0; i < plan.Length; i++)
            {
                var own = plan[i] / Devices[i].EffectiveSeconds;
                if (own * seconds >= _problem.TaskCount)
                    capped += _problem.TaskCount;
                else
                    rate += own;
            }
            if (rate <= 0)
                break;
            seconds = Math.Max(seconds, (_problem.RunCount - capped) / rate);
        }
        return seconds;
    }

    /// <summary>Share of all runs that each device gets.</summary>
    public double Share(int device, int slots, double fluidSeconds) =>
        Math.Min(_problem.TaskCount, slots / Devices[device].EffectiveSeconds * fluidSeconds) / _problem.RunCount;

    private double Evaluate(ReadOnlySpan<int> plan, Span<double> objectives)
    {
        var (used, slots, rate, waited, slowest) = (0, 0, 0.0, 0.0, 0.0);
        for (var i = 0; i < plan.Length; i++)
        {
            if (plan[i] == 0)
                continue;
            var own = plan[i] / Devices[i].EffectiveSeconds;
            (used, slots, rate, waited) = (used + 1, slots + plan[i], rate + own, waited + own * Devices[i].WaitSeconds);
            slowest = Math.Max(slowest, Devices[i].EffectiveSeconds);
        }
        if (used == 0)
        {
            objectives.Fill(1e18);
            return _problem.Terms.Replicas;
        }
        var fluid = FluidSeconds(plan);
        // All slots are busy until the last ones start; then the longest of those that run at once decides.
        objectives[0] = waited / rate + fluid * Math.Max(0, 1 - slots / (double)_problem.RunCount) + slowest * _tail[Math.Min(slots, _tail.Length) - 1];
        var (cost, joules, risk, shares) = (0.0, 0.0, 0.0, 0.0);
        for (var i = 0; i < plan.Length; i++)
        {
            if (plan[i] == 0)
                continue;
            var share = Share(i, plan[i], fluid);
            shares += share;
            cost += share * Devices[i].CostMicro;
            joules += share * Devices[i].Joules;
            risk += share * Devices[i].Risk;
        }
        objectives[1] = cost / shares * _problem.TaskCount;
        objectives[2] = joules / shares * _problem.RunCount;
        objectives[3] = risk / shares;
        return _problem.Terms.Replicas - used;
    }

    /// <summary>Longest of n log-normal runs relative to their median, by Blom's approximation of the largest order statistic; index n − 1.</summary>
    private static double[] TailFactors(int most, double spread)
    {
        var factors = new double[most];
        for (var n = 1; n <= most; n++)
            factors[n - 1] = Math.Exp(spread * RunModel.NormalQuantile((n - 0.375) / (n + 0.25)));
        return factors;
    }
}
