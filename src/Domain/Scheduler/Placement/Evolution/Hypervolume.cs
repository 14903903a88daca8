namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Exact hypervolume: the volume of what a set of points dominates, up to a reference point; all objectives minimised. The one measure of a
/// front that never rises when the front gets worse.
/// <para>
/// Two objectives: a sweep in ascending first objective, O(n log n). Three: a sweep in the third objective over the staircase of the other two
/// (Fonseca, Paquete, López-Ibáñez, "An improved dimension-sweep algorithm for the hypervolume indicator", CEC 2006, with a sorted array in
/// place of the tree), O(n log n) comparisons and O(n) moves per point. Four and more: WFG (While, Bradstreet, Barone, "A fast way of
/// calculating exact hypervolumes", IEEE TEC 16(1), 2012): each point adds its own box less what later points, limited to that box, cover of
/// it; worst case O(2^n), usually far less.
/// </para>
/// <para>Keeps its scratch memory: repeated calls of one size allocate nothing. Not thread-safe.</para>
/// </summary>
public sealed class Hypervolume
{
    private readonly Level[] _levels;
    private double[] _staircaseX;
    private double[] _staircaseY;

    /// <param name="objectiveCount">1 or more.</param>
    /// <param name="capacity">Points for which memory is set aside now; more is taken when needed.</param>
    public Hypervolume(int objectiveCount, int capacity = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(objectiveCount);
        ObjectiveCount = objectiveCount;
        _levels = new Level[objectiveCount + 1];
        for (var dimension = 0; dimension <= objectiveCount; dimension++)
        {
            _levels[dimension] = new Level();
            _levels[dimension].Reserve(capacity, dimension);
        }
        (_staircaseX, _staircaseY) = (new double[capacity], new double[capacity]);
    }

    public int ObjectiveCount { get; }

    /// <summary>The hypervolume of one front; see <see cref="Of"/>.</summary>
    public static double Of(ReadOnlySpan<double> points, ReadOnlySpan<double> reference) => new Hypervolume(reference.Length).Measure(points, reference);

    /// <param name="points">Points × objectives, in any order; dominated points and points not better than the reference in every objective add nothing.</param>
    /// <param name="reference">One value per objective.</param>
    public double Measure(ReadOnlySpan<double> points, ReadOnlySpan<double> reference)
    {
        if (reference.Length != ObjectiveCount || points.Length % ObjectiveCount != 0)
            throw new ArgumentException($"Expected points and a reference of {ObjectiveCount} objectives, got {points.Length} coordinates and a reference of {reference.Length}.");
        // Distances to the reference turn every level into the same problem: maximise, from the origin.
        var level = _levels[ObjectiveCount];
        level.Reserve(points.Length / ObjectiveCount, ObjectiveCount);
        var count = 0;
        for (var at = 0; at < points.Length; at += ObjectiveCount)
        {
            var target = level.Points.AsSpan(count * ObjectiveCount, ObjectiveCount);
            var inside = true;
            for (var m = 0; m < ObjectiveCount; m++)
            {
                target[m] = reference[m] - points[at + m];
                inside &= target[m] > 0;
            }
            if (inside)
                count++;
        }
        return Volume(count, ObjectiveCount);
    }

    /// <summary>Volume of the union of boxes from the origin to each of the level's points.</summary>
    private double Volume(int count, int dimension)
    {
        var level = _levels[dimension];
        switch (count)
        {
            case 0:
                return 0;
            case 1:
                return Product(level.Points.AsSpan(0, dimension));
        }
        return dimension switch
        {
            1 => Largest(level.Points.AsSpan(0, count)),
            2 => Area(level, count),
            3 => Volume3(level, count),
            _ => Wfg(level, count, dimension),
        };
    }

    private static double Largest(ReadOnlySpan<double> values)
    {
        var largest = values[0];
        foreach (var value in values)
            largest = Math.Max(largest, value);
        return largest;
    }

    private static double Product(ReadOnlySpan<double> values)
    {
        var product = 1.0;
        foreach (var value in values)
            product *= value;
        return product;
    }

    private static double Area(Level level, int count)
    {
        level.OrderDescending(count, 2, 0);
        var (area, top) = (0.0, 0.0);
        foreach (var i in level.Order.AsSpan(0, count))
        {
            var (x, y) = (level.Points[2 * i], level.Points[2 * i + 1]);
            if (y > top)
            {
                area += x * (y - top);
                top = y;
            }
        }
        return area;
    }

