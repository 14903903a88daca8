using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using FluentValidation;
using FluentValidation.Validators;
using FogCompute.Application.Common.Pipeline;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.Swagger;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace FogCompute.Api.Http;

// The OpenAPI document is built from the code that serves the requests: both serializer options, the validators, the permissions.

/// <summary>The body is bytes and read as a stream; no formatter touches it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class BinaryBodyAttribute : Attribute;

internal static class OpenApiSetup
{
    public const string DocumentName = "v1";
    private const string Bearer = "bearer";
    private const string ApiKey = "api_key";

    public static void AddOpenApiDocument(this IServiceCollection services)
    {
        services.AddSwaggerGen(gen =>
        {
            gen.SwaggerDoc(DocumentName, new OpenApiInfo
            {
                Title = "FogCompute",
                Version = typeof(OpenApiSetup).Assembly.GetName().Version?.ToString(3) ?? "0.0.0",
                Description = "Idle machines as one batch-compute pool. Request bodies and query names are snake_case, answers camelCase; errors are RFC 9457 problem documents.",
            });
            gen.CustomOperationIds(api => ((ControllerActionDescriptor)api.ActionDescriptor).ActionName);
            gen.AddSecurityDefinition(Bearer, new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "An API key (fogk_…), enrolment token (foge_…) or device key (fogd_…)." });
            gen.AddSecurityDefinition(ApiKey, new OpenApiSecurityScheme { Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Header, Name = "X-API-Key", Description = "The same tokens for clients that cannot set Authorization." });
            gen.OperationFilter<OperationFacts>();
        });
        services.AddSingleton<ISchemaGenerator, TwoCasings>();
        services.AddSingleton<DocumentCache>();
    }

    public static void MapOpenApiDocument(this WebApplication app) =>
        app.MapGet("/openapi.json", async (DocumentCache cache) => Results.Bytes(await cache.GetAsync(), "application/json; charset=utf-8")).ExcludeFromDescription();

    private const string RedocPage = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
          <title>FogCompute API</title>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <style>body { margin: 0; padding: 0; }</style>
        </head>
        <body>
          <div id="redoc-container"></div>
          <script src="redoc.standalone.js"></script>
          <script>Redoc.init("/openapi.json", {}, document.getElementById("redoc-container"));</script>
        </body>
        </html>
        """;

    public static void UseApiReference(this WebApplication app)
    {
        app.UseSwaggerUI(ui =>
        {
            ui.RoutePrefix = "docs";
            ui.DocumentTitle = "FogCompute API";
            ui.SwaggerEndpoint("/openapi.json", "FogCompute");
            ui.DisplayOperationId();
        });
        app.UseReDoc(redoc =>
        {
            redoc.RoutePrefix = "redoc";
            redoc.DocumentTitle = "FogCompute API";
            redoc.SpecUrl("/openapi.json");
            // The page that comes with the package loads a font from elsewhere.
            redoc.IndexStream = () => new MemoryStream(System.Text.Encoding.UTF8.GetBytes(RedocPage));
        });
    }

    /// <summary>The document does not change while the process runs; it is written once.</summary>
    internal sealed class DocumentCache(IServiceScopeFactory scopes)
    {
        private readonly Lazy<Task<byte[]>> _document = new(() => WriteAsync(scopes));

        public Task<byte[]> GetAsync() => _document.Value;

        private static async Task<byte[]> WriteAsync(IServiceScopeFactory scopes)
        {
            await using var scope = scopes.CreateAsyncScope();
            var document = await scope.ServiceProvider.GetRequiredService<IAsyncSwaggerProvider>().GetSwaggerAsync(DocumentName);
            using var memory = new MemoryStream();
            await document.SerializeAsJsonAsync(memory, OpenApiSpecVersion.OpenApi3_1);
            return memory.ToArray();
        }
    }

    /// <summary>What an operation needs and answers: identity, errors, the example, the words of its use case.</summary>
    private sealed class OperationFacts : IOperationFilter
    {
        public void Apply(OpenApiOperation operation, OperationFilterContext context)
        {
            var useCase = context.ApiDescription.ActionDescriptor.EndpointMetadata.OfType<UseCase>().Single();
            operation.Summary = DocComments.SummaryOf(useCase.Request) ?? Words(operation.OperationId!);
            operation.Description = useCase.IsPublic ? "Needs no identity." : $"Needs the permission `{useCase.Permission}`.";
            operation.Security = useCase.IsPublic ? [] : [Requirement(Bearer, context.Document), Requirement(ApiKey, context.Document)];
            foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>().Where(p => p.In == ParameterLocation.Query))
                parameter.Name = WireNames.Of(parameter.Name!);
            foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>())
                DescribeParameter(parameter, useCase.Request);

            var binary = context.MethodInfo.GetCustomAttribute<BinaryBodyAttribute>() is not null;
            if (binary)
            {
                operation.RequestBody = Binary();
                (operation.Parameters ??= []).Add(new OpenApiParameter
                {
                    Name = "Content-Range", In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.String },
                    Description = "Continues an upload: bytes first-last/total. The answer 202 carries in Upload-Offset where the next part starts.",
                });
            }
            if (operation.RequestBody is OpenApiRequestBody { Content: { } content } && Examples.Bodies.TryGetValue(operation.OperationId!, out var example))
            {
                foreach (var media in content.Values.OfType<OpenApiMediaType>())
                    media.Example = binary ? JsonValue.Create(example) : JsonNode.Parse(example);
            }
            AddErrors(operation, context, useCase);
        }

        /// <summary>ListLedgerEntries → List ledger entries.</summary>
        private static string Words(string name)
        {
            var words = JsonNamingPolicy.SnakeCaseLower.ConvertName(name).Replace('_', ' ');
            return char.ToUpperInvariant(words[0]) + words[1..];
        }

        private static OpenApiRequestBody Binary() => new()
        {
            Required = true,
            Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
            {
                ["application/octet-stream"] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" } },
            },
        };

        private static OpenApiSecurityRequirement Requirement(string scheme, OpenApiDocument document) => new() { [new OpenApiSecuritySchemeReference(scheme, document)] = [] };

        private static void DescribeParameter(OpenApiParameter parameter, Type request)
        {
            var property = request.GetProperties().FirstOrDefault(p => WireNames.Of(p.Name) == parameter.Name);
            if (property is not null)
                parameter.Description ??= DocComments.SummaryOf(property);
        }

        private static void AddErrors(OpenApiOperation operation, OperationFilterContext context, UseCase useCase)
        {
            var statuses = new List<int> { 500, 503 };
            var hasInput = operation.RequestBody is not null || operation.Parameters is { Count: > 0 };
            // A wrong token is refused wherever tokens are looked at, also where none is needed; and rates are limited there.
            if (context.ApiDescription.RelativePath?.StartsWith("api/", StringComparison.Ordinal) == true)
                statuses.AddRange([401, 429]);
            if (!useCase.IsPublic)
                statuses.Add(403);
            if (operation.RequestBody is not null)
                statuses.AddRange([400, 409, 413, 415]);
            // Any input may name what is not there: an id, an address, a job to wait for.
            if (hasInput)
                statuses.Add(404);
            if (operation.Parameters?.Any(p => p.In == ParameterLocation.Path) == true && context.ApiDescription.HttpMethod is not ("GET" or "HEAD"))
                statuses.Add(409);
            if (hasInput)
                statuses.Add(422);
            var schema = context.SchemaGenerator.GenerateSchema(typeof(Problem), context.SchemaRepository);
            operation.Responses ??= [];
            foreach (var status in statuses.Distinct().Order())
            {
                operation.Responses.TryAdd(status.ToString(), new OpenApiResponse { Description = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status) });
            }
            foreach (var refusal in operation.Responses.Where(r => r.Key[0] is '4' or '5').Select(r => r.Value).OfType<OpenApiResponse>())
                refusal.Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal) { ["application/problem+json"] = new OpenApiMediaType { Schema = schema } };
            foreach (var response in operation.Responses.Where(r => r.Key.StartsWith('2')).Select(r => r.Value.Content).OfType<IDictionary<string, OpenApiMediaType>>())
            {
                // Whatever a client says it accepts, it gets JSON.
                foreach (var other in response.Keys.Where(k => k is "text/plain" or "text/json").ToList())
                    response.Remove(other);
            }
        }
    }

    /// <summary>
    /// Schemas of what is read (snake_case, strict) and of what is written (camelCase, every member present) from the two serializer options
    /// that do the reading and writing. A type used both ways gets two schemas; the one that is read ends in <c>Input</c>.
    /// </summary>
    private sealed class TwoCasings : ISchemaGenerator
    {
        private readonly SchemaGenerator _requests;
        private readonly SchemaGenerator _responses;
        private readonly System.Runtime.CompilerServices.ConditionalWeakTable<SchemaRepository, SchemaRepository> _inputs = [];

        public TwoCasings(IServiceProvider services)
        {
            _requests = Create(JsonSetup.Requests, t => IdOf(t) + (t.IsEnum || t.Name.EndsWith("Command", StringComparison.Ordinal) ? "" : "Input"), new InputFacts(services));
            _responses = Create(JsonSetup.Responses, IdOf, new OutputFacts());
        }

        private static SchemaGenerator Create(JsonSerializerOptions json, Func<Type, string> ids, ISchemaFilter filter)
        {
            var options = new SchemaGeneratorOptions { SchemaIdSelector = ids, SupportNonNullableReferenceTypes = true, UseAllOfToExtendReferenceSchemas = true };
            options.SchemaFilters.Add(filter);
            return new SchemaGenerator(options, new JsonSerializerDataContractResolver(json));
        }

        private static string IdOf(Type type) =>
            type.IsGenericType ? type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)] + string.Concat(type.GetGenericArguments().Select(IdOf)) : type.Name;

        public IOpenApiSchema GenerateSchema(Type modelType, SchemaRepository schemaRepository, MemberInfo? memberInfo = null, ParameterInfo? parameterInfo = null, ApiParameterRouteInfo? routeInfo = null)
        {
            if (memberInfo is null && parameterInfo is null)
                return _responses.GenerateSchema(modelType, schemaRepository);
            var inputs = _inputs.GetValue(schemaRepository, static _ => new SchemaRepository());
            var schema = _requests.GenerateSchema(modelType, inputs, memberInfo, parameterInfo, routeInfo);
            foreach (var (id, definition) in inputs.Schemas)
                schemaRepository.Schemas.TryAdd(id, definition);
            return schema;
        }
    }

    /// <summary>Null is allowed exactly where the serializer allows it.</summary>
    private static class Nulls
    {
        public static void Mark(OpenApiSchema schema, SchemaFilterContext context, JsonSerializerOptions json, Func<JsonPropertyInfo, bool> allows)
        {
            if (context.MemberInfo is not null || context.ParameterInfo is not null || schema.Properties is not { } members || !json.TryGetTypeInfo(context.Type, out var type))
                return;
            foreach (var property in type.Properties)
            {
                if (!members.TryGetValue(property.Name, out var member))
                    continue;
                var nullable = property.PropertyType.IsValueType ? Nullable.GetUnderlyingType(property.PropertyType) is not null : allows(property);
                // A reference has no type of its own to which null could be added: it is null or the other.
                var refers = member is OpenApiSchema { AllOf.Count: > 0 };
                if (member is OpenApiSchema { Type: { } kinds } plain && !(nullable && refers))
                    plain.Type = nullable ? kinds | JsonSchemaType.Null : kinds & ~JsonSchemaType.Null;
                else if (nullable)
                    members[property.Name] = new OpenApiSchema { Description = member.Description, OneOf = [new OpenApiSchema { Type = JsonSchemaType.Null }, .. (member as OpenApiSchema)?.AllOf ?? [member]] };
            }
        }
    }

    private sealed class OutputFacts : ISchemaFilter
    {
        public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
        {
            if (schema is not OpenApiSchema open)
                return;
            DocComments.Describe(open, context, JsonSetup.Responses);
            // Nulls are written, so every member is always there; a problem's errors are the exception. New members may come.
            open.Required = open.Properties?.Keys.Where(k => context.Type != typeof(Problem) || k != "errors").ToHashSet(StringComparer.Ordinal);
            open.AdditionalPropertiesAllowed = true;
            Nulls.Mark(open, context, JsonSetup.Responses, p => p.IsGetNullable);
        }
    }

    /// <summary>Puts the validators' limits into the schema.</summary>
    private sealed class InputFacts(IServiceProvider services) : ISchemaFilter
    {
        public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
        {
            if (schema is not OpenApiSchema open)
                return;
            DocComments.Describe(open, context, JsonSetup.Requests);
            Nulls.Mark(open, context, JsonSetup.Requests, p => p.IsSetNullable);
            if (context.MemberInfo is not null)
                return;
            foreach (var (name, rule) in FieldLimits.Of(services, context.Type))
            {
                if (open.Properties?.TryGetValue(name, out var property) == true && property is OpenApiSchema field)
                    Limit(field, rule);
            }
        }

        private static void Limit(OpenApiSchema field, IPropertyValidator rule)
        {
            switch (rule)
            {
                case ILengthValidator length:
                    field.MinLength = length.Min > 0 ? length.Min : field.MinLength;
                    field.MaxLength = length.Max > 0 ? length.Max : field.MaxLength;
                    break;
                case IBetweenValidator between:
                    field.Minimum = Convert.ToString(between.From);
                    field.Maximum = Convert.ToString(between.To);
                    break;
                case IComparisonValidator { ValueToCompare: { } bound } comparison when bound is int or long or double or decimal:
                    Compare(field, comparison.Comparison, Convert.ToString(bound)!);
                    break;
                case IRegularExpressionValidator pattern:
                    field.Pattern = pattern.Expression;
                    break;
                case INotEmptyValidator when field.Type?.HasFlag(JsonSchemaType.String) == true:
                    field.MinLength ??= 1;
                    break;
            }
        }

        private static void Compare(OpenApiSchema field, Comparison comparison, string bound)
        {
            switch (comparison)
            {
                case Comparison.GreaterThan: field.ExclusiveMinimum = bound; break;
                case Comparison.GreaterThanOrEqual: field.Minimum = bound; break;
                case Comparison.LessThan: field.ExclusiveMaximum = bound; break;
                case Comparison.LessThanOrEqual: field.Maximum = bound; break;
            }
        }
    }
}
