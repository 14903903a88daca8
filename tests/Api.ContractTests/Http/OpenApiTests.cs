using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FogCompute.Api.ContractTests.Identity;
using FogCompute.Api.ContractTests.Tokenomics;
using FogCompute.Api.Http;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>The document must be true: every test here compares it with what the running server does.</summary>
public sealed partial class OpenApiTests
{
    /// <summary>
    /// What an example needs before it can be sent: makes it and gives back the value of the path's <c>{id}</c> and who sends it. Keyed by operationId;
    /// an operation without path parameters that the local operator may use needs no row.
    /// </summary>
    private static readonly Dictionary<string, Func<ApiServer, Task<(string Id, HttpClient Client)>>> Preparations = new(StringComparer.Ordinal)
    {
        ["ChangeJobStatus"] = async server => ((await server.PostAsync("/api/scheduler/jobs", JsonNode.Parse(Examples.Bodies["SubmitJob"])!))["jobId"]!.GetValue<string>(), server.Client),
        ["CancelProposal"] = async server => ((await server.PostAsync("/api/tokenomics/proposals", JsonNode.Parse(InputTable.Proposal)!))["proposalId"]!.GetValue<string>(), server.Client),
        ["HeartbeatDevice"] = DeviceAsync,
        ["DeliverLeases"] = DeviceAsync,
        ["RecordProgress"] = DeviceAsync,
        ["RecordReports"] = DeviceAsync,
        ["AppealSlash"] = async server => ((await Tokenomics.StakingWorld.SlashAsync(server)).ToString(), server.Client),
        ["DecideSlash"] = async server => ((await Tokenomics.StakingWorld.AppealedAsync(server)).ToString(), server.Client),
        ["SetUserRoles"] = PersonAsync,
        ["SetUserActive"] = PersonAsync,
        ["UploadArtifact"] = server => Task.FromResult((Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Examples.Bodies["UploadArtifact"]))), server.Client)),
    };

    private static async Task<(string Id, HttpClient Client)> PersonAsync(ApiServer server) => ((await People.RegisterAsync(server)).Account.ToString(), server.Client);

    /// <summary>
    /// Operations of a person who is logged in, or that use up a secret: makes what they need and gives back who sends them and what is to be put
    /// into the example in place of its secret (null: nothing).
    /// </summary>
    private static readonly Dictionary<string, Func<ApiServer, Task<(HttpClient Client, string? Field, string? Value)>>> OfPeople = new(StringComparer.Ordinal)
    {
        // Another test may have sent it before.
        ["Register"] = async server => { await People.ForgetAsync(server, "grace"); return (server.Client, null, null); },
        ["Login"] = async server => { await People.RegisterAsync(server, "ada", ExamplePassword); return (server.Client, null, null); },
        ["Refresh"] = async server => (server.Client, "refresh_token", (await People.RegisterAsync(server)).Refresh),
        ["ChangePassword"] = async server => ((await People.RegisterAsync(server, password: ExamplePassword)).Client, null, null),
        ["ResetPassword"] = async server => (server.Client, "token", await People.ResetTokenAsync(server, await People.RegisterAsync(server))),
        ["EnrolMfa"] = async server => ((await People.RegisterAsync(server, password: ExamplePassword)).Client, null, null),
        ["ConfirmMfa"] = async server => { var person = await People.RegisterAsync(server); return (person.Client, "code", await person.EnrolMfaAsync()); },
        ["DisableMfa"] = async server => ((await People.RegisterAsync(server, password: ExamplePassword)).Client, null, null),
        // Of a name that the example of Login has not taken.
        ["SetUp"] = async server => { await People.ForgetAsync(server, "ada"); return (server.Client, "token", await People.SetupTokenAsync(server)); },
    };

    private const string ExamplePassword = "correct battery on the horse";

    /// <summary>The device whose key signed the example of RecordReports.</summary>
    private static async Task<(string Id, HttpClient Client)> DeviceAsync(ApiServer server)
    {
        var registration = JsonNode.Parse(Examples.Bodies["RegisterDevice"])!.AsObject();
        var id = registration["device_id"]!.GetValue<string>();
        registration["public_key"] = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENN8TIB+hnjTJi10AYoVX/z77Chy5NFrh0ThHGiGDLR5CgUr+k8tCS1psN6g3nJTNHjLLlhhIRQ9YUQwJCSBtyw==";
        var token = (await server.PostAsync("/api/idle-compute/devices", registration))["deviceToken"]!.GetValue<string>();
        return (id, server.NewClient(token));
    }

    /// <summary>Answer members that are not camelCase because earlier clients read them so (wire contract).</summary>
    private static readonly string[] OldNames =
    [
        "updated_at", "thermal_throttle",
        // All of /api/auth.
        "access_token", "token_type", "expires_in", "refresh_token", "is_active", "account_id", "mfa_enabled", "recovery_codes_left", "created_at", "otpauth_uri", "recovery_codes", "last_used_at", "expires_at",
    ];

    private ApiServer _server = null!;
    private ApiDocument _document = null!;

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _server = await ApiServer.StartAsync();
        _document = await ApiDocument.OfAsync(_server);
        // So that there is something to unstake and to claim.
        await Tokenomics.StakingWorld.WithoutWaitingAsync(_server);
        await _server.PostAsync("/api/tokenomics/stake", new JsonObject { ["amount"] = 30 });
        await _server.PostAsync("/api/tokenomics/unstake", new JsonObject { ["amount"] = 5 });
        await GovernanceSeed.ExamplesAsync(_server);
        await Benchmarks.BenchmarkSeed.TwoAsync(_server);
        // So that there is one to read.
        await using var scope = _server.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<IPassLog>().WriteAsync(Pass, CancellationToken.None);
    }

    private static PlacementPassDetail Pass { get; } = new()
    {
        Id = Guid.CreateVersion7(), At = DateTimeOffset.UnixEpoch, TookMs = 12.5, Tasks = 20, Slots = 40, Devices = 8, Placed = 40, Unplaced = 0, Generations = 90, Evaluations = 9_000, SearchMs = 10.25,
        Hypervolume = 0.81, Convergence = 0.98, Chosen = 0, Front = [new PassPoint(12, 0.0125m, 600, 0.05, 0.02, ["knee", "fast"])], Jobs = [Guid.CreateVersion7()],
    };

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private IReadOnlyList<Operation> Operations => _document.Operations;

    private async Task<HttpResponseMessage> CallAsync(Operation operation, HttpClient client, IReadOnlyDictionary<string, string>? values = null, Action<HttpRequestMessage>? adjust = null)
    {
        var path = PathValue().Replace(operation.Path, m => values?.GetValueOrDefault(m.Groups[1].Value)
            ?? (m.Groups[1].Value == "sha256" ? new string('0', 64) : "0190f7a0-0000-7000-8000-000000000099"));
        using var request = new HttpRequestMessage(operation.Method, path);
        if (operation.BodyType is { } type)
            request.Content = new StringContent(Examples.Bodies[operation.Id], Encoding.UTF8) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } };
        adjust?.Invoke(request);
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    [Test]
    public void Gives_every_operation_an_id_a_summary_errors_and_an_example()
    {
        var operations = Operations;
        Assert.That(operations, Is.Not.Empty);
        Assert.That(operations.Select(o => o.Id), Is.Unique);
        using (Assert.EnterMultipleScope())
        {
            foreach (var operation in operations)
            {
                Assert.That(operation.Facts.GetProperty("summary").GetString(), Is.Not.Empty, operation.ToString());
                var answers = operation.Facts.GetProperty("responses").EnumerateObject().Select(r => r.Name).ToList();
                Assert.That(answers, Does.Contain("500").And.Contain("503"), operation.ToString());
                if (!operation.IsPublic)
                    Assert.That(answers, Does.Contain("401").And.Contain("403"), operation.ToString());
                if (operation.Body is { } body)
                    Assert.That(body.TryGetProperty("example", out _), Is.True, $"{operation}: add its body to src/Api/Http/Examples.cs");
            }
        }
        Assert.That(Examples.Bodies.Keys, Is.SubsetOf(operations.Select(o => o.Id)), "examples of operations that do not exist");
    }

    [Test]
    public async Task Takes_every_example_as_it_stands()
    {
        foreach (var operation in Operations.Where(o => o.Body is not null))
        {
            Assert.That(operation.Path.Contains('{', StringComparison.Ordinal), Is.EqualTo(Preparations.ContainsKey(operation.Id)), $"{operation} needs a row in Preparations if and only if it has an id");
            var (id, client) = Preparations.TryGetValue(operation.Id, out var prepare) ? await prepare(_server) : ("", _server.Client);
            Action<HttpRequestMessage>? adjust = null;
            if (OfPeople.TryGetValue(operation.Id, out var person))
            {
                (client, var field, var value) = await person(_server);
                var body = JsonNode.Parse(Examples.Bodies[operation.Id])!;
                if (field is not null)
                    body[field] = value;
                adjust = request => request.Content = ApiServer.Json(body.ToJsonString());
            }
            using var answer = await CallAsync(operation, client, new Dictionary<string, string> { ["id"] = id, ["sha256"] = id }, adjust);
            var text = await answer.Content.ReadAsStringAsync();
            if (operation.Id == "DeployBetanetNode")
            {
                await answer.ProblemAsync(503, "betanet.not_configured"); // The example is right; there is no network to deploy to.
                continue;
            }
            Assert.That(answer.IsSuccessStatusCode, Is.True, $"{operation}: {(int)answer.StatusCode} {text}");
            var documented = operation.Facts.GetProperty("responses");
            Assert.That(documented.TryGetProperty(((int)answer.StatusCode).ToString(), out var response), Is.True, $"{operation}: {(int)answer.StatusCode} is not documented");
            AssertFits(JsonDocument.Parse(text).RootElement, response.GetProperty("content").GetProperty("application/json").GetProperty("schema"), operation.Id);
        }
    }

    [Test]
    public async Task Answers_reads_as_documented()
    {
        var answered = 0;
        var person = await People.RegisterAsync(_server);
        foreach (var operation in Operations.Where(o => o.Method == HttpMethod.Get && !o.Path.Contains('{', StringComparison.Ordinal)))
        {
            using var answer = await CallAsync(operation, operation.Permission == Permissions.Profile ? person.Client : _server.Client);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), $"{operation}: {text}");
            var media = answer.Content.Headers.ContentType!.MediaType!;
            var schema = operation.Facts.GetProperty("responses").GetProperty("200").GetProperty("content").GetProperty(media).GetProperty("schema");
            foreach (var document in media == "application/x-ndjson" ? text.Split('\n', StringSplitOptions.RemoveEmptyEntries) : [text])
                AssertFits(JsonDocument.Parse(document).RootElement, schema, operation.Id);
            answered++;
        }
        Assert.That(answered, Is.GreaterThan(5));
    }

    [Test]
    public async Task Asks_everybody_who_they_are_unless_the_operation_is_public()
    {
        foreach (var operation in Operations)
        {
            using var answer = await CallAsync(operation, _server.Client, adjust: r => r.Headers.Add("X-Forwarded-For", "192.0.2.1"));
            if (operation.IsPublic)
                Assert.That((int)answer.StatusCode == 401 ? (await answer.JsonAsync()).GetProperty("code").GetString() : "", Is.Not.EqualTo("identity.unauthenticated"), operation.ToString());
            else if (operation.Method == HttpMethod.Head)
                Assert.That((int)answer.StatusCode, Is.EqualTo(401), operation.ToString());
            else
                await answer.ProblemAsync(401, "identity.unauthenticated");
        }
    }

    [Test]
    public async Task Refuses_the_wrong_identity()
    {
        var token = (await _server.PostAsync("/api/identity/enrolment-tokens", new JsonObject { ["name"] = "wrong identity" }))["secret"]!.GetValue<string>();
        using var client = _server.NewClient(token);
        foreach (var operation in Operations.Where(o => !o.IsPublic && !Permissions.Enrolment.Contains(o.Permission)))
        {
            using var answer = await CallAsync(operation, client);
            Assert.That((int)answer.StatusCode, Is.EqualTo(403), operation.ToString());
        }
    }

    [Test]
    public void Writes_names_in_the_casing_of_their_direction()
    {
        var requests = new HashSet<string>();
        var answers = new HashSet<string>();
        foreach (var operation in Operations)
        {
            if (operation.JsonBody is { } body)
                Collect(body.GetProperty("schema"), requests, []);
            foreach (var response in operation.Facts.GetProperty("responses").EnumerateObject().Where(r => r.Value.TryGetProperty("content", out _)))
            foreach (var media in response.Value.GetProperty("content").EnumerateObject().Where(m => m.Value.TryGetProperty("schema", out _)))
                Collect(media.Value.GetProperty("schema"), answers, []);
            if (operation.Facts.TryGetProperty("parameters", out var parameters))
                requests.UnionWith(parameters.EnumerateArray().Where(p => p.GetProperty("in").GetString() == "query").Select(p => p.GetProperty("name").GetString()!));
        }
        Assert.That(requests, Is.All.Match("^[a-z0-9]+(_[a-z0-9]+)*$"));
        Assert.That(requests, Has.Member("expires_in_days"));
        Assert.That(answers.Except(OldNames), Is.All.Match("^[a-z][A-Za-z0-9]*$"));
        Assert.That(answers, Has.Member("expiresAt"));
    }

    /// <summary>"type": "null" beside a reference says that the value is null and the other at once, which nothing is.</summary>
    [Test]
    public void Demands_nothing_impossible()
    {
        var impossible = new List<string>();
        Walk(_document.Root, "");
        Assert.That(impossible, Is.Empty);

        void Walk(JsonElement element, string where)
        {
            if (element.ValueKind == JsonValueKind.Array)
            {
                foreach (var item in element.EnumerateArray())
                    Walk(item, where + "[]");
            }
            if (element.ValueKind != JsonValueKind.Object)
                return;
            if (element.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.GetString() == "null" && (element.TryGetProperty("allOf", out _) || element.TryGetProperty("$ref", out _)))
                impossible.Add(where);
            foreach (var member in element.EnumerateObject())
                Walk(member.Value, $"{where}/{member.Name}");
        }
    }

    [Test]
    public void Carries_the_limits_of_the_validators()
    {
        var schema = _document.Resolve(Operations.Single(o => o.Id == "CreateApiKey").JsonBody!.Value.GetProperty("schema"));
        var name = schema.GetProperty("properties").GetProperty("name");
        var days = schema.GetProperty("properties").GetProperty("expires_in_days");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(schema.GetProperty("required").EnumerateArray().Select(r => r.GetString()), Is.EqualTo(new[] { "name" }));
            Assert.That(schema.GetProperty("additionalProperties").GetBoolean(), Is.False);
            Assert.That(ApiDocument.Types(name), Is.EqualTo(new[] { "string" }));
            Assert.That(ApiDocument.Types(days), Is.EquivalentTo(new[] { "integer", "null" }));
            Assert.That(name.GetProperty("maxLength").GetInt32(), Is.EqualTo(64));
            Assert.That(days.GetProperty("minimum").GetInt32(), Is.EqualTo(1));
            Assert.That(days.GetProperty("maximum").GetInt32(), Is.EqualTo(3650));
            Assert.That(name.GetProperty("description").GetString(), Does.Contain("1–64"));
        }
    }

    [TestCase("/docs/index.html")]
    [TestCase("/redoc/index.html")]
    public async Task Serves_the_reference_without_any_other_host(string page)
    {
        using var answer = await _server.Client.GetAsync(page);
        var html = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(answer.Headers.GetValues("Content-Security-Policy").Single(), Does.StartWith("default-src 'self'"));
        Assert.That(OutsideLink().Matches(html), Is.Empty);
        foreach (Match script in ScriptSource().Matches(html))
        {
            using var asset = await _server.Client.GetAsync(new Uri(new Uri(_server.Url, page), script.Groups[1].Value));
            Assert.That(asset.StatusCode, Is.EqualTo(HttpStatusCode.OK), script.Value);
        }
    }

    [Test]
    public async Task Is_what_the_docs_folder_says()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "FogCompute.sln")))
            root = root.Parent ?? throw new DirectoryNotFoundException("FogCompute.sln is not above the test assembly.");
        var generated = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["openapi.json"] = (await _server.Client.GetStringAsync("/openapi.json")).ReplaceLineEndings("\n") + "\n",
            ["endpoints.md"] = EndpointTable(),
        };
        foreach (var (name, content) in generated)
        {
            var path = Path.Combine(root.FullName, "docs", name);
            if (Environment.GetEnvironmentVariable("FOG_UPDATE_DOCS") == "1")
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await File.WriteAllTextAsync(path, content);
            }
            Assert.That(File.Exists(path) ? await File.ReadAllTextAsync(path) : "", Is.EqualTo(content), $"docs/{name} is out of date: run this test with FOG_UPDATE_DOCS=1");
        }
    }

    private string EndpointTable()
    {
        var text = new StringBuilder("# Endpoints\n\nGenerated from the code (`FOG_UPDATE_DOCS=1` with the contract tests); the whole story is in `openapi.json`.\n\n");
        text.Append("| Method | Path | Use case | Permission | What it does |\n|---|---|---|---|---|\n");
        foreach (var o in Operations.OrderBy(o => o.Path, StringComparer.Ordinal).ThenBy(o => o.Method.Method, StringComparer.Ordinal))
            text.Append($"| {o.Method} | `{o.Path}` | {o.Id} | {(o.IsPublic ? "–" : $"`{o.Permission}`")} | {o.Facts.GetProperty("summary").GetString()} |\n");
        return text.ToString();
    }

    private void Collect(JsonElement schema, HashSet<string> names, HashSet<string> seen)
    {
        if (schema.TryGetProperty("$ref", out var reference) && !seen.Add(reference.GetString()!))
            return;
        schema = _document.Resolve(schema);
        if (schema.TryGetProperty("properties", out var properties))
        {
            foreach (var property in properties.EnumerateObject())
            {
                names.Add(property.Name);
                Collect(property.Value, names, seen);
            }
        }
        foreach (var inner in new[] { "items", "additionalProperties" })
        {
            if (schema.TryGetProperty(inner, out var child) && child.ValueKind == JsonValueKind.Object)
                Collect(child, names, seen);
        }
    }

    private void AssertFits(JsonElement value, JsonElement schema, string where) => Assert.That(_document.Misfits(value, schema, where), Is.Empty);

    [GeneratedRegex(@"\{([a-z0-9_]+)\}", RegexOptions.NonBacktracking | RegexOptions.IgnoreCase)]
    private static partial Regex PathValue();

    [GeneratedRegex("(src|href)=\"(https?:)?//", RegexOptions.NonBacktracking)]
    private static partial Regex OutsideLink();

    [GeneratedRegex("<script src=\"([^\"]+)\"", RegexOptions.NonBacktracking)]
    private static partial Regex ScriptSource();
}
