using System.Globalization;
using System.Text.Json;
using FogCompute.Application.Common.Security;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>One operation of the document.</summary>
internal sealed record Operation(string Id, HttpMethod Method, string Path, JsonElement Facts)
{
    public bool IsPublic => Facts.GetProperty("description").GetString()!.StartsWith("Needs no identity", StringComparison.Ordinal);
    public string Permission => IsPublic ? Permissions.Public : Facts.GetProperty("description").GetString()!.Split('`')[1];
    public JsonElement? Body => Facts.TryGetProperty("requestBody", out var body) ? body.GetProperty("content").EnumerateObject().First().Value : null;
    public string? BodyType => Facts.TryGetProperty("requestBody", out var body) ? body.GetProperty("content").EnumerateObject().First().Name : null;
    public JsonElement? JsonBody => Facts.TryGetProperty("requestBody", out var body) && body.GetProperty("content").TryGetProperty("application/json", out var json) ? json : null;
    public IReadOnlyList<Parameter> Parameters { get; } = !Facts.TryGetProperty("parameters", out var list) ? [] :
        [.. list.EnumerateArray().Select(p => new Parameter(p.GetProperty("name").GetString()!, p.GetProperty("in").GetString()!, p.GetProperty("schema")))];

    /// <summary>Schema of the JSON answer of a status: null when it has none; throws when the status is not documented.</summary>
    public JsonElement? AnswerOf(int status) => Facts.GetProperty("responses").GetProperty(status.ToString(CultureInfo.InvariantCulture)) is var answer
        && answer.TryGetProperty("content", out var content) && content.TryGetProperty("application/json", out var json) ? json.GetProperty("schema") : null;

    public bool Documents(int status) => Facts.GetProperty("responses").TryGetProperty(status.ToString(CultureInfo.InvariantCulture), out _);

    public override string ToString() => $"{Id} ({Method} {Path})";
}

/// <param name="In">path, query or header.</param>
internal sealed record Parameter(string Name, string In, JsonElement Schema);

/// <summary>Reads <c>/openapi.json</c>.</summary>
internal sealed class ApiDocument(JsonElement document)
{
    public static async Task<ApiDocument> OfAsync(ApiServer server) => new(JsonDocument.Parse(await server.Client.GetStringAsync("/openapi.json")).RootElement);

    public JsonElement Root => document;

    public IReadOnlyList<Operation> Operations { get; } =
    [
        .. from path in document.GetProperty("paths").EnumerateObject()
           from operation in path.Value.EnumerateObject()
           where operation.Value.ValueKind == JsonValueKind.Object && operation.Value.TryGetProperty("operationId", out _)
           select new Operation(operation.Value.GetProperty("operationId").GetString()!, HttpMethod.Parse(operation.Name), path.Name, operation.Value),
    ];

    /// <summary>The JSON body that the operation takes.</summary>
    public JsonElement BodyOf(string operationId) => Resolve(Operations.Single(o => o.Id == operationId).JsonBody!.Value.GetProperty("schema"));

    /// <summary>Follows references to the schema that has the members; of "null or X" it is X.</summary>
    public JsonElement Resolve(JsonElement schema)
    {
        while (true)
        {
            if (schema.TryGetProperty("$ref", out var reference))
                schema = document.GetProperty("components").GetProperty("schemas").GetProperty(reference.GetString()!.Split('/').Last());
            else if (schema.TryGetProperty("allOf", out var all) && all.GetArrayLength() == 1)
                schema = all[0];
            else if (schema.TryGetProperty("oneOf", out var one) && one.EnumerateArray().Where(s => !Types(s).SequenceEqual(["null"])).ToList() is [var only])
                schema = only;
            else
                return schema;
        }
    }

