using System.Globalization;
using System.Text;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Plans;

/// <summary>An SVG document and its size in its own units.</summary>
public sealed record SvgPicture(string Text, int Width, int Height);

/// <summary>
/// A front as an SVG picture: expected finish to the right, cost (or see <see cref="Vertical"/>) upwards, colour for the risk; the named points labelled and, at the side, listed with
/// all objectives. Text is drawn as text, so it can be searched and read aloud.
/// </summary>
public static class FrontSvg
{
    private const int Width = 1000, LeastHeight = 560, PlotTop = 92, PlotRight = 664, PanelLeft = 700, ListTop = 236, ListStep = 54;
    private const int MostListed = 8, LongestLabel = 40, LongestListed = 30;

    /// <summary>Generous, since fonts differ: no label may be wider than its box.</summary>
    private const double CharacterWidth = 8.4, LabelHeight = 18;

    /// <summary>Least risk to most: indigo to orange, steadily lighter, so it can be read without seeing colours too.</summary>
    private static readonly (double R, double G, double B)[] Ramp = [(46, 58, 140), (156, 50, 140), (226, 85, 88), (250, 170, 60)];

    /// <summary>Draws it.</summary>
    /// <param name="front">At least one point.</param>
    /// <param name="title">One line.</param>
    /// <param name="subtitle">One line of figures.</param>
    public static SvgPicture Draw(IReadOnlyList<FrontPoint> front, string title, string subtitle)
    {
        var named = front.Where(p => p.IsNamed).OrderByDescending(p => p.Chosen).ThenBy(p => p.FinishSeconds).ThenBy(p => p.CostCredits).ToList();
        var height = Math.Max(LeastHeight, ListTop + ListStep * Math.Min(named.Count, MostListed) + 60);
        var x = Axis.OfSeconds([.. front.Select(p => p.FinishSeconds)], 7);
        var upwards = Vertical.For(front);
        var y = upwards.Axis([.. front.Select(upwards.Of)], 6);
        var left = 62 + 8 * y.Ticks.Max(t => t.Text.Length);
        var plot = new Box(left, PlotTop, PlotRight - left, height - PlotTop - 68);
        // Marks at the very edge stay whole.
        const double inset = 12;
        double X(double value) => plot.Left + inset + x.Share(value) * (plot.Width - 2 * inset);
        double Y(double value) => plot.Bottom - inset - y.Share(value) * (plot.Height - 2 * inset);
        var risks = front.Select(p => p.Risk).OfType<double>().ToList();
        (double Low, double High)? range = risks.Count > 0 ? (risks.Min(), risks.Max()) : null;

        var svg = new StringBuilder();
        void Add(FormattableString line) => svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Add($"""<svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{height}" viewBox="0 0 {Width} {height}" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="13" role="img" aria-labelledby="title desc">""");
        Add($"<title id=\"title\">{Xml(title)}</title>");
        Add($"<desc id=\"desc\">{Xml(Description(front, named, x, subtitle))}</desc>");
        svg.Append("""
            <style>
              .t { fill: #14263d } .s { fill: #51647d; font-size: 12px } .h { fill: #14263d; font-weight: 600 }
              .grid { stroke: #e3e8f0 } .axis { stroke: #8a9bb3; fill: none }
              .p { stroke: #ffffff; stroke-width: 1 } .n { stroke: #14263d; stroke-width: 1.8 } .lead { stroke: #8a9bb3 }
              .l { stroke: #ffffff; stroke-width: 3; stroke-linejoin: round; paint-order: stroke }
            </style>

            """);
        Add($"""<rect width="{Width}" height="{height}" fill="#ffffff"/>""");
        Add($"""<text class="h" x="28" y="38" font-size="19">{Xml(title)}</text>""");
        Add($"""<text class="s" x="28" y="60">{Xml(subtitle)}</text>""");

        foreach (var (value, text) in y.Ticks)
        {
            Add($"""<line class="grid" x1="{plot.Left:0.#}" y1="{Y(value):0.#}" x2="{plot.Right:0.#}" y2="{Y(value):0.#}"/>""");
            Add($"""<text class="s" x="{plot.Left - 8:0.#}" y="{Y(value) + 4:0.#}" text-anchor="end">{text}</text>""");
        }
        var end = double.NegativeInfinity;
        foreach (var (value, text) in x.Ticks)
        {
            Add($"""<line class="grid" x1="{X(value):0.#}" y1="{plot.Top:0.#}" x2="{X(value):0.#}" y2="{plot.Bottom:0.#}"/>""");
            var half = text.Length * CharacterWidth / 2;
            if (X(value) - half < end)
                continue;
            Add($"""<text class="s" x="{X(value):0.#}" y="{plot.Bottom + 19:0.#}" text-anchor="middle">{text}</text>""");
            end = X(value) + half;
        }
        Add($"""<path class="axis" d="M{plot.Left:0.#} {plot.Top:0.#} V{plot.Bottom:0.#} H{plot.Right:0.#}"/>""");
        Add($"""<text class="t" x="{plot.CentreX:0.#}" y="{plot.Bottom + 44:0.#}" text-anchor="middle">expected finish of a task replica, {x.Unit}</text>""");
        Add($"""<text class="t" transform="translate(34 {plot.CentreY:0.#}) rotate(-90)" text-anchor="middle">{upwards.Name} of a task replica, {y.Unit}</text>""");

        foreach (var point in front.Where(p => !p.IsNamed))
            Add($"""<circle class="p" cx="{X(point.FinishSeconds):0.#}" cy="{Y(upwards.Of(point)):0.#}" r="5" fill="{Colour(point.Risk, range)}"/>""");

        var labelled = named.Take(MostListed).ToList();
        var obstacles = front.Select(p => Box.Around(X(p.FinishSeconds), Y(upwards.Of(p)), p.IsNamed ? 10 : 5)).ToList();
        var places = Labels.Place([.. labelled.Select(p => (X(p.FinishSeconds), Y(upwards.Of(p)), Short(p.Label, LongestLabel).Length * CharacterWidth + 8, LabelHeight))], obstacles, plot);
        for (var i = 0; i < labelled.Count; i++)
        {
            if (places[i] is { } box)
                AddLeader(Add, X(labelled[i].FinishSeconds), Y(upwards.Of(labelled[i])), box);
        }
        // The chosen one last, so that nothing hides it.
        foreach (var point in Enumerable.Reverse(named))
            AddMark(Add, point, X(point.FinishSeconds), Y(upwards.Of(point)), Colour(point.Risk, range));
        for (var i = 0; i < labelled.Count; i++)
        {
            if (places[i] is { } box)
                Add($"""<text class="h l" data-label="{i}" x="{box.CentreX:0.#}" y="{box.CentreY + 4.5:0.#}" text-anchor="middle">{Xml(Short(labelled[i].Label, LongestLabel))}</text>""");
        }

        AddLegend(Add, range);
        Add($"""<text class="h" x="{PanelLeft}" y="{ListTop}">{(named.Count > 0 ? "Named points" : "No point has a name")}</text>""");
        for (var i = 0; i < labelled.Count; i++)
        {
            var (point, top) = (labelled[i], ListTop + 24 + i * ListStep);
            AddMark(Add, point, PanelLeft + 9, top - 4.5, Colour(point.Risk, range));
            Add($"""<text class="h" x="{PanelLeft + 26}" y="{top}">{Xml(Short(point.Names.Count > 0 ? string.Join(", ", point.Names) : point.Label, LongestListed))}</text>""");
            Add($"""<text class="s" x="{PanelLeft + 26}" y="{top + 16}">{Humane.Seconds(point.FinishSeconds)} · {Humane.Significant(point.CostCredits)} credits · {Humane.Joules(point.EnergyJoules)}</text>""");
            Add($"""<text class="s" x="{PanelLeft + 26}" y="{top + 31}">risk {Humane.Percent(point.Risk)} · imbalance {Humane.Significant(point.Imbalance)}</text>""");
        }
        if (named.Count > labelled.Count)
            Add($"""<text class="s" x="{PanelLeft + 26}" y="{ListTop + 24 + labelled.Count * ListStep}">and {named.Count - labelled.Count} more</text>""");
        svg.Append("</svg>\n");
        return new SvgPicture(svg.ToString(), Width, height);
    }

