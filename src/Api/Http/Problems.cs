using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using FogCompute.Application.Health;
using FogCompute.Domain.Common;
using FogCompute.Protocol;
using Microsoft.AspNetCore.Diagnostics;

namespace FogCompute.Api.Http;

/// <summary>Every error answer (RFC 9457).</summary>
/// <param name="Type">URN of the kind of problem, made from the code.</param>
/// <param name="Title">The status in words.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Detail">What happened, why, and what to do next.</param>
/// <param name="Code">Stable code, <c>module.what</c>.</param>
/// <param name="TraceId">Names this request in the log.</param>
/// <param name="Errors">Violations by field, as the caller wrote it.</param>
public sealed record Problem(
    string Type, string Title, int Status, string Detail, string Code, string TraceId,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyDictionary<string, string[]>? Errors = null);

/// <summary>Refusals that come from HTTP itself.</summary>
internal static class HttpErrors
{
    public static readonly FogError Internal = new("common.internal", ErrorKind.Unavailable, "The server failed on this request. The fault is ours; the log has it under the traceId.");
    public static readonly FogError ShuttingDown = new("common.shutting_down", ErrorKind.Unavailable, "The control plane is shutting down; ask again in a moment.");
    public static readonly FogError BodyTooLarge = new("common.body_too_large", ErrorKind.TooLarge, "The request body is larger than this operation accepts.");
    public static readonly FogError BadRequest = new("common.bad_request", ErrorKind.Malformed, "The request breaks the rules of HTTP.");
    public static readonly FogError RequestTimeout = new("common.request_timeout", ErrorKind.Malformed, "The request body arrived too slowly; send it again.");
    public static readonly FogError RouteNotFound = new("common.route_not_found", ErrorKind.NotFound, "There is nothing at this address. GET /openapi.json lists what there is.");
    public static readonly FogError MethodNotAllowed = new("common.method_not_allowed", ErrorKind.Malformed, "This address does not know that method; the Allow header names those it knows.");
    public static readonly FogError UnsupportedMediaType = new("common.unsupported_media_type", ErrorKind.Malformed, "Send the body as 'Content-Type: application/json' (UTF-8).");
    public static readonly FogError RangeNotSatisfiable = new("common.range_not_satisfiable", ErrorKind.Malformed, "The requested range lies outside the content; the Content-Range header has its length.");
}

/// <summary>The one place where failures become answers.</summary>
internal sealed partial class Problems(IOutageTranslator outages, IHostApplicationLifetime lifetime, ILogger<Problems> log) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is OperationCanceledException or IOException or Microsoft.AspNetCore.Connections.ConnectionResetException)
        {
            if (lifetime.ApplicationStopping.IsCancellationRequested)
            {
                await WriteAsync(httpContext, 503, HttpErrors.ShuttingDown, null, TimeSpan.FromSeconds(1));
                return true;
            }
            // The caller went away; there is nobody to answer and nothing wrong.
            if (httpContext.RequestAborted.IsCancellationRequested)
            {
                httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
                return true;
            }
        }
        var refusal = exception as FogException ?? outages.Translate(exception);
        if (refusal is not null)
        {
            if (refusal.Error.Kind == ErrorKind.Unavailable && refusal.InnerException is { } cause)
                PartDown(log, cause, refusal.Error.Code);
            await WriteAsync(httpContext, StatusOf(refusal.Error.Kind), refusal.Error, refusal.Fields, refusal.RetryAfter);
            return true;
        }
        if (exception is BadHttpRequestException bad)
        {
            var error = bad.StatusCode switch { 413 => HttpErrors.BodyTooLarge, 408 => HttpErrors.RequestTimeout, _ => HttpErrors.BadRequest };
            await WriteAsync(httpContext, bad.StatusCode, error);
            return true;
        }
        Unhandled(log, exception, httpContext.Request.Method, httpContext.GetEndpoint()?.DisplayName ?? "", TraceId(httpContext));
        await WriteAsync(httpContext, 500, HttpErrors.Internal);
        return true;
    }

    public static int StatusOf(ErrorKind kind) => kind switch
    {
        ErrorKind.Malformed => 400,
        ErrorKind.Unauthenticated => 401,
        ErrorKind.Forbidden => 403,
        ErrorKind.NotFound => 404,
        ErrorKind.Conflict => 409,
        ErrorKind.TooLarge => 413,
        ErrorKind.Invalid => 422,
        ErrorKind.LimitExceeded => 429,
        ErrorKind.Unavailable => 503,
        _ => throw new UnreachableException($"No status for {kind}."),
    };

    /// <summary>Gives the bare status codes of routing and content negotiation (404, 405, 415, 416 …) a problem document.</summary>
    public static Task DescribeAsync(StatusCodeContext context)
    {
        var http = context.HttpContext;
        var error = http.Response.StatusCode switch
        {
            404 => HttpErrors.RouteNotFound,
            405 => HttpErrors.MethodNotAllowed,
            413 => HttpErrors.BodyTooLarge,
            415 => HttpErrors.UnsupportedMediaType,
            416 => HttpErrors.RangeNotSatisfiable,
            >= 500 => HttpErrors.Internal,
            _ => HttpErrors.BadRequest,
        };
        return WriteAsync(http, http.Response.StatusCode, error);
    }

    public static async Task WriteAsync(HttpContext http, int status, FogError error, IReadOnlyDictionary<string, string[]>? fields = null, TimeSpan? retryAfter = null)
    {
        var response = http.Response;
        response.StatusCode = status;
        if (retryAfter is { } wait)
            response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        if (status == StatusCodes.Status401Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer realm=\"fogcompute\"";
        response.Headers.CacheControl = "no-store";
        if (HttpMethods.IsHead(http.Request.Method))
            return;
        var title = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status);
        var problem = new Problem("urn:fogcompute:problem:" + error.Code, title, status, error.Message, error.Code, TraceId(http), fields is { Count: > 0 } ? fields : null);
        response.ContentType = "application/problem+json";
        // Not the caller's token: an answer to a request that was given up is still written if somebody listens.
        await JsonSerializer.SerializeAsync(response.Body, problem, WireJson.Responses, CancellationToken.None);
    }

    private static string TraceId(HttpContext http) => Activity.Current?.TraceId.ToString() ?? http.TraceIdentifier;

    [LoggerMessage(10, LogLevel.Error, "request_failed {method} {endpoint} {traceId}")]
    private static partial void Unhandled(ILogger logger, Exception failure, string method, string endpoint, string traceId);

    [LoggerMessage(11, LogLevel.Warning, "dependency_unavailable {code}")]
    private static partial void PartDown(ILogger logger, Exception failure, string code);
}
