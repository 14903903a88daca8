using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FogCompute.Api.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FogCompute.Api.ContractTests.Telemetry;

[TestFixture]
public sealed class LogTests
{
    [Test]
    public async Task Every_line_is_an_object_with_the_promised_fields_and_requests_show_no_more_than_their_route()
    {
        var lines = new Lines();
        await using var server = await StartAsync(lines);
        (await server.Client.GetAsync("/api/scheduler/stats?token=query-secret")).EnsureSuccessStatusCode();
        (await server.Client.GetAsync($"/api/scheduler/jobs/{Guid.Empty}?x=query-secret")).Dispose();
        (await server.Client.GetAsync("/nowhere/path-secret")).Dispose();
        (await server.Client.PostAsync("/api/scheduler/jobs", ApiServer.Json("""{"name":"body-secret","cpu_required":-1}"""))).Dispose();
        Assert.That(server.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Microsoft.EntityFrameworkCore.Database.Connection").IsEnabled(LogLevel.Error), Is.False, "an outage is told once for each request");
        await server.StopAsync();

        foreach (var line in lines.All)
        {
            var entry = JsonDocument.Parse(line).RootElement;
            Assert.That(line, Does.Not.Contain('\n').And.Not.Contain("-secret"));
            Assert.That(DateTimeOffset.Parse(entry.GetProperty("timestamp").GetString()!, CultureInfo.InvariantCulture).Offset, Is.EqualTo(TimeSpan.Zero), line);
            Assert.That(entry.GetProperty("level").GetString(), Is.AnyOf("trace", "debug", "information", "warning", "error", "critical"), line);
            Assert.That(entry.GetProperty("event").GetString(), Does.Match("^[a-z0-9_.]+$"), line);
            Assert.That(entry.GetProperty("module").GetString(), Is.Not.Empty, line);
        }
        var requests = lines.Of("http_request").Where(r => r.GetProperty("route").GetString() is not "/readyz").ToList();
        Assert.That(requests.ConvertAll(r => (r.GetProperty("method").GetString(), r.GetProperty("route").GetString(), r.GetProperty("status").GetInt32())), Is.EquivalentTo(new[] // A line is written after its answer, so the next one's may be before it.
        {
            ("GET", "/api/scheduler/stats", 200), ("GET", "/api/scheduler/jobs/{id:guid}", 404), ("GET", "", 404), ("POST", "/api/scheduler/jobs", 422),
        }));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(requests.Select(r => r.GetProperty("elapsed_ms").GetDouble()), Is.All.GreaterThan(0));
            Assert.That(requests.Select(r => r.GetProperty("trace_id").GetString()), Is.All.Match("^[0-9a-f]{32}$"));
            Assert.That(requests.Select(r => r.GetProperty("trace_id").GetString()), Is.Unique);
            Assert.That(requests.Select(r => r.GetProperty("span_id").GetString()), Is.All.Match("^[0-9a-f]{16}$"));
            var refused = lines.Of("use_case_refused").Single(r => r.GetProperty("code").GetString() == "scheduler.job_not_found");
            Assert.That(refused.GetProperty("trace_id").GetString(), Is.EqualTo(requests.Single(r => r.GetProperty("status").GetInt32() == 404 && r.GetProperty("route").GetString() != "").GetProperty("trace_id").GetString()), "lines of a request find each other");
            Assert.That((refused.GetProperty("use_case").GetString(), refused.GetProperty("module").GetString()), Is.EqualTo(("GetJob", "Scheduler")));
        }
    }

