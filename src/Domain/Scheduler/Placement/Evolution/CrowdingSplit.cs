namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// NSGA-II's choice within a front: those with most room around them, by <see cref="CrowdingPruning"/>. Whole fronts are only measured, for the
/// tournament.
/// </summary>
internal sealed class CrowdingSplit(int capacity, int objectiveCount) : IFrontSplit
{
    private readonly CrowdingDistance _crowding = new(capacity);
    private readonly CrowdingPruning _pruning = new(capacity, objectiveCount);

    public void Split(NonDominatedSort sort, ReadOnlySpan<double> objectives, int wholeFronts, int room, Span<double> diversity, Xoshiro256 random)
    {
        // Feasible fronts of two objectives need no further sorting to be measured one by one; all others are measured together.
        var measured = objectiveCount == 2 && wholeFronts <= sort.FeasibleFrontCount;
        if (!measured)
            _crowding.Measure(sort, objectives, wholeFronts, diversity);
        for (var front = 0; measured && front < wholeFronts; front++)
            _pruning.Prune(sort, front, sort.Front(front).Length, objectives, diversity);
        if (room > 0)
            _pruning.Prune(sort, wholeFronts, room, objectives, diversity);
    }
}
