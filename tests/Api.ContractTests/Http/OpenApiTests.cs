using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
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
        ["UploadArtifact"] = server => Task.FromResult((Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Examples.Bodies["UploadArtifact"]))), server.Client)),
    };

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
    private static readonly string[] OldNames = ["updated_at", "thermal_throttle"];

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

    private sealed record Operation(string Id, HttpMethod Method, string Path, JsonElement Facts)
    {
        public bool IsPublic => Facts.GetProperty("description").GetString()!.StartsWith("Needs no identity", StringComparison.Ordinal);
        public string Permission => Facts.GetProperty("description").GetString()!.Split('`')[1];
        public JsonElement? Body => Facts.TryGetProperty("requestBody", out var body) ? body.GetProperty("content").EnumerateObject().First().Value : null;
        public string? BodyType => Facts.TryGetProperty("requestBody", out var body) ? body.GetProperty("content").EnumerateObject().First().Name : null;
        public JsonElement? JsonBody => Facts.TryGetProperty("requestBody", out var body) && body.GetProperty("content").TryGetProperty("application/json", out var json) ? json : null;
        public override string ToString() => $"{Id} ({Method} {Path})";
    }

    private IEnumerable<Operation> Operations =>
        from path in _document.Root.GetProperty("paths").EnumerateObject()
        from operation in path.Value.EnumerateObject()
        where operation.Value.ValueKind == JsonValueKind.Object && operation.Value.TryGetProperty("operationId", out _)
        select new Operation(operation.Value.GetProperty("operationId").GetString()!, HttpMethod.Parse(operation.Name), path.Name, operation.Value);

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
        var operations = Operations.ToList();
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
            using var answer = await CallAsync(operation, client, new Dictionary<string, string> { ["id"] = id, ["sha256"] = id });
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
        foreach (var operation in Operations.Where(o => o.Method == HttpMethod.Get && !o.Path.Contains('{', StringComparison.Ordinal)))
        {
            using var answer = await CallAsync(operation, _server.Client);
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
                Assert.That((int)answer.StatusCode, Is.Not.EqualTo(401), operation.ToString());
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

    /// <summary>The value has every required member, no undocumented one, and the documented types.</summary>
    private void AssertFits(JsonElement value, JsonElement schema, string where)
    {
        var nullable = ApiDocument.AllowsNull(schema);
        schema = _document.Resolve(schema);
        if (value.ValueKind == JsonValueKind.Null)
        {
            Assert.That(nullable || ApiDocument.AllowsNull(schema), Is.True, $"{where} is null, which is not documented");
            return;
        }
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                var known = schema.TryGetProperty("properties", out var properties) ? properties.EnumerateObject().ToDictionary(p => p.Name, p => p.Value) : [];
                if (schema.TryGetProperty("required", out var required))
                    Assert.That(value.EnumerateObject().Select(p => p.Name), Is.SupersetOf(required.EnumerateArray().Select(r => r.GetString())), where);
                foreach (var member in value.EnumerateObject())
                {
                    if (known.TryGetValue(member.Name, out var inner))
                        AssertFits(member.Value, inner, $"{where}.{member.Name}");
                    else if (schema.TryGetProperty("additionalProperties", out var any) && any.ValueKind == JsonValueKind.Object)
                        AssertFits(member.Value, any, $"{where}.{member.Name}");
                    else
                        Assert.Fail($"{where}.{member.Name} is not documented");
                }
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                    AssertFits(item, schema.GetProperty("items"), where + "[]");
                break;
            default:
                var types = ApiDocument.Types(schema);
                var actual = value.ValueKind switch
                {
                    JsonValueKind.String => new[] { "string" },
                    JsonValueKind.Number => ["number", "integer"],
                    _ => ["boolean"],
                };
                Assert.That(types.Intersect(actual), Is.Not.Empty, $"{where} is {value.GetRawText()}, documented as {string.Join(" or ", types)}");
                break;
        }
    }

    [GeneratedRegex(@"\{([a-z0-9_]+)\}", RegexOptions.NonBacktracking | RegexOptions.IgnoreCase)]
    private static partial Regex PathValue();

    [GeneratedRegex("(src|href)=\"(https?:)?//", RegexOptions.NonBacktracking)]
    private static partial Regex OutsideLink();

    [GeneratedRegex("<script src=\"([^\"]+)\"", RegexOptions.NonBacktracking)]
    private static partial Regex ScriptSource();
}
