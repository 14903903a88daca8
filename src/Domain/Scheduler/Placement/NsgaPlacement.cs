using FogCompute.Domain.Scheduler.Placement.Evolution;
using FogCompute.Domain.Scheduler.Placement.Search;

namespace FogCompute.Domain.Scheduler.Placement;

/// <summary>Sizes of the search for placements; the defaults are measured.</summary>
public sealed record PlacementSettings
{
    /// <summary>Placements per generation.</summary>
    public int Population { get; init; } = 60;

    /// <summary>Generations at most; null: as many as the budget allows. With a generous budget a limit makes the answer repeatable.</summary>
    public int? MaxGenerations { get; init; }

    /// <summary>
    /// Five objectives go by reference points. Measured with equal budgets by the hypervolume of the front, crowding does as well on 1 000 tasks and 200
    /// devices (0.474 against 0.461 and 0.715 against 0.716, half full and nearly full) and worse on 200 and 20 (0.608 against 0.621).
    /// </summary>
    public SurvivalStrategy Survival { get; init; } = SurvivalStrategy.Automatic;

    /// <summary>Whether the first population holds the heuristics' and earlier answers; without, it is random, which is for comparison.</summary>
    public bool Seeded { get; init; } = true;

    /// <summary>Open slots from which on a search is worth it.</summary>
    public int FewestSlots { get; init; } = 17;

    /// <summary>Points of the front that are handed out.</summary>
    public int FrontSize { get; init; } = 64;

    /// <summary>Devices looked at per class of tasks; in larger pools the best by several measures and a random sample stand for all.</summary>
    public int CandidateLimit { get; init; } = 400;
}

/// <summary>
/// Placement by multi-objective search: <see cref="WeightedScorePlacement"/> decides alone where there is little to choose or little at stake;
/// otherwise NSGA-II, seeded with the usual heuristics and with what was intended before, looks for placements that no other beats in all of
/// expected finish, cost, energy, risk and imbalance, and the pass takes the one nearest to what its tasks bought, each weighed by its own plan. Source of the algorithm: Deb,
/// Pratap, Agarwal, Meyarivan, IEEE TEC 6(2), 2002.
/// <para>
/// Who is placed is decided before the search, by order of service; the search only decides where. It keeps to the smaller of the problem's
/// budget and 1 % of the work's estimate, and is not begun below 5 ms. One thread.
/// </para>
/// </summary>
public sealed class NsgaPlacement(TimeProvider clock, PlacementSettings? settings = null) : IPlacementEngine
{
    private const double ShareOfWork = 0.01;

    private static readonly TimeSpan LeastBudget = TimeSpan.FromMilliseconds(5);

    private readonly WeightedScorePlacement _greedy = new();
    private readonly PlacementSettings _settings = settings ?? new PlacementSettings();

    /// <exception cref="OperationCanceledException">Cancelled while searching; looked at between generations.</exception>
    public PlacementOutcome Place(PlacementProblem problem, CancellationToken cancel = default)
    {
        var began = clock.GetTimestamp();
        var greedy = _greedy.Place(problem, cancel);
        var budget = BudgetOf(problem);
        if (problem.Tasks.Sum(t => t.Slots) < _settings.FewestSlots || budget < LeastBudget)
            return greedy;
        var everyone = PlacementModel.Of(problem, greedy.Assignments.Concat(problem.Previous), _settings.CandidateLimit);
        var (model, start) = WhoIsPlaced(everyone, greedy.Assignments);
        if (model.SlotCount == 0 || !Enumerable.Range(0, model.SlotCount).Any(slot => model.CandidateCount(slot) > 1))
            return greedy;
        return new PlacementSearcher(problem, model, start, _settings, clock, began, budget).Run(cancel);
    }

    private static TimeSpan BudgetOf(PlacementProblem problem)
    {
        var worth = problem.Tasks.Sum(t => t.Slots * t.Estimate.TotalSeconds) * ShareOfWork;
        return worth < problem.Budget.TotalSeconds ? TimeSpan.FromSeconds(worth) : problem.Budget;
    }

    /// <summary>
    /// Of two ways to fill the pool in order of service, the one that serves the earliest slot at which they differ, if it places no fewer than the
    /// greedy one; then whoever of the rest finds room after all.
    /// </summary>
    private static (PlacementModel Model, int[] Start) WhoIsPlaced(PlacementModel everyone, IReadOnlyList<Assignment> greedy)
    {
        var seeds = new PlacementSeeds(everyone);
        var weighted = everyone.GenesOf(greedy);
        var packed = seeds.InOrderOfService([]);
        var chosen = packed.Count(g => g >= 0) >= greedy.Count && ServesEarlier(packed, weighted) ? packed : weighted;
        chosen = seeds.InOrderOfService(chosen);
        var placed = Enumerable.Range(0, chosen.Length).Where(slot => chosen[slot] >= 0).ToArray();
        return (everyone.With(placed), [.. placed.Select(slot => chosen[slot])]);
    }

    private static bool ServesEarlier(int[] one, int[] other)
    {
        for (var slot = 0; slot < one.Length; slot++)
        {
            if (one[slot] >= 0 != other[slot] >= 0)
                return one[slot] >= 0;
        }
        return false;
    }
}
