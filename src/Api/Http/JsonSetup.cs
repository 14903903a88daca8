using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Domain.Common;
using FogCompute.Protocol;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.AspNetCore.Mvc.Formatters;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.Mvc.ModelBinding.Metadata;

namespace FogCompute.Api.Http;

// The two casings of the wire, and nothing about them anywhere else: bodies and query names come in as snake_case, answers leave as camelCase.

internal static class JsonSetup
{
    public const int MaxDepth = 32;

    /// <summary>Strict reading: names exactly as documented, no unknown ones, none twice, null only where it means something.</summary>
    public static readonly JsonSerializerOptions Requests = CreateRequests();

    /// <summary>camelCase with nulls. Nothing embeds these answers in HTML, so quotes and umlauts stay readable.</summary>
    public static readonly JsonSerializerOptions Responses = CreateResponses();

    private static JsonSerializerOptions CreateResponses()
    {
        var options = new JsonSerializerOptions(WireJson.Responses) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

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
            // Members that a body cannot set (they come from the path or a header) are unknown to it; the serializer would skip them without a word.
            TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { ForgetIgnoredMembers } },
        };
        foreach (var strict in (JsonConverter[])[new WholeNumber32(), new WholeNumber64(), new FiniteNumber(), new StorableText(), new MomentWithOffset(), new ExactWords()])
            options.Converters.Insert(0, strict);
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    private static void ForgetIgnoredMembers(JsonTypeInfo type)
    {
        foreach (var ignored in type.Properties.Where(p => p is { Get: null, Set: null }).ToList())
            type.Properties.Remove(ignored);
    }

    public static void Configure(MvcOptions mvc)
    {
        mvc.InputFormatters.Clear();
        mvc.InputFormatters.Add(new SnakeCaseBodies());
        mvc.OutputFormatters.Clear();
        mvc.OutputFormatters.Add(new SharedJson());
        mvc.OutputFormatters.Add(new SystemTextJsonOutputFormatter(Responses));
        var query = mvc.ValueProviderFactories.OfType<QueryStringValueProviderFactory>().Single();
        mvc.ValueProviderFactories[mvc.ValueProviderFactories.IndexOf(query)] = new SnakeCaseQueryFactory();
        // No operation takes a form; the readers of forms fail on those that they find odd (a '[' without its ']').
        mvc.ValueProviderFactories.RemoveType<FormValueProviderFactory>();
        mvc.ValueProviderFactories.RemoveType<JQueryFormValueProviderFactory>();
        mvc.ValueProviderFactories.RemoveType<FormFileValueProviderFactory>();
        // Shapes are checked by the formatter, values by the validators of the use cases.
        mvc.ModelValidatorProviders.Clear();
        mvc.SuppressImplicitRequiredAttributeForNonNullableReferenceTypes = true;
        mvc.ModelMetadataDetailsProviders.Add(new BlankTextsStay());
        mvc.ModelBinderProviders.Insert(0, new MomentsInQueries());
    }

    /// <summary>What MVC could not bind outside of the body: <c>limit=abc</c>.</summary>
    public static IActionResult RefuseUnboundValues(ActionContext context)
    {
        // A body of another media type is an answer of its own (415), not a wrong value.
        if (context.ModelState.Values.SelectMany(v => v.Errors).Any(e => e.Exception is UnsupportedContentTypeException))
            return new UnsupportedMediaTypeResult();
        // The key of a body as a whole is empty.
        if (context.ModelState.TryGetValue("", out var body) && body.Errors.Count > 0)
            throw new FogException(BodyErrors.Malformed("it is empty. Send a JSON object."));
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
        // The serializer does not look into what it keeps as it is, so that would be found when somebody reads it.
        if (!Utf8.IsValid(bytes.Span))
            throw new FogException(BodyErrors.Malformed("it is not UTF-8."));
        var shape = new JsonShape(context.HttpContext.RequestServices);
        object? value = null;
        Exception? cause = null;
        try
        {
            value = JsonSerializer.Deserialize(bytes.Span, context.ModelType, JsonSetup.Requests);
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            // The diagnosis says it better: every violation, by wire name, without type names of this program.
            cause = broken;
        }
        if (value is null)
            throw shape.Diagnose(bytes, context.ModelType, cause);
        // The serializer sees to nulls of members, but lets them into lists and maps.
        if (bytes.Span.IndexOf("null"u8) >= 0 && shape.Find(bytes, context.ModelType) is { } nulls)
            throw nulls;
        return await InputFormatterResult.SuccessAsync(value);
    }
}

/// <summary>
/// Finds everything that is wrong with the shape of a body: unknown, missing and repeated fields, values of the wrong type. Refusals name the
/// range that the validators would ask for next.
/// </summary>
internal sealed class JsonShape(IServiceProvider services)
{
    private const int MostFindings = 100;
    private readonly SortedDictionary<string, string[]> _findings = new(StringComparer.Ordinal);

