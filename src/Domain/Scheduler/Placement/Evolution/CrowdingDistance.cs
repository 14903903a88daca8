namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Crowding distance of NSGA-II: per objective the gap between a row's two neighbours in its front, in units of the front's extent, summed;
/// infinite for a row that is first or last in some objective. Source: Deb et al., IEEE TEC 6(2), 2002. Equal values count in the order of
/// rows. Idea for speed: the sorting has ordered all rows by each objective already, so one pass over that order serves all fronts at once and
/// no front is sorted again. Cost: O(M N) after sorting.
/// </summary>
public sealed class CrowdingDistance
{
    private readonly double[] _first;
    private readonly double[] _last;
    private readonly double[] _beforeLatest;
    private readonly int[] _latest;

    /// <param name="capacity">Most rows, thus most fronts.</param>
    public CrowdingDistance(int capacity)
    {
        _first = new double[capacity];
        _last = new double[capacity];
        _beforeLatest = new double[capacity];
        _latest = new int[capacity];
    }

    /// <summary>Writes the distances of all rows in the first <paramref name="fronts"/> fronts.</summary>
    public void Measure(NonDominatedSort sort, ReadOnlySpan<double> objectives, int fronts, Span<double> distances)
    {
        var ranks = sort.Ranks;
        var objectiveCount = sort.ObjectiveCount;
        foreach (var row in sort.Order[..sort.Starts[fronts]])
            distances[row] = 0;
        for (var objective = 0; objective < objectiveCount; objective++)
        {
            var ascending = sort.ByObjective(objective);
            MeasureExtents(ascending, ranks, objectives, objectiveCount, objective, fronts);
            _latest.AsSpan(0, fronts).Fill(-1);
            foreach (var row in ascending)
            {
                var front = ranks[row];
                if (front >= fronts)
                    continue;
                var value = objectives[row * objectiveCount + objective];
                var latest = _latest[front];
                if (latest < 0)
                {
                    distances[row] = double.PositiveInfinity;
                    _beforeLatest[front] = double.NaN;
                }
                else
                {
                    // The gap of the latest row is closed by this one; a front without extent has no gaps to tell apart.
                    var extent = _last[front] - _first[front];
                    if (!double.IsNaN(_beforeLatest[front]) && extent > 0)
                        distances[latest] += (value - _beforeLatest[front]) / extent;
                    _beforeLatest[front] = objectives[latest * objectiveCount + objective];
                }
                _latest[front] = row;
            }
            foreach (var row in _latest.AsSpan(0, fronts))
                distances[row] = double.PositiveInfinity;
        }
    }

    private void MeasureExtents(ReadOnlySpan<int> ascending, ReadOnlySpan<int> ranks, ReadOnlySpan<double> objectives, int objectiveCount, int objective, int fronts)
    {
        _first.AsSpan(0, fronts).Fill(double.NaN);
        foreach (var row in ascending)
        {
            var front = ranks[row];
            if (front >= fronts)
                continue;
            var value = objectives[row * objectiveCount + objective];
            if (double.IsNaN(_first[front]))
                _first[front] = value;
            _last[front] = value;
        }
    }
}
