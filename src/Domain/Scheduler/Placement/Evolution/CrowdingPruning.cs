namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Removes the most crowded rows of a front one by one, the neighbours of each measured anew. All dropped at once, by distances measured before,
/// rows that crowd each other fall together and tear holes. Source: Kukkonen and Deb, "Improved pruning of non-dominated solutions based on
/// crowding distance for bi-objective optimization problems", CEC 2006; here for any number of objectives.
/// <para>
/// Idea: per objective a linked list of the front in ascending order, so that the neighbours of a row that goes are known at once, and a
/// binary heap over the distances that is brought up to date lazily. Cost: O(M n) to measure, given the orders, O(M log n) per removal.
/// </para>
/// </summary>
internal sealed class CrowdingPruning(int capacity, int objectiveCount)
{
    private const double Gone = -1;

    // Objectives × capacity, by place in the front.
    private readonly double[] _values = new double[capacity * objectiveCount];
    private readonly int[] _before = new int[capacity * objectiveCount];
    private readonly int[] _after = new int[capacity * objectiveCount];
    private readonly double[] _perExtent = new double[objectiveCount];
    private readonly int[] _order = new int[capacity];
    private readonly int[] _placeOf = new int[capacity];
    private readonly double[] _distances = new double[capacity];
    private readonly int[] _heap = new int[capacity];
    private int _heapCount;

    /// <param name="sort">The sorting the front is of.</param>
    /// <param name="front">Which front; those kept are moved to its first <paramref name="keep"/> places, in order.</param>
    /// <param name="keep">How many stay; all: they are only measured.</param>
    /// <param name="objectives">Rows × objectives.</param>
    /// <param name="distances">Written for the rows that stay.</param>
    public void Prune(NonDominatedSort sort, int front, int keep, ReadOnlySpan<double> objectives, Span<double> distances)
    {
        var rows = sort.Front(front);
        Link(sort, front, rows, objectives);
        for (var place = 0; place < rows.Length; place++)
            _distances[place] = Measure(place);
        if (keep < rows.Length)
            Remove(rows.Length, rows.Length - keep);
        var kept = 0;
        for (var place = 0; place < rows.Length; place++)
        {
            if (_distances[place] == Gone)
                continue;
            distances[rows[place]] = _distances[place];
            rows[kept++] = rows[place];
        }
    }

    private void Link(NonDominatedSort sort, int front, ReadOnlySpan<int> rows, ReadOnlySpan<double> objectives)
    {
        for (var m = 0; m < objectiveCount; m++)
        {
            var values = _values.AsSpan(m * capacity, rows.Length);
            for (var place = 0; place < rows.Length; place++)
                values[place] = objectives[rows[place] * objectiveCount + m];
            var order = OrderBy(m, sort, front, rows);
            var before = _before.AsSpan(m * capacity);
            var after = _after.AsSpan(m * capacity);
            var latest = -1;
            foreach (var place in order)
            {
                before[place] = latest;
                if (latest >= 0)
                    after[latest] = place;
                latest = place;
            }
            after[latest] = -1;
            var extent = values[latest] - values[order[0]];
            _perExtent[m] = extent > 0 ? 1 / extent : 0;
        }
    }

    /// <summary>Places of the front in ascending order of one objective.</summary>
    private ReadOnlySpan<int> OrderBy(int objective, NonDominatedSort sort, int front, ReadOnlySpan<int> rows)
    {
        var order = _order.AsSpan(0, rows.Length);
        if (objectiveCount == 2 && front < sort.FeasibleFrontCount)
        {
            // A front of two objectives rises in the first as it falls in the second: its own order serves, forwards and backwards.
            for (var place = 0; place < order.Length; place++)
                order[place] = objective == 0 ? place : order.Length - 1 - place;
            return order;
        }
        for (var place = 0; place < rows.Length; place++)
            _placeOf[rows[place]] = place;
        var found = 0;
        var ranks = sort.Ranks;
        foreach (var row in sort.ByObjective(objective))
        {
            if (ranks[row] == front)
                order[found++] = _placeOf[row];
        }
        return order;
    }

    private double Measure(int place)
    {
        var distance = 0.0;
        for (int m = 0, at = place; m < objectiveCount; m++, at += capacity)
        {
            var (before, after) = (_before[at], _after[at]);
            if ((before | after) < 0)
                return double.PositiveInfinity;
            distance += (_values[after + at - place] - _values[before + at - place]) * _perExtent[m];
        }
        return distance;
    }

    private void Remove(int count, int removals)
    {
        _heapCount = count;
        for (var place = 0; place < count; place++)
            _heap[place] = place;
        for (var at = count / 2 - 1; at >= 0; at--)
            SiftDown(at);
        while (removals > 0)
        {
            // Gaps only widen when neighbours go, so what the heap knows of a row is at most its distance now, and is looked at again only here.
            var most = _heap[0];
            var distance = Measure(most);
            if (distance > _distances[most])
            {
                _distances[most] = distance;
                SiftDown(0);
                continue;
            }
            _heap[0] = _heap[--_heapCount];
            if (_heapCount > 0)
                SiftDown(0);
            Unlink(most);
            _distances[most] = Gone;
            removals--;
        }
        for (var at = 0; at < _heapCount; at++)
            _distances[_heap[at]] = Measure(_heap[at]);
    }

    private void Unlink(int place)
    {
        for (var at = place; at < _before.Length; at += capacity)
        {
            var (before, after) = (_before[at], _after[at]);
            if (before >= 0)
                _after[at - place + before] = after;
            if (after >= 0)
                _before[at - place + after] = before;
        }
    }

    private void SiftDown(int at)
    {
        var item = _heap[at];
        while (true)
        {
            var child = 2 * at + 1;
            if (child >= _heapCount)
                break;
            if (child + 1 < _heapCount && Precedes(_heap[child + 1], _heap[child]))
                child++;
            if (!Precedes(_heap[child], item))
                break;
            _heap[at] = _heap[child];
            at = child;
        }
        _heap[at] = item;
    }

    private bool Precedes(int one, int other) => _distances[one] < _distances[other] || (_distances[one] == _distances[other] && one < other);
}