    public static string[] Types(JsonElement schema) => !schema.TryGetProperty("type", out var type) ? []
        : type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray().Select(t => t.GetString()!)] : [type.GetString()!];

    public static bool AllowsNull(JsonElement schema) => Types(schema).Contains("null")
        || (schema.TryGetProperty("oneOf", out var one) && one.EnumerateArray().Any(AllowsNull));

    /// <summary>
    /// Where the value is not what the schema says, strictly: a required member that is missing, one that is not documented, another type, format or
    /// enum value, a number out of its range, null where null is not allowed.
    /// </summary>
    public IEnumerable<string> Misfits(JsonElement value, JsonElement schema, string where)
    {
        var nullable = AllowsNull(schema);
        schema = Resolve(schema);
        if (value.ValueKind == JsonValueKind.Null)
            return nullable || AllowsNull(schema) ? [] : [$"{where} is null, which is not documented"];
        // Without a type any value is meant.
        if (Types(schema) is not { Length: > 0 } types)
            return [];
        return value.ValueKind switch
        {
            _ when !TypesOf(value).Intersect(types).Any() => [$"{where} is {Short(value)}, documented as {string.Join(" or ", types)}"],
            JsonValueKind.Object => OfObject(value, schema, where),
            JsonValueKind.Array => value.EnumerateArray().SelectMany((item, i) => Misfits(item, schema.GetProperty("items"), $"{where}[{i}]")),
            JsonValueKind.String => OfText(value, schema, where),
            JsonValueKind.Number => OfNumber(value, schema, where),
            _ => [],
        };
    }

    private static string[] TypesOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => ["object"],
        JsonValueKind.Array => ["array"],
        JsonValueKind.String => ["string"],
        JsonValueKind.Number => value.TryGetDecimal(out var number) && decimal.IsInteger(number) ? ["number", "integer"] : ["number"],
        _ => ["boolean"],
    };

    private static string Short(JsonElement value) => value.GetRawText() is { Length: > 80 } text ? text[..80] + "…" : value.GetRawText();

    private IEnumerable<string> OfObject(JsonElement value, JsonElement schema, string where)
    {
        var known = schema.TryGetProperty("properties", out var properties) ? properties.EnumerateObject().ToDictionary(p => p.Name, p => p.Value) : [];
        if (schema.TryGetProperty("required", out var required))
        {
            foreach (var name in required.EnumerateArray().Select(r => r.GetString()!).Where(r => !value.TryGetProperty(r, out _)))
                yield return $"{where}.{name} is missing";
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject())
        {
            if (!seen.Add(member.Name))
                yield return $"{where}.{member.Name} is there twice";
            if (!known.TryGetValue(member.Name, out var inner) && !(schema.TryGetProperty("additionalProperties", out inner) && inner.ValueKind == JsonValueKind.Object))
            {
                yield return $"{where}.{member.Name} is not documented";
                continue;
            }
            foreach (var misfit in Misfits(member.Value, inner, $"{where}.{member.Name}"))
                yield return misfit;
        }
    }

    private static IEnumerable<string> OfText(JsonElement value, JsonElement schema, string where)
    {
        var text = value.GetString()!;
        if (schema.TryGetProperty("enum", out var words) && !words.EnumerateArray().Any(w => w.GetString() == text))
            yield return $"{where} is {Short(value)}, not one of {words.GetRawText()}";
        var fits = (schema.TryGetProperty("format", out var format) ? format.GetString() : null) switch
        {
            "uuid" => Guid.TryParseExact(text, "D", out _),
            "date-time" => value.TryGetDateTimeOffset(out _),
            "date" => DateOnly.TryParseExact(text, "yyyy-MM-dd", out _),
            _ => true,
        };
        if (!fits)
            yield return $"{where} is {Short(value)}, no {format}";
    }

    private static IEnumerable<string> OfNumber(JsonElement value, JsonElement schema, string where)
    {
        var number = value.GetDouble();
        if (schema.TryGetProperty("format", out var format) && format.GetString() == "int32" && number is < int.MinValue or > int.MaxValue)
            yield return $"{where} is {Short(value)}, no int32";
        if (schema.TryGetProperty("minimum", out var least) && number < least.GetDouble())
            yield return $"{where} is {Short(value)}, below {least}";
        if (schema.TryGetProperty("maximum", out var most) && number > most.GetDouble())
            yield return $"{where} is {Short(value)}, above {most}";
    }
}
