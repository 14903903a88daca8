using System.Runtime.Intrinsics;

namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Fronts of three and more objectives. Idea: per row one bit set of the rows that are no worse in every objective. It starts as "all before
/// me in lexicographic order" and is intersected, objective by objective, with "all up to me in the order of this objective", 512 rows per
/// instruction. Domination is transitive, so "no dominator in front k" holds for every later front too, and binary search over the fronts'
/// own bit sets finds the rank. Sources: Moreno, Rodriguez, Nebro, Lozano, "Merge nondominated sorting algorithm for many-objective
/// optimization" (MNDS), IEEE Trans. Cybernetics 51(12), 2021, for the bit sets; Zhang, Tian, Cheng, Jin, "An efficient approach to
/// nondominated sorting" (ENS-BS), IEEE TEC 19(2), 2015, for the search. Cost after sorting: O(M N²/64 + N log F · N/64) word operations and
/// 2 N²/8 bytes, e.g. 4 MB for 4 000 rows.
/// </summary>
internal sealed class DominanceBits
{
    private const int WordsPerVector = 8;

    private readonly int[] _positions;
    private readonly int[] _representatives;
    private ulong[] _dominators = [];
    private ulong[] _fronts = [];
    private ulong[] _prefix = [];

    /// <summary>Makes room for <paramref name="capacity"/> rows.</summary>
    public DominanceBits(int capacity)
    {
        var stride = StrideFor(capacity);
        _positions = new int[capacity];
        _representatives = new int[capacity];
        _dominators = new ulong[capacity * stride];
        _fronts = new ulong[capacity * stride];
        _prefix = new ulong[stride];
    }

    /// <param name="sort">Gives the order of rows by each objective.</param>
    /// <param name="rows">Feasible rows in lexicographic order.</param>
    /// <param name="ranks">Written for these rows.</param>
    /// <returns>Number of fronts.</returns>
    public int Rank(NonDominatedSort sort, ReadOnlySpan<double> objectives, int objectiveCount, ReadOnlySpan<int> rows, Span<int> ranks)
    {
        var distinct = NumberDistinct(objectives, objectiveCount, rows, ranks.Length);
        var stride = StrideFor(distinct);
        StartWithAllBefore(distinct, stride);
        for (var objective = 1; objective < objectiveCount; objective++)
            Intersect(sort.ByObjective(objective), objectives, objectiveCount, objective, stride);
        var fronts = RankDistinct(distinct, stride, ranks);
        foreach (var row in rows)
            ranks[row] = ranks[_representatives[_positions[row]]];
        return fronts;
    }

    private static int StrideFor(int rows) => ((rows + 63) / 64 + WordsPerVector - 1) / WordsPerVector * WordsPerVector;

    /// <summary>Gives each distinct vector its position in lexicographic order; equal rows share one, infeasible rows have −1.</summary>
    private int NumberDistinct(ReadOnlySpan<double> objectives, int objectiveCount, ReadOnlySpan<int> rows, int capacity)
    {
        _positions.AsSpan(0, capacity).Fill(-1);
        var distinct = 0;
        ReadOnlySpan<double> previous = default;
        foreach (var row in rows)
        {
            var vector = objectives.Slice(row * objectiveCount, objectiveCount);
            if (distinct == 0 || !vector.SequenceEqual(previous))
                _representatives[distinct++] = row;
            _positions[row] = distinct - 1;
            previous = vector;
        }
        return distinct;
    }

    private void StartWithAllBefore(int distinct, int stride)
    {
        for (var position = 0; position < distinct; position++)
        {
            var dominators = _dominators.AsSpan(position * stride, stride);
            var whole = position >> 6;
            dominators[..whole].Fill(ulong.MaxValue);
            dominators[whole] = (1UL << (position & 63)) - 1;
            // The words after this one are never read beyond the vector that holds it.
            dominators[(whole + 1)..EndOf(position)].Clear();
        }
    }

    private void Intersect(ReadOnlySpan<int> ascending, ReadOnlySpan<double> objectives, int objectiveCount, int objective, int stride)
    {
        var prefix = _prefix.AsSpan(0, stride);
        prefix.Clear();
        for (var start = 0; start < ascending.Length;)
        {
            // Rows of equal value are no worse than each other: all of them enter before any of them looks.
            var value = objectives[ascending[start] * objectiveCount + objective];
            var end = start;
            do
            {
                var position = _positions[ascending[end]];
                if (position >= 0)
                    prefix[position >> 6] |= 1UL << (position & 63);
                end++;
            }
            while (end < ascending.Length && objectives[ascending[end] * objectiveCount + objective] == value);
            for (; start < end; start++)
            {
                var position = _positions[ascending[start]];
                if (position >= 0 && _representatives[position] == ascending[start])
                    And(ref _dominators[position * stride], ref prefix[0], EndOf(position));
            }
        }
    }

    private int RankDistinct(int distinct, int stride, Span<int> ranks)
    {
        var fronts = 0;
        for (var position = 0; position < distinct; position++)
        {
            ref var dominators = ref _dominators[position * stride];
            var words = EndOf(position);
            var (low, high) = (0, fronts);
            while (low < high)
            {
                var middle = (low + high) >>> 1;
                if (Meets(ref dominators, ref _fronts[middle * stride], words))
                    low = middle + 1;
                else
                    high = middle;
            }
            if (low == fronts)
                _fronts.AsSpan(fronts++ * stride, stride).Clear();
            _fronts[low * stride + (position >> 6)] |= 1UL << (position & 63);
            ranks[_representatives[position]] = low;
        }
        return fronts;
    }

    /// <summary>Words up to the end of the vector in which the bit of this position lies.</summary>
    private static int EndOf(int position) => ((position >> 6) / WordsPerVector + 1) * WordsPerVector;

    private static void And(ref ulong target, ref ulong mask, int words)
    {
        for (nuint i = 0; i < (nuint)words; i += WordsPerVector)
            (Vector512.LoadUnsafe(ref target, i) & Vector512.LoadUnsafe(ref mask, i)).StoreUnsafe(ref target, i);
    }

    private static bool Meets(ref ulong one, ref ulong other, int words)
    {
        for (nuint i = 0; i < (nuint)words; i += WordsPerVector)
        {
            if ((Vector512.LoadUnsafe(ref one, i) & Vector512.LoadUnsafe(ref other, i)) != Vector512<ulong>.Zero)
                return true;
        }
        return false;
    }
}
