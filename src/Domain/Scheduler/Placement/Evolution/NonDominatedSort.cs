namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Cuts a population into fronts by Deb's constrained domination: feasible before infeasible; among feasible ones Pareto domination; of two
/// infeasible ones the smaller violation dominates (equal violations do not dominate each other). Front 0 is dominated by nobody, front k only by
/// members of fronts before it. Source of the rule: Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm:
/// NSGA-II", IEEE TEC 6(2), 2002.
/// <para>
/// Idea: one lexicographic sort puts every dominator before what it dominates, so each row only has to find the first front none of whose
/// members, all placed earlier, dominates it. Two objectives: <see cref="TwoObjectiveSweep"/>, O(N log N). Three and more:
/// <see cref="DominanceBits"/>, O(M N log N + M N²/64). Infeasible rows only need sorting by violation.
/// </para>
/// <para>Holds its scratch memory: sorting allocates nothing. Not thread-safe. Rows are numbered as they are given.</para>
/// </summary>
public sealed class NonDominatedSort
{
    private readonly int _objectiveCount;
    private readonly double[] _keys;
    private readonly int[][] _byObjective;
    private readonly bool[] _sorted;
    private readonly int[] _lexicographic;
    private readonly int[] _placing;
    private readonly int[] _ranks;
    private readonly int[] _order;
    private readonly int[] _starts;
    private readonly DominanceBits? _bits;
    private double[] _objectives = [];
    private int _count;

    /// <param name="capacity">Most rows a call will hold.</param>
    /// <param name="objectiveCount">Objectives per row, 1 or more.</param>
    public NonDominatedSort(int capacity, int objectiveCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(objectiveCount);
        _objectiveCount = objectiveCount;
        _keys = new double[capacity];
        _byObjective = new int[objectiveCount][];
        for (var m = 0; m < objectiveCount; m++)
            _byObjective[m] = new int[capacity];
        _sorted = new bool[objectiveCount];
        _lexicographic = new int[capacity];
        _placing = new int[capacity];
        _ranks = new int[capacity];
        _order = new int[capacity];
        _starts = new int[capacity + 1];
        _bits = objectiveCount > 2 ? new DominanceBits(capacity) : null;
    }

    /// <summary>Objectives per row.</summary>
    public int ObjectiveCount => _objectiveCount;

    /// <summary>Fronts found by the last sort.</summary>
    public int FrontCount { get; private set; }

    /// <summary>How many of the fronts hold feasible rows; they come first.</summary>
    public int FeasibleFrontCount { get; private set; }

    /// <summary>Front of each row, 0 the best.</summary>
    public ReadOnlySpan<int> Ranks => _ranks.AsSpan(0, _count);

    /// <summary>Rows front after front, inside a front in lexicographic order of objectives. Writable: a selection reorders inside a front.</summary>
    public Span<int> Order => _order.AsSpan(0, _count);

    /// <summary>Where in <see cref="Order"/> each front begins; one more entry than fronts.</summary>
    public ReadOnlySpan<int> Starts => _starts.AsSpan(0, FrontCount + 1);

    /// <summary>The rows of one front, as <see cref="Order"/> has them.</summary>
    public Span<int> Front(int front) => _order.AsSpan(_starts[front], _starts[front + 1] - _starts[front]);