    /// <param name="cause">Why the body could not be read.</param>
    /// <exception cref="InvalidOperationException">There is nothing to find: a defect of this class.</exception>
    public FogException Diagnose(ReadOnlyMemory<byte> body, Type type, Exception? cause) =>
        Find(body, type) ?? throw new InvalidOperationException($"A body for {type.Name} was refused without a finding.", cause);

    /// <summary>Null: nothing is wrong.</summary>
    public FogException? Find(ReadOnlyMemory<byte> body, Type type)
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
            Check(document.RootElement, type, nullable: false, "");
        return _findings.Count == 0 ? null : new FogException(BodyErrors.Invalid(_findings), _findings);
    }

    private void Check(JsonElement value, Type type, bool nullable, string path, string? range = null)
    {
        if (_findings.Count >= MostFindings)
            return;
        if (value.ValueKind == JsonValueKind.Null)
        {
            if (!nullable && Nullable.GetUnderlyingType(type) is null)
                Add(path, $"Must be {Wanted(type, range)}; null is not.");
            return;
        }
        var shape = JsonSetup.Requests.GetTypeInfo(Nullable.GetUnderlyingType(type) ?? type);
        switch (shape.Kind)
        {
            case JsonTypeInfoKind.Object when value.ValueKind == JsonValueKind.Object:
                CheckObject(value, shape, path);
                break;
            case JsonTypeInfoKind.Enumerable when value.ValueKind == JsonValueKind.Array:
                var index = 0;
                foreach (var item in value.EnumerateArray())
                    Check(item, shape.ElementType ?? typeof(JsonElement), nullable: false, $"{path}[{index++}]");
                break;
            case JsonTypeInfoKind.Dictionary when value.ValueKind == JsonValueKind.Object:
                foreach (var group in value.EnumerateObject().GroupBy(NameOf, StringComparer.Ordinal))
                {
                    if (!StorableText.Fits(group.Key))
                        Add(Join(path, Shown(group.Key)), $"Its name must be {StorableText.Wanted}.");
                    else if (group.Count() > 1)
                        Add(Join(path, group.Key), "Is given more than once.");
                    else
                        Check(group.Single().Value, shape.ElementType ?? typeof(JsonElement), nullable: false, Join(path, group.Key));
                }
                break;
            default:
                if (shape.Type == typeof(string) && value.ValueKind == JsonValueKind.String)
                {
                    if (!StorableText.Fits(TextOf(value)))
                        Add(path, $"Must be {StorableText.Wanted}.");
                }
                else if (!Reads(value, shape))
                    Add(path, $"Must be {Wanted(shape.Type, range)}; {Describe(value)} is not.");
                break;
        }
    }

    private void CheckObject(JsonElement value, JsonTypeInfo shape, string path)
    {
        var known = shape.Properties.Where(p => p.Set is not null || p.AssociatedParameter is not null).ToDictionary(p => p.Name, StringComparer.Ordinal);
        var ranges = FieldLimits.Of(services, shape.Type).Where(l => FieldLimits.Words(l.Rule) is not null).ToLookup(l => l.Field, l => FieldLimits.Words(l.Rule), StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject())
        {
            var name = Shown(NameOf(member));
            var where = Join(path, name);
            if (!seen.Add(name))
                Add(where, "Is given more than once.");
            else if (known.TryGetValue(name, out var property))
                Check(member.Value, property.PropertyType, property.IsSetNullable || property.AssociatedParameter?.IsNullable == true, where, ranges[name].FirstOrDefault());
            else
                Add(where, $"Is not a field of this request. Known: {string.Join(", ", known.Keys.Order(StringComparer.Ordinal))}.");
        }
        foreach (var property in known.Values.Where(p => p.IsRequired && !seen.Contains(p.Name)))
            Add(Join(path, property.Name), $"Is missing; must be {Wanted(property.PropertyType, ranges[property.Name].FirstOrDefault())}.");
    }

    private static bool Reads(JsonElement value, JsonTypeInfo shape)
    {
        try
        {
            value.Deserialize(shape);
            return true;
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private void Add(string path, string finding) => _findings.TryAdd(path.Length == 0 ? "body" : path, [finding]);

    private static string Join(string path, string name)
    {
        var shown = name.Length == 0 ? "\"\"" : Shorten(name);
        return path.Length == 0 ? shown : $"{path}.{shown}";
    }

    private static string Shorten(string text) => text.Length <= 64 ? text : text[..64] + "…";

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => TextOf(value) is { } text ? $"the text \"{Shorten(text)}\"" : "text with half of a surrogate pair",
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        _ => Shorten(value.GetRawText()),
    };

    /// <summary>JSON can write half of a surrogate pair, which is no text; null for that.</summary>
    private static string? TextOf(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static string Shown(string? name) => name ?? "\uFFFD";

    private static string? NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>A type in the words of the wire.</summary>
    /// <param name="range">What its validator asks for beyond that, from <see cref="FieldLimits.Words"/>.</param>
    public static string Wanted(Type type, string? range = null)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsEnum)
            return "one of " + string.Join(", ", Enum.GetNames(type).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName));
        return type switch
        {
            _ when type == typeof(string) => "text" + range,
            _ when type == typeof(bool) => "true or false",
            _ when (type == typeof(int) || type == typeof(long)) && range is not null => "a whole number" + range,
            _ when type == typeof(int) => "a whole number from -2147483648 to 2147483647",
            _ when type == typeof(long) => "a whole number of at most 18 digits",
            _ when type == typeof(double) || type == typeof(decimal) || type == typeof(float) => range is null ? "a finite number" : "a number" + range,
            _ when type == typeof(Guid) => "a UUID",
            _ when type == typeof(DateTimeOffset) => "an ISO 8601 time with offset, such as 2030-01-31T12:00:00Z",
            _ when type == typeof(JsonElement) => "a value",
            _ when type == typeof(DateOnly) => "a day, such as 2030-01-31",
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
        // Adding zero turns -0 into 0, which is what people see again.
        return double.IsFinite(value) ? value + 0.0 : throw new JsonException();
    }

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}

