using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Api.ContractTests.Http;

namespace FogCompute.Api.ContractTests.Tokenomics;

/// <summary>Governance over HTTP, on a pool whose founder made every clock a second or two.</summary>
public sealed class GovernanceTests
{
    private const string Proposals = "/api/tokenomics/proposals";

    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _server = await ApiServer.StartAsync();
        await GovernanceSeed.SetAsync(_server, ("governance.threshold_bp", 0), ("governance.open_proposals_count", 100), ("governance.quorum_bp", 0), ("governance.delay_seconds", 1),
            ("governance.voting_seconds", 3), ("governance.timelock_seconds", 1), ("governance.late_quorum_seconds", 0));
    }

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static JsonObject Body(string title, JsonObject? action = null) => new()
    {
        ["title"] = title, ["description"] = "What is proposed here is proposed for reasons that fill fifty characters.", ["action"] = action,
    };

    private static async Task<JsonElement> PostAsync(HttpClient client, string path, string body, int status = 200)
    {
        using var answer = await client.PostAsync(path, ApiServer.Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), text);
        return JsonDocument.Parse(text).RootElement;
    }

    private static async Task<JsonElement> GetAsync(HttpClient client, string path) => JsonDocument.Parse(await client.GetStringAsync(path)).RootElement;

    private async Task<string> ProposeAsync(HttpClient client, JsonObject body) => (await PostAsync(client, Proposals, body.ToJsonString(), 201)).GetProperty("proposalId").GetString()!;

    private async Task<JsonElement> ReachesAsync(string id, string status)
    {
        for (var waited = 0; waited < 1_200; waited++)
        {
            var read = await GetAsync(_server.Client, $"{Proposals}/{id}");
            if (read.GetProperty("status").GetString() == status)
                return read;
            await Task.Delay(50);
        }
        throw new AssertionException($"{id} did not become {status}: {await GetAsync(_server.Client, $"{Proposals}/{id}")}");
    }

    [Test]
    public async Task A_proposal_is_voted_on_and_changes_the_parameter_by_itself()
    {
        var (_, voter, _) = await _server.NewMemberAsync("voter");
        var (_, front, _) = await _server.NewMemberAsync("front");
        await GovernanceSeed.StakeAsync(_server, voter, 30);
        await GovernanceSeed.StakeAsync(_server, front, 10);
        var (voterAddress, frontAddress) = (await GovernanceSeed.AddressOfAsync(voter), await GovernanceSeed.AddressOfAsync(front));
        var delegated = await PostAsync(voter, "/api/tokenomics/delegate", new JsonObject { ["to"] = frontAddress }.ToJsonString());
        Assert.That(delegated.GetProperty("delegate").GetString(), Is.EqualTo(frontAddress));
        var view = await GetAsync(front, "/api/tokenomics/delegation");
        Assert.That(view.ToString(), Is.EqualTo($$"""{"address":"{{frontAddress}}","delegate":null,"delegators":[{"address":"{{voterAddress}}","staked":30.000000}],"power":40.000000}"""));

        var body = Body("Another price for a GiB hour", new JsonObject { ["type"] = "set_parameter", ["name"] = "pricing.gib_hour_micro", ["value"] = 80_000 });
        var id = await ProposeAsync(voter, body);
        using (var again = await voter.PostAsync(Proposals, ApiServer.Json(body.ToJsonString())))
            await again.ProblemAsync(409, "tokenomics.proposal_exists");
        using (var early = await front.PostAsync("/api/tokenomics/vote", ApiServer.Json($$"""{"proposal_id":"{{id}}","vote":true}""")))
            await early.ProblemAsync(409, "tokenomics.voting_closed");
        await ReachesAsync(id, "active");

        var vote = await PostAsync(front, "/api/tokenomics/vote", $$"""{"proposal_id":"{{id}}","vote":false,"voter":"{{frontAddress}}"}""");
        Assert.That(vote.ToString(), Is.EqualTo($$"""{"success":true,"proposalId":"{{id}}","vote":"against","power":40.000000}"""));
        vote = await PostAsync(voter, "/api/tokenomics/vote", $$"""{"proposal_id":"{{id}}","vote":"for","reason":"Idle machines earn nothing."}""");
        Assert.That(vote.GetProperty("power").GetDecimal(), Is.EqualTo(30m));
        var page = await GetAsync(front, $"{Proposals}/{id}/ballots?limit=1");
        var second = await GetAsync(front, $"{Proposals}/{id}/ballots?limit=1&cursor={page.GetProperty("next").GetInt64()}");
        var ballots = page.GetProperty("ballots").EnumerateArray().Concat(second.GetProperty("ballots").EnumerateArray()).ToList();
        Assert.That(ballots.Select(b => (b.GetProperty("voter").GetString(), b.GetProperty("vote").GetString(), b.GetProperty("power").GetDecimal(), b.GetProperty("reason").GetString())),
            Is.EqualTo(new[] { (frontAddress, "against", 10m, null), (voterAddress, "for", 30m, "Idle machines earn nothing.") }));

        var read = await ReachesAsync(id, "executed");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(read.GetProperty("payload").GetString(), Is.EqualTo("""[{"type":"set_parameter","name":"pricing.gib_hour_micro","value":80000}]"""));
            Assert.That(read.GetProperty("action").GetProperty("value").GetInt64(), Is.EqualTo(80_000));
            Assert.That((read.GetProperty("votesFor").GetDecimal(), read.GetProperty("votesAgainst").GetDecimal(), read.GetProperty("ballots").GetInt32()), Is.EqualTo((30m, 10m, 2)));
            Assert.That(read.GetProperty("history").EnumerateArray().Select(h => h.GetProperty("state").GetString()), Is.EqualTo(new[] { "pending", "active", "succeeded", "queued", "executed" }));
            Assert.That(read.GetProperty("rehearsal").ValueKind, Is.EqualTo(JsonValueKind.Null));
            Assert.That(read.GetProperty("proposer").GetString(), Is.EqualTo(voterAddress));
        }
        await using var set = _server.Database.DataSource.CreateCommand($"SELECT value FROM tokenomics.parameter_changes WHERE proposal = '{id}'");
        Assert.That(await set.ExecuteScalarAsync(), Is.EqualTo(80_000));
        var listed = await GetAsync(front, $"{Proposals}?status=executed&limit=1000");
        Assert.That(listed.GetProperty("proposals").EnumerateArray().Select(p => p.GetProperty("id").GetString()), Has.Member(id));
        Assert.That(listed.GetProperty("total").GetInt32(), Is.EqualTo(listed.GetProperty("proposals").GetArrayLength()));
    }

    [Test]
    public async Task Only_its_proposer_or_a_guardian_cancels()
    {
        var (_, author, _) = await _server.NewMemberAsync("author");
        var (_, stranger, _) = await _server.NewMemberAsync("stranger");
        var (_, guardian, _) = await _server.NewMemberAsync("guardian", ["ledger.read", "guard"]);
        await GovernanceSeed.SetAsync(_server, ("governance.delay_seconds", 3600));
        var first = await ProposeAsync(author, Body("To be withdrawn by its author"));
        var second = await ProposeAsync(author, Body("To be stopped by a guardian"));
        await GovernanceSeed.SetAsync(_server, ("governance.delay_seconds", 1));
        const string reason = """{"reason":"It was a mistake."}""";
        using (var refused = await stranger.PostAsync($"{Proposals}/{first}/cancel", ApiServer.Json(reason)))
            await refused.ProblemAsync(403, "tokenomics.cancel_refused");
        using (var unknown = await author.PostAsync($"{Proposals}/{new string('0', 64)}/cancel", ApiServer.Json(reason)))
            await unknown.ProblemAsync(404, "tokenomics.proposal_not_found");
        Assert.That((await PostAsync(author, $"{Proposals}/{first}/cancel", reason)).GetProperty("reason").GetString(), Is.EqualTo("cancelled_by_proposer"));
        var stopped = await PostAsync(guardian, $"{Proposals}/{second}/cancel", reason);
        Assert.That((stopped.GetProperty("status").GetString(), stopped.GetProperty("reason").GetString(), stopped.GetProperty("why").GetString()), Is.EqualTo(("cancelled", "cancelled_by_guardian", "It was a mistake.")));
        using (var twice = await guardian.PostAsync($"{Proposals}/{second}/cancel", ApiServer.Json(reason)))
            await twice.ProblemAsync(409, "tokenomics.proposal_over");
        using (var vote = await guardian.PostAsync("/api/tokenomics/vote", ApiServer.Json($$"""{"proposal_id":"{{second}}","vote":true}""")))
            await vote.ProblemAsync(403, "identity.forbidden");
    }

    [Test]
    public async Task Nobody_acts_or_looks_for_another_account()
    {
        var (_, one, _) = await _server.NewMemberAsync("one");
        var (_, two, _) = await _server.NewMemberAsync("two");
        var address = await GovernanceSeed.AddressOfAsync(two);
        var zero = new string('0', 64);
        foreach (var (path, body) in new[]
        {
            ("/api/tokenomics/vote", $$"""{"proposal_id":"{{zero}}","vote":true,"voter":"{{address}}"}"""), ("/api/tokenomics/delegate", $$"""{"address":"{{address}}","to":null}"""),
            (Proposals, Body("For somebody else to say") is var b ? b.ToJsonString()[..^1] + $",\"proposer\":\"{address}\"}}" : ""),
        })
        {
            using var refused = await one.PostAsync(path, ApiServer.Json(body));
            await refused.ProblemAsync(403, "identity.not_yours");
        }
        using (var look = await one.GetAsync($"/api/tokenomics/delegation?address={address}"))
            await look.ProblemAsync(403, "identity.not_yours");
        using (var unknown = await one.GetAsync("/api/tokenomics/delegation?address=fog1nobody"))
            await unknown.ProblemAsync(404, "tokenomics.address_not_found");
        Assert.That((await GetAsync(_server.Client, $"/api/tokenomics/delegation?address={address}")).GetProperty("power").GetDecimal(), Is.Zero, "operators may read any");
    }

    [TestCase("?limit=0", "limit")]
    [TestCase("?limit=1001", "limit")]
    [TestCase("?limit=x", "limit")]
    [TestCase("?status=done", "status")]
    [TestCase("?cursor=x", "cursor")]
    public async Task Refuses_a_wrong_query(string query, string field)
    {
        using var answer = await _server.Client.GetAsync(Proposals + query);
        Assert.That((await answer.ProblemAsync(422, "common.validation_failed")).FieldsOf(), Is.EqualTo(new[] { field }));
    }

    [Test]
    public async Task An_unknown_proposal_is_not_found([Values("0", "x", "0190f7a0-0000-7000-8000-000000000001")] string id, [Values("", "/ballots")] string path)
    {
        using var answer = await _server.Client.GetAsync($"{Proposals}/{id}{path}");
        await answer.ProblemAsync(404, "tokenomics.proposal_not_found");
    }

    [Test]
    public async Task Too_little_stake_names_what_is_needed()
    {
        await GovernanceSeed.SetAsync(_server, ("governance.threshold_bp", 10));
        try
        {
            using var answer = await _server.Client.PostAsync(Proposals, ApiServer.Json(Body("From somebody without a stake").ToJsonString()));
            Assert.That((await answer.ProblemAsync(409, "tokenomics.proposal_threshold")).GetProperty("detail").GetString(), Does.Contain("1000.000000").And.Contain("0.000000"));
        }
        finally
        {
            await GovernanceSeed.SetAsync(_server, ("governance.threshold_bp", 0));
        }
    }

    private static IEnumerable<TestCaseData> Edges =>
        from row in InputTable.CreateProposal
        where row.Right.Count > 0 || row.Nullable
        select new TestCaseData((object)(string[])[.. row.Right.Select(r => row.With(r)), .. row.Nullable ? [row.With("null")] : Array.Empty<string>()]).SetArgDisplayNames(row.Path);

    [TestCaseSource(nameof(Edges))]
    public async Task Takes_the_edges_of_a_proposal(string[] bodies)
    {
        var (_, proposer, _) = await _server.NewMemberAsync("edge-" + Guid.NewGuid().ToString("N")[..8]);
        foreach (var body in bodies)
        {
            using var answer = await proposer.PostAsync(Proposals, ApiServer.Json(body));
            var text = await answer.Content.ReadAsStringAsync();
            Assert.That((int)answer.StatusCode == 201 || text.Contains("tokenomics.proposal_exists", StringComparison.Ordinal), Is.True, $"{body}\n{text}");
        }
    }
}
