namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Fronts of one or two objectives. Idea: in lexicographic order a row is dominated by a front exactly when the front's smallest second
/// objective so far, that of its latest member, is not above the row's own. These tails grow from front to front, so binary search finds the
/// front. Source: Jensen, "Reducing the run-time complexity of multiobjective EAs", IEEE TEC 7(5), 2003, section on two objectives. Cost after
/// sorting: O(N log F) for F fronts.
/// </summary>
internal static class TwoObjectiveSweep
{
    /// <param name="rows">Feasible rows in lexicographic order.</param>
    /// <param name="ranks">Written for these rows.</param>
    /// <param name="tails">Scratch, one per row.</param>
    /// <returns>Number of fronts.</returns>
    public static int Rank(ReadOnlySpan<double> objectives, int objectiveCount, ReadOnlySpan<int> rows, Span<int> ranks, Span<double> tails)
    {
        var fronts = 0;
        var (previousFirst, previousSecond, previousRank) = (double.NaN, double.NaN, 0);
        foreach (var row in rows)
        {
            var first = objectives[row * objectiveCount];
            var second = objectiveCount == 1 ? 0 : objectives[row * objectiveCount + 1];
            // Equal rows do not dominate each other; they stand side by side in this order.
            if (first == previousFirst && second == previousSecond)
            {
                ranks[row] = previousRank;
                continue;
            }
            var (low, high) = (0, fronts);
            while (low < high)
            {
                var middle = (low + high) >>> 1;
                if (tails[middle] <= second)
                    low = middle + 1;
                else
                    high = middle;
            }
            if (low == fronts)
                fronts++;
            tails[low] = second;
            ranks[row] = low;
            (previousFirst, previousSecond, previousRank) = (first, second, low);
        }
        return fronts;
    }
}
