namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Crowding distances of a feasible front of two objectives, and the removal of the most crowded rows one by one. In lexicographic order such
/// a front rises in the first objective and falls in the second, so a row's neighbours are the same in both; they form a linked list, and an
/// indexed binary heap holds the distances. Cost: O(n) to measure, O(log n) per removal.
/// </summary>
internal sealed class TwoObjectivePruning(int capacity)
{
    private readonly int[] _previous = new int[capacity];
    private readonly int[] _next = new int[capacity];
    private readonly double[] _distances = new double[capacity];
    private readonly double[] _first = new double[capacity];
    private readonly double[] _second = new double[capacity];
    private readonly int[] _heap = new int[capacity];
    private readonly int[] _heapAt = new int[capacity];
    private double _perFirst, _perSecond;
    private int _heapCount;

    /// <param name="rows">The front in lexicographic order; those kept are moved to its first <paramref name="keep"/> places, in order.</param>
    /// <param name="keep">How many stay.</param>
    /// <param name="objectives">Rows × 2.</param>
    /// <param name="distances">Written for the rows that stay.</param>
    public void Prune(Span<int> rows, int keep, ReadOnlySpan<double> objectives, Span<double> distances)
    {
        var count = rows.Length;
        for (var i = 0; i < count; i++)
        {
            _first[i] = objectives[2 * rows[i]];
            _second[i] = objectives[2 * rows[i] + 1];
            _previous[i] = i - 1;
            _next[i] = i + 1;
        }
        _next[count - 1] = -1;
        _perFirst = Reciprocal(_first[count - 1] - _first[0]);
        _perSecond = Reciprocal(_second[0] - _second[count - 1]);
        for (var i = 0; i < count; i++)
            _distances[i] = Measure(i);
        if (keep < count)
            Remove(count, count - keep);
        var kept = 0;
        for (var i = 0; i < count; i++)
        {
            if (double.IsNaN(_distances[i]))
                continue;
            distances[rows[i]] = _distances[i];
            rows[kept++] = rows[i];
        }
    }

    private static double Reciprocal(double extent) => extent > 0 ? 1 / extent : 0;

    private double Measure(int i)
    {
        var (before, after) = (_previous[i], _next[i]);
        return before < 0 || after < 0
            ? double.PositiveInfinity
            : (_first[after] - _first[before]) * _perFirst + (_second[before] - _second[after]) * _perSecond;
    }

    private void Remove(int count, int removals)
    {
        _heapCount = count;
        for (var i = 0; i < count; i++)
            (_heap[i], _heapAt[i]) = (i, i);
        for (var at = count / 2 - 1; at >= 0; at--)
            SiftDown(at);
        for (; removals > 0; removals--)
        {
            var worst = _heap[0];
            Place(_heap[--_heapCount], 0);
            if (_heapCount > 0)
                SiftDown(0);
            _distances[worst] = double.NaN;
            var (before, after) = (_previous[worst], _next[worst]);
            if (before >= 0)
                _next[before] = after;
            if (after >= 0)
                _previous[after] = before;
            Refresh(before);
            Refresh(after);
        }
    }

    private void Refresh(int i)
    {
        if (i < 0)
            return;
        // A row's gap can only widen when a neighbour goes, so it can only sink in the heap.
        _distances[i] = Measure(i);
        SiftDown(_heapAt[i]);
    }

    private void SiftDown(int at)
    {
        var item = _heap[at];
        while (true)
        {
            var child = 2 * at + 1;
            if (child >= _heapCount)
                break;
            if (child + 1 < _heapCount && Before(_heap[child + 1], _heap[child]))
                child++;
            if (!Before(_heap[child], item))
                break;
            Place(_heap[child], at);
            at = child;
        }
        Place(item, at);
    }

    private void Place(int item, int at) => (_heap[at], _heapAt[item]) = (item, at);

    private bool Before(int one, int other) => _distances[one] < _distances[other] || (_distances[one] == _distances[other] && one < other);
}
