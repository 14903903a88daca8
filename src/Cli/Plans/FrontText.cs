namespace FogCompute.Cli.Plans;

/// <summary>What a stretch of a chart's line is, for colours.</summary>
public enum ChartPart { Frame, Point, Named, Chosen }

/// <summary>
/// A front as text: expected finish to the right, cost (or see <see cref="Vertical"/>) upwards. Points are Braille dots (2 × 4 to a character); named points are letters, the chosen
/// one a diamond. Marks that would fall on each other lie side by side, so each is seen.
/// </summary>
public static class FrontText
{
    private const int LeastColumns = 16, MostColumns = 110;
    private const char ChosenMark = '◆';

    /// <summary>Bit of each dot of a Braille character, by row and column; Unicode's Braille block starts at 2800.</summary>
    private static readonly byte[,] Dots = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };

    /// <summary>The marks of the named points, chosen first, else by finish: the initial of the name where it is free.</summary>
    public static IReadOnlyList<(char Mark, FrontPoint Point)> Marks(IReadOnlyList<FrontPoint> front)
    {
        var free = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".ToList();
        var marks = new List<(char, FrontPoint)>();
        foreach (var point in front.Where(p => p.IsNamed).OrderByDescending(p => p.Chosen).ThenBy(p => p.FinishSeconds).ThenBy(p => p.CostCredits))
        {
            var wanted = point.Names.Select(n => n.Length > 0 ? char.ToUpperInvariant(n[0]) : ' ').FirstOrDefault(free.Contains);
            var mark = point.Chosen ? ChosenMark : wanted != default ? wanted : free.Count > 0 ? free[0] : '?';
            free.Remove(mark);
            marks.Add((mark, point));
        }
        return marks;
    }

    /// <summary>Lines of at most <paramref name="width"/> characters, each in stretches; empty when that is too narrow for a chart.</summary>
    /// <param name="front">At least one point.</param>
    public static IReadOnlyList<IReadOnlyList<(string Text, ChartPart Part)>> Draw(IReadOnlyList<FrontPoint> front, int width)
    {
        var x = Axis.OfSeconds([.. front.Select(p => p.FinishSeconds)], width < 60 ? 3 : 6);
        var upwards = Vertical.For(front);
        var y = upwards.Axis([.. front.Select(upwards.Of)], 5);
        var margin = y.Ticks.Max(t => t.Text.Length);
        var columns = Math.Min(width - margin - 3, MostColumns);
        if (columns < LeastColumns)
            return [];
        var rows = Math.Clamp(columns / 4, 8, 18);

        var dots = new byte[rows, columns];
        foreach (var point in front.Where(p => !p.IsNamed))
        {
            var (dotRow, dotColumn) = (Nearest(1 - y.Share(upwards.Of(point)), rows * 4), Nearest(x.Share(point.FinishSeconds), columns * 2));
            dots[dotRow / 4, dotColumn / 2] |= Dots[dotRow % 4, dotColumn % 2];
        }
        var marks = new Dictionary<(int Row, int Column), char>();
        foreach (var (mark, point) in Marks(front))
            marks[FreeCell(marks, Nearest(1 - y.Share(upwards.Of(point)), rows), Nearest(x.Share(point.FinishSeconds), columns), rows, columns)] = mark;

        // From the top down, so a row that two ticks fall on keeps the upper end.
        var labels = new Dictionary<int, string>();
        foreach (var (value, text) in y.Ticks.Reverse())
            labels.TryAdd(Nearest(1 - y.Share(value), rows), text);
        var lines = new List<IReadOnlyList<(string, ChartPart)>> { new[] { (Title(upwards.Name, y, width), ChartPart.Frame) } };
        for (var row = 0; row < rows; row++)
        {
            var line = new List<(string, ChartPart)> { ($"{labels.GetValueOrDefault(row, "").PadLeft(margin)} {(labels.ContainsKey(row) ? '┤' : '│')}", ChartPart.Frame) };
            for (var column = 0; column < columns; column++)
            {
                line.Add(marks.TryGetValue((row, column), out var mark) ? (mark.ToString(), mark == ChosenMark ? ChartPart.Chosen : ChartPart.Named)
                    : dots[row, column] == 0 ? (" ", ChartPart.Frame)
                    : (((char)(0x2800 + dots[row, column])).ToString(), ChartPart.Point));
            }
            lines.Add(Joined(line));
        }
        var ruler = Enumerable.Repeat('─', columns).ToArray();
        var below = new string(' ', columns + 1).ToCharArray();
        var end = -1;
        foreach (var (value, text) in x.Ticks)
        {
            var at = Nearest(x.Share(value), columns);
            ruler[at] = '┬';
            var start = Math.Clamp(at - text.Length / 2, 0, Math.Max(0, columns - text.Length));
            if (start <= end || start + text.Length > columns)
                continue;
            text.CopyTo(below.AsSpan(start));
            end = start + text.Length;
        }
        lines.Add([($"{new string(' ', margin)} └{new string(ruler)}", ChartPart.Frame)]);
        lines.Add([($"{new string(' ', margin + 2)}{new string(below).TrimEnd()}", ChartPart.Frame)]);
        lines.Add([($"{new string(' ', margin + 2)}{Title("expected finish", x, columns)}", ChartPart.Frame)]);
        return lines;
    }

    /// <summary>In full where it fits; the unit stays longest.</summary>
    private static string Title(string what, Axis axis, int width) =>
        new[] { $"{what} of a task replica, {axis.Unit}", $"{what}, {axis.Unit}", axis.Unit }.FirstOrDefault(t => t.Length <= width, "");

    private static int Nearest(double share, int count) => (int)Math.Round(share * (count - 1));

    /// <summary>The cell itself, else the nearest one without a mark.</summary>
    private static (int, int) FreeCell(Dictionary<(int Row, int Column), char> taken, int row, int column, int rows, int columns)
    {
        var cells = from r in Enumerable.Range(0, rows) from c in Enumerable.Range(0, columns) where !taken.ContainsKey((r, c))
                    // Characters are twice as high as wide.
                    select (Row: r, Column: c, Distance: 4 * (r - row) * (r - row) + (c - column) * (c - column));
        var best = cells.MinBy(c => c.Distance);
        return (best.Row, best.Column);
    }

    /// <summary>Neighbours of one kind as one stretch, without blanks at the end.</summary>
    private static List<(string Text, ChartPart Part)> Joined(List<(string Text, ChartPart Part)> line)
    {
        var joined = new List<(string Text, ChartPart Part)>();
        foreach (var (text, part) in line)
        {
            if (joined.Count > 0 && joined[^1].Part == part)
                joined[^1] = (joined[^1].Text + text, part);
            else
                joined.Add((text, part));
        }
        joined[^1] = (joined[^1].Text.TrimEnd(), joined[^1].Part);
        return joined;
    }
}
