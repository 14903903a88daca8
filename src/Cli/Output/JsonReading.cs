using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FogCompute.Cli.Output;

/// <summary>Reads answers of the server without copying their shapes into classes. A missing or null member is null, never a default.</summary>
public static class JsonReading
{
    /// <summary>The member reached by following the names, null when any of them is missing.</summary>
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
            node = node is JsonObject o && o.TryGetPropertyValue(name, out var value) ? value : null;
        return node;
    }

    /// <summary>Text of a scalar as it was sent; null for objects, arrays and null.</summary>
    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) switch
    {
        JsonValue value when value.GetValueKind() == JsonValueKind.String => value.GetValue<string>(),
        JsonValue value => value.ToJsonString(),
        _ => null,
    };

    /// <summary>Number, also when it was sent as text.</summary>
    public static double? Number(this JsonNode? node, params ReadOnlySpan<string> path) =>
        double.TryParse(node.Text(path), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>Amount of credits: decimal, because money is compared and added.</summary>
    public static decimal? Credits(this JsonNode? node, params ReadOnlySpan<string> path) =>
        decimal.TryParse(node.Text(path), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;

    public static int? Integer(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.Number(path) is { } number && number == Math.Floor(number) && Math.Abs(number) <= int.MaxValue ? (int)number : null;

    public static bool? Flag(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) switch
    {
        JsonValue value when value.GetValueKind() is JsonValueKind.True or JsonValueKind.False => value.GetValue<bool>(),
        _ => null,
    };

    /// <summary>Elements of an array; empty when it is missing.</summary>
    public static IEnumerable<JsonNode> Items(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray array ? array.OfType<JsonNode>() : [];

    /// <summary>Members of an object; empty when it is missing.</summary>
    public static IEnumerable<KeyValuePair<string, JsonNode?>> Members(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonObject o ? o : [];

    public static DateTimeOffset? Instant(this JsonNode? node, params ReadOnlySpan<string> path) =>
        DateTimeOffset.TryParse(node.Text(path), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant) ? instant : null;
}

/// <summary>Numbers as people read them.</summary>
public static class Humane
{
    /// <summary>Credits with up to six places, trailing zeros cut: <c>0.0042</c>.</summary>
    public static string Credits(decimal? amount) => amount is { } a ? a.ToString("0.00####", CultureInfo.InvariantCulture) : "–";

    /// <summary>Credits with all six places, as a statement has them: <c>1.500000</c>.</summary>
    public static string Amount(decimal? amount) => amount is { } a ? a.ToString("0.000000", CultureInfo.InvariantCulture) : "–";

    public static string Bytes(double? bytes) => bytes switch
    {
        null => "–",
        < 1024 => $"{bytes:0} B",
        < 1024 * 1024 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024:0.0} KiB"),
        < 1024L * 1024 * 1024 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024 / 1024:0.0} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024 / 1024 / 1024:0.0} GiB"),
    };

    public static string Seconds(double? seconds) => seconds switch
    {
        null => "–",
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s"),
        < 7200 => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:0.0} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:0.0} h"),
    };

    /// <summary>Four significant digits, never more than nine decimals; exponents beyond that: <c>0.0001235</c>, <c>41.2</c>, <c>2.5E+9</c>.</summary>
    public static string Significant(double? figure)
    {
        if (figure is not { } f)
            return "–";
        var size = Math.Abs(f);
        if (size >= 1e7 || size is > 0 and < 1e-6)
            return f.ToString("0.###E+0", CultureInfo.InvariantCulture);
        var decimals = size == 0 ? 0 : Math.Clamp(3 - (int)Math.Floor(Math.Log10(size)), 0, 9);
        return f.ToString("0." + new string('#', decimals), CultureInfo.InvariantCulture);
    }

    public static string Joules(double? joules) => joules switch
    {
        null => "–",
        < 1e3 => Significant(joules) + " J",
        < 1e6 => Significant(joules / 1e3) + " kJ",
        < 1e9 => Significant(joules / 1e6) + " MJ",
        _ => Significant(joules / 1e9) + " GJ",
    };

    /// <summary>A share of 1 as percent, two decimals.</summary>
    public static string Percent(double? share) => share is { } s ? string.Create(CultureInfo.InvariantCulture, $"{s * 100:0.##} %") : "–";

    /// <summary>UTC, to the second.</summary>
    public static string Instant(DateTimeOffset? instant) =>
        instant is { } i ? i.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) : "–";

    /// <summary>The two largest units of a time, rounded down: <c>6 d 3 h</c>, <c>4 min 5 s</c>, <c>0 s</c>.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { Days: > 0 } => Two(span.Days, "d", span.Hours, "h"),
        { Hours: > 0 } => Two(span.Hours, "h", span.Minutes, "min"),
        { Minutes: > 0 } => Two(span.Minutes, "min", span.Seconds, "s"),
        _ => $"{Math.Max(0, span.Seconds)} s",
    };

    /// <summary>An instant and, where it is still to come, how long that takes: <c>2026-01-02 03:04:05Z (in 6 d 3 h)</c>.</summary>
    public static string Until(DateTimeOffset? instant, DateTimeOffset now) => instant is { } i && i > now ? $"{Instant(i)} (in {Span(i - now)})" : Instant(instant);

    private static string Two(int large, string unit, int small, string smallUnit) => $"{large} {unit}{(small > 0 ? $" {small} {smallUnit}" : "")}";

    public static string Plural(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";
}
