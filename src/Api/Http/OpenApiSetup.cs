using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FluentValidation;
using FluentValidation.Validators;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Protocol;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.Mvc.Controllers;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.Swagger;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace FogCompute.Api.Http;

// The OpenAPI document is built from the code that serves the requests: both serializer options, the validators, the permissions.

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
            operation.Summary = DocComments.SummaryOf(useCase.Request);
            operation.Description = useCase.IsPublic ? "Needs no identity." : $"Needs the permission `{useCase.Permission}`.";
            operation.Security = useCase.IsPublic ? [] : [Requirement(Bearer, context.Document), Requirement(ApiKey, context.Document)];
            foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>().Where(p => p.In == ParameterLocation.Query))
                parameter.Name = WireNames.Of(parameter.Name!);
            foreach (var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>())
                DescribeParameter(parameter, useCase.Request);

            if (operation.RequestBody is OpenApiRequestBody { Content: { } content } && Examples.Bodies.TryGetValue(operation.OperationId!, out var example))
            {
                foreach (var media in content.Values.OfType<OpenApiMediaType>())
                    media.Example = JsonNode.Parse(example);
            }
            AddErrors(operation, context, useCase);
        }

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
            if (!useCase.IsPublic)
                statuses.AddRange([401, 403]);
            if (operation.RequestBody is not null)
                statuses.AddRange([400, 409, 413, 415]);
            if (operation.Parameters?.Any(p => p.In == ParameterLocation.Path) == true)
                statuses.AddRange([404, 409]);
            if (hasInput)
                statuses.Add(422);
            var schema = context.SchemaGenerator.GenerateSchema(typeof(Problem), context.SchemaRepository);
            operation.Responses ??= [];
            foreach (var status in statuses.Distinct().Order())
            {
                operation.Responses.TryAdd(status.ToString(), new OpenApiResponse
                {
                    Description = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status),
                    Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal) { ["application/problem+json"] = new OpenApiMediaType { Schema = schema } },
                });
            }
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
            _responses = Create(WireJson.Responses, IdOf, new OutputFacts());
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

    private sealed class OutputFacts : ISchemaFilter
    {
        public void Apply(IOpenApiSchema schema, SchemaFilterContext context)
        {
            if (schema is not OpenApiSchema open)
                return;
            DocComments.Describe(open, context, WireJson.Responses);
            // Nulls are written, so every member is always there; a problem's errors are the exception. New members may come.
            open.Required = open.Properties?.Keys.Where(k => context.Type != typeof(Problem) || k != "errors").ToHashSet(StringComparer.Ordinal);
            open.AdditionalPropertiesAllowed = true;
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
            if (context.MemberInfo is not null || services.GetService(typeof(IValidator<>).MakeGenericType(context.Type)) is not IValidator validator)
                return;
            foreach (var member in validator.CreateDescriptor().GetMembersWithValidators())
            {
                if (open.Properties?.TryGetValue(WireNames.Of(member.Key), out var property) != true || property is not OpenApiSchema field)
                    continue;
                foreach (var (rule, options) in member)
                {
                    if (!options.HasCondition && !options.HasAsyncCondition)
                        Limit(field, rule);
                }
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
