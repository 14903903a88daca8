using System.Diagnostics;
using Microsoft.AspNetCore.Diagnostics;

namespace FogCompute.Api.Http;

/// <summary>
/// One line per request: method, route template, status, time. Never a path, a query or a body: ids and secrets stand there. In a second no more lines than the setting
/// allows are written, so that ten thousand requests cost no more log than a hundred; the next line says how many went without. Answers of 500 and above are always written.
/// </summary>
internal sealed partial class TelemetryRequests(RequestDelegate next, TelemetrySettings settings, TimeProvider time, ILogger<TelemetryRequests> log)
{
    private long _second;
    private int _lines;
    private long _unwritten;

    public async Task InvokeAsync(HttpContext http)
    {
        var started = time.GetTimestamp();
        try
        {
            await next(http);
        }
        finally
        {
            var (status, route) = (http.Response.StatusCode, RouteOf(http));
            // Names the span of this request the way its measurements are named.
            if (Activity.Current is { IsAllDataRequested: true } span)
            {
                span.DisplayName = route.Length == 0 ? http.Request.Method : $"{http.Request.Method} {route}";
                span.SetTag("http.request.method", http.Request.Method).SetTag("http.route", route).SetTag("http.response.status_code", status);
            }
            if (log.IsEnabled(LogLevel.Information) && (status >= StatusCodes.Status500InternalServerError || HasLineLeft()))
                Request(log, http.Request.Method, route, status, time.GetElapsedTime(started).TotalMilliseconds, Interlocked.Exchange(ref _unwritten, 0));
        }
    }

    /// <summary>The budget of the second: a race at its edge allows a line too many, which is harmless.</summary>
    private bool HasLineLeft()
    {
        var second = time.GetTimestamp() / time.TimestampFrequency;
        if (Interlocked.Exchange(ref _second, second) != second)
            Volatile.Write(ref _lines, 0);
        if (Volatile.Read(ref _lines) < settings.RequestLines && Interlocked.Increment(ref _lines) <= settings.RequestLines)
            return true;
        Interlocked.Increment(ref _unwritten);
        return false;
    }

    /// <summary>The template; "" when nothing is there. The handler of failures takes the endpoint away, but keeps it.</summary>
    private static string RouteOf(HttpContext http) =>
        ((http.GetEndpoint() ?? http.Features.Get<IExceptionHandlerFeature>()?.Endpoint) as RouteEndpoint)?.RoutePattern.RawText is { } route ? "/" + route.TrimStart('/') : "";

    [LoggerMessage(50, LogLevel.Information, "http_request {method} {route} {status} {elapsed_ms} {unwritten}")]
    private static partial void Request(ILogger logger, string method, string route, int status, double elapsed_ms, long unwritten);
}
