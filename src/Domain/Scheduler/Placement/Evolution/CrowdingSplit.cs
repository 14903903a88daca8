namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// NSGA-II's choice within a front: those with the largest crowding distance. With two objectives they are not all dropped at once by distances
/// measured before (which tears holes where neighbours fall together) but one by one, the most crowded first, its neighbours measured anew.
/// Source: Kukkonen and Deb, "Improved pruning of non-dominated solutions based on crowding distance for bi-objective optimization problems",
/// CEC 2006. Cost: O(n log n) with a heap for two objectives; one sort for more.
/// </summary>
internal sealed class CrowdingSplit(int capacity) : IFrontSplit
{
    private readonly CrowdingDistance _crowding = new(capacity);
    private readonly TwoObjectivePruning _pruning = new(capacity);
    private readonly double[] _keys = new double[capacity];

    public void Split(NonDominatedSort sort, ReadOnlySpan<double> objectives, int wholeFronts, int room, Span<double> diversity, Xoshiro256 random)
    {
        var fronts = room > 0 ? wholeFronts + 1 : wholeFronts;
        var twoObjectives = sort.ObjectiveCount == 2;
        if (!twoObjectives || fronts > sort.FeasibleFrontCount)
            _crowding.Measure(sort, objectives, fronts, diversity);
        for (var front = 0; front < fronts; front++)
        {
            var rows = sort.Front(front);
            var keep = front == wholeFronts ? room : rows.Length;
            if (twoObjectives && front < sort.FeasibleFrontCount)
                _pruning.Prune(rows, keep, objectives, diversity);
            else if (keep < rows.Length)
                KeepLeastCrowded(rows, diversity);
        }
    }

    private void KeepLeastCrowded(Span<int> rows, ReadOnlySpan<double> diversity)
    {
        var keys = _keys.AsSpan(0, rows.Length);
        for (var i = 0; i < rows.Length; i++)
            keys[i] = -diversity[rows[i]];
        keys.Sort(rows);
    }
}