/// <summary>Text that the database can hold and a program can be given: no NUL. The reader refuses halves of surrogate pairs.</summary>
internal sealed class StorableText : JsonConverter<string>
{
    public const string Wanted = "text without NUL characters and halves of surrogate pairs";

    public static bool Fits([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] string? text) => text is not null && !text.Contains('\0');

    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String ? Checked(reader.GetString()!) : throw new JsonException();

    public override string ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Checked(reader.GetString()!);

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);

    public override void WriteAsPropertyName(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WritePropertyName(value);

    private static string Checked(string text) => text.Contains('\0') ? throw new JsonException() : text;
}

/// <summary>A time without offset would mean another moment on each machine that reads it.</summary>
internal sealed class MomentWithOffset : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && HasOffset(reader.GetString()!) && reader.TryGetDateTimeOffset(out var moment) ? moment : throw new JsonException();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(value);

    internal static bool HasOffset(string text) => text.Length > 6 && text.Contains('T') && (text[^1] == 'Z' || text[^6] is '+' or '-');
}

/// <summary>Times in queries read as in bodies; MVC would take one without an offset for the server's own time zone. An offset's + may have arrived as a blank.</summary>
internal sealed class MomentsInQueries : IModelBinderProvider, IModelBinder
{
    public IModelBinder? GetBinder(ModelBinderProviderContext context) => context.Metadata.UnderlyingOrModelType == typeof(DateTimeOffset) ? this : null;

    public Task BindModelAsync(ModelBindingContext bindingContext)
    {
        var sent = bindingContext.ValueProvider.GetValue(bindingContext.ModelName);
        if (sent == ValueProviderResult.None)
            return Task.CompletedTask;
        bindingContext.ModelState.SetModelValue(bindingContext.ModelName, sent);
        var text = sent.FirstValue?.Replace(' ', '+') ?? "";
        if (MomentWithOffset.HasOffset(text) && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out var moment))
            bindingContext.Result = ModelBindingResult.Success(moment);
        else
            bindingContext.ModelState.TryAddModelError(bindingContext.ModelName, "not a time");
        return Task.CompletedTask;
    }
}

/// <summary>The words of an enumeration exactly as documented; the serializer's own converter also takes capitals, blanks and <c>gold,silver</c>.</summary>
internal sealed class ExactWords : JsonConverterFactory
{
    public override bool CanConvert(Type typeToConvert) => typeToConvert.IsEnum;

    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(typeof(Words<>).MakeGenericType(typeToConvert))!;

    private sealed class Words<T> : JsonConverter<T> where T : struct, Enum
    {
        private static readonly Dictionary<string, T> Values = Enum.GetValues<T>().ToDictionary(Word, StringComparer.Ordinal);

        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && Values.TryGetValue(reader.GetString()!, out var value) ? value : throw new JsonException();

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(Word(value));

        private static string Word(T value) => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
    }
}

/// <summary>
/// A header that is there but empty stays empty, so that its validator sees it, and so does a text of the path that is all blanks, since no use case expects an
/// id that is null. MVC would take both for absent.
/// </summary>
internal sealed class BlankTextsStay : IDisplayMetadataProvider
{
    public void CreateDisplayMetadata(DisplayMetadataProviderContext context)
    {
        var ofThePath = context.Key is { MetadataKind: ModelMetadataKind.Parameter } && !context.Attributes.OfType<IBindingSourceMetadata>().Any();
        if (ofThePath || context.Attributes.OfType<FromHeaderAttribute>().Any())
            context.DisplayMetadata.ConvertEmptyStringToNull = false;
    }
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

        public override ValueProviderResult GetValue(string key)
        {
            var value = base.GetValue(WireNames.Of(key));
            if (value.Values.All(text => text is null || StorableText.Fits(text)))
                return value;
            var fields = new Dictionary<string, string[]>(StringComparer.Ordinal) { [WireNames.Of(key)] = [$"Must be {StorableText.Wanted}."] };
            throw new FogException(BodyErrors.Invalid(fields), fields);
        }
    }
}
