using System.Text.Json;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>Reads <c>/openapi.json</c>.</summary>
internal sealed class ApiDocument(JsonElement document)
{
    public static async Task<ApiDocument> OfAsync(ApiServer server) => new(JsonDocument.Parse(await server.Client.GetStringAsync("/openapi.json")).RootElement);

    public JsonElement Root => document;

    /// <summary>The JSON body that the operation takes.</summary>
    public JsonElement BodyOf(string operationId) => Resolve(
        (from path in document.GetProperty("paths").EnumerateObject()
         from operation in path.Value.EnumerateObject()
         where operation.Value.ValueKind == JsonValueKind.Object && operation.Value.TryGetProperty("operationId", out var id) && id.GetString() == operationId
         select operation.Value).Single().GetProperty("requestBody").GetProperty("content").GetProperty("application/json").GetProperty("schema"));

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
}
