using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Api.Http;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>One generated request.</summary>
/// <param name="Target">Path and query as they go over the wire.</param>
/// <param name="Who">Index of the caller.</param>
/// <param name="Routed">Whether the path still leads to this operation for sure, so that the answer must be one of its own.</param>
internal sealed record FuzzRequest(Operation Operation, string Target, int Who, bool Routed, byte[]? Body, string? BodyType, IReadOnlyList<(string Name, string Value)> Headers)
{
    public HttpRequestMessage Message(Uri server)
    {
        // As it stands: no dot segment is removed, nothing is unescaped on the way.
        var message = new HttpRequestMessage(Operation.Method, new Uri(server.GetLeftPart(UriPartial.Authority) + Target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        if (Body is not null)
        {
            message.Content = new ByteArrayContent(Body);
            if (BodyType is not null)
                message.Content.Headers.TryAddWithoutValidation("Content-Type", BodyType);
        }
        foreach (var (name, value) in Headers)
        {
            if (!message.Headers.TryAddWithoutValidation(name, value))
                message.Content?.Headers.TryAddWithoutValidation(name, value);
        }
        return message;
    }

    public override string ToString() => $"{Operation.Method} {Cut(Target)} as caller {Who}"
        + string.Concat(Headers.Select(h => $"\n{h.Name}: {Cut(h.Value)}")) + (BodyType is null ? "" : $"\nContent-Type: {BodyType}") + (Body is null ? "" : $"\n{Cut(Encoding.UTF8.GetString(Body))}");

    private static string Cut(string text) => text.Length > 1500 ? $"{text[..1500]}… ({text.Length})" : text;
}

/// <summary>
/// Makes requests from the document: request number i of a seed is always the same one. A good half is as documented but for one or two places; the rest is
/// wrong in type, range, encoding, shape or address.
/// </summary>
/// <param name="ids">Values of path parameters that exist, by <c>operation path segment before the parameter</c>.</param>
internal sealed class FuzzRequests(ApiDocument document, int seed, int callers, IReadOnlyDictionary<string, IReadOnlyList<string>> ids)
{
    private static readonly string Huge = new('x', 70_000);

    /// <summary>Raw JSON values that something may choke on.</summary>
    private static readonly string[] NastyValues =
    [
        "null", "true", "false", "0", "1", "-1", "-0", "-0.0", "0.1", "1.5", "1e5", "1E400", "-1e400", "1e-400", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967296", "9007199254740993",
        "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "123456789012345678901234567890", "79228162514264337593543950336",
        "0.1234567890123456789012345678901234567890", "1.7976931348623157e308", "\"\"", "\" \"", "\"0\"", "\"1\"", "\"-1\"", "\"1.5\"", "\"1e5\"", "\"NaN\"", "\"Infinity\"", "\"0x10\"", "\" 7 \"", "\"true\"", "\"null\"",
        "[]", "{}", "[null]", "[[]]", "{\"\":null}", "[1,\"x\",null,{}]", "\"\\u0000\"", "\"a\\u0000b\"", "\"\\ud800\"", "\"\\udc00x\"", "\"\\ud83d\\ude80\"", "\"\\ufeff\"", "\"\\uffff\"", "\"\\u202egnp\"", "\"\\r\\nX-A: b\"",
        "\"\\t\"", "\"\\u0007\\u001b[31m\"", "\"日本語\"", "\"éé\"", "\"ß\"", "\"İ\"", "\"🚀🚀\"", "\"a̡̢̛̬̰̦\"", "\"' OR 1=1; DROP TABLE scheduler.jobs; --\"", "\"%s%n%p\"", "\"{0}{1}\"", "\"${jndi:ldap://127.0.0.1/x}\"",
        "\"<script>alert(1)</script>\"", "\"../../../../etc/passwd\"", "\"C:\\\\\\\\con\"", "\"/dev/zero\"", "\"0190f7a0-0000-7000-8000-000000000099\"", "\"00000000-0000-0000-0000-000000000000\"", "\"0190F7A0000070008000000000000099\"",
        "\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00+14:00\"", "\"9999-12-31T23:59:59.9999999Z\"", "\"9999-12-31T23:59:59.9999999-14:00\"", "\"2026-02-30T00:00:00Z\"", "\"2026-06-30T23:59:60Z\"", "\"-infinity\"", "\"2026-01-31\"",
        "\"fog1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq\"", "\"" + new string('0', 64) + "\"", "\"" + new string('F', 64) + "\"", "\"" + new string('z', 300) + "\"",
    ];

    /// <summary>Path and query values before they are escaped.</summary>
    private static readonly string[] NastyWords =
    [
        " ", "0", "-1", "1", "1.5", "1e3", "2147483648", "9223372036854775808", "NaN", "true", "TRUE", "null", "undefined", "[]", "{}", "a b", "a+b", "a/b", "..", ".", "a?b", "a#b", "a%b", "%", "%zz", "\u0000", "a\u0000b", "\r\n", "\u202e", "日本語",
        "🚀", "\ud800", "'", "\"", "';--", "*", "\\", "latest", "0190f7a0-0000-7000-8000-000000000099", "0190f7a0000070008000000000000099", "{0190f7a0-0000-7000-8000-000000000099}", "00000000-0000-0000-0000-000000000000",
        "2026-01-31", "2026-02-30", "0001-01-01", "9999-12-31", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "infinity", "running", "open", "csv", "json",
        "fog1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", new string('a', 64), new string('A', 64), new string('0', 65), new string('x', 300), new string('x', 3000),
    ];

    private static readonly string[] Strangers = ["surprise", "id", "account_id", "accountId", "status", "state", "__proto__", "$type", "", "a\u0000b", "NAME", "\ud83d\ude80"];

    private readonly Dictionary<string, double> _weights = new(StringComparer.Ordinal)
    {
        // Each of these plans, searches or reads everything: a tenth of the others' share keeps a run short.
        ["QuoteJob"] = 0.2, ["RehearseProposal"] = 0.1, ["AuditLedger"] = 0.1, ["StartBenchmark"] = 0.1,
    };

    public FuzzRequest Next(int number)
    {
        var random = new Random(HashCode(seed, number));
        Operation operation;
        do
            operation = document.Operations[random.Next(document.Operations.Count)];
        while (random.NextDouble() > _weights.GetValueOrDefault(operation.Id, 1));

        var routed = true;
        var path = operation.Path;
        var query = new StringBuilder();
        var headers = new List<(string, string)>();
        foreach (var parameter in operation.Parameters)
        {
            switch (parameter.In)
            {
                case "path":
                    var (value, exact) = PathValue(random, operation, parameter);
                    routed &= exact;
                    path = path.Replace($"{{{parameter.Name}}}", value, StringComparison.Ordinal);
                    break;
                // A stream that is followed does not end by itself.
                case "query" when parameter.Name != "follow" && random.NextDouble() < 0.4:
                    Add(query, parameter.Name, Word(random, parameter));
                    if (random.Next(12) == 0)
                        Add(query, parameter.Name, Word(random, parameter));
                    break;
                case "header" when random.NextDouble() < 0.4:
                    headers.Add((parameter.Name, HeaderValue(random, parameter)));
                    break;
            }
        }
        if (random.Next(25) == 0)
            Add(query, Pick(random, Strangers), Pick(random, NastyWords));
        var (body, type) = operation.BodyType is { } documented ? Body(random, operation, documented) : random.Next(40) == 0 ? (NoiseOf(random), "application/json") : (null, null);
        if (random.Next(20) == 0)
            headers.Add(("Accept", Pick(random, ["text/html", "application/xml", "*/*;q=0", "nonsense", "application/json;v=9"])));
        if (random.Next(30) == 0)
            headers.Add(("Range", Pick(random, ["bytes=0-0", "bytes=5-2", "bytes=-1", "bytes=99999999999-", "lines=1-2", "bytes=0-0,2-3,4-5"])));
        if (operation.Method == HttpMethod.Head)
            body = null;
        return new FuzzRequest(operation, path + query, random.Next(callers), routed, body, body is null ? null : type, headers);
    }

    /// <summary>Not <see cref="System.HashCode"/>, which differs from process to process.</summary>
    private static int HashCode(int seed, int number) => unchecked((int)((((uint)seed * 2654435761u) ^ (uint)number) * 2246822519u));

    private static T Pick<T>(Random random, IReadOnlyList<T> list) => list[random.Next(list.Count)];

    private static void Add(StringBuilder query, string name, string value) =>
        query.Append(query.Length == 0 ? '?' : '&').Append(Escape(name)).Append('=').Append(Escape(value));

    /// <summary>Half a surrogate pair becomes what its bytes would be, which is no UTF-8.</summary>
    private static string Escape(string text) => string.Concat(text.Select((c, i) =>
        char.IsSurrogate(c) && !(char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) && !(char.IsLowSurrogate(c) && i > 0 && char.IsHighSurrogate(text[i - 1])) ? "%ED%A0%80"
        : char.IsHighSurrogate(c) ? Uri.EscapeDataString(text.AsSpan(i, 2)) : char.IsLowSurrogate(c) ? "" : Uri.EscapeDataString(c.ToString())));

    private (string Value, bool Exact) PathValue(Random random, Operation operation, Parameter parameter)
    {
        var before = operation.Path[..operation.Path.IndexOf($"{{{parameter.Name}}}", StringComparison.Ordinal)];
        if (random.NextDouble() < 0.7 && ids.TryGetValue(before, out var known))
            return (Pick(random, known), true);
        if (random.NextDouble() < 0.3)
            return (Guid.CreateVersion7(DateTimeOffset.UnixEpoch.AddSeconds(random.Next())).ToString(), true);
        var word = Pick(random, NastyWords);
        var formed = parameter.Schema.TryGetProperty("format", out _);
        return (Escape(word), !formed && word.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') && word != "latest");
    }

    private string Word(Random random, Parameter parameter)
    {
        var schema = document.Resolve(parameter.Schema);
        if (random.NextDouble() < 0.5)
            return Pick(random, NastyWords);
        var value = Valid(random, schema, 0);
        return value is JsonValue plain && plain.TryGetValue<string>(out var text) ? text : value?.ToJsonString() ?? "";
    }

    private static string HeaderValue(Random random, Parameter parameter) => parameter.Name == "Content-Range"
        ? Pick(random, ["bytes 0-9/10", "bytes 5-9/10", "bytes */10", "bytes 0-9/*", "bytes 9-0/10", "bytes 0-9223372036854775807/9223372036854775807", "lines 0-1/2", "nonsense", "bytes 0-9/5"])
        : Pick(random, ["k1", "k2", "k3", "", " ", new string('k', 255), new string('k', 256), "a,b", "key with blanks", "\"quoted\"", Guid.CreateVersion7(DateTimeOffset.UnixEpoch.AddSeconds(random.Next())).ToString()]);

    private (byte[]? Body, string? Type) Body(Random random, Operation operation, string documented)
    {
        if (documented != "application/json")
            return (Encoding.UTF8.GetBytes(Examples.Bodies[operation.Id] + (random.Next(3) == 0 ? "" : Pick(random, NastyWords))), documented);
        var schema = operation.JsonBody!.Value.GetProperty("schema");
        var root = random.Next(2) == 0 ? JsonNode.Parse(Examples.Bodies[operation.Id])! : Valid(random, schema, 0)!;
        var raw = new List<string>();
        for (var changes = random.Next(4); changes > 0; changes--)
            Change(random, root, schema, raw);
        var text = root.ToJsonString();
        for (var i = 0; i < raw.Count; i++)
            text = text.Replace($"\"{Marker(i)}\"", raw[i], StringComparison.Ordinal);
        if (operation.Id == "DeliverLeases")
            text = System.Text.RegularExpressions.Regex.Replace(text, "\"wait_seconds\":\\s*[0-9.e+]+", "\"wait_seconds\":0");
        if (random.Next(25) == 0 && text.Length > 2)
            text = text[..^1] + "," + text[1..];
        var bytes = Encoding.UTF8.GetBytes(text);
        return random.Next(14) switch
        {
            0 => (Spoil(random, bytes), "application/json"),
            1 => (bytes, Pick(random, ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "application/json; charset=nonsense", "multipart/form-data; boundary=x", "nonsense", "", "application/problem+json"])),
            2 when random.Next(2) == 0 => (Pick(random, [[], [.. "null"u8], [.. "[]"u8], [.. "7"u8], [.. "\"x\""u8], [.. "true"u8], Encoding.UTF8.GetBytes(new string('[', 5000)), Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", 200)) + "1" + new string('}', 200))]), "application/json"),
            _ => (bytes, random.Next(2) == 0 ? "application/json" : "application/json; charset=utf-8"),
        };
    }

    private static byte[] NoiseOf(Random random)
    {
        var noise = new byte[random.Next(200)];
        random.NextBytes(noise);
        return noise;
    }

    private static byte[] Spoil(Random random, byte[] body)
    {
        var at = random.Next(body.Length);
        return random.Next(7) switch
        {
            0 => body[..at],
            1 => [.. body[..at], 0xFF, .. body[at..]],
            2 => [.. body, .. body],
            3 => [0xEF, 0xBB, 0xBF, .. body],
            4 => Encoding.Unicode.GetBytes(Encoding.UTF8.GetString(body)),
            5 => [.. body[..at], .. (ReadOnlySpan<byte>)[0xED, 0xA0, 0x80], .. body[at..]],
            _ => NoiseOf(random),
        };
    }

    private static string Marker(int index) => $"@raw{index}@";

    /// <summary>One place of the body becomes something else: replaced, moved to the edge of its range, removed, or a stranger comes beside it.</summary>
    private void Change(Random random, JsonNode root, JsonElement schema, List<string> raw)
    {
        var places = new List<(JsonNode Parent, object Key, JsonElement? Schema)>();
        Collect(root, schema, places);
        if (places.Count == 0 || random.Next(12) == 0)
        {
            if (root is JsonObject any)
                any[Pick(random, Strangers)] = Raw(Pick(random, NastyValues), raw);
            return;
        }
        var (parent, key, inner) = Pick(random, places);
        var what = random.Next(10);
        if (what == 0)
        {
            if (parent is JsonObject there)
                there.Remove((string)key);
            else
                parent.AsArray().RemoveAt((int)key);
            return;
        }
        JsonNode? value = what switch
        {
            1 when parent is JsonArray => Raw(Pick(random, NastyValues), raw),
            1 => Raw($"\"{Huge}\"", raw),
            2 => Raw(new string('[', 70) + new string(']', 70), raw),
            <= 5 when inner is { } known => Raw(Edge(random, document.Resolve(known)), raw),
            _ => Raw(Pick(random, NastyValues), raw),
        };
        if (parent is JsonObject members)
            members[(string)key] = value;
        else
            parent.AsArray()[(int)key] = value;
    }

    private static JsonValue Raw(string json, List<string> raw)
    {
        raw.Add(json);
        return JsonValue.Create(Marker(raw.Count - 1))!;
    }

    private void Collect(JsonNode node, JsonElement? schema, List<(JsonNode, object, JsonElement?)> places)
    {
        var known = schema is { } given ? document.Resolve(given) : (JsonElement?)null;
        switch (node)
        {
            case JsonObject members:
                foreach (var (name, value) in members)
                {
                    var inner = known is { } k && k.TryGetProperty("properties", out var p) && p.TryGetProperty(name, out var s) ? s : (JsonElement?)null;
                    places.Add((members, name, inner));
                    if (value is not null)
                        Collect(value, inner, places);
                }
                break;
            case JsonArray items:
                for (var i = 0; i < items.Count; i++)
                {
                    var inner = known is { } k && k.TryGetProperty("items", out var s) ? s : (JsonElement?)null;
                    places.Add((items, i, inner));
                    if (items[i] is { } item)
                        Collect(item, inner, places);
                }
                break;
        }
    }

    /// <summary>A value at, just inside or just outside the documented range.</summary>
    private static string Edge(Random random, JsonElement schema)
    {
        string? bound = null;
        foreach (var name in random.Next(2) == 0 ? new[] { "minimum", "maximum" } : ["maximum", "minimum"])
            bound ??= schema.TryGetProperty(name, out var value) ? value.GetRawText() : null;
        if (bound is not null && decimal.TryParse(bound, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            return (number + Pick(random, [-1m, -0.000001m, 0m, 0.000001m, 1m])).ToString(CultureInfo.InvariantCulture);
        if (schema.TryGetProperty("maxLength", out var longest))
            return $"\"{new string(random.Next(2) == 0 ? 'x' : 'é', Math.Min(100_000, longest.GetInt32()) + random.Next(-1, 2))}\"";
        return schema.TryGetProperty("enum", out var words) ? words[random.Next(words.GetArrayLength())].GetRawText().ToUpperInvariant() : Pick(random, NastyValues);
    }

    /// <summary>Something that the schema allows; null for "absent" where null is allowed.</summary>
    private JsonNode? Valid(Random random, JsonElement schema, int depth)
    {
        if (ApiDocument.AllowsNull(schema) && random.Next(3) == 0)
            return null;
        schema = document.Resolve(schema);
        if (schema.TryGetProperty("enum", out var words))
            return JsonValue.Create(words[random.Next(words.GetArrayLength())].GetString());
        return ApiDocument.Types(schema).FirstOrDefault(t => t != "null") switch
        {
            "object" => ValidObject(random, schema, depth),
            "array" => new JsonArray([.. Enumerable.Range(0, depth > 3 ? 0 : random.Next(4)).Select(_ => Valid(random, schema.GetProperty("items"), depth + 1))]),
            "integer" => JsonValue.Create(Whole(random, schema)),
            "number" => JsonValue.Create(Math.Round(Bound(schema, "minimum", 0) + random.NextDouble() * Math.Min(20, Bound(schema, "maximum", 1000) - Bound(schema, "minimum", 0)), 3)),
            "boolean" => JsonValue.Create(random.Next(2) == 0),
            "string" => JsonValue.Create(Text(random, schema)),
            _ => JsonNode.Parse(Pick(random, ["1", "\"x\"", "true"])),
        };
    }

    private JsonObject ValidObject(Random random, JsonElement schema, int depth)
    {
        var made = new JsonObject();
        if (!schema.TryGetProperty("properties", out var properties))
            return made;
        var required = schema.TryGetProperty("required", out var names) ? names.EnumerateArray().Select(n => n.GetString()).ToHashSet() : [];
        foreach (var member in properties.EnumerateObject().Where(m => required.Contains(m.Name) || (depth < 4 && random.Next(4) == 0)))
            made[member.Name] = Valid(random, member.Value, depth + 1);
        return made;
    }

    /// <summary>Not the agent, who would lose its key when somebody registered its device anew.</summary>
    private string Known(Random random) => Pick(random, Pick(random, [.. ids.Where(k => k.Key != "/api/scheduler/nodes/").OrderBy(k => k.Key, StringComparer.Ordinal).Select(k => k.Value)]));

    private static double Bound(JsonElement schema, string name, double otherwise) => schema.TryGetProperty(name, out var value) ? value.GetDouble() : otherwise;

    private static long Whole(Random random, JsonElement schema)
    {
        var least = (long)Bound(schema, "minimum", 0);
        // Near the lower end: a million tasks are not what each run should submit.
        return least + random.Next((int)Math.Min(20, Math.Max(0, Bound(schema, "maximum", 1000) - least)) + 1);
    }

    private string Text(Random random, JsonElement schema) => (schema.TryGetProperty("format", out var format) ? format.GetString() : null) switch
    {
        "uuid" => random.Next(2) == 0 ? Known(random) : Guid.CreateVersion7(DateTimeOffset.UnixEpoch.AddSeconds(random.Next())).ToString(),
        "date-time" => DateTimeOffset.UnixEpoch.AddSeconds(random.NextInt64(4_000_000_000)).ToString("O", CultureInfo.InvariantCulture),
        "date" => "2026-01-31",
        _ => random.Next(3) == 0 ? Known(random) : string.Concat(Enumerable.Repeat("fuzz-", 1 + random.Next(3))) + random.Next(50),
    };
}
