using System.Runtime.Intrinsics;

namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Choice within a front by exclusive hypervolume: the row whose loss costs least volume goes, one by one. Sources: Beume, Naujoks, Emmerich,
/// "SMS-EMOA: multiobjective selection based on dominated hypervolume", EJOR 181(3), 2007; contributions by limiting all others to a row's own
/// box as in While et al. (WFG).
/// <para>
/// Idea for speed: limited to a row's box, most others are covered by a few neighbours. The neighbours are remembered, and when a row goes
/// only those it was a neighbour of are measured again: whatever it did not bound itself is bounded as before. Cost for a front of n with k neighbours each: O(M n² k) at first, O(M n k²) per removal
/// (three objectives: k about 6–15, 1 ms a generation of 100; it grows steeply with objectives: 10 ms for four, 200 ms for five).
/// </para>
/// </summary>
internal sealed class HypervolumeSplit : IFrontSplit
{
    private const int Lanes = 8;

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

    // Others limited to the box at hand: objectives × stride, so that eight are compared at once; lanes behind the last hold infinity.
    private readonly double[] _limited;
    private readonly int _limitedStride;
    private readonly double[] _limitedRows;
    private readonly double[] _candidate;
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
        _limitedStride = (capacity + Lanes - 1) / Lanes * Lanes;
        _limited = new double[_limitedStride * objectiveCount];
        _limitedRows = new double[capacity * objectiveCount];
        _candidate = new double[objectiveCount];
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
        _neighbours.AsSpan(0, front.Length * _stride).Clear();
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
        var neighbours = _neighbours.AsSpan(own * _stride, _stride);
        var kept = 0;
        // The neighbours known come first: most others are covered by one of them and need no more than that comparison.
        for (var round = 0; round < 2; round++)
        {
            for (var other = 0; other < count; other++)
            {
                var known = (neighbours[other >> 6] >> (other & 63) & 1) != 0;
                if (known == (round == 0) && !_gone[other] && other != own)
                    kept = AddLimited(kept, box, other);
            }
        }
        neighbours.Clear();
        foreach (var other in _limitedOf.AsSpan(0, kept))
            neighbours[other >> 6] |= 1UL << (other & 63);
        var volume = 1.0;
        for (var m = 0; m < objectiveCount; m++)
        {
            volume *= _reference[m] - box[m];
            for (var i = 0; i < kept; i++)
                _limitedRows[i * objectiveCount + m] = _limited[m * _limitedStride + i];
        }
        _contributions[own] = volume - _volume.Measure(_limitedRows.AsSpan(0, kept * objectiveCount), _reference);
    }

    /// <summary>Adds a row limited to <paramref name="box"/>, unless one here covers it, and drops those it covers.</summary>
    /// <returns>How many there are now.</returns>
    private int AddLimited(int kept, ReadOnlySpan<double> box, int other)
    {
        var objectiveCount = box.Length;
        for (var m = 0; m < objectiveCount; m++)
            _candidate[m] = Math.Max(box[m], _points[other * objectiveCount + m]);
        for (var first = 0; first < kept; first += Lanes)
        {
            if (Compare(first, covered: false) != 0)
                return kept;
        }
        var left = 0;
        for (var first = 0; first < kept; first += Lanes)
        {
            var covered = Compare(first, covered: true);
            for (var i = first; i < Math.Min(first + Lanes, kept); i++)
            {
                if ((covered >> (i - first) & 1) != 0)
                    continue;
                if (left != i)
                {
                    for (var at = 0; at < _limited.Length; at += _limitedStride)
                        _limited[at + left] = _limited[at + i];
                    _limitedOf[left] = _limitedOf[i];
                }
                left++;
            }
        }
        for (var m = 0; m < objectiveCount; m++)
        {
            var column = _limited.AsSpan(m * _limitedStride, _limitedStride);
            column[left] = _candidate[m];
            // From the new end to the end of its vector, or of the old ones.
            var end = (Math.Max(left + 1, kept) + Lanes - 1) / Lanes * Lanes;
            column[(left + 1)..end].Fill(double.PositiveInfinity);
        }
        _limitedOf[left] = other;
        return left + 1;
    }

    /// <summary>Of eight limited rows, those that are no worse than the candidate in every objective, or (covered) no better; a bit for each.</summary>
    private ulong Compare(int first, bool covered)
    {
        var all = Vector512<double>.AllBitsSet;
        for (var m = 0; m < _candidate.Length; m++)
        {
            var present = Vector512.LoadUnsafe(ref _limited[m * _limitedStride + first]);
            var candidate = Vector512.Create(_candidate[m]);
            all &= covered ? Vector512.GreaterThanOrEqual(present, candidate) : Vector512.LessThanOrEqual(present, candidate);
        }
        return all.ExtractMostSignificantBits();
    }
}
