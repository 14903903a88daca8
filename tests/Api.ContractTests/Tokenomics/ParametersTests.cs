using System.Net;
using System.Text.Json.Nodes;
using FogCompute.Api.Http;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Tokenomics.Parameters;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Tokenomics;

/// <summary>The tunables over HTTP, the founder's settings at the first and at later starts, and rehearsals of a proposal.</summary>
public sealed class ParametersTests
{
    private sealed class Subjects : IProposedParameters
    {
        public Task<ProposedParameter?> OfAsync(string proposal, CancellationToken cancel) =>
            Task.FromResult(proposal == "abc" ? new ProposedParameter(ParameterCatalogue.CoreHour.Name, 400_000, null) : null);
    }

    private static Task<ApiServer> StartAsync(string settings, Testing.TestDatabase? database = null) =>
        ApiServer.StartAsync([$"--FOG_PARAMETERS={settings}"], database: database, adjust: s => s.AddScoped<IProposedParameters, Subjects>());

    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await StartAsync("pricing.core_hour_micro=250000, governance.delay_seconds=2");

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private async Task<JsonNode> GetAsync(string path, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var answer = await _server.Client.GetAsync(path);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.StatusCode, Is.EqualTo(status), text);
        return JsonNode.Parse(text)!;
    }

    [Test]
    public async Task Everybody_may_read_every_parameter()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/tokenomics/parameters");
        request.Headers.Add("X-Forwarded-For", "192.0.2.1"); // So it is not the local operator who asks.
        using var answer = await _server.Client.SendAsync(request);
        var list = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.That(list["version"]!.GetValue<long>(), Is.EqualTo(2));
        var items = list["parameters"]!.AsArray();
        Assert.That(items.Select(i => i!["name"]!.GetValue<string>()), Is.EqualTo(ParameterCatalogue.All.Select(p => p.Name)));
        var price = items[0]!;
        Assert.That((price["value"]!.GetValue<long>(), price["default"]!.GetValue<long>(), price["min"]!.GetValue<long>(), price["max"]!.GetValue<long>()), Is.EqualTo((250_000L, 100_000L, 1L, 100_000_000L)));
        Assert.That((price["unit"]!.GetValue<string>(), price["proposal"], price["changedAt"] is null), Is.EqualTo(("micro_credits", (JsonNode?)null, false)));
        var unchanged = items[1]!;
        Assert.That((unchanged["value"]!.GetValue<long>(), unchanged["changedAt"], unchanged["meaning"]!.GetValue<string>()), Is.EqualTo((50_000L, (JsonNode?)null, ParameterCatalogue.GibHour.Meaning)));
    }

    [TestCaseSource(typeof(ParameterCatalogue), nameof(ParameterCatalogue.All))]
    public void The_page_says_what_the_catalogue_says(ParameterDefinition parameter)
    {
        var founder = parameter.FounderMin == parameter.Min ? "" : $" (founder: {parameter.FounderMin})";
        Assert.That(File.ReadAllText(Testing.Repository.Path("docs", "economics.md")), Does.Contain($"| `{parameter.Name}` | {parameter.Default} | {parameter.Min}{founder} – {parameter.Max} | ").And.Contain($"| {parameter.Meaning} |"));
    }

    [Test]
    public async Task One_parameter_has_its_history()
    {
        var item = await GetAsync("/api/tokenomics/parameters/governance.delay_seconds");
        var change = item["history"]!.AsArray().Single()!;
        Assert.That((item["value"]!.GetValue<long>(), change["previous"]!.GetValue<long>(), change["value"]!.GetValue<long>(), change["proposal"]), Is.EqualTo((2L, 86_400L, 2L, (JsonNode?)null)));
        Assert.That((await GetAsync("/api/tokenomics/parameters/settlement.provider_bp"))["history"]!.AsArray(), Is.Empty);
        Assert.That((await GetAsync("/api/tokenomics/parameters/no.such", HttpStatusCode.NotFound))["code"]!.GetValue<string>(), Is.EqualTo("tokenomics.parameter_not_found"));
    }

    [Test]
    public async Task A_job_is_quoted_by_the_founders_price()
    {
        var job = await _server.PostAsync("/api/scheduler/jobs", JsonNode.Parse("""{ "name": "hour", "cpu_required": 1, "memory_required": 1024, "duration_estimate": 60, "limits": { "wall_seconds": 3600 } }""")!);
        Assert.That(job["quote"]!.GetValue<decimal>(), Is.EqualTo(0.3m));
    }

    [Test]
    public async Task A_later_start_changes_nothing()
    {
        await using var first = await StartAsync("pricing.core_hour_micro=250000");
        await using var second = await StartOnAsync(first, "pricing.core_hour_micro=300000");
        var list = JsonNode.Parse(await second.Client.GetStringAsync("/api/tokenomics/parameters/pricing.core_hour_micro"))!;
        Assert.That((list["value"]!.GetValue<long>(), list["history"]!.AsArray().Count), Is.EqualTo((250_000L, 1)));
    }

    /// <summary>Another process on the database of the first.</summary>
    private static Task<Second> StartOnAsync(ApiServer first, string settings) => Second.StartAsync(first.Database, settings);

    private sealed class Second(Microsoft.AspNetCore.Builder.WebApplication app, string home) : IAsyncDisposable
    {
        public HttpClient Client { get; } = new() { BaseAddress = new Uri(app.Urls.Single()) };

        public static async Task<Second> StartAsync(Testing.TestDatabase database, string settings)
        {
            var home = Directory.CreateTempSubdirectory("fog-api-test-").FullName;
            var app = Program.Build(Program.NewBuilder(["--API_PORT=0", $"--FOG_HOME={home}", "--Logging:LogLevel:Default=None", $"--FOG_PARAMETERS={settings}"]), database.Host);
            await app.StartAsync();
            var second = new Second(app, home);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(120));
            while (!(await second.Client.GetAsync("/readyz", patience.Token)).IsSuccessStatusCode)
                await Task.Delay(20, patience.Token);
            return second;
        }

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await app.StopAsync();
            await app.DisposeAsync();
            Directory.Delete(home, recursive: true);
        }
    }

    [TestCase("pricing.core_hour_micro=0", "pricing.core_hour_micro", "'0'", "from 1 to 100000000")]
    [TestCase("pricing.core_hour_micro=100000001", "pricing.core_hour_micro", "'100000001'", "from 1 to 100000000")]
    [TestCase("governance.delay_seconds=0", "governance.delay_seconds", "'0'", "from 1 to 2592000")]
    [TestCase("staking.lock_seconds=-1", "staking.lock_seconds", "'-1'", "from 0 to 31536000")]
    [TestCase("governance.quorum_bp=ten", "governance.quorum_bp", "'ten'", "from 0 to 5000")]
    [TestCase("no.such=1", "'no.such'", "no parameter")]
    [TestCase("pricing.core_hour_micro", "'pricing.core_hour_micro'", "name=value")]
    [TestCase("features.preemption=1,features.preemption=0", "features.preemption", "twice")]
    public void A_setting_out_of_bounds_stops_the_start(string settings, params string[] says)
    {
        var refusal = Assert.Throws<ConfigurationException>(() => Program.Build(Program.NewBuilder([$"--FOG_PARAMETERS={settings}"]), _server.Database.Host));
        foreach (var part in says.Prepend("FOG_PARAMETERS"))
            Assert.That(refusal!.Message, Does.Contain(part));
    }

    [TestCase(null, 0)]
    [TestCase("", 0)]
    [TestCase("staking.lock_seconds=0,governance.quorum_bp=0", 2)]
    public void The_founder_may_set_shorter_clocks_than_a_proposal(string? settings, int count) => Assert.That(
        ParameterSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["FOG_PARAMETERS"] = settings }).Build()).Values, Has.Count.EqualTo(count));

    [Test]
    public async Task A_rehearsal_says_what_a_value_would_change()
    {
        var rehearsal = await _server.PostAsync("/api/tokenomics/proposals/abc/rehearsal?days=30", new JsonObject());
        Assert.That((rehearsal["proposalId"]!.GetValue<string>(), rehearsal["parameter"]!.GetValue<string>(), rehearsal["days"]!.GetValue<int>()), Is.EqualTo(("abc", "pricing.core_hour_micro", 30)));
        Assert.That((rehearsal["currentValue"]!.GetValue<long>(), rehearsal["proposedValue"]!.GetValue<long>(), rehearsal["jobsReplayed"]!.GetValue<int>()), Is.EqualTo((250_000L, 400_000L, 0)));
        var bronze = rehearsal["tiers"]!.AsArray()[0]!;
        Assert.That((bronze["tier"]!.GetValue<string>(), bronze["priceBefore"]!.GetValue<decimal>(), bronze["priceAfter"]!.GetValue<decimal>(), bronze["priceChangePercent"]!.GetValue<double>()), Is.EqualTo(("bronze", 0.3m, 0.45m, 50.0)));
        Assert.That(rehearsal["waiting"], Is.Null);
        Assert.That(rehearsal["noWaiting"]!.GetValue<string>(), Does.StartWith("Who is served first"));
        await using var scope = _server.Services.CreateAsyncScope();
        var latest = await scope.ServiceProvider.GetRequiredService<IRehearsals>().LatestAsync("abc", CancellationToken.None);
        Assert.That(latest!.At, Is.EqualTo(rehearsal["at"]!.GetValue<DateTimeOffset>()));
    }

    [Test]
    public async Task A_rehearsal_names_what_is_wrong()
    {
        foreach (var days in new[] { 0, 31 })
        {
            using var outside = await _server.Client.PostAsync($"/api/tokenomics/proposals/abc/rehearsal?days={days}", null);
            var problem = await outside.ProblemAsync(422, "common.validation_failed");
            Assert.That(problem.FieldsOf(), Is.EqualTo(new[] { "days" }));
            Assert.That(problem.GetProperty("detail").GetString(), Does.Contain("1").And.Contain("30"));
        }
        using var unknown = await _server.Client.PostAsync("/api/tokenomics/proposals/none/rehearsal", null);
        await unknown.ProblemAsync(404, "tokenomics.nothing_to_rehearse");
    }
}
