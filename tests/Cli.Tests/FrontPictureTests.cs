using System.Globalization;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using FogCompute.Cli.Plans;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Cli.Tests;

/// <summary>The chart of a front as text and as SVG, on fixed and on generated fronts.</summary>
[TestFixture]
internal sealed class FrontPictureTests
{
    private const double CharacterWidth = 8.4;
    private static readonly string[] Plans = ["knee", "fast", "cheap", "safe", "green"];

    private static FrontPoint Point(double finish, double cost, double? risk = 0.1, bool chosen = false, params string[] names) => new(finish, cost, 1200, risk, 0.02, names, chosen);

    // A bare array would be taken for the arguments themselves.
    private static TestCaseData Front(string name, FrontPoint[] front) => new((object)front) { TestName = $"{{m}}({name})" };

    private static readonly TestCaseData[] Fronts =
    [
        Front("one point", new[] { Point(60, 0.01, 0.1, true, Plans) }),
        Front("all values equal", Plans.Select(p => Point(60, 0.01, 0.1, p == "knee", p)).Append(Point(60, 0.01)).ToArray()),
        Front("all free of charge", Enumerable.Range(0, 9).Select(i => Point(60 + i, 0, 0, i == 3, i == 0 ? ["fast"] : [])).ToArray()),
        Front("all zero", new[] { Point(0, 0, 0, true, "knee") }),
        Front("eighteen orders of magnitude", Enumerable.Range(0, 19).Select(i => Point(Math.Pow(10, i - 3), Math.Pow(10, 15 - i), i / 18.0, i == 9, i == 0 ? ["fast"] : i == 18 ? ["cheap"] : [])).ToArray()),
        Front("zero to the largest", new[] { Point(0, 5e14, 1, false, "fast"), Point(1e15, 0, 0, true, "cheap") }),
        Front("hardly different", new[] { Point(1e9, 5, null, false, "fast"), Point(1e9 + 0.001, 4.9999999, null, true, "knee") }),
        Front("nothing named", new[] { Point(60, 0.01), Point(90, 0.005) }),
        Front("names in one corner", Plans.Select((p, i) => Point(60 + i * 0.01, 0.01 - i * 1e-6, i / 5.0, p == "safe", p)).Append(Point(3600, 0.001)).ToArray()),
        Front("hostile names", new[] { Point(60, 0.01, 0.1, true, "<b>&\"\u001b[2J", new string('x', 90)) }),
    ];

    [TestCaseSource(nameof(Fronts))]
    public void Svg_is_a_sound_picture(FrontPoint[] front) => AssertSound(front);

    [FsCheck.NUnit.Property(MaxTest = 60)]
    public Property Svg_of_any_front_is_a_sound_picture() => Prop.ForAll(AnyFront(), AssertSound);

    [TestCaseSource(nameof(Fronts))]
    public void Text_fits_every_width_and_shows_every_mark(FrontPoint[] front) => AssertFits(front);

    [FsCheck.NUnit.Property(MaxTest = 60)]
    public Property Text_of_any_front_fits_every_width() => Prop.ForAll(AnyFront(), AssertFits);

