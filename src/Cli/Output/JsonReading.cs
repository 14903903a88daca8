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

    /// <summary>UTC, to the second.</summary>
    public static string Instant(DateTimeOffset? instant) =>
        instant is { } i ? i.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) : "–";

    public static string Plural(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";
}
