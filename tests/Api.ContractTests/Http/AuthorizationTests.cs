using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Api.ContractTests.Identity;
using FogCompute.Api.ContractTests.Tokenomics;
using FogCompute.Api.Http;
using FogCompute.Application.Common.Security;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>
/// Every operation of the document, asked by somebody who lacks just its permission, with ids of another account, and with fields that are the server's.
/// An operation without a row in <see cref="Rows"/> fails: whoever adds one says what becomes of other people's ids. (Without identity: <see cref="OpenApiTests"/>.)
/// </summary>
public sealed class AuthorizationTests
{
    /// <summary>What becomes of another account's ids.</summary>
    /// <param name="Attempts">Each with what it must be refused with.</param>
    /// <param name="Why">Where nothing is refused: why not.</param>
    private sealed record Row(IReadOnlyList<Attempt> Attempts, string? Why = null)
    {
        public Row And(Row more) => this with { Attempts = [.. Attempts, .. more.Attempts] };
    }

    /// <param name="Id">Key of the world for each parameter of the path.</param>
    /// <param name="Query">With <c>{key}</c> of the world in it.</param>
    /// <param name="Body">The same; null: the operation's example, if it has one.</param>
    private sealed record Attempt(string? Id, string Query, string? Body, string Code, bool AsDevice = false, bool AsPerson = false);

    private static Row Path(string id, string code) => new([new(id, "", null, code)]);

    private static Row Device(string code) => new([new("device", "", null, code, AsDevice: true)]);

    private static Row Query(string query, string code, string? id = null) => new([new(id, query, null, code)]);

    private static Row Body(string body, string code) => new([new(null, "", body, code)]);

    /// <summary>It takes no id: what it shows or changes is the caller's own.</summary>
    private static readonly Row OwnOnly = new([], "takes no id");

    /// <summary>An id in it names something that belongs to the pool, or that anybody may name.</summary>
    private static Row Shared(string why) => new([], why);

    private const string NoJob = "scheduler.job_not_found";
    private const string NoDevice = "idle_compute.device_not_found";
    private const string NotYours = "identity.not_yours";

