using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace FogCompute.Api.ContractTests.Telemetry;

/// <param name="Name">As it stands on the line, with _bucket and the like.</param>
internal sealed record Sample(string Name, IReadOnlyDictionary<string, string> Labels, double Value);

internal sealed record MetricFamily(string Name, string Type, string? Help, List<Sample> Samples);

/// <summary>Reads Prometheus' text format 0.0.4 and accepts nothing that a strict reader would not: any breach is a FormatException that names the line.</summary>
internal static partial class Exposition
{
    public static IReadOnlyDictionary<string, MetricFamily> Parse(string text)
    {
        if (!text.EndsWith('\n') || text.Contains('\r'))
            throw new FormatException("Lines end in \\n, the last one too.");
        var families = new Dictionary<string, MetricFamily>(StringComparer.Ordinal);
        MetricFamily? current = null;
        (string Name, string Text)? help = null;
        foreach (var line in text[..^1].Split('\n'))
        {
            try
            {
                if (HelpLine().Match(line) is { Success: true } h)
                {
                    help = (h.Groups[1].Value, Unescape(h.Groups[2].Value, quotes: false));
                }
                else if (TypeLine().Match(line) is { Success: true } t)
                {
                    var name = t.Groups[1].Value;
                    current = new MetricFamily(name, t.Groups[2].Value, help?.Name == name ? help.Value.Text : null, []);
                    if (!families.TryAdd(name, current))
                        throw new FormatException("a family is declared twice");
                    if (current.Type == "counter" && !name.EndsWith("_total", StringComparison.Ordinal))
                        throw new FormatException("a counter ends in _total");
                }
                else if (UnitLine().Match(line) is { Success: true } u)
                {
                    if (current?.Name != u.Groups[1].Value || !Bare(current).EndsWith("_" + u.Groups[2].Value, StringComparison.Ordinal))
                        throw new FormatException("a unit follows its type and ends its name");
                }
                else
                {
                    Add(line, current ?? throw new FormatException("a sample before any type"));
                }
            }
            catch (FormatException fault)
            {
                throw new FormatException($"{fault.Message}: {line}", fault);
            }
        }
        foreach (var family in families.Values)
            Check(family);
        return families;
    }

    private static string Bare(MetricFamily family) => family.Type == "counter" ? family.Name[..^"_total".Length] : family.Name;

    private static void Add(string line, MetricFamily family)
    {
        if (SampleLine().Match(line) is not { Success: true } match)
            throw new FormatException("not a sample");
        var name = match.Groups[1].Value;
        var allowed = family.Type == "histogram" ? new[] { "_bucket", "_sum", "_count" }.Select(s => family.Name + s) : [family.Name];
        if (!allowed.Contains(name))
            throw new FormatException($"a sample outside its family {family.Name}");
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Match label in LabelPair().Matches(match.Groups[2].Value))
        {
            if (!labels.TryAdd(label.Groups[1].Value, Unescape(label.Groups[2].Value, quotes: true)))
                throw new FormatException("a label twice");
        }
        var value = match.Groups[3].Value switch { "+Inf" => double.PositiveInfinity, "-Inf" => double.NegativeInfinity, "NaN" => double.NaN, var v => double.Parse(v, NumberStyles.Float, CultureInfo.InvariantCulture) };
        if (family.Samples.Any(s => s.Name == name && s.Labels.Count == labels.Count && s.Labels.All(l => labels.GetValueOrDefault(l.Key) == l.Value)))
            throw new FormatException("a series twice");
        family.Samples.Add(new Sample(name, labels, value));
    }

    private static void Check(MetricFamily family)
    {
        if (family.Samples.Count == 0)
            throw new FormatException($"{family.Name} has no sample");
        if (family.Type == "counter" && family.Samples.Exists(s => !(s.Value >= 0)))
            throw new FormatException($"{family.Name} counts below zero");
        if (family.Type != "histogram")
            return;
        foreach (var series in family.Samples.GroupBy(s => string.Join(',', s.Labels.Where(l => l.Key != "le").OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}"))))
        {
            var buckets = series.Where(s => s.Name.EndsWith("_bucket", StringComparison.Ordinal)).ToList();
            var bounds = buckets.ConvertAll(b => b.Labels["le"] == "+Inf" ? double.PositiveInfinity : double.Parse(b.Labels["le"], CultureInfo.InvariantCulture));
            var count = series.Single(s => s.Name.EndsWith("_count", StringComparison.Ordinal)).Value;
            _ = series.Single(s => s.Name.EndsWith("_sum", StringComparison.Ordinal));
            if (!bounds.SequenceEqual(bounds.Order()) || bounds.Distinct().Count() != bounds.Count || !double.IsPositiveInfinity(bounds[^1]))
                throw new FormatException($"{family.Name}{{{series.Key}}}: bounds rise to +Inf");
            if (!buckets.Select(b => b.Value).SequenceEqual(buckets.Select(b => b.Value).Order()) || buckets[^1].Value != count)
                throw new FormatException($"{family.Name}{{{series.Key}}}: buckets add up to the count");
        }
    }

    private static string Unescape(string text, bool quotes)
    {
        var result = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                result.Append(text[i]);
                continue;
            }
            result.Append(++i < text.Length ? text[i] switch { 'n' => '\n', '\\' => '\\', '"' when quotes => '"', _ => throw new FormatException("an unknown escape") } : throw new FormatException("a lone backslash"));
        }
        return result.ToString();
    }

    [GeneratedRegex("^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$")]
    private static partial Regex HelpLine();

    [GeneratedRegex("^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$")]
    private static partial Regex TypeLine();

    [GeneratedRegex("^# UNIT ([a-zA-Z_:][a-zA-Z0-9_:]*) ([a-z_]+)$")]
    private static partial Regex UnitLine();

    [GeneratedRegex("""^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)+)\})? (\S+)$""")]
    private static partial Regex SampleLine();

    [GeneratedRegex("""([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)""")]
    private static partial Regex LabelPair();
}
