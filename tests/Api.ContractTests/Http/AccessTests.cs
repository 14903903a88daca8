using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity;
using FogCompute.Application.Identity.Contracts;
using FogCompute.Domain.Common;

namespace FogCompute.Api.ContractTests.Http;

public sealed class AccessTests
{
    private const string Protected = "/api/tokenomics/balance";

    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync(["--FOG_HOSTS=*"]);

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private async Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await _server.Client.SendAsync(request);
    }

    [Test]
    public async Task Lets_the_local_operator_in_without_a_token()
    {
        using var answer = await GetAsync(Protected);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await answer.JsonAsync()).GetProperty("balance").GetDecimal(), Is.EqualTo(100m), "the faucet greeted the account");
    }

    [TestCase("Host", "localhost:8000")]
    [TestCase("Host", "LOCALHOST")]
    [TestCase("Host", "[::1]:9")]
    [TestCase("Origin", "http://localhost:3000")]
    [TestCase("Origin", "http://127.0.0.1:3000")]
    [TestCase("Sec-Fetch-Site", "same-site")]
    public async Task Lets_the_local_operator_in_from_here(string header, string value)
    {
        using var answer = await GetAsync(Protected, (header, value));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Lets_the_own_pages_in()
    {
        using var answer = await GetAsync(Protected, ("Origin", _server.Url.GetLeftPart(UriPartial.Authority)));
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [TestCase("Host", "evil.example")]
    [TestCase("Host", "localhost.evil.example")]
    [TestCase("Host", "127.0.0.1.evil.example:8000")]
    [TestCase("Origin", "http://evil.example")]
    [TestCase("Origin", "null")]
    [TestCase("Origin", "http://localhost:3001")]
    [TestCase("Origin", "https://localhost:3000")]
    [TestCase("X-Forwarded-For", "127.0.0.1")]
    [TestCase("Forwarded", "for=127.0.0.1")]
    [TestCase("X-Real-IP", "127.0.0.1")]
    [TestCase("Via", "1.1 proxy")]
    [TestCase("Sec-Fetch-Site", "cross-site")]
    public async Task Takes_nobody_from_elsewhere_for_the_local_operator(string header, string value)
    {
        using var answer = await GetAsync(Protected, (header, value));
        await answer.ProblemAsync(401, "identity.unauthenticated");
    }

    [TestCase("Authorization", "Bearer fogk_0000000000000000000000000000000000000000000")]
    [TestCase("Authorization", "Bearer foge_0000000000000000000000000000000000000000000")]
    [TestCase("Authorization", "Bearer fogd_0000000000000000000000000000000000000000000")]
    [TestCase("Authorization", "Bearer nonsense")]
    [TestCase("Authorization", "Bearer")]
    [TestCase("Authorization", "")]
    [TestCase("Authorization", "Basic bG9jYWw6")]
    [TestCase("X-API-Key", "nonsense")]
    [TestCase("X-API-Key", "")]
    public async Task Never_falls_back_from_a_bad_token(string header, string value)
    {
        using var answer = await GetAsync("/api/identity/whoami", (header, value));
        await answer.ProblemAsync(401, "identity.invalid_token");
    }

    [Test]
    public async Task Knows_the_holder_of_a_key_in_either_header()
    {
        var (account, client, secret) = await _server.NewMemberAsync("either-header");
        using var bearer = await client.GetAsync("/api/identity/whoami");
        using var header = await GetAsync("/api/identity/whoami", ("X-API-Key", secret), ("Host", "pool.example"));
        foreach (var answer in new[] { bearer, header })
        {
            var who = await answer.JsonAsync();
            Assert.That(who.GetProperty("kind").GetString(), Is.EqualTo("api_key"));
            Assert.That(who.GetProperty("accountId").GetGuid(), Is.EqualTo(account));
            Assert.That(who.GetProperty("address").GetString(), Does.Match("^fog1[0-9a-hjkmnp-tv-z]{38}$"));
        }
    }

    [Test]
    public async Task Stores_no_secret()
    {
        var (_, _, secret) = await _server.NewMemberAsync("no-secret");
        await using var search = _server.Database.DataSource.CreateCommand("SELECT count(*) FROM identity.access_keys k WHERE k::text LIKE '%' || $1 || '%'");
        search.Parameters.Add(new() { Value = secret[5..] });
        Assert.That(await search.ExecuteScalarAsync(), Is.EqualTo(0L));
    }

    [Test]
    public async Task Kills_a_revoked_key_within_five_seconds()
    {
        var (_, client, _) = await _server.NewMemberAsync("revoked");
        var key = (await (await client.GetAsync("/api/identity/api-keys")).JsonAsync()).GetProperty("keys")[0].GetProperty("id").GetGuid();
        using var revoked = await client.DeleteAsync($"/api/identity/api-keys/{key}");
        Assert.That(revoked.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        // It counts when a request was sent, not how long this machine takes to answer it.
        var since = Stopwatch.GetTimestamp();
        HttpStatusCode status;
        TimeSpan sent;
        do
        {
            await Task.Delay(200);
            sent = Stopwatch.GetElapsedTime(since);
            using var answer = await client.GetAsync("/api/identity/whoami");
            status = answer.StatusCode;
        }
        while (status == HttpStatusCode.OK && sent < TimeSpan.FromSeconds(5));
        Assert.That(status, Is.EqualTo(HttpStatusCode.Unauthorized));
    }

    [Test]
    public async Task Hides_other_accounts_from_a_member()
    {
        var (one, client, _) = await _server.NewMemberAsync("member-one");
        var (two, other, _) = await _server.NewMemberAsync("member-two");
        using var own = await client.GetAsync($"/api/identity/accounts/{one}");
        Assert.That(own.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var foreign = await client.GetAsync($"/api/identity/accounts/{two}");
        await foreign.ProblemAsync(404, "identity.account_not_found");
        using var all = await client.GetAsync("/api/identity/accounts");
        await all.ProblemAsync(403, "identity.forbidden");
        using var key = await client.PostAsync("/api/identity/api-keys", ApiServer.Json($$"""{"name":"x","account_id":"{{two}}"}"""));
        await key.ProblemAsync(403, "identity.not_yours");
        using var more = await client.PostAsync("/api/identity/api-keys", ApiServer.Json("""{"name":"x","permissions":["operate"]}"""));
        await more.ProblemAsync(403, "identity.not_grantable");
        var theirs = (await (await other.GetAsync("/api/identity/api-keys")).JsonAsync()).GetProperty("keys")[0].GetProperty("id").GetGuid();
        using var revoke = await client.DeleteAsync($"/api/identity/api-keys/{theirs}");
        await revoke.ProblemAsync(404, "identity.key_not_found");
    }

    [Test]
    public async Task Refuses_an_account_name_that_is_taken()
    {
        await _server.NewMemberAsync("taken");
        using var answer = await _server.Client.PostAsync("/api/identity/accounts", ApiServer.Json("""{"name":"taken"}"""));
        var problem = await answer.ProblemAsync(409, "identity.account_name_taken");
        Assert.That(problem.FieldsOf(), Is.EqualTo(new[] { "name" }));
    }

    [Test]
    public async Task Opens_one_account_of_a_name_however_many_ask_at_once()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _server.Client.PostAsync("/api/identity/accounts", ApiServer.Json("""{"name":"raced"}"""))));
        Assert.That(answers.Select(a => (int)a.StatusCode).Order(), Is.EqualTo(new[] { 201, 409, 409, 409, 409, 409, 409, 409 }));
    }

    [Test]
    public async Task Pages_through_the_accounts()
    {
        for (var i = 0; i < 5; i++)
            await _server.NewMemberAsync($"page-{i}");
        var names = new List<string>();
        string? after = null;
        do
        {
            var page = await (await _server.Client.GetAsync($"/api/identity/accounts?limit=2{(after is null ? "" : "&after=" + after)}")).JsonAsync();
            names.AddRange(page.GetProperty("accounts").EnumerateArray().Select(a => a.GetProperty("name").GetString()!));
            after = page.GetProperty("next").GetString();
        }
        while (after is not null);
        Assert.That(names, Is.Unique.And.SupersetOf(Enumerable.Range(0, 5).Select(i => $"page-{i}")));
        Assert.That(names, Has.Member("local"));
    }

    private static Task<HttpResponseMessage> RegisterAsync(HttpClient client, string device) =>
        client.PostAsync("/api/idle-compute/devices", ApiServer.Json($$"""{"device_id":"{{device}}","device_type":"desktop","cpu_cores":2,"memory_mb":1024}"""));

    private async Task<List<JsonElement>> RegistrationsAsync(string prefix)
    {
        var log = await (await _server.Client.GetAsync("/api/audit/entries?action=idle_compute.device_registered&limit=200")).JsonAsync();
        return [.. log.GetProperty("entries").EnumerateArray().Where(e => e.GetProperty("subject").GetString()!.StartsWith(prefix, StringComparison.Ordinal))];
    }

    [Test]
    public async Task Counts_machines_and_not_repetitions_of_an_enrolment_token_however_many_come_at_once()
    {
        var token = await _server.PostAsync("/api/identity/enrolment-tokens", new JsonObject { ["uses"] = 3 });
        using var client = _server.NewClient(token["secret"]!.GetValue<string>());
        // Every machine asks twice, as one does that did not hear the first answer.
        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(async i => (Machine: i % 12, Answer: await RegisterAsync(client, $"room-{i % 12}"))));
        foreach (var (_, answer) in answers.Where(a => a.Answer.StatusCode != HttpStatusCode.Created))
            await answer.ProblemAsync(401, "identity.enrolment_token_spent");
        var enrolled = answers.Where(a => a.Answer.StatusCode == HttpStatusCode.Created).Select(a => a.Machine).ToList();
        Assert.That((enrolled.Count, enrolled.Distinct().Count()), Is.EqualTo((6, 3)), "three machines, both times");

        using var again = await RegisterAsync(client, $"room-{enrolled[0]}");
        Assert.That(again.StatusCode, Is.EqualTo(HttpStatusCode.Created), "a machine that was counted may come back");
        var entries = await RegistrationsAsync("room-");
        Assert.That(entries.Select(e => e.GetProperty("subject").GetString()), Is.EquivalentTo(enrolled.Append(enrolled[0]).Select(i => $"room-{i}")), "one entry per registration, none for the refused");
        Assert.That(entries.Select(e => (e.GetProperty("caller").GetString(), e.GetProperty("actor").GetString())).Distinct(), Is.EqualTo(new[] { ("enrolment_token", (string?)token["id"]) }));
    }

    [Test]
    public async Task Gives_a_machine_that_two_accounts_register_at_once_to_one_of_them()
    {
        (Guid Account, HttpClient Client, string Secret)[] members = [await _server.NewMemberAsync("first"), await _server.NewMemberAsync("second")];
        for (var round = 0; round < 5; round++)
        {
            var device = $"torn-{round}";
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(async i => (Account: i % 2, Answer: await RegisterAsync(members[i % 2].Client, device))));
            var owner = answers.First(a => a.Answer.StatusCode == HttpStatusCode.Created).Account;
            foreach (var (account, answer) in answers)
            {
                if (account == owner)
                    Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Created));
                else
                    await answer.ProblemAsync(409, "idle_compute.device_of_another_owner");
            }
            Assert.That((await RegistrationsAsync(device)).Select(e => e.GetProperty("account").GetGuid()), Is.EqualTo(Enumerable.Repeat(members[owner].Account, 4)), "each recorded as its owner's doing");
        }
    }

    [Test]
    public async Task Gives_an_enrolment_token_nothing_else_to_do()
    {
        var token = (await _server.PostAsync("/api/identity/enrolment-tokens", new JsonObject { ["name"] = "narrow" }))["secret"]!.GetValue<string>();
        using var client = _server.NewClient(token);
        using var answer = await client.PostAsync("/api/identity/enrolment-tokens", ApiServer.Json("{}"));
        await answer.ProblemAsync(403, "identity.forbidden");
        await RegisterAsync(_server.Client, "long-there");
        using var end = await client.DeleteAsync("/api/idle-compute/devices/long-there");
        await end.ProblemAsync(403, "idle_compute.enrolment_only");
    }

    [Test]
    public async Task Gives_a_key_that_may_only_read_devices_nothing_to_change_about_them()
    {
        var (account, owner, _) = await _server.NewMemberAsync("reads-devices");
        await RegisterAsync(owner, "read-only-pc");
        var secret = (await _server.PostAsync("/api/identity/api-keys", new JsonObject { ["name"] = "r", ["account_id"] = account.ToString(), ["permissions"] = new JsonArray("devices.read", "keys.manage") }))["secret"]!.GetValue<string>();
        using var reader = _server.NewClient(secret);
        using var seen = await reader.GetAsync("/api/idle-compute/devices/read-only-pc");
        Assert.That(seen.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var beat = await reader.PostAsync("/api/idle-compute/devices/read-only-pc/heartbeat?battery=1", null);
        await beat.ProblemAsync(403, "identity.forbidden");
        using var token = await reader.PostAsync("/api/identity/enrolment-tokens", ApiServer.Json("{}"));
        await token.ProblemAsync(403, "identity.forbidden");
        using var own = await owner.PostAsync("/api/idle-compute/devices/read-only-pc/heartbeat?battery=1", null);
        Assert.That(own.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }
}

public sealed class ServerSettingsTests
{
    [TestCase("API_HOST", "example.org")]
    [TestCase("API_PORT", "65536")]
    [TestCase("API_PORT", "-1")]
    [TestCase("API_PORT", "http")]
    [TestCase("CORS_ORIGINS", "*")]
    [TestCase("CORS_ORIGINS", "http://localhost:3000,localhost:3001")]
    [TestCase("CORS_ORIGINS", "http://localhost:3000/path")]
    [TestCase("FOG_ARTIFACT_MAX_BYTES", "0")]
    [TestCase("FOG_REGISTRATION", "perhaps")]
    [TestCase("FOG_PUBLIC_URL", "fog.example.org")]
    [TestCase("FOG_PUBLIC_URL", "https://fog.example.org/pool")]
    [TestCase("FOG_MAIL_FROM", "nobody")]
    [TestCase("FOG_DRAIN_SECONDS", "301")]
    [TestCase("FOG_DRAIN_SECONDS", "-1")]
    public void Refuses_a_setting_by_key_and_value(string key, string value)
    {
        var builder = Program.NewBuilder([$"--{key}={value}"]);
        Assert.That(() => Api.Http.IdentitySettings.Read(builder.Configuration, Api.Http.ServerOptions.Read(builder.Configuration)), Throws.TypeOf<Api.Http.ConfigurationException>()
            .With.Message.Contains(key).And.Message.Contains(value.Split(',').Last()).And.Message.Contains("allowed"));
    }

    [TestCase("smtps://user:hunter22@mail.example.org:465")]
    [TestCase("mail.example.org")]
    [TestCase("smtp://user:hunter22@mail.example.org/path")]
    public void Refuses_a_mail_server_without_repeating_its_password(string value)
    {
        var builder = Program.NewBuilder([$"--FOG_SMTP_URL={value}"]);
        Assert.That(() => Api.Http.IdentitySettings.Read(builder.Configuration, Api.Http.ServerOptions.Read(builder.Configuration)), Throws.TypeOf<Api.Http.ConfigurationException>()
            .With.Message.Contains("FOG_SMTP_URL").And.Message.Not.Contains("hunter22"));
    }

    [Test]
    public async Task Listens_where_its_own_settings_say_and_nowhere_else()
    {
        await using var server = await ApiServer.StartAsync(["--Kestrel:Endpoints:Other:Url=http://127.0.0.2:0", "--urls=http://127.0.0.3:0"]);
        Assert.That(server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses, Is.EqualTo(new[] { server.Url.GetLeftPart(UriPartial.Authority) }));
    }

    [Test]
    public async Task Switches_the_local_operator_off_when_others_can_reach_the_server()
    {
        var database = await Testing.TestDatabase.CreateAsync();
        await Identity.People.InsertAdminAsync(database);
        // It only believes that it listens everywhere: no test opens a port to the network.
        await using var server = await ApiServer.StartAsync(database: database, adjust: services =>
        {
            var options = (Api.Http.ServerOptions)services.Single(s => s.ServiceType == typeof(Api.Http.ServerOptions)).ImplementationInstance!;
            services.AddSingleton(options with { Address = IPAddress.Any });
        });
        using var answer = await server.Client.GetAsync("/api/tokenomics/balance");
        await answer.ProblemAsync(401, "identity.unauthenticated");
    }
}
