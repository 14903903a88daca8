using System.Text.Json.Nodes;

namespace FogCompute.Api.ContractTests.Scheduler;

/// <summary>Lists that many ask for at once: nobody sees less than what was there when they asked, nor what is another's.</summary>
[TestFixture]
public sealed class SharedLookTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static async Task<JsonNode> ListAsync(HttpClient client, string query = "")
    {
        using var answer = await client.GetAsync("/api/scheduler/jobs" + query);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), text);
        Assert.That(answer.Content.Headers.ContentType?.ToString(), Is.EqualTo("application/json; charset=utf-8"));
        return JsonNode.Parse(text)!;
    }

    private static async Task<string> SubmitAsync(HttpClient client, string name)
    {
        using var answer = await client.PostAsync("/api/scheduler/jobs", ApiServer.Json($$"""{"name":"{{name}}","cpu_required":0.1,"duration_estimate":0.01}"""));
        Assert.That((int)answer.StatusCode, Is.EqualTo(201), await answer.Content.ReadAsStringAsync());
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["jobId"]!.GetValue<string>();
    }

    [Test]
    public async Task Whoever_was_told_of_a_job_finds_it_in_the_list_however_many_ask()
    {
        using var done = new CancellationTokenSource();
        // Askers who keep a look under way at nearly every moment.
        var noise = Enumerable.Range(0, 4).Select(async _ =>
        {
            while (!done.IsCancellationRequested)
                await ListAsync(_server.Client);
        }).ToList();
        for (var i = 0; i < 25; i++)
        {
            var job = await SubmitAsync(_server.Client, $"job {i}");
            Assert.That((string?)(await ListAsync(_server.Client))["jobs"]![0]!["id"], Is.EqualTo(job));
        }
        await done.CancelAsync();
        await Task.WhenAll(noise);
    }

    [Test]
    public async Task Accounts_and_pages_that_ask_together_get_their_own()
    {
        var (_, one, _) = await _server.NewMemberAsync("one");
        var (_, two, _) = await _server.NewMemberAsync("two");
        using (one)
        using (two)
        {
            await SubmitAsync(one, "of one");
            await SubmitAsync(one, "of one as well");
            await SubmitAsync(two, "of two");
            var lists = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => ListAsync(i % 2 == 0 ? one : two, i % 3 == 0 ? "?limit=1" : "")));
            for (var i = 0; i < lists.Length; i++)
            {
                var names = lists[i]["jobs"]!.AsArray().Select(j => (string)j!["name"]!).ToList();
                Assert.That((int)lists[i]["total"]!, Is.EqualTo(i % 2 == 0 ? 2 : 1));
                Assert.That(names, Is.EqualTo(i % 2 == 1 ? ["of two"] : i % 3 == 0 ? ["of one as well"] : new[] { "of one as well", "of one" }));
            }
        }
    }

    [Test]
    public async Task Who_may_not_list_gets_nothing_from_those_who_may()
    {
        var (_, blind, _) = await _server.NewMemberAsync("blind", ["jobs.write"]);
        using (blind)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => (i % 2 == 0 ? blind : _server.Client).GetAsync("/api/scheduler/jobs")));
            Assert.That(answers.Select(a => (int)a.StatusCode), Is.EqualTo(Enumerable.Range(0, 20).Select(i => i % 2 == 0 ? 403 : 200)));
        }
    }
}