    [FsCheck.NUnit.Property(MaxTest = 300)]
    public Property An_axis_covers_its_values_and_has_different_ascending_ticks()
    {
        var cases = from low in Gen.Choose(0, 1_000_000)
                    from span in Gen.Choose(1, 1_000_000)
                    from power in Gen.Choose(-9, 8)
                    from ticks in Gen.Choose(2, 8)
                    select (Values: new[] { low * Math.Pow(10, power), (low + span) * Math.Pow(10, power) }, ticks);
        return Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var axis = Axis.OfCredits(c.Values, c.ticks);
            var at = axis.Ticks.Select(t => axis.Share(t.Value)).ToList();
            Assert.That(at, Is.Ordered.And.Unique);
            Assert.That((at[0], at[^1]), Is.EqualTo((0.0, 1.0)));
            Assert.That(axis.Ticks[0].Value, Is.LessThanOrEqualTo(c.Values[0] * (1 + 1e-6)));
            Assert.That(axis.Ticks[^1].Value, Is.GreaterThanOrEqualTo(c.Values[1] * (1 - 1e-6)));
            Assert.That(axis.Ticks.Select(t => t.Text), Is.Unique);
            Assert.That(axis.Ticks, Has.Count.InRange(2, 2 * c.ticks + 1));
            Assert.That(axis.Ticks.Select(t => double.Parse(t.Text, CultureInfo.InvariantCulture)), Is.EqualTo(axis.Ticks.Select(t => t.Value)).Within(1e-3).Percent);
        });
    }

    [Test]
    public void An_axis_of_durations_counts_in_the_unit_people_would_use()
    {
        Assert.That(Axis.OfSeconds([20, 100], 5).Unit, Is.EqualTo("s"));
        Assert.That(Axis.OfSeconds([200, 1000], 5).Unit, Is.EqualTo("min"));
        var hours = Axis.OfSeconds([7200, 36000], 5);
        Assert.That(hours.Unit, Is.EqualTo("h"));
        Assert.That(hours.Ticks.Select(t => t.Text), Is.EqualTo(new[] { "2", "4", "6", "8", "10" }));
        Assert.That(hours.Share(4 * 3600), Is.EqualTo(0.25).Within(1e-9));
        Assert.That(Axis.OfSeconds([1, 1000], 5).Unit, Is.EqualTo("s, logarithmic"));
        Assert.That(Axis.OfSeconds([1, 1000], 5).Ticks.Select(t => t.Text), Is.EqualTo(new[] { "1", "10", "100", "1000" }));
    }

    [Test]
    public void Text_has_the_fast_point_upper_left_and_the_cheap_one_lower_right()
    {
        var lines = Rendered([Point(60, 0.02, 0.1, false, "fast"), Point(90, 0.015), Point(120, 0.01, 0.1, true, "knee"), Point(180, 0.005, 0.1, false, "cheap")], 60);
        (int Row, int Column) At(char mark) => lines.Select((l, row) => (row, l.IndexOf(mark, StringComparison.Ordinal))).Single(p => p.Item2 >= 0);
        var (fast, knee, cheap) = (At('F'), At('◆'), At('C'));
        Assert.That((fast.Row, knee.Row), Is.LessThan((knee.Row, cheap.Row)));
        Assert.That((fast.Column, knee.Column), Is.LessThan((knee.Column, cheap.Column)));
        Assert.That(lines.Sum(l => l.Count(c => c is > '\u2800' and <= '\u28FF')), Is.EqualTo(1), "the point without a name");
        Assert.That(lines[0], Does.Contain("credits"));
        Assert.That(lines[^1], Does.EndWith("min"));
    }

    [Test]
    public void Energy_is_shown_where_cost_only_repeats_the_finish()
    {
        FrontPoint With(double finish, double cost, double? energy) => Point(finish, cost) with { EnergyJoules = energy };
        Assert.That(Vertical.For([With(60, 0.006, 900), With(120, 0.012, 200)]).Name, Is.EqualTo("energy"), "one rate");
        Assert.That(Vertical.For([With(60, 0.006, 900), With(120, 0.018, 200)]).Name, Is.EqualTo("cost"), "two rates");
        Assert.That(Vertical.For([With(60, 0.006, null), With(120, 0.012, 200)]).Name, Is.EqualTo("cost"), "energy unknown");
        Assert.That(Vertical.For([With(60, 0.006, 5), With(120, 0.012, 5)]).Name, Is.EqualTo("cost"), "energy says nothing");
        Assert.That(Rendered([With(60, 0.006, 90_000), With(120, 0.012, 20_000)], 60)[0], Is.EqualTo("energy of a task replica, kJ"));
        Assert.That(FrontSvg.Draw([With(60, 0.006, 900), With(120, 0.012, 200)], "t", "s").Text, Does.Contain("energy of a task replica, J"));
    }

    [Test]
    public void Marks_are_initials_where_they_are_free()
    {
        var marks = FrontText.Marks([Point(1, 5, 0.1, false, "fast"), Point(2, 4, 0.1, false, "frugal"), Point(3, 3, 0.1, true, "knee", "safe"), Point(4, 2), Point(5, 1, 0.1, false, "green", "cheap")]);
        Assert.That(marks.Select(m => m.Mark), Is.EqualTo(new[] { '◆', 'F', 'A', 'G' }));
        Assert.That(marks.Select(m => m.Point.Label), Is.EqualTo(new[] { "knee, safe (chosen)", "fast", "frugal", "green, cheap" }));
    }

    [Test]
    public void Reads_what_can_be_drawn_and_keeps_the_chosen_point()
    {
        var front = FrontPoint.Read(JsonNode.Parse("""
            {"chosen":2,"front":[{"finishSeconds":1,"costCredits":null,"names":["fast"]},{"finishSeconds":"NaN","costCredits":1},
             {"finishSeconds":2,"costCredits":0.5,"energyJoules":7,"risk":0.25,"imbalance":0.125,"names":["knee","cheap"]},{"finishSeconds":1e300,"costCredits":1}]}
            """)!);
        Assert.That(front, Has.Count.EqualTo(1));
        Assert.That((front[0].FinishSeconds, front[0].CostCredits, front[0].EnergyJoules, front[0].Risk, front[0].Imbalance, front[0].Chosen), Is.EqualTo((2.0, 0.5, 7.0, 0.25, 0.125, true)));
        Assert.That(front[0].Label, Is.EqualTo("knee, cheap (chosen)"));
    }

    [Test]
    public void Labels_are_left_out_only_where_no_room_is()
    {
        var bounds = new Box(0, 0, 100, 40);
        var places = Labels.Place([(50, 20, 40, 18), (50, 20, 40, 18), (50, 20, 200, 18)], [], bounds);
        Assert.That(places[0], Is.Not.Null);
        Assert.That(places[1], Is.Not.Null);
        Assert.That(places[2], Is.Null);
    }

    [Test]
    public void Colours_rise_with_the_risk()
    {
        var picture = XDocument.Parse(FrontSvg.Draw([Point(1, 3, 0.0), Point(2, 2, 0.5), Point(3, 1, 1.0)], "t", "s").Text);
        // In the order of the points, the legend's mark after them.
        var light = Elements(picture, "circle").Where(c => (string?)c.Attribute("class") == "p").Take(3).Select(c => Lightness((string)c.Attribute("fill")!)).ToList();
        Assert.That(light, Is.Ordered.And.Unique);
    }

    private static void AssertSound(FrontPoint[] front)
    {
        var picture = FrontSvg.Draw(front, "A <title>", "figures & more");
        Assert.That(picture.Text, Does.Not.Contain("NaN").And.Not.Contain("Infinity").And.Not.Contain("∞"));
        var svg = XDocument.Parse(picture.Text).Root!;
        Assert.That(svg.Elements().Take(2).Select(e => e.Name.LocalName), Is.EqualTo(new[] { "title", "desc" }));
        Assert.That(svg.Elements().First().Value, Is.EqualTo("A <title>"));
        Assert.That((string?)svg.Attribute("aria-labelledby"), Is.EqualTo("title desc"));

        var canvas = new Box(0, 0, picture.Width, picture.Height);
        var named = front.Count(p => p.IsNamed);
        // Three marks belong to the legend, and each named point stands in the list once more.
        Assert.That(Elements(svg.Document!, "circle").Count() + Elements(svg.Document!, "path").Count(p => (string?)p.Attribute("class") == "n"),
            Is.EqualTo(front.Length + named + 3));
        foreach (var circle in Elements(svg.Document!, "circle"))
            Assert.That(canvas.Contains(Box.Around(Number(circle, "cx"), Number(circle, "cy"), Number(circle, "r"))), circle.ToString());

        var labels = Elements(svg.Document!, "text").Where(t => t.Attribute("data-label") is not null)
            .Select(t => new Box(Number(t, "x") - t.Value.Length * CharacterWidth / 2, Number(t, "y") - 13, t.Value.Length * CharacterWidth, 17)).ToList();
        Assert.That(labels, Has.Count.EqualTo(named));
        for (var i = 0; i < labels.Count; i++)
        {
            Assert.That(canvas.Contains(labels[i]), $"label {i} leaves the picture");
            for (var j = 0; j < i; j++)
                Assert.That(labels[i].Overlaps(labels[j]), Is.False, $"labels {i} and {j} overlap");
        }
    }

    private static void AssertFits(FrontPoint[] front)
    {
        foreach (var width in (int[])[1, 20, 30, 40, 80, 200])
        {
            var lines = Rendered(front, width);
            if (lines.Count == 0)
            {
                Assert.That(width, Is.LessThan(40));
                continue;
            }
            Assert.That(lines.Max(l => l.Length), Is.LessThanOrEqualTo(width));
            var plot = string.Concat(lines.Skip(1).SkipLast(3).Select(l => l[(l.IndexOfAny(['│', '┤']) + 1)..]));
            Assert.That(plot.Where(c => c is not (' ' or (> '\u2800' and <= '\u28FF'))).Order(), Is.EqualTo(FrontText.Marks(front).Select(m => m.Mark).Order()));
        }
    }

    private static Arbitrary<FrontPoint[]> AnyFront() => Gen.Choose(0, int.MaxValue).Select(seed =>
    {
        var random = new Random(seed);
        var points = Enumerable.Range(0, random.Next(1, 80)).Select(_ => Point(
            random.Next(1000) * Math.Pow(10, random.Next(-2, 3)), random.Next(3) == 0 ? 0.25 : random.NextDouble() / 100, random.Next(9) == 0 ? null : random.NextDouble())).ToArray();
        foreach (var plan in Plans)
        {
            var i = random.Next(Math.Min(points.Length, 6));
            points[i] = points[i] with { Names = [.. points[i].Names, plan] };
        }
        var chosen = random.Next(points.Length);
        points[chosen] = points[chosen] with { Chosen = true };
        return points;
    }).ToArbitrary();

    private static List<string> Rendered(FrontPoint[] front, int width) => [.. FrontText.Draw(front, width).Select(line => string.Concat(line.Select(part => part.Text)))];

    private static IEnumerable<XElement> Elements(XDocument picture, string name) => picture.Descendants().Where(e => e.Name.LocalName == name);

    private static double Number(XElement element, string name) => double.Parse((string)element.Attribute(name)!, CultureInfo.InvariantCulture);

    /// <summary>Relative luminance, without the gamma: enough to order colours.</summary>
    private static double Lightness(string hex) =>
        new[] { 0.2126, 0.7152, 0.0722 }.Select((weight, i) => weight * Convert.ToInt32(hex.Substring(1 + 2 * i, 2), 16)).Sum();
}
