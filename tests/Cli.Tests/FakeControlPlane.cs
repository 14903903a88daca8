using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FogCompute.Cli.Tests;

/// <summary>A loopback HTTP server that answers what a test told it to and remembers what it was asked.</summary>
internal sealed class FakeControlPlane : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, Queue<Func<HttpContext, Task>>> _answers = new(StringComparer.Ordinal);

    private FakeControlPlane(WebApplication app) => _app = app;

    /// <summary>A request as it arrived. <paramref name="Body"/> is null when there was none.</summary>
    public sealed record Seen(string Method, string Path, string Query, JsonNode? Body, string? IdempotencyKey, string? Authorization);

    public ConcurrentQueue<Seen> Requests { get; } = new();

    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    public static async Task<FakeControlPlane> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var plane = new FakeControlPlane(app);
        app.Run(plane.AnswerAsync);
        await app.StartAsync();
        return plane;
    }

    /// <summary>Answers the route with JSON. The last answer given for a route repeats, earlier ones are used once each.</summary>
    public FakeControlPlane On(string method, string path, string json, int status = 200) =>
        On(method, path, async context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = status < 400 ? "application/json" : "application/problem+json";
            await context.Response.WriteAsync(json);
        });

    public FakeControlPlane On(string method, string path, Func<HttpContext, Task> answer)
    {
        _answers.GetOrAdd($"{method} {path}", _ => new Queue<Func<HttpContext, Task>>()).Enqueue(answer);
        return this;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        JsonNode? body = null;
        if (request.ContentLength is > 0 && request.ContentType?.StartsWith("application/json", StringComparison.Ordinal) == true)
            body = await JsonNode.ParseAsync(request.Body);
        Requests.Enqueue(new Seen(request.Method, request.Path, request.QueryString.Value ?? "", body,
            request.Headers["Idempotency-Key"].FirstOrDefault(), request.Headers.Authorization.FirstOrDefault()));
        if (!_answers.TryGetValue($"{request.Method} {request.Path}", out var queue))
        {
            context.Response.StatusCode = 404;
            context.Response.ContentType = "application/problem+json";
            await context.Response.WriteAsync("""{"title":"Not found","status":404,"detail":"No such thing.","code":"test.unknown_route"}""");
            return;
        }
        Func<HttpContext, Task> answer;
        lock (queue)
            answer = queue.Count > 1 ? queue.Dequeue() : queue.Peek();
        await answer(context);
    }
}
