namespace FogCompute.Cli.Plans;

/// <summary>A rectangle of a picture, in its units, y downwards.</summary>
public readonly record struct Box(double Left, double Top, double Width, double Height)
{
    public double Right => Left + Width;
    public double Bottom => Top + Height;
    public double CentreX => Left + Width / 2;
    public double CentreY => Top + Height / 2;

    public bool Overlaps(Box other) => Left < other.Right && other.Left < Right && Top < other.Bottom && other.Top < Bottom;

    public bool Contains(Box other) => other.Left >= Left && other.Right <= Right && other.Top >= Top && other.Bottom <= Bottom;

    /// <summary>The square of this half width around a point.</summary>
    public static Box Around(double x, double y, double half) => new(x - half, y - half, 2 * half, 2 * half);
}

/// <summary>
/// Places labels beside their points. Greedy, in order: rings of growing distance around the point, each tried in several directions, the first place
/// that lies in the bounds and on nothing else. O(labels × places × obstacles).
/// </summary>
public static class Labels
{
    /// <summary>Sixteenths of a turn, clockwise from the right: beside the point first, then its corners, above and below.</summary>
    private static readonly int[] Directions = [0, 14, 2, 8, 10, 6, 12, 4, 15, 1, 13, 3, 9, 7, 11, 5];

    private const double FirstRing = 10, RingStep = 6;

    /// <summary>One box for each label; null where there is no room left in the bounds.</summary>
    /// <param name="labels">Where each belongs and its size.</param>
    /// <param name="obstacles">What should stay visible: marks of other points. When that cannot be had only other labels count.</param>
    public static IReadOnlyList<Box?> Place(IReadOnlyList<(double X, double Y, double Width, double Height)> labels, IReadOnlyList<Box> obstacles, Box bounds)
    {
        var placed = new List<Box?>();
        foreach (var label in labels)
        {
            var others = placed.OfType<Box>().ToList();
            var places = Places(label, bounds).Where(p => !others.Exists(p.Overlaps)).ToList();
            var clear = places.Where(p => !obstacles.Any(p.Overlaps)).Take(1).Concat(places.Take(1)).ToList();
            placed.Add(clear.Count > 0 ? clear[0] : null);
        }
        return placed;
    }

    private static IEnumerable<Box> Places((double X, double Y, double Width, double Height) label, Box bounds)
    {
        for (var ring = FirstRing; ring < bounds.Width + bounds.Height; ring += RingStep)
        {
            foreach (var direction in Directions)
            {
                var angle = direction / 8.0 * Math.PI;
                var (dx, dy) = (Math.Cos(angle), Math.Sin(angle));
                var box = new Box(label.X + dx * (ring + label.Width / 2) - label.Width / 2, label.Y + dy * (ring + label.Height / 2) - label.Height / 2,
                    label.Width, label.Height);
                if (bounds.Contains(box))
                    yield return box;
            }
        }
    }
}
