using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FogCompute.Api.ContractTests.Telemetry;

/// <summary>What a running server sends to a collector over HTTP, read byte by byte.</summary>
[TestFixture]
public sealed class CollectorTests
{
    [Test]
    public async Task A_collector_gets_the_spans_of_a_request_and_the_meters()
    {
        var bodies = new ConcurrentQueue<(string Path, string? Type, byte[] Body)>();
        await using var collector = await CollectAsync(bodies);
        await using (var server = await ApiServer.StartAsync(
            [$"--OTEL_EXPORTER_OTLP_ENDPOINT={collector.Urls.Single()}", "--OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "--OTEL_METRIC_EXPORT_INTERVAL=300", "--OTEL_BSP_SCHEDULE_DELAY=100",
                "--OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test"]))
        {
            (await server.Client.GetAsync("/api/scheduler/stats")).EnsureSuccessStatusCode();
            for (var i = 0; i < 3_000 && !bodies.Any(b => b.Path == "/v1/metrics" && b.Body.AsSpan().IndexOf("fogcompute.scheduler.queue.length"u8) >= 0); i++)
                await Task.Delay(20);
        } // The end sends what is left.

        Assert.That(bodies.Select(b => b.Type), Is.All.EqualTo("application/x-protobuf"));
        // ResourceSpans 1 { ScopeSpans 2 { Scope 1 { name 1 }, Span 2 { trace 1, id 2, parent 4, name 5 } } }
        var spans = bodies.Where(b => b.Path == "/v1/traces").SelectMany(b => Proto.All(b.Body, 1)).SelectMany(r => Proto.All(r, 2))
            .SelectMany(s => Proto.All(s, 2).Select(span => (Scope: Proto.Text(Proto.All(s, 1).Single(), 1), Name: Proto.Text(span, 5),
                Trace: Convert.ToHexString(Proto.All(span, 1).Single()), Id: Convert.ToHexString(Proto.All(span, 2).Single()), Parent: Convert.ToHexString(Proto.All(span, 4).SingleOrDefault() ?? [])))).ToList();
        var useCase = spans.Single(s => s is { Scope: "FogCompute.UseCases", Name: "GetSchedulerStats" });
        var request = spans.Single(s => s.Id == useCase.Parent);
        using (Assert.EnterMultipleScope())
        {
            Assert.That((request.Scope, request.Name), Is.EqualTo(("Microsoft.AspNetCore", "GET /api/scheduler/stats")));
            Assert.That(spans.Where(s => s.Trace == useCase.Trace).Select(s => s.Scope), Has.Some.EqualTo("Npgsql"), "its statements belong to the same trace");
        }
        // ResourceMetrics 1 { Resource 1 { attribute 1 { key 1 } }, ScopeMetrics 2 { Scope 1 { name 1 }, Metric 2 { name 1, unit 3 } } }
        var resources = bodies.Where(b => b.Path == "/v1/metrics").SelectMany(b => Proto.All(b.Body, 1)).ToList();
        var metrics = resources.SelectMany(r => Proto.All(r, 2)).SelectMany(s => Proto.All(s, 2).Select(m => (Scope: Proto.Text(Proto.All(s, 1).Single(), 1), Name: Proto.Text(m, 1), Unit: Proto.Text(m, 3)))).ToHashSet();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(metrics, Does.Contain(("FogCompute.UseCases", "fogcompute.use_case.duration", "s")));
            Assert.That(metrics, Does.Contain(("FogCompute.Pool", "fogcompute.scheduler.queue.length", "{replica}")));
            Assert.That(metrics, Does.Contain(("Microsoft.AspNetCore.Hosting", "http.server.request.duration", "s")));
            Assert.That(metrics.Select(m => m.Scope), Is.SupersetOf(new[] { "Npgsql", "System.Runtime", "FogCompute.RecurringJobs", "FogCompute.Realtime" }));
            Assert.That(resources.SelectMany(r => Proto.All(Proto.All(r, 1).Single(), 1)).Select(a => Proto.Text(a, 1)), Is.SupersetOf(new[] { "service.name", "service.version", "deployment.environment.name" }));
        }
    }

    private static async Task<WebApplication> CollectAsync(ConcurrentQueue<(string, string?, byte[])> bodies)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.Run(async http =>
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body);
            bodies.Enqueue((http.Request.Path, http.Request.ContentType, body.ToArray()));
            http.Response.ContentType = "application/x-protobuf";
        });
        await app.StartAsync();
        return app;
    }

    /// <summary>Fields of a protobuf message.</summary>
    private static class Proto
    {
        public static string Text(byte[] message, int field) => Encoding.UTF8.GetString(All(message, field).SingleOrDefault() ?? []);

        /// <summary>The length-delimited values of a field.</summary>
        public static List<byte[]> All(byte[] message, int field)
        {
            var found = new List<byte[]>();
            for (var at = 0; at < message.Length;)
            {
                var tag = Number(message, ref at);
                switch (tag & 7)
                {
                    case 0: Number(message, ref at); break;
                    case 1: at += 8; break;
                    case 5: at += 4; break;
                    case 2:
                        var length = (int)Number(message, ref at);
                        if ((int)(tag >> 3) == field)
                            found.Add(message[at..(at + length)]);
                        at += length;
                        break;
                    default: throw new FormatException($"No protobuf: wire type {tag & 7}.");
                }
            }
            return found;
        }

        private static ulong Number(byte[] message, ref int at)
        {
            var value = 0UL;
            for (var shift = 0; ; shift += 7)
            {
                var part = message[at++];
                value |= (ulong)(part & 0x7f) << shift;
                if (part < 0x80)
                    return value;
            }
        }
    }
}