    /// <summary>Keyed by operationId; public operations have no account to mistake.</summary>
    private static readonly Dictionary<string, Row> Rows = new(StringComparer.Ordinal)
    {
        ["GetArtifact"] = Path("sha256", "artifacts.not_found").And(Query("?attempt={guid}", "artifacts.not_found", "sha256")),
        ["HeadArtifact"] = Path("sha256", ""),
        ["UploadArtifact"] = Shared("who has the bytes may upload them; the hash is their name"),
        ["Logout"] = OwnOnly,
        ["GetMe"] = OwnOnly,
        ["ChangePassword"] = OwnOnly,
        ["EnrolMfa"] = OwnOnly,
        ["ConfirmMfa"] = OwnOnly,
        ["DisableMfa"] = OwnOnly,
        ["ListSessions"] = OwnOnly,
        ["RevokeOtherSessions"] = OwnOnly,
        ["RevokeSession"] = new([new("session", "", null, "identity.session_not_found", AsPerson: true)]),
        ["ListUsers"] = Shared("who manages users manages all"),
        ["SetUserRoles"] = Shared("who manages users manages all"),
        ["SetUserActive"] = Shared("who manages users manages all"),
        ["ListRecurringJobs"] = Shared("operators run the pool"),
        ["ListRecurringRuns"] = Shared("operators run the pool"),
        ["TriggerRecurringJob"] = Shared("operators run the pool"),
        ["PauseRecurringJob"] = Shared("operators run the pool"),
        ["ResumeRecurringJob"] = Shared("operators run the pool"),
        ["GetQueues"] = Shared("operators run the pool"),
        ["ListFailures"] = Shared("operators run the pool"),
        ["ListTaskRuns"] = Shared("operators run the pool"),
        ["ListServers"] = Shared("operators run the pool"),
        ["ListAuditEntries"] = Shared("auditors see all"),
        ["ExportAuditLog"] = Shared("auditors see all"),
        ["VerifyAuditLog"] = Shared("auditors see all"),
        ["StartBenchmark"] = Shared("operators measure the pool"),
        ["StopBenchmark"] = Shared("operators measure the pool"),
        ["ListBenchmarks"] = Shared("operators measure the pool"),
        ["CompareBenchmarks"] = Shared("operators measure the pool"),
        ["DeployBetanetNode"] = Shared("operators deploy for the pool"),
        ["ListAccounts"] = OwnOnly,
        ["CreateAccount"] = OwnOnly,
        ["GetAccount"] = Path("account", "identity.account_not_found"),
        ["SetAccountPlan"] = Shared("operators set everybody's"),
        ["GetQuotas"] = OwnOnly,
        ["ListApiKeys"] = OwnOnly,
        ["CreateApiKey"] = Body("""{"name":"x","account_id":"{account}"}""", "identity.not_yours"),
        ["RevokeApiKey"] = Path("key", "identity.key_not_found"),
        ["CreateEnrolmentToken"] = Body("""{"name":"x","account_id":"{account}"}""", "identity.not_yours"),
        ["ListDevices"] = OwnOnly,
        ["RegisterDevice"] = Body("""{"device_id":"{device}","device_type":"desktop","cpu_cores":8,"memory_mb":16384}""", "idle_compute.device_of_another_owner"),
        ["GetDevice"] = Path("device", NoDevice),
        ["GetDeviceWhy"] = Path("device", NoDevice),
        ["HeartbeatDevice"] = Path("device", NoDevice).And(Device(NoDevice)),
        ["UnregisterDevice"] = Path("device", NoDevice),
        ["ListJobs"] = OwnOnly,
        ["SubmitJob"] = Body("""{"name":"x","depends_on":["{job}"]}""", "scheduler.dependency_not_found").And(Body("""{"name":"x","quote_id":"{quote}"}""", "scheduler.quote_unknown")),
        ["QuoteJob"] = Body("""{"name":"x","depends_on":["{job}"]}""", "scheduler.dependency_not_found"),
        ["GetQuote"] = Path("quote", "scheduler.quote_not_found"),
        ["GetJob"] = Path("job", NoJob),
        ["ChangeJobStatus"] = Path("job", NoJob),
        ["CancelJob"] = Path("job", NoJob),
        ["ListTasks"] = Path("job", NoJob),
        ["GetJobWhy"] = Path("job", NoJob),
        ["GetJobPayments"] = Path("job", NoJob),
        ["GetJobLogs"] = Path("job", NoJob).And(Query("?follow=true", NoJob, "job")),
        ["ListEvents"] = Query("?job={job}", NoJob).And(Query("?device={device}", NoDevice)).And(Query("?follow=true&job={job}", NoJob)),
        ["GetPlacementPass"] = Shared("operators see all"),
        ["GetLatestPlacementPass"] = Shared("operators see all"),
        ["IssueSocketTicket"] = OwnOnly,
        ["ListNodes"] = OwnOnly,
        ["DeliverLeases"] = Device("idle_compute.not_this_device"),
        ["RecordProgress"] = Device("idle_compute.not_this_device"),
        ["RecordReports"] = Device("idle_compute.not_this_device"),
        ["GetBalance"] = Query("?address={address}", NotYours),
        ["ListLedgerEntries"] = Query("?address={address}", NotYours),
        ["GetStatement"] = Query("?address={address}", NotYours),
        ["ExportLedger"] = Query("?address={address}", NotYours).And(Query("?all=true", "tokenomics.operators_only")),
        ["GetReconciliation"] = Shared("operators see all"),
        ["AuditLedger"] = Shared("operators see all"),
        ["Stake"] = Body("""{"amount":1,"address":"{address}"}""", NotYours),
        ["Unstake"] = Body("""{"amount":1,"address":"{address}"}""", NotYours),
        ["ClaimUnbonded"] = Body("""{"address":"{address}"}""", NotYours),
        ["GetStakes"] = Query("?address={address}", NotYours),
        ["GetRewards"] = Query("?address={address}", NotYours),
        ["ListSlashes"] = Query("?address={address}", NotYours),
        ["AppealSlash"] = Path("slash", NotYours),
        ["DecideSlash"] = Shared("operators decide for all"),
        ["ListProposals"] = Shared("proposals are the pool's"),
        ["CreateProposal"] = OwnOnly,
        ["GetProposal"] = Shared("proposals are the pool's"),
        ["ListBallots"] = Shared("votes are public"),
        ["CancelProposal"] = Path("proposal", "tokenomics.cancel_refused"),
        ["RehearseProposal"] = Shared("proposals are the pool's, and rehearsing changes nothing"),
        ["Vote"] = Shared("everybody votes on the pool's proposals, with their own stake"),
        ["Delegate"] = Shared("the other's address gets votes and pays nothing"),
        ["GetDelegation"] = Query("?address={address}", NotYours),
    };

