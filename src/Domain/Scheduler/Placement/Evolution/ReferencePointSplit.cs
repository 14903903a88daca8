using System.Runtime.Intrinsics;

namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// NSGA-III's choice within a front: the population is spread over reference directions, and the front's rows fill those directions that have
/// fewest survivors yet. Source: Deb and Jain, "An evolutionary many-objective optimization algorithm using reference-point-based
/// nondominated sorting approach, part I", IEEE TEC 18(4), 2014; extreme points and the fall-back for a degenerate hyperplane as in Blank, Deb,
/// Roy, "Investigating the normalization procedure of NSGA-III", EMO 2019. Cost per generation: O(N H M) for H directions.
/// </summary>
internal sealed class ReferencePointSplit : IFrontSplit
{
    /// <summary>Weight of the other axes when looking for the extreme point of one.</summary>
    private const double AxisPenalty = 1e6;

    /// <summary>An extent below this is taken for flat.</summary>
    private const double Flat = 1e-12;

    private const int Lanes = 8;

    private readonly int _objectiveCount;
    private readonly int _directionCount;

    // Unit vectors, objective by objective (objectives × stride), the last vector of eight filled up with null directions.
    private readonly double[] _directions;
    private readonly int _stride;
    private readonly double[] _ideal;
    private readonly double[] _worst;
    private readonly double[] _extremes;
    private readonly double[] _extents;
    private readonly double[] _matrix;
    private readonly double[] _point;
    private readonly int[] _order;
    private readonly int[] _nearest;
    private readonly double[] _distance;
    private readonly int[] _survivors;
    private readonly int[] _candidates;
    private readonly int[] _firstCandidate;
    private readonly int[] _nextCandidate;
    private bool _haveExtremes;

    public ReferencePointSplit(int capacity, int objectiveCount, ReadOnlySpan<double> referencePoints)
    {
        _objectiveCount = objectiveCount;
        _directionCount = referencePoints.Length / objectiveCount;
        _stride = (_directionCount + Lanes - 1) / Lanes * Lanes;
        _directions = UnitDirections(referencePoints, objectiveCount, _stride);
        _order = new int[_directionCount];
        for (var direction = 0; direction < _directionCount; direction++)
            _order[direction] = direction;
        _ideal = new double[objectiveCount];
        _ideal.AsSpan().Fill(double.PositiveInfinity);
        _worst = new double[objectiveCount];
        _extremes = new double[objectiveCount * objectiveCount];
        _extents = new double[objectiveCount];
        _matrix = new double[objectiveCount * (objectiveCount + 1)];
        _point = new double[objectiveCount];
        _nearest = new int[capacity];
        _distance = new double[capacity];
        _survivors = new int[_directionCount];
        _candidates = new int[_directionCount];
        _firstCandidate = new int[_directionCount];
        _nextCandidate = new int[capacity];
    }

    public void Split(NonDominatedSort sort, ReadOnlySpan<double> objectives, int wholeFronts, int room, Span<double> diversity, Xoshiro256 random)
    {
        // Parents are drawn evenly within a front, as in NSGA-III.
        foreach (var row in sort.Order[..(sort.Starts[wholeFronts] + room)])
            diversity[row] = 0;
        // Among infeasible rows of one violation there is no front to spread; the first ones stay.
        if (sort.FeasibleFrontCount == 0 || (room > 0 && wholeFronts >= sort.FeasibleFrontCount))
            return;
        Normalise(sort, objectives);
        if (room == 0)
            return;

        _survivors.AsSpan().Clear();
        foreach (var row in sort.Order[..sort.Starts[wholeFronts]])
        {
            Associate(row, objectives);
            _survivors[_nearest[row]]++;
        }
        var front = sort.Front(wholeFronts);
        _candidates.AsSpan().Clear();
        _firstCandidate.AsSpan().Fill(-1);
        for (var i = 0; i < front.Length; i++)
        {
            Associate(front[i], objectives);
            var direction = _nearest[front[i]];
            _candidates[direction]++;
            _nextCandidate[i] = _firstCandidate[direction];
            _firstCandidate[direction] = i;
        }
        FillNiches(front, room, random);
    }

