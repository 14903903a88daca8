using System.Diagnostics.Metrics;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using FogCompute.Api.ContractTests.Scheduler;
using FogCompute.Infrastructure.Telemetry;
using FogCompute.Testing;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Telemetry;

[TestFixture]
public sealed partial class MetricsPageTests
{
    private const string ScrapeKey = "scrape-key-of-the-test";

    private ApiServer _server = null!;

    /// <summary>One server only: a second one in this process would end the meters of the first, as far as OpenTelemetry can tell them apart. Redis is set and away.</summary>
    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync([$"--FOG_SCRAPE_KEY={ScrapeKey}", "--REDIS_URL=redis://127.0.0.1:1"]);

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private async Task<IReadOnlyDictionary<string, MetricFamily>> ReadAsync()
    {
        using var answer = await _server.Client.GetAsync("/metrics");
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), text);
        Assert.That(answer.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/plain; version=0.0.4; charset=utf-8"));
        return Exposition.Parse(text);
    }

    [Test]
    public async Task Values_come_back_as_they_were_measured()
    {
        using var meter = new Meter("FogCompute.Test.RoundTrip");
        const string odd = "a \"quoted\" \\ back\nslash, {braces} é";
        meter.CreateCounter<long>("test.things", "{thing}", "Things, with a \\ and\na line.").Add(7, new KeyValuePair<string, object?>("test.kind", odd));
        meter.CreateCounter<double>("test.volume", "By").Add(2.5);
        meter.CreateObservableGauge("test.share", () => 0.1 + 0.2, "1");
        meter.CreateObservableGauge("test.endless", () => double.NegativeInfinity);
        meter.CreateUpDownCounter<int>("test.level").Add(-3);
        var histogram = meter.CreateHistogram("test.wait", "s", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 1] });
        foreach (var value in new[] { 0.05, 0.1, 0.5, 2, 4 })
            histogram.Record(value);

        var page = await ReadAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(page["test_things_total"], Has.Property("Type").EqualTo("counter").And.Property("Help").EqualTo("Things, with a \\ and\na line."));
            Assert.That(page["test_things_total"].Samples.Single().Value, Is.EqualTo(7));
            Assert.That(page["test_things_total"].Samples.Single().Labels, Is.EqualTo(new Dictionary<string, string> { ["test_kind"] = odd }));
            Assert.That(page["test_volume_bytes_total"].Samples.Single().Value, Is.EqualTo(2.5));
            Assert.That(page["test_share_ratio"].Samples.Single().Value, Is.EqualTo(0.1 + 0.2));
            Assert.That(page["test_endless"].Samples.Single().Value, Is.EqualTo(double.NegativeInfinity));
            Assert.That(page["test_level"].Samples.Single().Value, Is.EqualTo(-3));
            Assert.That(page["test_wait_seconds"].Samples.Select(s => (s.Name[^3..], s.Labels.GetValueOrDefault("le"), s.Value)),
                Is.EqualTo(new[] { ("ket", "0.1", 2.0), ("ket", "1", 3), ("ket", "+Inf", 5), ("sum", null, 6.65), ("unt", (string?)null, 5) }));
        }
    }

    [Test]
    public async Task Shows_what_the_product_did_and_names_nobody()
    {
        var pool = new PoolOverHttp(_server);
        await pool.AddAsync("metrics-device");
        var job = await pool.SubmitAsync("metrics-job", count: 2);
        var leased = 0;
        for (var i = 0; i < 3_000 && leased < 2; i++)
        {
            leased = (await pool.PollAsync("metrics-device")).Count;
            await Task.Delay(20);
        }
        Assert.That(leased, Is.EqualTo(2));
        (await _server.Client.GetAsync($"/api/scheduler/jobs/{Guid.Empty}")).Dispose();

        // What is counted in the pool may be two seconds old.
        var page = await ReadAsync();
        bool Shown() => Of(page, "fogcompute_scheduler_jobs", "", ("fogcompute_job_state", "running")) == 1 && Of(page, "fogcompute_scheduler_queue_length") == 0
            && Of(page, "fogcompute_idle_compute_devices", "", ("fogcompute_device_state", "harvesting")) == 1;
        for (var i = 0; i < 600 && !Shown(); i++)
        {
            await Task.Delay(100);
            page = await ReadAsync();
        }
        var text = await _server.Client.GetStringAsync("/metrics");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Of(page, "fogcompute_scheduler_leases_total"), Is.GreaterThanOrEqualTo(2));
            Assert.That(Of(page, "fogcompute_scheduler_placement_duration_seconds", "_count"), Is.GreaterThanOrEqualTo(1));
            Assert.That(Of(page, "fogcompute_use_case_duration_seconds", "_count", ("fogcompute_use_case_name", "SubmitJob"), ("fogcompute_module", "Scheduler"), ("fogcompute_outcome", "ok")), Is.GreaterThanOrEqualTo(1));
            Assert.That(Of(page, "fogcompute_use_case_refusals_total", "", ("fogcompute_module", "Scheduler"), ("error_type", "scheduler.job_not_found")), Is.GreaterThanOrEqualTo(1));
            Assert.That(Of(page, "fogcompute_recurring_job_duration_seconds", "_count", ("fogcompute_recurring_job_name", "PlacePendingJobs"), ("fogcompute_outcome", "ok")), Is.GreaterThanOrEqualTo(1));
            Assert.That(Of(page, "fogcompute_scheduler_jobs", "", ("fogcompute_job_state", "running")), Is.EqualTo(1));
            Assert.That(Of(page, "fogcompute_scheduler_queue_length"), Is.Zero);
            Assert.That(Of(page, "fogcompute_idle_compute_devices", "", ("fogcompute_device_state", "harvesting")), Is.EqualTo(1));
            Assert.That(Of(page, "fogcompute_realtime_listeners"), Is.Zero);
            Assert.That(Of(page, "fogcompute_redis_up"), Is.Zero);
            Assert.That(Of(page, "http_server_request_duration_seconds", "_count", ("http_route", "api/scheduler/jobs/{id:guid}"), ("http_response_status_code", "404")), Is.GreaterThanOrEqualTo(1));
            Assert.That(Of(page, "target_info", "", ("service_name", "fogcompute-control-plane")), Is.EqualTo(1));
            Assert.That(page.Keys, Has.Some.StartsWith("kestrel_").And.Some.StartsWith("db_client_").And.Some.StartsWith("dotnet_"));
            Assert.That(text, Does.Not.Contain(job).And.Not.Contain("metrics-device").And.Not.Contain("metrics-job"));
            Assert.That(AnyId().Matches(text), Is.Empty, "no id of anything is a label");
        }
    }

    [Test]
    public async Task Opens_to_this_machine_to_the_scrape_key_and_to_operators_only()
    {
        var (_, member, _) = await _server.NewMemberAsync("metrics-member");
        var (_, operators, _) = await _server.NewMemberAsync("metrics-operator", ["operate"]);
        using var scraper = _server.NewClient(ScrapeKey);
        using var wrong = _server.NewClient(ScrapeKey + "x");
        using var proxied = _server.NewClient();
        proxied.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.7");
        using var page = _server.NewClient();
        page.DefaultRequestHeaders.Add("Sec-Fetch-Site", "cross-site");

        Assert.That((await scraper.GetAsync("/metrics")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await operators.GetAsync("/metrics")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        await (await member.GetAsync("/metrics")).ProblemAsync(403, "identity.forbidden");
        await (await wrong.GetAsync("/metrics")).ProblemAsync(401, "identity.invalid_token");
        await (await proxied.GetAsync("/metrics")).ProblemAsync(401, "identity.unauthenticated");
        await (await page.GetAsync("/metrics")).ProblemAsync(401, "identity.unauthenticated");
        await (await scraper.GetAsync("/api/scheduler/jobs")).ProblemAsync(401, "identity.invalid_token");
        member.Dispose();
        operators.Dispose();
    }

    [Test]
    public async Task Every_query_of_the_dashboard_names_metrics_and_labels_that_exist()
    {
        // What no measurement has been made of yet is not on the page; its instrument is there and says how it will be called.
        (await _server.Client.GetAsync($"/api/scheduler/jobs/{Guid.Empty}")).Dispose();
        var page = await ReadAsync();
        var names = new HashSet<string>(page.Keys, StringComparer.Ordinal);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            var type = instrument.GetType().Name;
            names.Add(PrometheusText.NameOf(instrument.Name, instrument.Unit, type.Contains("UpDown", StringComparison.Ordinal) || type.Contains("Gauge", StringComparison.Ordinal) ? "gauge"
                : type.Contains("Counter", StringComparison.Ordinal) ? "counter" : "histogram"));
        };
        listener.Start();
        using var dashboard = JsonDocument.Parse(await File.ReadAllTextAsync(Repository.Path("deploy", "grafana", "fogcompute.json")));
        var panels = dashboard.RootElement.GetProperty("panels").EnumerateArray().ToList();
        var queries = panels.Where(p => p.TryGetProperty("targets", out _)).SelectMany(p => p.GetProperty("targets").EnumerateArray()).Select(t => t.GetProperty("expr").GetString()!).ToList();
        Assert.That(queries, Has.Count.GreaterThan(12));
        foreach (var query in queries)
        {
            var named = MetricName().Matches(Variable().Replace(Quoted().Replace(query, "\"\""), "")).Select(m => m.Value).Where(n => n.Contains('_') && !n.StartsWith("histogram_quantile", StringComparison.Ordinal)).ToList();
            var labels = LabelLists().Matches(query).SelectMany(m => MetricName().Matches(Quoted().Replace(m.Value, "")).Select(l => l.Value)).ToHashSet(StringComparer.Ordinal);
            var metrics = named.Where(n => !labels.Contains(n)).ToList();
            Assert.That(metrics, Is.Not.Empty, query);
            foreach (var metric in metrics)
            {
                var family = Regex.Replace(metric, "_(bucket|sum|count)$", "");
                Assert.That(names, Does.Contain(family).Or.Contain(metric), $"{metric} in {query}");
                if ((page.GetValueOrDefault(family) ?? page.GetValueOrDefault(metric)) is { } shown)
                    Assert.That(shown.Samples.SelectMany(s => s.Labels.Keys).Distinct(), Is.SupersetOf(labels.Where(l => l is not ("by" or "le"))), $"labels of {metric} in {query}");
            }
        }
        Assert.That(panels.Select(p => p.GetProperty("id").GetInt32()), Is.Unique);
    }

    /// <summary>Requests that wait on purpose are no measure of how fast others are answered; their routes are left out as the metric names them.</summary>
    [Test]
    public async Task The_time_of_requests_leaves_out_all_that_wait_on_purpose()
    {
        var text = await File.ReadAllTextAsync(Repository.Path("deploy", "grafana", "fogcompute.json"));
        var left = new Regex("^(?:" + Regex.Match(text, "http_route!~\\\\\"([^\"\\\\]+)").Groups[1].Value + ")$", RegexOptions.NonBacktracking);
        var routes = _server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().Select(e => e.RoutePattern.RawText ?? "").Distinct(StringComparer.Ordinal).ToList();
        Assert.That(routes.Where(r => left.IsMatch(r)), Is.EquivalentTo(routes.Where(r => r.Contains("poll", StringComparison.Ordinal) || r.StartsWith("/ws/", StringComparison.Ordinal) || r.EndsWith("events", StringComparison.Ordinal) || r.EndsWith("logs", StringComparison.Ordinal))));
        Assert.That(routes.Count(r => left.IsMatch(r)), Is.GreaterThanOrEqualTo(4));
    }

    private static double? Of(IReadOnlyDictionary<string, MetricFamily> page, string name, string suffix = "", params (string Name, string Value)[] labels) =>
        page.GetValueOrDefault(name)?.Samples.Where(s => s.Name == name + suffix && labels.All(l => s.Labels.GetValueOrDefault(l.Name) == l.Value)).Sum(s => s.Value);

    [GeneratedRegex("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")]
    private static partial Regex AnyId();

    [GeneratedRegex("[a-zA-Z_:][a-zA-Z0-9_:]*")]
    private static partial Regex MetricName();

    [GeneratedRegex(@"\$\w+")]
    private static partial Regex Variable();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Quoted();

    /// <summary>Selectors and the lists of by, without, on, ignoring.</summary>
    [GeneratedRegex("""\{[^}]*\}|\b(?:by|without|on|ignoring)\s*\([^)]*\)""")]
    private static partial Regex LabelLists();
}
