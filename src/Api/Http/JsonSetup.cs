using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Domain.Common;
using FogCompute.Protocol;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Mvc.Formatters;
using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace FogCompute.Api.Http;

// The two casings of the wire, and nothing about them anywhere else: bodies and query names come in as snake_case, answers leave as camelCase.

internal static class JsonSetup
{
    public const int MaxDepth = 32;

    /// <summary>Strict reading: names exactly as documented, no unknown ones, none twice, null only where it means something.</summary>
    public static readonly JsonSerializerOptions Requests = CreateRequests();

    private static JsonSerializerOptions CreateRequests()
    {
        var options = new JsonSerializerOptions(WireJson.Requests)
        {
            MaxDepth = MaxDepth,
            PropertyNameCaseInsensitive = false,
            UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
            AllowDuplicateProperties = false,
            RespectNullableAnnotations = true,
            RespectRequiredConstructorParameters = true,
        };
        options.Converters.Add(new WholeNumber32());
        options.Converters.Add(new WholeNumber64());
        options.Converters.Add(new FiniteNumber());
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    public static void Configure(MvcOptions mvc)
    {
        mvc.InputFormatters.Clear();
        mvc.InputFormatters.Add(new SnakeCaseBodies());
        mvc.OutputFormatters.Clear();
        mvc.OutputFormatters.Add(new SystemTextJsonOutputFormatter(WireJson.Responses));
        var query = mvc.ValueProviderFactories.OfType<QueryStringValueProviderFactory>().Single();
        mvc.ValueProviderFactories[mvc.ValueProviderFactories.IndexOf(query)] = new SnakeCaseQueryFactory();
        // Shapes are checked by the formatter, values by the validators of the use cases.
        mvc.ModelValidatorProviders.Clear();
        mvc.SuppressImplicitRequiredAttributeForNonNullableReferenceTypes = true;
    }

    /// <summary>What MVC could not bind outside of the body: <c>limit=abc</c>.</summary>
    public static IActionResult RefuseUnboundValues(ActionContext context)
    {
        // A body of another media type is an answer of its own (415), not a wrong value.
        if (context.ModelState.Values.SelectMany(v => v.Errors).Any(e => e.Exception is UnsupportedContentTypeException))
            return new UnsupportedMediaTypeResult();
        var fields = new Dictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var (key, entry) in context.ModelState.Where(e => e.Value is { Errors.Count: > 0 }))
        {
            var type = context.ActionDescriptor.Parameters.SelectMany(ValuesOf).FirstOrDefault(p => p.Name.Equals(key, StringComparison.OrdinalIgnoreCase)).Type;
            var wanted = type is null ? "a value of another type" : JsonShape.Wanted(type);
            fields[WireNames.Of(key)] = [entry!.AttemptedValue is { } sent ? $"Must be {wanted}; '{Shorten(sent)}' is not." : $"Is missing; must be {wanted}."];
        }
        throw new FogException(BodyErrors.Invalid(fields), fields);
    }

    private static IEnumerable<(string Name, Type Type)> ValuesOf(Microsoft.AspNetCore.Mvc.Abstractions.ParameterDescriptor parameter) =>
        parameter.ParameterType.GetProperties().Select(p => (p.Name, p.PropertyType)).Prepend((parameter.Name, parameter.ParameterType));

    private static string Shorten(string text) => text.Length <= 64 ? text : text[..64] + "…";
}

internal static class BodyErrors
{
    public static FogError Invalid(IReadOnlyDictionary<string, string[]> fields) =>
        new("common.validation_failed", ErrorKind.Invalid, string.Join(" ", fields.Select(f => $"{f.Key}: {string.Join(" ", f.Value)}")));

    public static FogError Malformed(string where) => new("common.malformed_json", ErrorKind.Malformed, $"The body is not valid JSON: {where}");
}