    private static double[] UnitDirections(ReadOnlySpan<double> points, int objectiveCount, int stride)
    {
        var directions = new double[objectiveCount * stride];
        for (var direction = 0; direction * objectiveCount < points.Length; direction++)
        {
            var point = points.Slice(direction * objectiveCount, objectiveCount);
            var squares = 0.0;
            foreach (var part in point)
                squares += part * part;
            for (var m = 0; m < objectiveCount; m++)
                directions[m * stride + direction] = point[m] / Math.Sqrt(squares);
        }
        return directions;
    }

    /// <summary>Ideal point, extreme points and from them the extent of the front along each axis.</summary>
    private void Normalise(NonDominatedSort sort, ReadOnlySpan<double> objectives)
    {
        _worst.AsSpan().Fill(double.NegativeInfinity);
        var front = sort.Front(0);
        foreach (var row in front)
        {
            for (var m = 0; m < _objectiveCount; m++)
            {
                var value = objectives[row * _objectiveCount + m];
                _ideal[m] = Math.Min(_ideal[m], value);
                _worst[m] = Math.Max(_worst[m], value);
            }
        }
        for (var axis = 0; axis < _objectiveCount; axis++)
            FindExtreme(axis, front, objectives);
        _haveExtremes = true;
        if (!Intercepts())
        {
            for (var m = 0; m < _objectiveCount; m++)
                _extents[m] = Math.Max(_worst[m] - _ideal[m], Flat);
        }
    }

    /// <summary>The row, or the extreme point so far, that lies nearest to an axis by the achievement function max f_m / w_m.</summary>
    private void FindExtreme(int axis, ReadOnlySpan<int> front, ReadOnlySpan<double> objectives)
    {
        var extreme = _extremes.AsSpan(axis * _objectiveCount, _objectiveCount);
        var best = _haveExtremes ? Achievement(extreme, axis) : double.PositiveInfinity;
        foreach (var row in front)
        {
            var point = objectives.Slice(row * _objectiveCount, _objectiveCount);
            var value = Achievement(point, axis);
            if (value < best)
            {
                best = value;
                point.CopyTo(extreme);
            }
        }
    }

    private double Achievement(ReadOnlySpan<double> point, int axis)
    {
        var largest = double.NegativeInfinity;
        for (var m = 0; m < point.Length; m++)
            largest = Math.Max(largest, (point[m] - _ideal[m]) * (m == axis ? 1 : AxisPenalty));
        return largest;
    }