    private double Volume3(Level level, int count)
    {
        if (_staircaseX.Length < count)
            (_staircaseX, _staircaseY) = (new double[level.Keys.Length], new double[level.Keys.Length]);
        level.OrderDescending(count, 3, 2);
        // From the highest slab down: the staircase (x falling, y rising) is what the points so far cover of the plane.
        var (xs, ys) = (_staircaseX, _staircaseY);
        var (steps, area, volume) = (0, 0.0, 0.0);
        var height = level.Points[3 * level.Order[0] + 2];
        foreach (var i in level.Order.AsSpan(0, count))
        {
            var (x, y, z) = (level.Points[3 * i], level.Points[3 * i + 1], level.Points[3 * i + 2]);
            volume += area * (height - z);
            height = z;
            // First step that is not right of the new point.
            var (low, high) = (0, steps);
            while (low < high)
            {
                var middle = (low + high) >>> 1;
                if (xs[middle] > x)
                    low = middle + 1;
                else
                    high = middle;
            }
            var below = low > 0 ? ys[low - 1] : 0;
            if (y <= below || (low < steps && xs[low] == x && ys[low] >= y))
                continue;
            // Steps it covers go; what they covered between the point's edges is counted out of its own area.
            var end = low;
            var gain = 0.0;
            var floor = below;
            while (end < steps && ys[end] <= y)
            {
                gain += (x - xs[end]) * (ys[end] - floor);
                floor = ys[end];
                end++;
            }
            var next = end < steps ? xs[end] : 0;
            gain += (x - next) * (y - floor);
            area += gain;
            Array.Copy(xs, end, xs, low + 1, steps - end);
            Array.Copy(ys, end, ys, low + 1, steps - end);
            (xs[low], ys[low]) = (x, y);
            steps += low + 1 - end;
        }
        return volume + area * height;
    }

    private double Wfg(Level level, int count, int dimension)
    {
        // With the lowest in the last objective first, all later points reach this one's height: limited to its box they differ in the other
        // objectives only, and the exclusive volume is an exclusive area of one dimension less times the height.
        var last = dimension - 1;
        level.OrderAscending(count, dimension, last);
        var lower = _levels[last];
        lower.Reserve(count, last);
        var volume = 0.0;
        for (var rank = 0; rank < count; rank++)
        {
            var point = level.Points.AsSpan(level.Order[rank] * dimension, dimension);
            var kept = 0;
            for (var later = rank + 1; later < count; later++)
                kept = lower.AddLimited(kept, point[..last], level.Points.AsSpan(level.Order[later] * dimension, last));
            volume += point[last] * (Product(point[..last]) - Volume(kept, last));
        }
        return volume;
    }

    /// <summary>Points of one dimension during the recursion; each dimension has one set alive at a time.</summary>
    private sealed class Level
    {
        public double[] Points { get; private set; } = [];

        public double[] Keys { get; private set; } = [];

        public int[] Order { get; private set; } = [];

        public void Reserve(int count, int dimension)
        {
            if (Keys.Length >= count)
                return;
            var capacity = Math.Max(count, 2 * Keys.Length);
            Points = new double[capacity * dimension];
            Keys = new double[capacity];
            Order = new int[capacity];
        }

        public void OrderAscending(int count, int dimension, int coordinate) => OrderBy(count, dimension, coordinate, 1);

        public void OrderDescending(int count, int dimension, int coordinate) => OrderBy(count, dimension, coordinate, -1);

        /// <summary>Adds <paramref name="point"/> cut down to <paramref name="box"/>, unless one here covers it, and drops those it covers.</summary>
        /// <returns>How many points there are now.</returns>
        public int AddLimited(int count, ReadOnlySpan<double> box, ReadOnlySpan<double> point)
        {
            var dimension = box.Length;
            var candidate = Points.AsSpan(count * dimension, dimension);
            for (var m = 0; m < dimension; m++)
                candidate[m] = Math.Min(box[m], point[m]);
            for (var i = 0; i < count; i++)
            {
                if (Covers(Points.AsSpan(i * dimension, dimension), candidate))
                    return count;
            }
            var kept = 0;
            for (var i = 0; i < count; i++)
            {
                var other = Points.AsSpan(i * dimension, dimension);
                if (Covers(candidate, other))
                    continue;
                if (kept != i)
                    other.CopyTo(Points.AsSpan(kept * dimension, dimension));
                kept++;
            }
            if (kept != count)
                candidate.CopyTo(Points.AsSpan(kept * dimension, dimension));
            return kept + 1;
        }

        private static bool Covers(ReadOnlySpan<double> one, ReadOnlySpan<double> other)
        {
            for (var m = 0; m < one.Length; m++)
            {
                if (one[m] < other[m])
                    return false;
            }
            return true;
        }

        private void OrderBy(int count, int dimension, int coordinate, double sign)
        {
            for (var i = 0; i < count; i++)
                (Keys[i], Order[i]) = (sign * Points[i * dimension + coordinate], i);
            Keys.AsSpan(0, count).Sort(Order.AsSpan(0, count));
        }
    }
}
