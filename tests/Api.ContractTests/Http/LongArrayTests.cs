using System.Text.Json.Nodes;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>Long and limited arrays as a client sees them.</summary>
public sealed class LongArrayTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    [Test]
    public async Task Counts_lists_and_cancels_a_long_array_as_if_every_task_were_written()
    {
        var job = await SubmitAsync(new JsonObject { ["count"] = 12_345, ["max_concurrent"] = 7 });
        var tasks = (await GetAsync($"/api/scheduler/jobs/{job}"))["tasks"]!;
        Assert.That((tasks["total"]!.GetValue<int>(), tasks["ready"]!.GetValue<int>()), Is.EqualTo((12_345, 12_345)));

        var page = await GetAsync($"/api/scheduler/jobs/{job}/tasks?limit=1000&cursor=9500");
        Assert.Multiple(() =>
        {
            Assert.That(page["tasks"]!.AsArray().Select(t => t!["index"]!.GetValue<int>()), Is.EqualTo(Enumerable.Range(9_500, 500)));
            Assert.That(page["next"], Is.Null);
            Assert.That(page["unlisted"]!.GetValue<int>(), Is.EqualTo(2_345));
            Assert.That(page["tasks"]![0]!["copied"]!.GetValue<bool>(), Is.False);
        });

        using var cancelled = await _server.Client.DeleteAsync($"/api/scheduler/jobs/{job}");
        Assert.That(cancelled.IsSuccessStatusCode, Is.True);
        tasks = (await GetAsync($"/api/scheduler/jobs/{job}"))["tasks"]!;
        Assert.That((tasks["ready"]!.GetValue<int>(), tasks["cancelled"]!.GetValue<int>()), Is.EqualTo((0, 12_345)));
    }

    [Test]
    public async Task A_million_tasks_that_cannot_be_paid_are_refused_and_leave_nothing()
    {
        using var answer = await _server.Client.PostAsync("/api/scheduler/jobs", ApiServer.Json("""{"name":"dear","array":{"count":1000000}}"""));
        await answer.ProblemAsync(409, "tokenomics.insufficient_funds");
        await using var count = _server.Database.DataSource.CreateCommand("SELECT count(*) FROM scheduler.jobs WHERE name = 'dear'");
        Assert.That(await count.ExecuteScalarAsync(), Is.Zero);
    }

    [TestCase("0")]
    [TestCase("1000001")]
    [TestCase("many")]
    public void A_wrong_limit_of_accounts_stops_the_start(string value)
    {
        var builder = Program.NewBuilder([$"--FOG_ACCOUNT_CONCURRENCY={value}"]);
        Assert.That(() => Api.Http.SchedulerSettings.Read(builder.Configuration), Throws.TypeOf<Api.Http.ConfigurationException>()
            .With.Message.Contains("FOG_ACCOUNT_CONCURRENCY").And.Message.Contains(value).And.Message.Contains("from 1 to 1000000").And.Message.Contains("replicas"));
    }

    [Test]
    public void Without_a_limit_accounts_have_none()
    {
        Assert.That(Api.Http.SchedulerSettings.Read(Program.NewBuilder([]).Configuration).AccountConcurrency, Is.Null);
        Assert.That(Api.Http.SchedulerSettings.Read(Program.NewBuilder(["--FOG_ACCOUNT_CONCURRENCY=9"]).Configuration).AccountConcurrency, Is.EqualTo(9));
    }

    private async Task<string> SubmitAsync(JsonObject array) => (await _server.PostAsync("/api/scheduler/jobs", new JsonObject
    {
        ["name"] = "long", ["array"] = array, ["cpu_required"] = 0.01, ["memory_required"] = 1, ["duration_estimate"] = 0.001,
    }))["jobId"]!.GetValue<string>();

    private async Task<JsonNode> GetAsync(string path) => JsonNode.Parse(await _server.Client.GetStringAsync(path))!;
}