    /// <summary>Where the plane through the extreme points cuts the axes, by elimination with pivots; false when it does not, or beyond sense.</summary>
    private bool Intercepts()
    {
        var (n, width) = (_objectiveCount, _objectiveCount + 1);
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < n; j++)
                _matrix[i * width + j] = _extremes[i * n + j] - _ideal[j];
            _matrix[i * width + n] = 1;
        }
        for (var column = 0; column < n; column++)
        {
            var pivot = column;
            for (var i = column + 1; i < n; i++)
            {
                if (Math.Abs(_matrix[i * width + column]) > Math.Abs(_matrix[pivot * width + column]))
                    pivot = i;
            }
            if (Math.Abs(_matrix[pivot * width + column]) < Flat)
                return false;
            for (var j = 0; j < width; j++)
                (_matrix[column * width + j], _matrix[pivot * width + j]) = (_matrix[pivot * width + j], _matrix[column * width + j]);
            for (var i = 0; i < n; i++)
            {
                if (i == column)
                    continue;
                var factor = _matrix[i * width + column] / _matrix[column * width + column];
                for (var j = column; j < width; j++)
                    _matrix[i * width + j] -= factor * _matrix[column * width + j];
            }
        }
        for (var m = 0; m < n; m++)
        {
            var perExtent = _matrix[m * width + n] / _matrix[m * width + m];
            // An intercept beyond the worst of the front is an artefact of nearly parallel extreme points.
            var extent = 1 / perExtent;
            if (!(perExtent > 0) || !(extent >= 1e-6) || !(extent <= (_worst[m] - _ideal[m]) * (1 + 1e-9)))
                return false;
            _extents[m] = extent;
        }
        return true;
    }

    /// <summary>Finds the direction whose ray passes nearest to a row.</summary>
    private void Associate(int row, ReadOnlySpan<double> objectives)
    {
        var squares = 0.0;
        for (var m = 0; m < _objectiveCount; m++)
        {
            _point[m] = (objectives[row * _objectiveCount + m] - _ideal[m]) / _extents[m];
            squares += _point[m] * _point[m];
        }
        // Distance² to a ray = |x|² − (x·d)²: the nearest has the largest projection. No coordinate is negative, so a null direction never wins
        // against a real one, which comes first.
        var bests = Vector512.Create(double.NegativeInfinity);
        var where = Vector512<long>.Zero;
        for (var first = 0; first < _stride; first += Lanes)
        {
            var projections = Vector512<double>.Zero;
            for (var m = 0; m < _objectiveCount; m++)
                projections += _point[m] * Vector512.LoadUnsafe(ref _directions[0], (nuint)(m * _stride + first));
            var longer = Vector512.GreaterThan(projections, bests);
            bests = Vector512.ConditionalSelect(longer, projections, bests);
            where = Vector512.ConditionalSelect(longer.AsInt64(), Vector512.Create((long)first), where);
        }
        var (nearest, longest) = (int.MaxValue, double.NegativeInfinity);
        for (var lane = 0; lane < Lanes; lane++)
        {
            var (direction, projection) = ((int)where[lane] + lane, bests[lane]);
            if (projection > longest || (projection == longest && direction < nearest))
                (nearest, longest) = (direction, projection);
        }
        _nearest[row] = nearest;
        _distance[row] = squares - longest * longest;
    }

    private void FillNiches(Span<int> front, int room, Xoshiro256 random)
    {
        // A random order of directions, fixed for this generation, breaks ties.
        random.Shuffle(_order);
        // Chosen rows are marked by complement and moved to the front of the front at the end.
        for (var placed = 0; placed < room; placed++)
        {
            var direction = EmptiestDirection();
            var chosen = _survivors[direction] == 0 ? TakeNearest(direction, front) : TakeAny(direction, random);
            _survivors[direction]++;
            _candidates[direction]--;
            front[chosen] = ~front[chosen];
        }
        var kept = 0;
        for (var i = 0; i < front.Length; i++)
        {
            if (front[i] >= 0)
                continue;
            var row = ~front[i];
            front[i] = front[kept];
            front[kept++] = row;
        }
    }

    /// <summary>The first in order of the directions with candidates that have fewest survivors.</summary>
    private int EmptiestDirection()
    {
        var (emptiest, fewest) = (-1, int.MaxValue);
        foreach (var direction in _order)
        {
            if (_survivors[direction] < fewest && _candidates[direction] > 0)
                (emptiest, fewest) = (direction, _survivors[direction]);
        }
        return emptiest;
    }

    private int TakeNearest(int direction, ReadOnlySpan<int> front)
    {
        var (nearest, beforeNearest, before) = (-1, -1, -1);
        for (var i = _firstCandidate[direction]; i >= 0; before = i, i = _nextCandidate[i])
        {
            if (nearest < 0 || _distance[front[i]] < _distance[front[nearest]])
                (nearest, beforeNearest) = (i, before);
        }
        Unlink(direction, nearest, beforeNearest);
        return nearest;
    }

    private int TakeAny(int direction, Xoshiro256 random)
    {
        var (i, before) = (_firstCandidate[direction], -1);
        for (var skip = random.NextBelow(_candidates[direction]); skip > 0; skip--)
            (i, before) = (_nextCandidate[i], i);
        Unlink(direction, i, before);
        return i;
    }

    private void Unlink(int direction, int i, int before)
    {
        if (before < 0)
            _firstCandidate[direction] = _nextCandidate[i];
        else
            _nextCandidate[before] = _nextCandidate[i];
    }
}
