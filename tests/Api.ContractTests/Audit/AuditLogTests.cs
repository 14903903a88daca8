using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FogCompute.Api.ContractTests.Audit;

/// <summary>No change without its entry, no entry without its change, and later changes of entries show.</summary>
public sealed class AuditLogTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync();

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private async Task<JsonElement> GetAsync(string path)
    {
        using var answer = await _server.Client.GetAsync(path);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That((int)answer.StatusCode, Is.EqualTo(200), text);
        return JsonDocument.Parse(text).RootElement;
    }

    private async Task<JsonElement> SealedAsync()
    {
        while (true)
        {
            var state = await GetAsync("/api/audit/verification");
            if (state.GetProperty("unsealed").GetInt64() == 0 || !state.GetProperty("intact").GetBoolean())
                return state;
            await Task.Delay(50);
        }
    }

    /// <summary>As a superuser with the triggers switched off; everything is put back afterwards.</summary>
    private async Task TamperAsync(string sql, Func<Task> look)
    {
        const string keep = "CREATE TABLE kept_entries AS SELECT * FROM audit.entries; CREATE TABLE kept_seals AS SELECT * FROM audit.seals; ";
        const string restore = "DELETE FROM audit.entries; DELETE FROM audit.seals; INSERT INTO audit.entries SELECT * FROM kept_entries; INSERT INTO audit.seals SELECT * FROM kept_seals; DROP TABLE kept_entries, kept_seals";
        await ExecuteAsync(keep + sql);
        try
        {
            await look();
        }
        finally
        {
            await ExecuteAsync(restore);
        }
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _server.Database.DataSource.CreateCommand($"SET session_replication_role = replica; {sql}; RESET session_replication_role");
        await command.ExecuteNonQueryAsync();
    }

    [Test]
    public async Task What_people_cause_is_recorded_with_who_did_it_and_without_secrets()
    {
        var (account, member, secret) = await _server.NewMemberAsync("audited");
        using var made = await member.PostAsync("/api/identity/enrolment-tokens", ApiServer.Json("""{"name":"lab","uses":3}"""));
        var token = JsonNode.Parse(await made.Content.ReadAsStringAsync())!;
        (await member.DeleteAsync($"/api/identity/api-keys/{token["id"]}")).EnsureSuccessStatusCode();

        var log = await GetAsync($"/api/audit/entries?account={account}");
        var entries = log.GetProperty("entries").EnumerateArray().ToList();
        Assert.That(entries.Select(e => e.GetProperty("action").GetString()), Is.EqualTo(new[] { "identity.key_revoked", "identity.enrolment_token_created" }));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(entries[1].GetProperty("caller").GetString(), Is.EqualTo("api_key"));
            Assert.That(entries[1].GetProperty("actor").GetString(), Is.Not.Empty);
            Assert.That(entries[1].GetProperty("subject").GetString(), Is.EqualTo((string)token["id"]!));
            Assert.That(entries[1].GetProperty("details").GetProperty("uses_left").GetString(), Is.EqualTo("3"));
        }
        var whole = await _server.Client.GetStringAsync("/api/audit/export");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(whole, Does.Contain("identity.account_created"));
            Assert.That(whole, Does.Not.Contain(secret).And.Not.Contain((string)token["secret"]!));
        }
    }

    [Test]
    public async Task What_is_refused_or_repeated_leaves_nothing()
    {
        var (account, member, _) = await _server.NewMemberAsync("refused");
        using var refused = await member.PostAsync("/api/tokenomics/stake", ApiServer.Json("""{"amount":999999}"""));
        Assert.That(refused.IsSuccessStatusCode, Is.False);
        for (var i = 0; i < 2; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/tokenomics/stake") { Content = ApiServer.Json("""{"amount":10}""") };
            request.Headers.Add("Idempotency-Key", "once");
            using var staked = await member.SendAsync(request);
            Assert.That((int)staked.StatusCode, Is.EqualTo(200), await staked.Content.ReadAsStringAsync());
        }
        var entries = (await GetAsync($"/api/audit/entries?account={account}&action=tokenomics.")).GetProperty("entries").EnumerateArray().ToList();
        Assert.That(entries.Select(e => e.GetProperty("action").GetString()), Is.EqualTo(new[] { "tokenomics.staked" }));
    }

    [Test]
    public async Task Pages_and_the_export_have_every_entry_once()
    {
        for (var i = 0; i < 5; i++)
            await _server.PostAsync("/api/identity/accounts", new JsonObject { ["name"] = $"page-{i}" });
        await SealedAsync();
        var paged = new List<long>();
        for (long? cursor = null; ;)
        {
            var page = await GetAsync($"/api/audit/entries?action=identity.account_created&limit=2{(cursor is null ? "" : $"&cursor={cursor}")}");
            paged.AddRange(page.GetProperty("entries").EnumerateArray().Select(e => e.GetProperty("id").GetInt64()));
            if (page.GetProperty("next").ValueKind == JsonValueKind.Null)
                break;
            cursor = page.GetProperty("next").GetInt64();
        }
        using var answer = await _server.Client.GetAsync("/api/audit/export?action=identity.account_created");
        Assert.That(answer.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/x-ndjson"));
        var lines = (await answer.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        Assert.That(paged, Is.EqualTo(lines.Select(l => l.GetProperty("id").GetInt64()).Reverse()).And.Unique.And.Count.GreaterThanOrEqualTo(5));
        Assert.That(lines.Select(l => l.GetProperty("hash").GetString()?.Length), Is.All.EqualTo(64));
    }

    [Test]
    public async Task Only_those_with_the_permission_read_it()
    {
        var (_, member, _) = await _server.NewMemberAsync("curious");
        var (_, auditor, _) = await _server.NewMemberAsync("auditor", ["audit.read"]);
        foreach (var path in new[] { "entries", "export", "verification" })
        {
            using var refused = await member.GetAsync("/api/audit/" + path);
            await refused.ProblemAsync(403, "identity.forbidden");
            Assert.That((await auditor.GetAsync("/api/audit/" + path)).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        }
        using var wrong = await auditor.GetAsync("/api/audit/entries?limit=0&from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z&cursor=0&action=NO");
        Assert.That((await wrong.ProblemAsync(422, "common.validation_failed")).FieldsOf(), Is.EquivalentTo(new[] { "limit", "from", "cursor", "action" }));
        using var half = await auditor.GetAsync("/api/audit/verification?entry=1");
        Assert.That((await half.ProblemAsync(422, "common.validation_failed")).FieldsOf(), Is.EqualTo(new[] { "hash" }));
    }

    [TestCase("UPDATE audit.entries SET subject = 'somebody else' WHERE id = $", 0)]
    [TestCase("UPDATE audit.entries SET details = details || '{\"name\":\"other\"}' WHERE id = $", 0)]
    [TestCase("DELETE FROM audit.entries WHERE id = $", 0)]
    [TestCase("DELETE FROM audit.entries WHERE id = $; DELETE FROM audit.seals WHERE entry = $", 1)]
    [TestCase("DELETE FROM audit.seals WHERE entry = $", 0)]
    [TestCase("UPDATE audit.seals SET hash = sha256(hash) WHERE entry = $", 0)]
    public async Task A_changed_log_is_found_and_the_entry_named(string tampering, int after)
    {
        for (var i = 0; i < 3; i++)
            await _server.PostAsync("/api/identity/accounts", new JsonObject { ["name"] = $"victim-{Guid.NewGuid():N}" });
        Assert.That((await SealedAsync()).GetProperty("intact").GetBoolean(), Is.True);
        var ids = (await GetAsync("/api/audit/entries?action=identity.account_created&limit=3")).GetProperty("entries").EnumerateArray().Select(e => e.GetProperty("id").GetInt64()).Order().ToList();
        await TamperAsync(tampering.Replace("$", ids[1].ToString()), async () =>
        {
            var state = await GetAsync("/api/audit/verification");
            using (Assert.EnterMultipleScope())
            {
                Assert.That(state.GetProperty("intact").GetBoolean(), Is.False);
                Assert.That(state.GetProperty("brokenEntry").GetInt64(), Is.EqualTo(ids[1 + after]));
            }
        });
    }

    [Test]
    public async Task An_entry_slipped_in_before_the_first_is_found()
    {
        await _server.PostAsync("/api/identity/accounts", new JsonObject { ["name"] = "after-the-forged" });
        Assert.That((await SealedAsync()).GetProperty("intact").GetBoolean(), Is.True);
        await TamperAsync("INSERT INTO audit.entries (id, at, caller, action, details) VALUES (-7, '2026-01-01', 'user', 'identity.logged_in', '{}')", async () =>
        {
            var state = await GetAsync("/api/audit/verification");
            Assert.That((state.GetProperty("intact").GetBoolean(), state.GetProperty("brokenEntry").GetInt64()), Is.EqualTo((false, -7L)));
        });
    }

    [Test]
    public async Task A_log_cut_off_at_its_end_differs_from_the_hash_that_was_noted()
    {
        await _server.PostAsync("/api/identity/accounts", new JsonObject { ["name"] = "last" });
        var noted = await SealedAsync();
        var (head, hash) = (noted.GetProperty("head").GetInt64(), noted.GetProperty("headHash").GetString());
        Assert.That((await GetAsync($"/api/audit/verification?entry={head}&hash={hash}")).GetProperty("intact").GetBoolean(), Is.True);
        await TamperAsync($"DELETE FROM audit.entries WHERE id = {head}; DELETE FROM audit.seals WHERE entry = {head}", async () =>
        {
            Assert.That((await GetAsync("/api/audit/verification")).GetProperty("intact").GetBoolean(), Is.True, "what is left is a sound chain");
            Assert.That((await GetAsync($"/api/audit/verification?entry={head}&hash={hash}")).GetProperty("brokenEntry").GetInt64(), Is.EqualTo(head));
        });
    }

    [TestCase("UPDATE audit.entries SET action = 'x'")]
    [TestCase("DELETE FROM audit.entries")]
    [TestCase("TRUNCATE audit.seals")]
    public void The_tables_refuse_to_be_changed(string sql)
    {
        using var command = _server.Database.DataSource.CreateCommand(sql);
        Assert.That(async () => await command.ExecuteNonQueryAsync(), Throws.Exception.Message.Contains("append-only"));
    }
}
