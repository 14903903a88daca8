using Microsoft.AspNetCore.Http;

namespace FogCompute.Cli.Tests;

internal sealed class EventsTests : CliFixture
{
    private const string Route = "/api/scheduler/events";

    private static string Event(int id, string kind, string reason = "null") =>
        $$"""{"id":{{id}},"at":"2026-01-02T03:04:05Z","kind":"{{kind}}","account":"{{JobId}}","jobId":"{{JobId}}","deviceId":null,"name":"hello","reason":{{reason}}}""";

    private static Func<HttpContext, Task> Stream(string text) => async context =>
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync(text);
    };

    [Test]
    public async Task Shows_what_happened()
    {
        Plane.On("GET", Route, $$"""{"events":[{{Event(7, "job_started")}},{{Event(8, "job_failed", "\"task_failed\"")}}],"reset":false,"last":8}""");
        var ran = await RunAsync("events", "--job", JobId, "--limit", "2");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(ran.Out.Split('\n').Select(l => l.TrimEnd()), Has.Some.EndsWith("hello  (task_failed)").And.Some.Contain("job_started"));
        Assert.That(Plane.Requests.Single().Query, Is.EqualTo($"?limit=2&job={JobId}"));
        Assert.That((await RunAsync("events", "--json")).Json["last"]!.GetValue<int>(), Is.EqualTo(8));
    }

    [Test]
    public async Task Goes_on_where_a_stream_ended()
    {
        Plane.On("GET", Route, Stream($"retry: 2000\nid: 6\nevent: open\ndata: {{\"last\":6}}\n\nid: 7\nevent: job_started\ndata: {Event(7, "job_started")}\n\n"))
            .On("GET", Route, Stream("id: 9\nevent: reset\ndata: {\"last\":9}\n\nid: 12\n: waiting\n\n"))
            .On("GET", Route, Problem(401, "identity.invalid_token", "The bearer token is unknown, expired or revoked."), 401);
        var ran = await RunAsync("events", "--follow");
        Assert.That(ran.ExitCode, Is.Not.Zero, "a token that is refused ends it");
        Assert.That(ran.Out, Does.Contain("job_started"));
        Assert.That(ran.Error, Does.Contain("are gone"));
        Assert.That(Plane.Requests.Select(r => r.Query), Is.EqualTo(new[] { "?limit=50", "?limit=50&after=7", "?limit=50&after=12" }), "a silence has an id, too");
        Assert.That((await RunAsync("events", "--follow", "--json")).ExitCode, Is.EqualTo(ExitCodes.Usage));
    }
}