    /// <summary>Sorts <c>violations.Length</c> rows.</summary>
    /// <param name="objectives">Rows × objectives, without NaN (more rows behind are ignored); kept until the next call, for <see cref="ByObjective"/>.</param>
    /// <param name="violations">Per row; 0 or less is feasible.</param>
    public void Sort(double[] objectives, ReadOnlySpan<double> violations)
    {
        _count = violations.Length;
        _objectives = objectives;
        _sorted.AsSpan().Clear();

        var all = ByObjective(0);
        all.CopyTo(_lexicographic);
        if (_objectiveCount > 1)
            OrderTies(0, _count, 0);

        var infeasible = _count;
        var feasible = 0;
        foreach (var row in _lexicographic.AsSpan(0, _count))
        {
            // Feasible rows keep the lexicographic order in front, infeasible ones gather at the end.
            if (violations[row] <= 0)
                _placing[feasible++] = row;
            else
                _placing[--infeasible] = row;
        }
        var rows = _placing.AsSpan(0, feasible);
        FeasibleFrontCount = feasible == 0
            ? 0
            : _bits is null
                ? TwoObjectiveSweep.Rank(objectives, _objectiveCount, rows, _ranks, _keys)
                : _bits.Rank(this, objectives, _objectiveCount, rows, _ranks);
        FrontCount = RankInfeasible(_placing.AsSpan(feasible, _count - feasible), violations, FeasibleFrontCount);
        GatherFronts();
    }

    /// <summary>All rows of the last sort in ascending order of one objective, equal values by row. Sorted when first asked for.</summary>
    public ReadOnlySpan<int> ByObjective(int objective)
    {
        var rows = _byObjective[objective].AsSpan(0, _count);
        if (_sorted[objective])
            return rows;
        var keys = _keys.AsSpan(0, _count);
        for (var row = 0; row < keys.Length; row++)
        {
            keys[row] = _objectives[row * _objectiveCount + objective];
            rows[row] = row;
        }
        keys.Sort(rows);
        // The library's sort is not stable: equal keys are put back into the order of rows, so that a result never hangs on its internals.
        for (var start = 0; start < keys.Length;)
        {
            var end = start + 1;
            while (end < keys.Length && keys[end] == keys[start])
                end++;
            if (end - start > 1)
                rows[start..end].Sort();
            start = end;
        }
        _sorted[objective] = true;
        return rows;
    }

    /// <summary>Inside runs of <see cref="_lexicographic"/> that are equal up to <paramref name="objective"/>, sorts by the next objective, and so on.</summary>
    private void OrderTies(int from, int to, int objective)
    {
        for (var start = from; start < to;)
        {
            var value = _objectives[_lexicographic[start] * _objectiveCount + objective];
            var end = start + 1;
            while (end < to && _objectives[_lexicographic[end] * _objectiveCount + objective] == value)
                end++;
            if (end - start > 1)
            {
                var rows = _lexicographic.AsSpan(start, end - start);
                if (objective + 1 == _objectiveCount)
                {
                    rows.Sort();
                }
                else
                {
                    var keys = _keys.AsSpan(start, end - start);
                    for (var i = 0; i < rows.Length; i++)
                        keys[i] = _objectives[rows[i] * _objectiveCount + objective + 1];
                    keys.Sort(rows);
                    OrderTies(start, end, objective + 1);
                }
            }
            start = end;
        }
    }

    private int RankInfeasible(Span<int> rows, ReadOnlySpan<double> violations, int front)
    {
        if (rows.IsEmpty)
            return front;
        var keys = _keys.AsSpan(0, rows.Length);
        for (var i = 0; i < rows.Length; i++)
            keys[i] = violations[rows[i]];
        keys.Sort(rows);
        for (var i = 0; i < rows.Length; i++)
        {
            if (i > 0 && keys[i] > keys[i - 1])
                front++;
            _ranks[rows[i]] = front;
        }
        return front + 1;
    }

    /// <summary>Counting sort by rank over the lexicographic order.</summary>
    private void GatherFronts()
    {
        var starts = _starts.AsSpan(0, FrontCount + 1);
        starts.Clear();
        foreach (var rank in Ranks)
            starts[rank + 1]++;
        for (var front = 0; front < FrontCount; front++)
            starts[front + 1] += starts[front];
        foreach (var row in _lexicographic.AsSpan(0, _count))
            _order[starts[_ranks[row]]++] = row;
        for (var front = FrontCount; front > 0; front--)
            starts[front] = starts[front - 1];
        starts[0] = 0;
    }
}
