namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Choice within a front by exclusive hypervolume: the row whose loss costs least volume goes, one by one. Sources: Beume, Naujoks, Emmerich,
/// "SMS-EMOA: multiobjective selection based on dominated hypervolume", EJOR 181(3), 2007; contributions by limiting all others to a row's own
/// box as in While et al. (WFG).
/// <para>
/// Idea for speed: limited to a row's box, most others are covered by a few neighbours. The neighbours are remembered, and when a row goes
/// only those it was a neighbour of are measured again: whatever it did not bound itself is bounded as before. Cost for a front of n with k neighbours each: O(M n² k) at first, O(M n k²) per removal
/// (three objectives: k about 6–15, 2.5 ms a generation of 100; it grows steeply with objectives: 16 ms for four, 170 ms for five).
/// </para>
/// </summary>
internal sealed class HypervolumeSplit : IFrontSplit
{
    /// <summary>
    /// The reference point lies this far outside the front, in units of its extent, so that rows at the rim own volume too. With about h rows
    /// along an edge of the front 1/h is the margin at which rim and interior weigh alike (Ishibuchi et al., Evol. Comput. 26(3), 2018).
    /// </summary>
    private readonly double _margin;

    private readonly int _objectiveCount;
    private readonly Hypervolume _volume;
    private readonly double[] _points;
    private readonly double[] _reference;
    private readonly double[] _contributions;
    private readonly double[] _limited;
    private readonly int[] _limitedOf;
    private readonly bool[] _gone;
    private readonly int[] _rows;
    private readonly ulong[] _neighbours;
    private int _stride;

    public HypervolumeSplit(int capacity, int objectiveCount)
    {
        _objectiveCount = objectiveCount;
        _volume = new Hypervolume(objectiveCount, capacity);
        _points = new double[capacity * objectiveCount];
        _reference = new double[objectiveCount];
        _contributions = new double[capacity];
        _limited = new double[capacity * objectiveCount];
        _limitedOf = new int[capacity];
        _gone = new bool[capacity];
        _rows = new int[capacity];
        _neighbours = new ulong[capacity * ((capacity + 63) / 64)];
        _margin = objectiveCount == 1 ? 0.1 : 1 / Math.Max(1, Math.Pow(capacity / 2.0, 1.0 / (objectiveCount - 1)) - 1);
    }

    public void Split(NonDominatedSort sort, ReadOnlySpan<double> objectives, int wholeFronts, int room, Span<double> diversity, Xoshiro256 random)
    {
        // Parents are drawn evenly within a front, as in SMS-EMOA.
        foreach (var row in sort.Order[..(sort.Starts[wholeFronts] + room)])
            diversity[row] = 0;
        if (room == 0)
            return;
        var front = sort.Front(wholeFronts);
        _stride = (front.Length + 63) / 64;
        Normalise(front, objectives);
        _gone.AsSpan(0, front.Length).Clear();
        for (var i = 0; i < front.Length; i++)
            Contribute(i, front.Length);
        for (var left = front.Length; left > room; left--)
            RemoveLeast(front.Length);

        front.CopyTo(_rows);
        var kept = 0;
        for (var i = 0; i < front.Length; i++)
        {
            if (!_gone[i])
                front[kept++] = _rows[i];
        }
    }

    /// <summary>The front's own extent becomes 0 to 1.</summary>
    private void Normalise(ReadOnlySpan<int> front, ReadOnlySpan<double> objectives)
    {
        for (var m = 0; m < _objectiveCount; m++)
        {
            var (least, most) = (double.PositiveInfinity, double.NegativeInfinity);
            foreach (var row in front)
            {
                var value = objectives[row * _objectiveCount + m];
                (least, most) = (Math.Min(least, value), Math.Max(most, value));
            }
            var extent = most > least ? most - least : 1;
            for (var i = 0; i < front.Length; i++)
                _points[i * _objectiveCount + m] = (objectives[front[i] * _objectiveCount + m] - least) / extent;
            _reference[m] = 1 + _margin;
        }
    }

    private void RemoveLeast(int count)
    {
        var least = -1;
        for (var i = 0; i < count; i++)
        {
            if (!_gone[i] && (least < 0 || _contributions[i] < _contributions[least]))
                least = i;
        }
        _gone[least] = true;
        for (var i = 0; i < count; i++)
        {
            if (!_gone[i] && (_neighbours[i * _stride + (least >> 6)] >> (least & 63) & 1) != 0)
                Contribute(i, count);
        }
    }

    /// <summary>Measures what row <paramref name="own"/> alone dominates, and remembers who bounds it.</summary>
    private void Contribute(int own, int count)
    {
        var objectiveCount = _objectiveCount;
        var box = _points.AsSpan(own * objectiveCount, objectiveCount);
        var kept = 0;
        for (var other = 0; other < count; other++)
        {
            if (!_gone[other] && other != own)
                kept = AddLimited(kept, box, other);
        }
        var neighbours = _neighbours.AsSpan(own * _stride, _stride);
        neighbours.Clear();
        foreach (var other in _limitedOf.AsSpan(0, kept))
            neighbours[other >> 6] |= 1UL << (other & 63);
        var volume = 1.0;
        for (var m = 0; m < objectiveCount; m++)
            volume *= _reference[m] - box[m];
        _contributions[own] = volume - _volume.Measure(_limited.AsSpan(0, kept * objectiveCount), _reference);
    }

    private int AddLimited(int kept, ReadOnlySpan<double> box, int other)
    {
        var objectiveCount = box.Length;
        var candidate = _limited.AsSpan(kept * objectiveCount, objectiveCount);
        var point = _points.AsSpan(other * objectiveCount, objectiveCount);
        for (var m = 0; m < objectiveCount; m++)
            candidate[m] = Math.Max(box[m], point[m]);
        for (var i = 0; i < kept; i++)
        {
            if (NoWorse(_limited.AsSpan(i * objectiveCount, objectiveCount), candidate))
                return kept;
        }
        var left = 0;
        for (var i = 0; i < kept; i++)
        {
            var present = _limited.AsSpan(i * objectiveCount, objectiveCount);
            if (NoWorse(candidate, present))
                continue;
            if (left != i)
            {
                present.CopyTo(_limited.AsSpan(left * objectiveCount, objectiveCount));
                _limitedOf[left] = _limitedOf[i];
            }
            left++;
        }
        if (left != kept)
            candidate.CopyTo(_limited.AsSpan(left * objectiveCount, objectiveCount));
        _limitedOf[left] = other;
        return left + 1;
    }

    private static bool NoWorse(ReadOnlySpan<double> one, ReadOnlySpan<double> other)
    {
        for (var m = 0; m < one.Length; m++)
        {
            if (one[m] > other[m])
                return false;
        }
        return true;
    }
}