    private ApiServer _server = null!;
    private ApiDocument _document = null!;
    private HttpClient _member = null!;
    private HttpClient _device = null!;
    private HttpClient _person = null!;
    private Dictionary<string, string> _theirs = null!;
    private string _contents = "";

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _server = await ApiServer.StartAsync(["--FOG_RATE_USER=off", "--FOG_RATE_DEVICE=off", "--FOG_RATE_ANONYMOUS=off", "--FOG_RATE_SIGN_IN=off"]);
        _document = await ApiDocument.OfAsync(_server);
        await StakingWorld.WithoutWaitingAsync(_server);
        await GovernanceSeed.ExamplesAsync(_server);
        (_, _member, _) = await _server.NewMemberAsync("mine");
        _device = _server.NewClient((await SendAsync(_member, HttpMethod.Post, "/api/idle-compute/devices", """{"device_id":"my-pc","device_type":"desktop","cpu_cores":8,"memory_mb":16384}"""))["deviceToken"]!.GetValue<string>());
        _person = (await People.RegisterAsync(_server)).Client;
        _theirs = await PopulateAsync();
        _contents = await ContentsQueryAsync();
    }

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    /// <summary>One object of each kind, of another account.</summary>
    private async Task<Dictionary<string, string>> PopulateAsync()
    {
        var (account, other, _) = await _server.NewMemberAsync("theirs");
        await GovernanceSeed.StakeAsync(_server, other, 60);
        async Task<string> MakeAsync(string path, string body, string id) => (await SendAsync(other, HttpMethod.Post, path, body))[id]!.GetValue<string>();
        var sha = Convert.ToHexStringLower(SHA256.HashData("theirs"u8));
        await SendAsync(other, HttpMethod.Put, $"/api/artifacts/{sha}", "theirs", "application/octet-stream");
        return new(StringComparer.Ordinal)
        {
            ["account"] = account.ToString(),
            ["address"] = await GovernanceSeed.AddressOfAsync(other),
            ["key"] = await MakeAsync("/api/identity/api-keys", """{"name":"theirs"}""", "id"),
            ["device"] = await MakeAsync("/api/idle-compute/devices", """{"device_id":"their-pc","device_type":"desktop","cpu_cores":8,"memory_mb":16384}""", "deviceId"),
            ["job"] = await MakeAsync("/api/scheduler/jobs", """{"name":"theirs","priority":1}""", "jobId"),
            ["quote"] = await MakeAsync("/api/scheduler/quotes", """{"name":"theirs"}""", "quoteId"),
            ["proposal"] = await MakeAsync("/api/tokenomics/proposals", InputTable.Proposal, "proposalId"),
            ["slash"] = (await StakingWorld.SlashAsync(_server, account, account)).ToString(),
            ["session"] = (await (await (await People.RegisterAsync(_server)).Client.GetAsync("/api/auth/sessions")).JsonAsync()).GetProperty("sessions")[0].GetProperty("id").GetString()!,
            ["sha256"] = sha,
            ["guid"] = "0190f7a0-0000-7000-8000-000000000099",
        };
    }

    private static async Task<JsonNode> SendAsync(HttpClient client, HttpMethod method, string path, string body, string type = "application/json")
    {
        using var request = new HttpRequestMessage(method, path) { Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue(type)) };
        using var answer = await client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, Is.True, $"{method} {path}: {(int)answer.StatusCode} {text}");
        return JsonNode.Parse(text)!;
    }

    /// <summary>A statement that digests every table but those that the control plane itself writes while nobody asks anything.</summary>
    private async Task<string> ContentsQueryAsync()
    {
        await using var tables = _server.Database.DataSource.CreateCommand(
            """
            SELECT string_agg(format('SELECT %L || '' '' || coalesce(md5(string_agg(t::text, E''\n'' ORDER BY t::text)), '''') FROM %I.%I t', n.nspname || '.' || c.relname, n.nspname, c.relname), ' UNION ALL ')
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT IN ('platform', 'audit', 'quartz')
                AND n.nspname || '.' || c.relname NOT IN ('tokenomics.blocks', 'tokenomics.block_totals', 'tokenomics.checkpoints', 'tokenomics.reconciliations', 'scheduler.events', 'scheduler.event_positions',
                    'idle_compute.presence', 'scheduler.passes', 'identity.usage')
            """);
        return (string)(await tables.ExecuteScalarAsync())!;
    }

    private async Task<List<string>> ContentsAsync()
    {
        await using var digest = _server.Database.DataSource.CreateCommand(_contents);
        await using var rows = await digest.ExecuteReaderAsync();
        var all = new List<string>();
        while (await rows.ReadAsync())
            all.Add(rows.GetString(0));
        return all;
    }

    [Test]
    public void Has_a_row_for_every_operation()
    {
        var operations = _document.Operations.Where(o => !o.IsPublic).ToList();
        Assert.That(Rows.Keys, Is.EquivalentTo(operations.Select(o => o.Id)), "Say in AuthorizationTests.Rows what the operation does with another account's ids.");
        using (Assert.EnterMultipleScope())
        {
            foreach (var operation in operations.Where(o => Rows[o.Id].Attempts.Count == 0))
            {
                Assert.That(Rows[operation.Id].Why, Is.Not.Empty, operation.Id);
                if (ReferenceEquals(Rows[operation.Id], OwnOnly))
                    Assert.That(operation.Parameters.Where(p => p.In == "path"), Is.Empty, $"{operation}: it does take an id");
            }
        }
    }

    [Test]
    public async Task Refuses_ids_of_another_account_and_changes_nothing()
    {
        var failures = new List<string>();
        foreach (var operation in _document.Operations.Where(o => !o.IsPublic))
        {
            foreach (var attempt in Rows[operation.Id].Attempts)
            {
                var before = await ContentsAsync();
                var path = System.Text.RegularExpressions.Regex.Replace(operation.Path, @"\{[a-z0-9_]+\}", _ => _theirs[attempt.Id!]) + Fill(attempt.Query);
                using var request = new HttpRequestMessage(operation.Method, path);
                if (operation.BodyType is { } type)
                    request.Content = new StringContent(Fill(attempt.Body ?? Examples.Bodies[operation.Id]), Encoding.UTF8, new MediaTypeHeaderValue(type));
                using var answer = await (attempt.AsDevice ? _device : attempt.AsPerson ? _person : _member).SendAsync(request);
                var text = await answer.Content.ReadAsStringAsync();
                var refused = (int)answer.StatusCode is 403 or 404 || attempt.Code is "idle_compute.device_of_another_owner" or "scheduler.dependency_not_found" or "scheduler.quote_unknown";
                if (!refused || !(operation.Method == HttpMethod.Head || text.Contains($"\"code\":\"{attempt.Code}\"", StringComparison.Ordinal)))
                    failures.Add($"{operation.Method} {path} {attempt.Body}: {(int)answer.StatusCode} {text}, not {attempt.Code}");
                var after = await ContentsAsync();
                if (!after.SequenceEqual(before))
                    failures.Add($"{operation.Method} {path} changed {string.Join(", ", after.Except(before))}");
            }
        }
        Assert.That(failures, Is.Empty, string.Join("\n", failures));
    }

    private string Fill(string text)
    {
        foreach (var (name, value) in _theirs)
            text = text.Replace($"{{{name}}}", value, StringComparison.Ordinal);
        return text;
    }

    [Test]
    public async Task Refuses_who_lacks_just_the_permission()
    {
        var keys = new Dictionary<string, HttpClient>(StringComparer.Ordinal);
        var failures = new List<string>();
        foreach (var operation in _document.Operations.Where(o => !o.IsPublic))
        {
            if (!keys.TryGetValue(operation.Permission, out var client))
            {
                var all = Permissions.Member.Where(p => p != operation.Permission).ToArray();
                keys[operation.Permission] = client = (await _server.NewMemberAsync($"without-{operation.Permission}", all)).Client;
            }
            using var request = new HttpRequestMessage(operation.Method, System.Text.RegularExpressions.Regex.Replace(operation.Path, @"\{[a-z0-9_]+\}", "0190f7a0-0000-7000-8000-000000000099"));
            if (operation.BodyType is { } type)
                request.Content = new StringContent(Examples.Bodies[operation.Id], Encoding.UTF8, new MediaTypeHeaderValue(type));
            using var answer = await client.SendAsync(request);
            var text = await answer.Content.ReadAsStringAsync();
            if ((int)answer.StatusCode != 403 || (operation.Method != HttpMethod.Head && !text.Contains(operation.Permission, StringComparison.Ordinal)))
                failures.Add($"{operation}: {(int)answer.StatusCode} {text}");
        }
        Assert.That(failures, Is.Empty, string.Join("\n", failures));
    }

    [Test]
    public async Task Refuses_fields_that_are_the_servers()
    {
        string[] owned = ["id", "account_id", "owner", "status", "state", "price", "quote", "held", "balance", "created_at", "permissions", "is_admin", "job_id", "device_token"];
        var failures = new List<string>();
        var tried = 0;
        foreach (var operation in _document.Operations.Where(o => o.JsonBody is not null))
        {
            var known = _document.Resolve(operation.JsonBody!.Value.GetProperty("schema")).GetProperty("properties").EnumerateObject().Select(p => p.Name).ToHashSet(StringComparer.Ordinal);
            foreach (var field in owned.Where(f => !known.Contains(f)))
            {
                var body = JsonNode.Parse(Examples.Bodies[operation.Id])!.AsObject();
                body[field] = "x";
                using var request = new HttpRequestMessage(operation.Method, System.Text.RegularExpressions.Regex.Replace(operation.Path, @"\{[a-z0-9_]+\}", "0190f7a0-0000-7000-8000-000000000099"))
                {
                    Content = ApiServer.Json(body.ToJsonString()),
                };
                using var answer = await (operation.IsPublic ? _server.Client : operation.Permission switch { Permissions.DeviceAgent => _device, Permissions.Profile => _person, _ => _server.Client }).SendAsync(request);
                var text = await answer.Content.ReadAsStringAsync();
                tried++;
                if ((int)answer.StatusCode != 422 || !JsonDocument.Parse(text).RootElement.FieldsOf().Contains(field))
                    failures.Add($"{operation} with {field}: {(int)answer.StatusCode} {text}");
            }
        }
        Assert.That(failures, Is.Empty, string.Join("\n", failures));
        Assert.That(tried, Is.GreaterThan(100));
    }
}
