using System.Text.Json;
using System.Text.Json.Serialization;

namespace FogCompute.Protocol;

/// <summary>The two casings of the wire: what a client sends is snake_case, what the server answers is camelCase.</summary>
public static class WireJson
{
    /// <summary>For request bodies: snake_case, nulls left out, enums as snake_case words.</summary>
    public static readonly JsonSerializerOptions Requests = Create(JsonNamingPolicy.SnakeCaseLower);

    /// <summary>For response bodies: camelCase, nulls kept, enums as snake_case words.</summary>
    public static readonly JsonSerializerOptions Responses = Create(JsonNamingPolicy.CamelCase);

    private static JsonSerializerOptions Create(JsonNamingPolicy naming) => new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = naming,
        NumberHandling = JsonNumberHandling.AllowReadingFromString,
        DefaultIgnoreCondition = ReferenceEquals(naming, JsonNamingPolicy.SnakeCaseLower) ? JsonIgnoreCondition.WhenWritingNull : JsonIgnoreCondition.Never,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };
}