/// <summary>
/// Reads a body straight into its command. Only when that fails is it parsed a second time to name every violation: good requests, which
/// agents send by the thousand, pay nothing for good messages.
/// </summary>
internal sealed class SnakeCaseBodies : TextInputFormatter
{
    public SnakeCaseBodies()
    {
        SupportedEncodings.Add(new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
        SupportedMediaTypes.Add("application/json");
        SupportedMediaTypes.Add("application/*+json");
    }

    public override async Task<InputFormatterResult> ReadRequestBodyAsync(InputFormatterContext context, Encoding encoding)
    {
        var request = context.HttpContext.Request;
        using var body = new MemoryStream(request.ContentLength is { } length and < 1 << 20 ? (int)length : 4096);
        await request.Body.CopyToAsync(body, context.HttpContext.RequestAborted);
        var bytes = body.GetBuffer().AsMemory(0, (int)body.Length);
        if (bytes.Span.StartsWith("\uFEFF"u8))
            bytes = bytes[3..];
        if (bytes.Span.IndexOfAnyExcept(" \t\r\n"u8) < 0)
            return context.TreatEmptyInputAsDefaultValue ? await InputFormatterResult.NoValueAsync() : throw new FogException(BodyErrors.Malformed("it is empty. Send a JSON object."));
        try
        {
            var value = JsonSerializer.Deserialize(bytes.Span, context.ModelType, JsonSetup.Requests);
            if (value is not null)
                return await InputFormatterResult.SuccessAsync(value);
        }
        catch (JsonException)
        {
            // The diagnosis below says it better: every violation, by wire name, without type names of this program.
        }
        throw JsonShape.Diagnose(bytes, context.ModelType);
    }
}

/// <summary>Finds everything that is wrong with the shape of a body: unknown, missing and repeated fields, values of the wrong type.</summary>
internal static class JsonShape
{
    private const int MostFindings = 100;

    public static FogException Diagnose(ReadOnlyMemory<byte> body, Type type)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = JsonSetup.MaxDepth, AllowDuplicateProperties = true });
        }
        catch (JsonException broken)
        {
            return new FogException(BodyErrors.Malformed($"it stops making sense at line {broken.LineNumber + 1}, byte {broken.BytePositionInLine + 1} (nesting is limited to {JsonSetup.MaxDepth})."));
        }
        using (document)
        {
            var findings = new SortedDictionary<string, string[]>(StringComparer.Ordinal);
            Check(document.RootElement, type, nullable: false, "", findings);
            if (findings.Count == 0)
                throw new InvalidOperationException($"A body for {type.Name} was refused without a finding.");
            return new FogException(BodyErrors.Invalid(findings), findings);
        }
    }

    private static void Check(JsonElement value, Type type, bool nullable, string path, SortedDictionary<string, string[]> findings)
    {
        if (findings.Count >= MostFindings)
            return;
        if (value.ValueKind == JsonValueKind.Null)
        {
            if (!nullable && Nullable.GetUnderlyingType(type) is null)
                Add(findings, path, $"Must be {Wanted(type)}; null is not.");
            return;
        }
        var shape = JsonSetup.Requests.GetTypeInfo(Nullable.GetUnderlyingType(type) ?? type);
        switch (shape.Kind)
        {
            case System.Text.Json.Serialization.Metadata.JsonTypeInfoKind.Object when value.ValueKind == JsonValueKind.Object:
                CheckObject(value, shape, path, findings);
                break;
            case System.Text.Json.Serialization.Metadata.JsonTypeInfoKind.Enumerable when value.ValueKind == JsonValueKind.Array:
                var index = 0;
                foreach (var item in value.EnumerateArray())
                    Check(item, shape.ElementType ?? typeof(JsonElement), nullable: false, $"{path}[{index++}]", findings);
                break;
            case System.Text.Json.Serialization.Metadata.JsonTypeInfoKind.Dictionary when value.ValueKind == JsonValueKind.Object:
                foreach (var group in value.EnumerateObject().GroupBy(p => p.Name, StringComparer.Ordinal))
                {
                    if (group.Count() > 1)
                        Add(findings, Join(path, group.Key), "Is given more than once.");
                    else
                        Check(group.Single().Value, shape.ElementType ?? typeof(JsonElement), nullable: false, Join(path, group.Key), findings);
                }
                break;
            default:
                if (!Reads(value, shape))
                    Add(findings, path, $"Must be {Wanted(shape.Type)}; {Describe(value)} is not.");
                break;
        }
    }

    private static void CheckObject(JsonElement value, System.Text.Json.Serialization.Metadata.JsonTypeInfo shape, string path, SortedDictionary<string, string[]> findings)
    {
        var known = shape.Properties.Where(p => p.Set is not null || p.AssociatedParameter is not null).ToDictionary(p => p.Name, StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject())
        {
            var where = Join(path, member.Name);
            if (!seen.Add(member.Name))
                Add(findings, where, "Is given more than once.");
            else if (known.TryGetValue(member.Name, out var property))
                Check(member.Value, property.PropertyType, property.IsSetNullable || property.AssociatedParameter?.IsNullable == true, where, findings);
            else
                Add(findings, where, $"Is not a field of this request. Known: {string.Join(", ", known.Keys.Order(StringComparer.Ordinal))}.");
        }
        foreach (var property in known.Values.Where(p => p.IsRequired && !seen.Contains(p.Name)))
            Add(findings, Join(path, property.Name), $"Is missing; must be {Wanted(property.PropertyType)}.");
    }

    private static bool Reads(JsonElement value, System.Text.Json.Serialization.Metadata.JsonTypeInfo shape)
    {
        try
        {
            value.Deserialize(shape);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static void Add(SortedDictionary<string, string[]> findings, string path, string finding) => findings.TryAdd(path.Length == 0 ? "body" : path, [finding]);

    private static string Join(string path, string name) => path.Length == 0 ? Shorten(name) : $"{path}.{Shorten(name)}";

    private static string Shorten(string text) => text.Length <= 64 ? text : text[..64] + "…";

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => $"the text \"{Shorten(value.GetString()!)}\"",
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        _ => Shorten(value.GetRawText()),
    };

    /// <summary>A type in the words of the wire.</summary>
    public static string Wanted(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsEnum)
            return "one of " + string.Join(", ", Enum.GetNames(type).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName));
        return type switch
        {
            _ when type == typeof(string) => "text",
            _ when type == typeof(bool) => "true or false",
            _ when type == typeof(int) => "a whole number from -2147483648 to 2147483647",
            _ when type == typeof(long) => "a whole number of at most 18 digits",
            _ when type == typeof(double) || type == typeof(decimal) || type == typeof(float) => "a number",
            _ when type == typeof(Guid) => "a UUID",
            _ when type == typeof(DateTimeOffset) => "an ISO 8601 time with offset, such as 2030-01-31T12:00:00Z",
            _ when typeof(System.Collections.IDictionary).IsAssignableFrom(type) || (type.IsGenericType && type.Name.Contains("Dictionary", StringComparison.Ordinal)) => "an object",
            _ when typeof(System.Collections.IEnumerable).IsAssignableFrom(type) => "a list",
            _ => "an object",
        };
    }
}

