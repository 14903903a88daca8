using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Protocol;

namespace FogCompute.Api.ContractTests.Tokenomics;

/// <summary>Stakes, rewards and slashes as they stand on the wire.</summary>
public sealed class StakingTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static Task<HttpResponseMessage> PostAsync(HttpClient client, string path, string body, string? key = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/api/tokenomics/" + path) { Content = ApiServer.Json(body) };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return client.SendAsync(request);
    }

    private static async Task<JsonElement> AnswerAsync(Task<HttpResponseMessage> sent, params string[] members)
    {
        using var answer = await sent;
        var json = await answer.JsonAsync();
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), json.ToString());
        if (members.Length > 0)
            Assert.That(json.EnumerateObject().Select(p => p.Name), Is.EqualTo(members));
        return json;
    }

    private static decimal Amount(JsonElement json, string name)
    {
        Assert.That(json.GetProperty(name).GetRawText(), Does.Match(@"^\d+\.\d{6}$"), "credits have six decimals");
        return json.GetProperty(name).GetDecimal();
    }

    private static DateTimeOffset Instant(JsonElement json, string name) => DateTimeOffset.Parse(json.GetProperty(name).GetString()!, CultureInfo.InvariantCulture);

    [Test]
    public async Task A_stake_is_locked_for_seven_days_and_refusals_name_the_figures()
    {
        var (_, client, _) = await _server.NewMemberAsync("staker");
        var staked = await AnswerAsync(PostAsync(client, "stake", """{"amount":10.5}"""), "success", "address", "stakedAmount", "totalStaked", "lockedUntil");
        Assert.That((Amount(staked, "stakedAmount"), Amount(staked, "totalStaked")), Is.EqualTo((10.5m, 10.5m)));
        var until = Instant(staked, "lockedUntil");
        Assert.That(until, Is.EqualTo(TimeProvider.System.GetUtcNow().AddDays(7)).Within(TimeSpan.FromMinutes(5)));

        using var locked = await PostAsync(client, "unstake", """{"amount":10}""");
        var detail = (await locked.ProblemAsync(409, "tokenomics.stake_locked")).GetProperty("detail").GetString();
        Assert.That(detail, Does.Contain("10.500000").And.Contain("10.000000").And.Contain(until.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)));
        using var more = await PostAsync(client, "unstake", """{"amount":11}""");
        Assert.That((await more.ProblemAsync(409, "tokenomics.insufficient_stake")).GetProperty("detail").GetString(), Does.Contain("10.500000").And.Contain("11.000000"));
        using var poor = await PostAsync(client, "stake", """{"amount":90}""");
        Assert.That((await poor.ProblemAsync(409, "tokenomics.insufficient_funds")).GetProperty("detail").GetString(), Does.Contain("89.500000").And.Contain("90.000000"));
        using var small = await PostAsync(client, "stake", """{"amount":0.5}""");
        var problem = await small.ProblemAsync(422, "tokenomics.stake_too_small");
        Assert.That(problem.FieldsOf(), Is.EqualTo(new[] { "amount" }));
        Assert.That(problem.GetProperty("detail").GetString(), Does.Contain("1.000000"));
        using var nothing = await PostAsync(client, "claim", "{}");
        await nothing.ProblemAsync(409, "tokenomics.nothing_to_claim");

        var stakes = await AnswerAsync(client.GetAsync("/api/tokenomics/stakes"), "address", "staked", "unlocked", "lots", "unbonding", "voteLock");
        Assert.That((Amount(stakes, "staked"), Amount(stakes, "unlocked"), stakes.GetProperty("voteLock").ValueKind), Is.EqualTo((10.5m, 0m, JsonValueKind.Null)));
        Assert.That(stakes.GetProperty("lots")[0].EnumerateObject().Select(p => p.Name), Is.EqualTo(new[] { "amount", "stakedAt", "lockedUntil" }));
        var rewards = await AnswerAsync(client.GetAsync("/api/tokenomics/rewards"), "address", "pendingRewards", "rewardsRate", "paidRewards", "accruedTo", "poolBalance");
        Assert.That(rewards.GetProperty("rewardsRate").GetDecimal(), Is.EqualTo(0.05m));
        Assert.That((Amount(rewards, "paidRewards"), Amount(rewards, "poolBalance")), Is.EqualTo((0m, 600_000m)));
        Assert.That(Instant(rewards, "accruedTo"), Is.EqualTo(TimeProvider.System.GetUtcNow()).Within(TimeSpan.FromMinutes(1)), "up to this instant");
    }

    [Test]
    public async Task Credits_come_back_through_unbonding()
    {
        await using var server = await ApiServer.StartAsync();
        await StakingWorld.WithoutWaitingAsync(server);
        var (_, client, _) = await server.NewMemberAsync("round-trip");
        await AnswerAsync(PostAsync(client, "stake", """{"amount":10}"""));
        var unstaked = await AnswerAsync(PostAsync(client, "unstake", """{"amount":4}"""), "success", "address", "unstakedAmount", "totalStaked", "availableAt");
        Assert.That((Amount(unstaked, "unstakedAmount"), Amount(unstaked, "totalStaked")), Is.EqualTo((4m, 6m)));
        var unbonding = (await AnswerAsync(client.GetAsync("/api/tokenomics/stakes"))).GetProperty("unbonding")[0];
        Assert.That(unbonding.EnumerateObject().Select(p => p.Name), Is.EqualTo(new[] { "id", "amount", "startedAt", "availableAt", "claimable" }));
        Assert.That(unbonding.GetProperty("claimable").GetBoolean(), Is.True);
        var claimed = await AnswerAsync(PostAsync(client, "claim", "{}"), "success", "address", "claimedAmount", "balance");
        Assert.That((Amount(claimed, "claimedAmount"), Amount(claimed, "balance")), Is.EqualTo((4m, 94m)));
    }

    [Test]
    public async Task A_repeated_stake_under_one_key_happens_once()
    {
        var (_, client, _) = await _server.NewMemberAsync("repeater");
        var first = await AnswerAsync(PostAsync(client, "stake", """{"amount":3}""", "once"));
        var second = await AnswerAsync(PostAsync(client, "stake", """{"amount":3}""", "once"));
        Assert.That(second.ToString(), Is.EqualTo(first.ToString()));
        Assert.That(Amount(await AnswerAsync(client.GetAsync("/api/tokenomics/stakes")), "staked"), Is.EqualTo(3m));
        using var other = await PostAsync(client, "stake", """{"amount":4}""", "once");
        await other.ProblemAsync(409, "common.idempotency_key_reused");
    }

    [Test]
    public async Task Anothers_account_is_not_the_callers()
    {
        var (_, owner, _) = await _server.NewMemberAsync("owner");
        var (_, other, _) = await _server.NewMemberAsync("other");
        var address = (await AnswerAsync(owner.GetAsync("/api/tokenomics/balance"))).GetProperty("address").GetString();
        foreach (var (path, body) in new[] { ("stake", $$"""{"address":"{{address}}","amount":1}"""), ("unstake", $$"""{"address":"{{address}}","amount":1}"""), ("claim", $$"""{"address":"{{address}}"}""") })
        {
            foreach (var caller in new[] { other, _server.Client })
            {
                using var refused = await PostAsync(caller, path, body);
                await refused.ProblemAsync(403, "identity.not_yours");
            }
            using var unknown = await PostAsync(other, path, body.Replace(address!, "fog1nobody", StringComparison.Ordinal));
            await unknown.ProblemAsync(404, "tokenomics.address_not_found");
        }
        foreach (var path in new[] { "stakes", "rewards", "slashes" })
        {
            using var refused = await other.GetAsync($"/api/tokenomics/{path}?address={address}");
            await refused.ProblemAsync(403, "identity.not_yours");
            await AnswerAsync(_server.Client.GetAsync($"/api/tokenomics/{path}?address={address}"));
            using var unknown = await other.GetAsync($"/api/tokenomics/{path}?address=fog1nobody");
            await unknown.ProblemAsync(404, "tokenomics.address_not_found");
        }
        using var everyone = await other.GetAsync("/api/tokenomics/slashes?address=*");
        await everyone.ProblemAsync(403, "identity.not_yours");
        using var state = await other.GetAsync("/api/tokenomics/slashes?state=gone");
        Assert.That((await state.ProblemAsync(422, "common.validation_failed")).ToString(), Does.Contain("escrowed"));
        var (_, reader, _) = await _server.NewMemberAsync("reader", ["ledger.read"]);
        using var write = await PostAsync(reader, "stake", """{"amount":1}""");
        await write.ProblemAsync(403, "identity.forbidden");
    }

    [Test]
    public async Task A_slash_is_appealed_by_its_owner_and_decided_by_an_operator()
    {
        var (account, owner, _) = await _server.NewMemberAsync("slashed");
        var (harmed, other, _) = await _server.NewMemberAsync("harmed");
        await AnswerAsync(PostAsync(owner, "stake", """{"amount":20}"""));
        var id = await StakingWorld.SlashAsync(_server, account, harmed);
        const string appeal = """{"reason":"it prints the name of the machine"}""";
        const string verdict = """{"uphold":false,"reason":"nobody lied here"}""";

        var list = await AnswerAsync(owner.GetAsync("/api/tokenomics/slashes"), "slashes", "total");
        var slash = list.GetProperty("slashes")[0];
        Assert.That(slash.EnumerateObject().Select(p => p.Name), Is.EqualTo(new[]
        {
            "id", "address", "reason", "amount", "state", "jobId", "taskIndex", "deviceId", "attemptId", "harmed", "createdAt", "appealUntil", "appeal", "decision", "decidedBy", "decidedAt", "evidence",
        }));
        Assert.That((slash.GetProperty("id").GetGuid(), slash.GetProperty("reason").GetString(), slash.GetProperty("state").GetString(), Amount(slash, "amount")), Is.EqualTo((id, "wrong_result", "escrowed", 2m)));
        Assert.That(Instant(slash, "appealUntil") - Instant(slash, "createdAt"), Is.EqualTo(TimeSpan.FromHours(72)));

        using (var unappealed = await PostAsync(_server.Client, $"slashes/{id}/decision", verdict))
            await unappealed.ProblemAsync(409, "tokenomics.slash_not_appealed");
        foreach (var caller in new[] { other, _server.Client })
        {
            using var notYours = await PostAsync(caller, $"slashes/{id}/appeal", appeal);
            await notYours.ProblemAsync(403, "identity.not_yours");
        }
        Assert.That((await AnswerAsync(PostAsync(owner, $"slashes/{id}/appeal", appeal))).GetProperty("state").GetString(), Is.EqualTo("appealed"));
        using (var again = await PostAsync(owner, $"slashes/{id}/appeal", appeal))
            await again.ProblemAsync(409, "tokenomics.slash_not_appealable");
        using (var self = await PostAsync(owner, $"slashes/{id}/decision", verdict))
            await self.ProblemAsync(403, "identity.forbidden");
        Assert.That((await AnswerAsync(_server.Client.GetAsync("/api/tokenomics/slashes?address=*&state=appealed"))).GetProperty("slashes").EnumerateArray().Select(s => s.GetProperty("id").GetGuid()), Has.Member(id));
        var decided = await AnswerAsync(PostAsync(_server.Client, $"slashes/{id}/decision", verdict));
        Assert.That((decided.GetProperty("state").GetString(), decided.GetProperty("decision").GetString()), Is.EqualTo(("reversed", "nobody lied here")));
        Assert.That(Amount(await AnswerAsync(owner.GetAsync("/api/tokenomics/stakes")), "staked"), Is.EqualTo(20m));
        foreach (var path in new[] { "appeal", "decision" })
        {
            using var unknown = await PostAsync(_server.Client, $"slashes/{Guid.NewGuid()}/{path}", path == "appeal" ? appeal : verdict);
            await unknown.ProblemAsync(404, "tokenomics.slash_not_found");
        }
    }

    [Test]
    public async Task Only_two_different_receipts_signed_with_one_key_are_an_equivocation()
    {
        await using var server = await ApiServer.StartAsync();
        var (_, owner, _) = await server.NewMemberAsync("two-faced");
        await AnswerAsync(PostAsync(owner, "stake", """{"amount":20}"""));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var otherKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var device = await RegisterAsync(key);
        await server.PostAsync("/api/scheduler/jobs", JsonNode.Parse("""{"name":"one","payload":{"kind":"builtin","kernel":"noop"}}""")!);
        var lease = (await PollAsync()).Single();
        var first = new AttemptReport
        {
            AttemptId = lease.AttemptId, Epoch = lease.Epoch, Outcome = AttemptOutcomes.Succeeded, ExitCode = 0, OutputDigest = OutputManifest.Digest(0, null, []), WallMs = 5,
            StartedAt = TimeProvider.System.GetUtcNow(), FinishedAt = TimeProvider.System.GetUtcNow(),
        };
        var contrary = first with { OutputDigest = OutputManifest.Digest(1, null, []) };
        Assert.That(await ReportAsync(Signed(first)), Is.EqualTo("recorded"));

        // None of these proves anything.
        Assert.That(await ReportAsync(Signed(first)), Is.EqualTo("stale"), "the same receipt, signed again: signatures are random");
        Assert.That(await ReportAsync(Signed(contrary with { Epoch = lease.Epoch + 1 })), Is.EqualTo("stale"), "of another lease");
        using (var unsigned = await SendAsync("reports", new ReportRequest { Items = [contrary] }))
            Assert.That((int)unsigned.StatusCode, Is.InRange(400, 499));
        using (var forged = await SendAsync("reports", new ReportRequest { Items = [contrary with { Signature = Receipt.Sign(otherKey, "two-faced", contrary) }] }))
            Assert.That((int)forged.StatusCode, Is.InRange(400, 499));
        Assert.That((await SlashesAsync()).GetProperty("total").GetInt32(), Is.Zero);

        Assert.That(await ReportAsync(Signed(contrary)), Is.EqualTo("stale"), "it is refused as ever");
        Assert.That(await ReportAsync(Signed(contrary with { WallMs = 6 })), Is.EqualTo("stale"));
        var slash = (await SlashesAsync()).GetProperty("slashes").EnumerateArray().Single();
        Assert.That((slash.GetProperty("reason").GetString(), slash.GetProperty("deviceId").GetString(), Amount(slash, "amount")), Is.EqualTo(("equivocation", "two-faced", 20m)));
        Assert.That(slash.GetProperty("harmed").GetString(), Is.EqualTo((await AnswerAsync(server.Client.GetAsync("/api/tokenomics/balance"))).GetProperty("address").GetString()));
        // Whoever doubts it can verify both receipts.
        var evidence = JsonNode.Parse(slash.GetProperty("evidence").GetString()!)!;
        using var published = ECDsa.Create();
        published.ImportSubjectPublicKeyInfo(Convert.FromBase64String(evidence["publicKey"]!.GetValue<string>()), out _);
        var receipts = new[] { "recorded", "contrary" }.Select(r => JsonSerializer.Deserialize<AttemptReport>(evidence[r]!.ToJsonString(), WireJson.Responses)!).ToList();
        Assert.That(receipts.Select(r => Receipt.Verify(published, "two-faced", r)), Is.All.True);
        Assert.That(receipts.Select(r => r.OutputDigest), Is.EqualTo(new[] { first.OutputDigest, contrary.OutputDigest }));

        // A receipt under an earlier key says nothing about the present one.
        await AnswerAsync(PostAsync(owner, "stake", """{"amount":20}"""));
        await server.PostAsync("/api/scheduler/jobs", JsonNode.Parse("""{"name":"two","payload":{"kind":"builtin","kernel":"noop"}}""")!);
        var second = (await PollAsync()).Single(l => l.AttemptId != lease.AttemptId);
        var honest = first with { AttemptId = second.AttemptId, Epoch = second.Epoch };
        Assert.That(await ReportAsync(Signed(honest)), Is.EqualTo("recorded"));
        using var renewed = await RegisterAsync(otherKey);
        var later = contrary with { AttemptId = second.AttemptId, Epoch = second.Epoch };
        Assert.That(await ReportAsync(later with { Signature = Receipt.Sign(otherKey, "two-faced", later) }, renewed), Is.EqualTo("stale"));
        Assert.That((await SlashesAsync()).GetProperty("total").GetInt32(), Is.EqualTo(1));

        AttemptReport Signed(AttemptReport report) => report with { Signature = Receipt.Sign(key, "two-faced", report) };

        Task<JsonElement> SlashesAsync() => AnswerAsync(owner.GetAsync("/api/tokenomics/slashes"));

        async Task<HttpClient> RegisterAsync(ECDsa with)
        {
            using var answer = await owner.PostAsync("/api/idle-compute/devices", ApiServer.Json(new JsonObject
            {
                ["device_id"] = "two-faced", ["device_type"] = "desktop", ["cpu_cores"] = 4, ["memory_mb"] = 8192, ["payload_kinds"] = new JsonArray("builtin"), ["isolation"] = new JsonArray("process"),
                ["public_key"] = Convert.ToBase64String(with.ExportSubjectPublicKeyInfo()),
            }.ToJsonString()));
            return server.NewClient((await answer.JsonAsync()).GetProperty("deviceToken").GetString());
        }

        Task<HttpResponseMessage> SendAsync(string what, object body, HttpClient? by = null) =>
            (by ?? device).PostAsync($"/api/scheduler/nodes/two-faced/{what}", ApiServer.Json(JsonSerializer.Serialize(body, WireJson.Requests)));

        async Task<string> ReportAsync(AttemptReport report, HttpClient? by = null)
        {
            using var answer = await SendAsync("reports", new ReportRequest { Items = [report] }, by);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.That((int)answer.StatusCode, Is.EqualTo(200), text);
            return JsonSerializer.Deserialize<ReportResponse>(text, WireJson.Responses)!.Items.Single().Status;
        }

        async Task<IReadOnlyList<LeaseMessage>> PollAsync()
        {
            for (var i = 0; i < 3_000; i++)
            {
                using var answer = await SendAsync("poll", new LeasePollRequest { WaitSeconds = 0, Held = [], Condition = new DeviceCondition { State = "eligible", Slots = 4 } });
                if (JsonSerializer.Deserialize<LeasePollResponse>(await answer.Content.ReadAsStringAsync(), WireJson.Responses) is { Leases.Count: > 0 } got)
                    return got.Leases;
                await Task.Delay(20);
            }
            throw new AssertionException("no lease came");
        }
    }
}