    private static void AddLegend(Action<FormattableString> add, (double Low, double High)? range)
    {
        add($"""<text class="h" x="{PanelLeft}" y="104">Risk of not ending well</text>""");
        if (range is not var (low, high))
        {
            add($"""<text class="s" x="{PanelLeft}" y="128">not known</text>""");
        }
        else if (high > low)
        {
            add($"""<defs><linearGradient id="risk">{string.Concat(Ramp.Select((c, i) => $"<stop offset=\"{i * 100 / (Ramp.Length - 1)}%\" stop-color=\"{Hex(c)}\"/>"))}</linearGradient></defs>""");
            add($"""<rect x="{PanelLeft}" y="114" width="220" height="12" rx="3" fill="url(#risk)"/>""");
            add($"""<text class="s" x="{PanelLeft}" y="143">{Humane.Percent(low)}</text>""");
            add($"""<text class="s" x="{PanelLeft + 220}" y="143" text-anchor="end">{Humane.Percent(high)}</text>""");
        }
        else
        {
            add($"""<rect x="{PanelLeft}" y="114" width="20" height="12" rx="3" fill="{Colour(low, range)}"/>""");
            add($"""<text class="s" x="{PanelLeft + 28}" y="124">{Humane.Percent(low)}, all the same</text>""");
        }
        var mark = Colour(range?.Low, range);
        AddMark(add, new FrontPoint(0, 0, null, null, null, [], Chosen: true), PanelLeft + 9, 170, mark);
        add($"""<text class="s" x="{PanelLeft + 24}" y="174">chosen</text>""");
        AddMark(add, new FrontPoint(0, 0, null, null, null, ["named"]), PanelLeft + 97, 170, mark);
        add($"""<text class="s" x="{PanelLeft + 110}" y="174">named</text>""");
        add($"""<circle class="p" cx="{PanelLeft + 171}" cy="170" r="5" fill="{mark}"/>""");
        add($"""<text class="s" x="{PanelLeft + 182}" y="174">other</text>""");
        add($"""<text class="s" x="{PanelLeft}" y="200">Left and down is better.</text>""");
    }