/// <summary>Whole by value: 4, "4", 4.0 and 4e0 are the same number.</summary>
internal abstract class WholeNumber<T> : JsonConverter<T> where T : struct
{
    protected abstract T? From(decimal value);

    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        decimal value;
        if (reader.TokenType == JsonTokenType.String)
        {
            if (!decimal.TryParse(reader.GetString(), NumberStyles.Float & ~NumberStyles.AllowLeadingWhite & ~NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out value))
                throw new JsonException();
        }
        else if (reader.TokenType != JsonTokenType.Number || !reader.TryGetDecimal(out value))
        {
            throw new JsonException();
        }
        return value == decimal.Truncate(value) && From(value) is { } whole ? whole : throw new JsonException();
    }
}

internal sealed class WholeNumber32 : WholeNumber<int>
{
    protected override int? From(decimal value) => value is >= int.MinValue and <= int.MaxValue ? (int)value : null;

    public override void Write(Utf8JsonWriter writer, int value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}

internal sealed class WholeNumber64 : WholeNumber<long>
{
    protected override long? From(decimal value) => value is >= long.MinValue and <= long.MaxValue ? (long)value : null;

    public override void Write(Utf8JsonWriter writer, long value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}

/// <summary>1e999 reads as infinity and would slip through comparisons.</summary>
internal sealed class FiniteNumber : JsonConverter<double>
{
    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var value = reader.TokenType switch
        {
            JsonTokenType.Number when reader.TryGetDouble(out var number) => number,
            JsonTokenType.String when double.TryParse(reader.GetString(), NumberStyles.Float & ~NumberStyles.AllowLeadingWhite & ~NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var number) => number,
            _ => throw new JsonException(),
        };
        return double.IsFinite(value) ? value : throw new JsonException();
    }

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}

/// <summary>Query values under their wire names: the parameter <c>deviceType</c> reads <c>device_type</c>.</summary>
internal sealed class SnakeCaseQueryFactory : IValueProviderFactory
{
    public Task CreateValueProviderAsync(ValueProviderFactoryContext context)
    {
        context.ValueProviders.Add(new SnakeCaseQuery(context.ActionContext.HttpContext.Request.Query));
        return Task.CompletedTask;
    }

    private sealed class SnakeCaseQuery(IQueryCollection query)
        : QueryStringValueProvider(BindingSource.Query, query, CultureInfo.InvariantCulture)
    {
        public override bool ContainsPrefix(string prefix) => base.ContainsPrefix(WireNames.Of(prefix));

        public override ValueProviderResult GetValue(string key) => base.GetValue(WireNames.Of(key));
    }
}
