using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace FogCompute.Infrastructure.Telemetry;

/// <summary>
/// Writes collected metrics in Prometheus' text format 0.0.4. Names follow OpenTelemetry's rules for Prometheus: dots become underscores, the unit is the end of
/// the name (<c>http.server.request.duration</c>, s → <c>http_server_request_duration_seconds</c>), sums that only grow end in <c>_total</c>, other sums are gauges.
/// </summary>
internal sealed class PrometheusText : BaseExporter<Metric>
{
    public string Text { get; private set; } = "";

    public override ExportResult Export(in Batch<Metric> batch)
    {
        var families = new SortedDictionary<string, Family>(StringComparer.Ordinal);
        foreach (var metric in batch)
        {
            if (TypeOf(metric.MetricType) is not { } type)
                continue;
            var name = NameOf(metric.Name, metric.Unit, type);
            if (!families.TryGetValue(name, out var family))
                families.Add(name, family = new Family(type, metric.Description, UnitOf(metric.Unit)));
            // Two meters that call different things alike: one name has one type.
            if (family.Type != type)
                continue;
            foreach (ref readonly var point in metric.GetMetricPoints())
                Add(family, name, metric.MetricType, point);
        }
        var text = new StringBuilder(16 * 1024);
        var service = string.Join(',', Labels(ParentProvider.GetResource().Attributes));
        text.Append("# HELP target_info What reports here.\n# TYPE target_info gauge\ntarget_info{").Append(service).Append("} 1\n");
        foreach (var (name, family) in families)
            family.Write(text, name);
        Text = text.ToString();
        return ExportResult.Success;
    }

    private static void Add(Family family, string name, MetricType type, MetricPoint point)
    {
        var tags = new List<KeyValuePair<string, object?>>();
        foreach (var tag in point.Tags)
            tags.Add(tag);
        var labels = string.Join(',', Labels(tags!));
        var lines = new StringBuilder();
        if (family.Type == "histogram")
        {
            // Each bucket holds what is at most its bound: OpenTelemetry's hold what lies between two, so they are added up.
            var below = 0L;
            foreach (var bucket in point.GetHistogramBuckets())
            {
                below += bucket.BucketCount;
                Line(lines, name + "_bucket", Join(labels, $"le=\"{Number(bucket.ExplicitBound)}\""), below.ToString(CultureInfo.InvariantCulture));
            }
            Line(lines, name + "_sum", labels, Number(point.GetHistogramSum()));
            Line(lines, name + "_count", labels, below.ToString(CultureInfo.InvariantCulture));
        }
        else
        {
            Line(lines, name, labels, type switch
            {
                MetricType.LongSum or MetricType.LongSumNonMonotonic => point.GetSumLong().ToString(CultureInfo.InvariantCulture),
                MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic => Number(point.GetSumDouble()),
                MetricType.LongGauge => point.GetGaugeLastValueLong().ToString(CultureInfo.InvariantCulture),
                _ => Number(point.GetGaugeLastValueDouble()),
            });
        }
        family.Series[labels] = lines.ToString();
    }

    private static void Line(StringBuilder text, string name, string labels, string value)
    {
        text.Append(name);
        if (labels.Length > 0)
            text.Append('{').Append(labels).Append('}');
        text.Append(' ').Append(value).Append('\n');
    }

    private static string Join(string labels, string last) => labels.Length == 0 ? last : $"{labels},{last}";

    /// <summary>name="value", by name.</summary>
    private static IEnumerable<string> Labels(IEnumerable<KeyValuePair<string, object>> tags) => tags
        .GroupBy(t => Sanitized(t.Key, allowColon: false), StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal)
        .Select(g => $"{g.Key}=\"{Escaped(string.Join(';', g.Select(t => Plain(t.Value))), quotes: true)}\"");

    private static string Plain(object? value) => value switch
    {
        null => "",
        bool flag => flag ? "true" : "false",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private static string Escaped(string text, bool quotes)
    {
        var escaped = text.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal);
        return quotes ? escaped.Replace("\"", "\\\"", StringComparison.Ordinal) : escaped;
    }

    private static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    /// <summary>Null: a kind that the format cannot carry (exponential histograms; nothing here makes them).</summary>
    private static string? TypeOf(MetricType type) => type switch
    {
        MetricType.LongSum or MetricType.DoubleSum => "counter",
        MetricType.LongSumNonMonotonic or MetricType.DoubleSumNonMonotonic or MetricType.LongGauge or MetricType.DoubleGauge => "gauge",
        MetricType.Histogram => "histogram",
        _ => null,
    };

    internal static string NameOf(string name, string? unit, string type)
    {
        var result = Sanitized(name, allowColon: true);
        var suffix = unit == "1" && type == "gauge" ? "ratio" : UnitOf(unit);
        if (suffix.Length > 0 && !result.EndsWith("_" + suffix, StringComparison.Ordinal))
            result += "_" + suffix;
        return type == "counter" && !result.EndsWith("_total", StringComparison.Ordinal) ? result + "_total" : result;
    }

    /// <summary>UCUM's words in Prometheus' ones; annotations such as <c>{request}</c> are no units.</summary>
    private static string UnitOf(string? unit)
    {
        if (string.IsNullOrEmpty(unit) || unit == "1")
            return "";
        var parts = unit.Split('/', 2);
        var (over, under) = (Word(parts[0]), parts.Length == 2 ? Word(parts[1]).TrimEnd('s') : "");
        return under.Length == 0 ? over : over.Length == 0 ? "per_" + under : $"{over}_per_{under}";
    }

    private static string Word(string unit) => unit switch
    {
        ['{', ..] => "",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "min" => "minutes",
        "h" => "hours",
        "d" => "days",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "%" => "percent",
        "Cel" => "celsius",
        "Hz" => "hertz",
        _ => Sanitized(unit, allowColon: false),
    };

    private static string Sanitized(string name, bool allowColon)
    {
        var result = new StringBuilder(name.Length + 1);
        foreach (var c in name)
        {
            var fits = char.IsAsciiLetterOrDigit(c) || (c == ':' && allowColon);
            if (fits || result.Length == 0 || result[^1] != '_')
                result.Append(fits ? c : '_');
        }
        if (result.Length == 0 || char.IsAsciiDigit(result[0]))
            result.Insert(0, '_');
        return result.ToString();
    }

    private sealed class Family(string type, string help, string unit)
    {
        public string Type => type;

        /// <summary>Labels → its lines: one series is there once.</summary>
        public SortedDictionary<string, string> Series { get; } = new(StringComparer.Ordinal);

        public void Write(StringBuilder text, string name)
        {
            if (Series.Count == 0)
                return;
            if (help.Length > 0)
                text.Append("# HELP ").Append(name).Append(' ').Append(Escaped(help, quotes: false)).Append('\n');
            text.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
            if (unit.Length > 0)
                text.Append("# UNIT ").Append(name).Append(' ').Append(unit).Append('\n');
            foreach (var lines in Series.Values)
                text.Append(lines);
        }
    }
}
