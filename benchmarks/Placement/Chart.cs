using System.Globalization;
using System.Text;

namespace FogCompute.Placement;

/// <summary>Small multiples: a row per figure, a column per size of pool, the policies side by side; a dot is the median, its whisker the quartiles.</summary>
internal static class Chart
{
    private const int Left = 222, Top = 76, Width = 270, Height = 84, Between = 56, RowGap = 22, Labels = 112;
    private const string Grey = "#6b7280", Accent = "#c2410c", Light = "#f0a070";

    public static string Draw(IReadOnlyList<SizeResult> sizes, IReadOnlyList<Policy> policies, string note)
    {
        var bottom = Top + Measure.All.Length * (Height + RowGap);
        var (width, height) = (Left + sizes.Count * (Width + Between), bottom + Labels);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12">
            <rect width="{width}" height="{height}" fill="#ffffff"/>
            <text x="20" y="28" font-size="17" font-weight="600" fill="#111827">Placement policies in simulated pools</text>
            <text x="20" y="47" fill="{Grey}">{note}</text>

            """);
        for (var column = 0; column < sizes.Count; column++)
        {
            var x = Left + column * (Width + Between);
            svg.Append(CultureInfo.InvariantCulture, $"""<text x="{x + Width / 2}" y="{Top - 8}" text-anchor="middle" font-weight="600" fill="#111827">{sizes[column].Devices:N0} devices ({sizes[column].Seeds} seeds)</text>""").Append('\n');
            for (var row = 0; row < Measure.All.Length; row++)
                Panel(svg, sizes[column], policies, Measure.All[row], x, Top + row * (Height + RowGap));
            for (var i = 0; i < policies.Count; i++)
            {
                var at = X(x, i, policies.Count);
                svg.Append(CultureInfo.InvariantCulture, $"""<text transform="translate({at + 4:0.0},{bottom - 4}) rotate(-45)" text-anchor="end" fill="{Colour(policies[i], text: true)}">{policies[i].Label}</text>""").Append('\n');
            }
        }
        for (var row = 0; row < Measure.All.Length; row++)
        {
            var y = Top + row * (Height + RowGap) + Height / 2;
            svg.Append(CultureInfo.InvariantCulture, $"""<text x="20" y="{y - 3}" font-weight="600" fill="#111827">{Measure.All[row].Label}</text><text x="20" y="{y + 13}" fill="{Grey}" font-size="11">{(Measure.All[row].Higher ? "more is better" : "less is better")}</text>""").Append('\n');
        }
        return svg.Append("</svg>\n").ToString();
    }

    private static void Panel(StringBuilder svg, SizeResult size, IReadOnlyList<Policy> policies, Measure measure, int x, int y)
    {
        var spreads = policies.Select(p => size.Spread(p.Name, measure)).ToList();
        var (low, high) = (spreads.Min(s => s.Low), spreads.Max(s => s.High));
        var margin = high > low ? 0.08 * (high - low) : 0.5 * Math.Max(1e-3, Math.Abs(high));
        (low, high) = (Math.Max(0, low - margin), high + margin);
        double Y(double value) => y + Height - (value - low) / (high - low) * Height;

        svg.Append(CultureInfo.InvariantCulture, $"""<rect x="{x}" y="{y}" width="{Width}" height="{Height}" fill="#f9fafb" stroke="#e5e7eb"/>""").Append('\n');
        foreach (var tick in Ticks(low, high))
            svg.Append(CultureInfo.InvariantCulture, $"""<line x1="{x}" x2="{x + Width}" y1="{Y(tick):0.0}" y2="{Y(tick):0.0}" stroke="#e5e7eb"/><text x="{x - 5}" y="{Y(tick) + 4:0.0}" text-anchor="end" font-size="10" fill="{Grey}">{tick.ToString("0.####", CultureInfo.InvariantCulture)}</text>""").Append('\n');
        for (var i = 0; i < policies.Count; i++)
        {
            var (at, colour) = (X(x, i, policies.Count), Colour(policies[i], text: false));
            svg.Append(CultureInfo.InvariantCulture, $"""<line x1="{at:0.0}" x2="{at:0.0}" y1="{Y(spreads[i].Low):0.0}" y2="{Y(spreads[i].High):0.0}" stroke="{colour}" stroke-width="2.5" stroke-linecap="round"/><circle cx="{at:0.0}" cy="{Y(spreads[i].Median):0.0}" r="4.5" fill="{colour}"/>""").Append('\n');
        }
    }

    private static double X(int x, int i, int count) => x + Width * (i + 0.5) / count;

    private static string Colour(Policy policy, bool text) => policy.Product ? Accent : policy.Name == Policy.Unseeded && !text ? Light : policy.Name == Policy.Unseeded ? Accent : Grey;

    /// <summary>Three or four round numbers between the two.</summary>
    private static IEnumerable<double> Ticks(double low, double high)
    {
        var raw = (high - low) / 3;
        var power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        var step = power * (raw / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
        for (var tick = Math.Ceiling(low / step) * step; tick <= high; tick += step)
            yield return Math.Round(tick, 10);
    }
}