    private static void AddMark(Action<FormattableString> add, FrontPoint point, double x, double y, string colour)
    {
        if (point.Chosen)
            add($"""<path class="n" d="M{x:0.#} {y - 9:0.#} L{x + 9:0.#} {y:0.#} L{x:0.#} {y + 9:0.#} L{x - 9:0.#} {y:0.#} z" fill="{colour}"/>""");
        else
            add($"""<circle class="n" cx="{x:0.#}" cy="{y:0.#}" r="6.5" fill="{colour}"/>""");
    }

    /// <summary>A line from the mark to a label that does not stand right beside it.</summary>
    private static void AddLeader(Action<FormattableString> add, double x, double y, Box label)
    {
        var (toX, toY) = (Math.Clamp(x, label.Left, label.Right), Math.Clamp(y, label.Top, label.Bottom));
        if (Math.Sqrt((toX - x) * (toX - x) + (toY - y) * (toY - y)) > 18)
            add($"""<line class="lead" x1="{x:0.#}" y1="{y:0.#}" x2="{toX:0.#}" y2="{toY:0.#}"/>""");
    }

    private static string Description(IReadOnlyList<FrontPoint> front, List<FrontPoint> named, Axis x, string subtitle) =>
        $"Scatter chart of {Humane.Plural(front.Count, "non-dominated placement")}: expected finish in {x.Unit} to the right, cost in credits upwards, colour by risk. {subtitle}. "
        + string.Join(" ", named.Take(MostListed).Select(p =>
            $"{p.Label}: finish {Humane.Seconds(p.FinishSeconds)}, cost {Humane.Significant(p.CostCredits)} credits, energy {Humane.Joules(p.EnergyJoules)}, risk {Humane.Percent(p.Risk)}, imbalance {Humane.Significant(p.Imbalance)}."));

    private static string Colour(double? risk, (double Low, double High)? range)
    {
        if (risk is not { } value || range is not var (low, high))
            return "#9aa7b8";
        var at = (high > low ? (value - low) / (high - low) : 0) * (Ramp.Length - 1);
        var i = Math.Min((int)at, Ramp.Length - 2);
        var (a, b, s) = (Ramp[i], Ramp[i + 1], at - i);
        return Hex((a.R + (b.R - a.R) * s, a.G + (b.G - a.G) * s, a.B + (b.B - a.B) * s));
    }

    private static string Hex((double R, double G, double B) c) => $"#{(int)Math.Round(c.R):x2}{(int)Math.Round(c.G):x2}{(int)Math.Round(c.B):x2}";

    private static string Short(string label, int longest) => label.Length <= longest ? label : label[..(longest - 1)] + "…";

    private static string Xml(string text) => System.Security.SecurityElement.Escape(new string([.. text.Where(c => !char.IsControl(c) && !char.IsSurrogate(c))]))!;
}