    [Test]
    public async Task Writes_no_more_request_lines_a_second_than_allowed_and_says_how_many_went_without()
    {
        var lines = new Lines();
        await using var server = await StartAsync(lines, "--FOG_REQUEST_LOG=5");
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < 200; i++)
            (await server.Client.GetAsync("/livez")).Dispose();
        await Task.Delay(1100);
        (await server.Client.GetAsync("/livez")).Dispose();
        var seconds = Math.Ceiling(Stopwatch.GetElapsedTime(started).TotalSeconds) + 1;
        await server.StopAsync();
        var requests = lines.Of("http_request");
        Assert.That(requests, Has.Count.LessThanOrEqualTo(5 * (int)seconds + 5));
        Assert.That(requests.Count + requests.Sum(r => r.GetProperty("unwritten").GetInt64()), Is.GreaterThanOrEqualTo(201), "none is forgotten");
    }

    [Test]
#pragma warning disable CA1727 // The names are what is tested.
    public void Takes_the_event_from_the_template_or_from_the_library()
    {
        var lines = new Lines();
        var log = lines.CreateLogger("FogCompute.Infrastructure.Persistence.Migrations.Migrator");
        log.Log(LogLevel.Warning, new EventId(1, "NotThis"), new InvalidOperationException("broken"), "thing_{how} happened to {name} {elapsed_ms}", "badly", "\"it\"", 1.23456);
        lines.CreateLogger("Microsoft.AspNetCore.Server.Kestrel").Log(LogLevel.Error, new EventId(13, "ApplicationError"), "Connection id {id}: an unhandled exception", "x");
        lines.CreateLogger("Short").LogInformation("Plain words");
        var entries = lines.All.Select(l => JsonDocument.Parse(l).RootElement).ToList();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(entries.ConvertAll(e => e.GetProperty("event").GetString()), Is.EqualTo(new[] { "thing_badly", "application_error", "log" }));
            Assert.That(entries.ConvertAll(e => e.GetProperty("module").GetString()), Is.EqualTo(new[] { "Persistence", "Microsoft.AspNetCore", "Short" }));
            Assert.That(entries[0].GetProperty("name").GetString(), Is.EqualTo("\"it\""));
            Assert.That(entries[0].GetProperty("elapsed_ms").GetDouble(), Is.EqualTo(1.235));
            Assert.That(entries[0].GetProperty("exception").GetString(), Does.Contain("InvalidOperationException: broken"));
            Assert.That(entries[1].TryGetProperty("exception", out _), Is.False);
        }
    }

    [TestCase("--FOG_SCRAPE_KEY=short", "FOG_SCRAPE_KEY")]
    [TestCase("--FOG_REQUEST_LOG=many", "FOG_REQUEST_LOG")]
    [TestCase("--FOG_REQUEST_LOG=100001", "FOG_REQUEST_LOG")]
    public void Refuses_settings_outside_their_range(string setting, string name) =>
        Assert.That(() => TelemetrySettings.Read(Program.NewBuilder([setting]).Configuration), Throws.TypeOf<ConfigurationException>().With.Message.StartsWith(name).And.Message.Not.Contains("short'"));

    private static Task<ApiServer> StartAsync(Lines lines, params string[] settings) =>
        ApiServer.StartAsync(["--Logging:LogLevel:Default=Information", .. settings], adjust: services => services.AddLogging(logging => logging.ClearProviders().AddProvider(lines)));

    /// <summary>What the console would show.</summary>
    private sealed class Lines : ILoggerProvider
    {
        private readonly JsonLogFormatter _formatter = new();
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyList<string> All => [.. _lines];

        public List<JsonElement> Of(string name) => [.. _lines.Select(l => JsonDocument.Parse(l).RootElement).Where(e => e.GetProperty("event").GetString() == name)];

        public ILogger CreateLogger(string categoryName) => new Writer(categoryName, this);

        public void Dispose()
        {
        }

        private sealed class Writer(string category, Lines lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            {
                using var text = new StringWriter();
                lines._formatter.Write(new LogEntry<TState>(logLevel, category, eventId, state, exception, formatter), null, text);
                lines._lines.Enqueue(text.ToString().TrimEnd('\r', '\n'));
            }
        }
    }
}
