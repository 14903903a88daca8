using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>
/// Each field of a job submit and of a device registration, tried with everything that it must refuse (<see cref="InputTable"/>): the answer is
/// a problem document that names the field and, where there is one, its range, and nothing is written.
/// </summary>
public sealed class BadInputTests
{
    private static readonly (string Operation, string Path, IReadOnlyList<Field> Fields)[] Tables =
    [
        ("SubmitJob", "/api/scheduler/jobs", InputTable.SubmitJob),
        ("QuoteJob", "/api/scheduler/quotes", InputTable.QuoteJob),
        ("RegisterDevice", "/api/idle-compute/devices", InputTable.RegisterDevice),
        ("Stake", "/api/tokenomics/stake", InputTable.StakeAmount),
        ("Unstake", "/api/tokenomics/unstake", InputTable.StakeAmount),
        ("ClaimUnbonded", "/api/tokenomics/claim", InputTable.ClaimUnbonded),
        ("AppealSlash", "/api/tokenomics/slashes/0190f7a0-0000-7000-8000-000000000099/appeal", InputTable.AppealSlash),
        ("DecideSlash", "/api/tokenomics/slashes/0190f7a0-0000-7000-8000-000000000099/decision", InputTable.DecideSlash),
        ("CreateProposal", "/api/tokenomics/proposals", InputTable.CreateProposal),
        ("Vote", "/api/tokenomics/vote", InputTable.Vote),
        ("CancelProposal", "/api/tokenomics/proposals/0000000000000000000000000000000000000000000000000000000000000000/cancel", InputTable.CancelProposal),
        ("Delegate", "/api/tokenomics/delegate", InputTable.Delegate),
        ("SetAccountPlan", "PUT /api/identity/accounts/0190f7a0-0000-7000-8000-000000000099/plan", InputTable.SetAccountPlan),
        ("Register", "/api/auth/register", InputTable.Register),
        ("Login", "/api/auth/login", InputTable.Login),
        ("Refresh", "/api/auth/refresh", InputTable.Refresh),
        ("ChangePassword", "/api/auth/change-password", InputTable.ChangePassword),
        ("RequestPasswordReset", "/api/auth/reset-password", InputTable.RequestPasswordReset),
        ("ResetPassword", "/api/auth/reset-password/confirm", InputTable.ResetPassword),
        ("EnrolMfa", "/api/auth/mfa/enrol", InputTable.OwnPassword),
        ("ConfirmMfa", "/api/auth/mfa/confirm", InputTable.ConfirmMfa),
        ("DisableMfa", "/api/auth/mfa/disable", InputTable.OwnPassword),
        ("SetUp", "/api/auth/setup", InputTable.SetUp),
        ("StartBenchmark", "/api/benchmarks/start", InputTable.StartBenchmark),
        ("DeployBetanetNode", "/api/betanet/deploy", InputTable.DeployBetanetNode),
    ];

    private ApiServer _server = null!;
    private ApiDocument _document = null!;
    private string _countRows = "";
    private string _rows = "";

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _server = await ApiServer.StartAsync();
        _document = await ApiDocument.OfAsync(_server);
        // Also opens the local operator's account.
        using var upload = await _server.Client.PutAsync($"/api/artifacts/{InputTable.Sha}", new StringContent(InputTable.Artifact));
        Assert.That((int)upload.StatusCode, Is.EqualTo(201), await upload.Content.ReadAsStringAsync());
        _countRows = await CountOfEveryTableAsync();
        _rows = await RowsAsync();
    }

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    [TearDown]
    public async Task Nothing_was_written()
    {
        // Each test answers for itself: what one of them let through does not fail the next.
        var before = _rows;
        _rows = await RowsAsync();
        Assert.That(_rows, Is.EqualTo(before), "rows were written");
    }

    /// <summary>One statement over every table but those that the control plane itself fills while it runs; a new table is counted from its first day.</summary>
    private async Task<string> CountOfEveryTableAsync()
    {
        await using var tables = _server.Database.DataSource.CreateCommand(
            """
            SELECT string_agg(format('SELECT %L || count(*) FROM %s', t || ': ', t), ' UNION ALL ' ORDER BY t)
            FROM (SELECT format('%I.%I', schemaname, tablename) AS t FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'quartz')) AS tables
            WHERE t NOT IN ('platform.recurring_jobs', 'platform.recurring_runs', 'platform.servers', 'tokenomics.blocks', 'tokenomics.block_totals', 'tokenomics.checkpoints', 'tokenomics.reconciliations', 'identity.setup_token', 'audit.seals', 'identity.usage')
            """);
        var counts = (string)(await tables.ExecuteScalarAsync())!;
        foreach (var table in new[] { "scheduler.jobs", "scheduler.tasks", "scheduler.quotes", "tokenomics.transfers", "tokenomics.holds", "idle_compute.devices", "platform.idempotency_keys" })
            Assert.That(counts, Does.Contain(table));
        return counts;
    }

    private async Task<string> RowsAsync()
    {
        await using var count = _server.Database.DataSource.CreateCommand(_countRows);
        await using var rows = await count.ExecuteReaderAsync();
        var all = new List<string>();
        while (await rows.ReadAsync())
            all.Add(rows.GetString(0));
        return string.Join("\n", all);
    }

    private static IEnumerable<TestCaseData> Wrongs =>
        from table in Tables
        from row in table.Fields
        from wrong in (IEnumerable<Wrong>)
        [
            .. row.Wrong,
            .. row is { Nullable: false } or { Conditional: true, Required: true } ? [new Wrong("null", "null")] : Array.Empty<Wrong>(),
            .. row.Required ? [new Wrong("missing", "")] : Array.Empty<Wrong>(),
        ]
        let body = wrong.Label == "missing" ? row.Without() : row.With(wrong.Json, wrong.Body)
        select new TestCaseData(table.Path, body, (wrong.At ?? row.Path).Replace("[]", "[0]", StringComparison.Ordinal), (string[])[.. wrong.Body is null && wrong.At is null ? row.Says : [], .. wrong.Says])
            .SetArgDisplayNames(table.Operation, row.Path, wrong.Label);

    [TestCaseSource(nameof(Wrongs))]
    public async Task Refuses(string path, string body, string field, string[] says)
    {
        using var answer = await SendAsync(path, ApiServer.Json(body));
        var problem = await ProblemAsync(answer, 422);
        var errors = problem.GetProperty("errors").EnumerateObject().ToList();
        var words = string.Join(" ", errors.SelectMany(e => e.Value.EnumerateArray()).Select(m => m.GetString()));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(errors.Select(e => e.Name), Is.All.Matches<string>(name => name == field || name.StartsWith(field + "[", StringComparison.Ordinal) || name.StartsWith(field + ".", StringComparison.Ordinal)), $"not about {field}");
            Assert.That(problem.GetProperty("detail").GetString(), Does.Contain(errors[0].Name).Or.Contain(errors[0].Value[0].GetString()));
            Assert.That(words, Is.Not.Empty);
            foreach (var word in says)
                Assert.That(words, Does.Contain(word));
        }
    }

    /// <param name="path">POST, unless it begins with another method.</param>
    private async Task<HttpResponseMessage> SendAsync(string path, HttpContent content)
    {
        using var request = path.Split(' ') is [var method, var rest] ? new HttpRequestMessage(HttpMethod.Parse(method), rest) : new HttpRequestMessage(HttpMethod.Post, path);
        request.Content = content;
        return await _server.Client.SendAsync(request);
    }

    private static async Task<JsonElement> ProblemAsync(HttpResponseMessage answer, int status)
    {
        var text = await answer.Content.ReadAsStringAsync();
        TestContext.Out.WriteLine(text);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status), text);
        Assert.That(text, Does.Not.Contain("FogCompute.").And.Not.Contain("System.").And.Not.Contain("Exception"));
        var problem = JsonDocument.Parse(text).RootElement;
        return await answer.ProblemAsync(status, problem.GetProperty("code").GetString()!);
    }

    private static IEnumerable<TestCaseData> WrongBodies =>
        from table in Tables
        from wrong in (IEnumerable<(string Label, Func<string, string> Body, string Field)>)
        [
            ("null", _ => "null", "body"), ("a list", _ => "[]", "body"), ("text", _ => "\"x\"", "body"), ("a number", _ => "1e400", "body"), ("half a character", _ => "\"\\ud800\"", "body"),
            ("an unknown field", b => b[..^1] + ",\"surprise\":1}", "surprise"), ("an unknown field with null", b => b[..^1] + ",\"surprise\":null}", "surprise"), ("a field in capitals", b => b[..^1] + ",\"REGION\":\"x\"}", "REGION"),
            ("a field in camelCase", b => b[..^1] + ",\"payloadKinds\":[]}", "payloadKinds"), ("a field with an endless name", b => $"{b[..^1]},\"{new string('x', 100_000)}\":1}}", new string('x', 64) + "…"),
            ("a field that is half a character", b => b[..^1] + ",\"\\ud800\":1}", "\uFFFD"), ("a field that is a header", b => b[..^1] + ",\"idempotency_key\":\"x\"}", "idempotency_key"),
            ("a field without name", b => b[..^1] + ",\"\":1}", "\"\""),
            ("a field twice", b => b[..^1] + "," + b[1..], First(table.Operation)),
        ]
        select new TestCaseData(table.Path, wrong.Body(table.Fields[0].Body), wrong.Field).SetArgDisplayNames(table.Operation, wrong.Label);

    private static string First(string operation) => Tables.Single(t => t.Operation == operation).Fields[0].Path;

    [TestCaseSource(nameof(WrongBodies))]
    public async Task Refuses_a_body(string path, string body, string field)
    {
        using var answer = await SendAsync(path, ApiServer.Json(body));
        var problem = await ProblemAsync(answer, 422);
        Assert.That(problem.FieldsOf(), Does.Contain(field));
    }

    private static IEnumerable<TestCaseData> Unreadable =>
        from table in Tables
        from wrong in (IEnumerable<(string Label, byte[] Body, string Type, int Status, string Code)>)
        [
            ("empty", [], "application/json", 400, "common.malformed_json"),
            ("cut off", Encoding.UTF8.GetBytes(table.Fields[0].Body[..^1]), "application/json", 400, "common.malformed_json"),
            ("two of them", Encoding.UTF8.GetBytes(table.Fields[0].Body + table.Fields[0].Body), "application/json", 400, "common.malformed_json"),
            ("NaN", """{"name":NaN}"""u8.ToArray(), "application/json", 400, "common.malformed_json"),
            ("a comment", """{"name":"x"/**/}"""u8.ToArray(), "application/json", 400, "common.malformed_json"),
            ("a comma too many", """{"name":"x",}"""u8.ToArray(), "application/json", 400, "common.malformed_json"),
            ("bytes that are no UTF-8 in a value", [.. "{\"name\":\""u8, 0xFF, .. "\"}"u8], "application/json", 400, "common.malformed_json"),
            ("bytes that are no UTF-8 in a name", [.. "{\""u8, 0xC3, .. "\":7}"u8], "application/json", 400, "common.malformed_json"),
            ("nested without end", Encoding.UTF8.GetBytes("{\"payload\":" + new string('[', 10_000)), "application/json", 400, "common.malformed_json"),
            ("UTF-16", Encoding.Unicode.GetBytes(table.Fields[0].Body), "application/json", 400, "common.malformed_json"),
            ("UTF-16 by its name", Encoding.Unicode.GetBytes(table.Fields[0].Body), "application/json; charset=utf-16", 415, "common.unsupported_media_type"),
            ("a form", "name=x"u8.ToArray(), "application/x-www-form-urlencoded", 415, "common.unsupported_media_type"),
            ("XML", "<name>x</name>"u8.ToArray(), "application/xml", 415, "common.unsupported_media_type"),
        ]
        select new TestCaseData(table.Path, wrong.Body, wrong.Type, wrong.Status, wrong.Code).SetArgDisplayNames(table.Operation, wrong.Label);

    [TestCaseSource(nameof(Unreadable))]
    public async Task Refuses_what_cannot_be_read(string path, byte[] body, string type, int status, string code)
    {
        using var content = new ByteArrayContent(body) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type) } };
        using var answer = await SendAsync(path, content);
        var problem = await ProblemAsync(answer, status);
        Assert.That(problem.GetProperty("code").GetString(), Is.EqualTo(code));
    }

    [Test]
    public async Task Refuses_bytes_that_are_no_text_in_a_value_of_any_kind()
    {
        using var content = new ByteArrayContent([.. "{\"proposal_id\":\"x\",\"vote\":\""u8, 0xED, 0xA0, 0x80, .. "\"}"u8]) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        using var answer = await SendAsync("/api/tokenomics/vote", content);
        Assert.That((await ProblemAsync(answer, 400)).GetProperty("code").GetString(), Is.EqualTo("common.malformed_json"));
    }

    [Test]
    public async Task Refuses_a_body_above_a_mebibyte([Values("/api/scheduler/jobs", "/api/scheduler/quotes", "/api/idle-compute/devices")] string path, [Values] bool sizeKnown)
    {
        var body = $$"""{"name":"{{new string('x', 1 << 20)}}"}""";
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = ApiServer.Json(body), Headers = { ExpectContinue = sizeKnown, TransferEncodingChunked = !sizeKnown } };
        using var answer = await _server.Client.SendAsync(request);
        var problem = await ProblemAsync(answer, 413);
        Assert.That(problem.GetProperty("code").GetString(), Is.EqualTo("common.body_too_large"));
    }

    [TestCase("")]
    [TestCase(" ")]
    [TestCase("256")]
    public async Task Refuses_an_idempotency_key(string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/scheduler/jobs") { Content = ApiServer.Json(InputTable.Job) };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", key == "256" ? new string('k', 256) : key);
        using var answer = await _server.Client.SendAsync(request);
        var problem = await ProblemAsync(answer, 422);
        Assert.That(problem.FieldsOf(), Is.EqualTo(new[] { "idempotency-key" }));
        Assert.That(problem.GetProperty("detail").GetString(), Does.Contain("255"));
    }

    [Test]
    public async Task Names_everything_that_is_wrong_at_once()
    {
        using var answer = await _server.Client.PostAsync("/api/scheduler/jobs", ApiServer.Json(
            """{"name":null,"priority":"high","surprise":1,"inputs":[null,{"path":7}],"limits":{"wall_seconds":1.5},"payload":{"kind":"command","argv":["a",null],"env":{"A":null}}}"""));
        Assert.That((await ProblemAsync(answer, 422)).FieldsOf(), Is.EquivalentTo(new[]
        {
            "name", "priority", "surprise", "inputs[0]", "inputs[1].path", "inputs[1].sha256", "limits.wall_seconds", "payload.argv[1]", "payload.env.A",
        }));
        using var ranges = await _server.Client.PostAsync("/api/scheduler/jobs", ApiServer.Json("""{"name":"","priority":101,"array":{"count":0},"limits":{"wall_seconds":0},"payload":{"kind":"magic"}}"""));
        Assert.That((await ProblemAsync(ranges, 422)).FieldsOf(), Is.EquivalentTo(new[] { "name", "priority", "array.count", "limits.wall_seconds", "payload.kind" }));
    }

    [TestCaseSource(nameof(Operations))]
    public void Has_a_row_for_every_field_of_the_document(string operation)
    {
        var documented = FieldsOf(_document.BodyOf(operation), "").Select(f => f.Path);
        Assert.That(Tables.Single(t => t.Operation == operation).Fields.Select(f => f.Path), Is.EquivalentTo(documented), "Add a row to InputTable for each new field.");
    }

    [TestCaseSource(nameof(Operations))]
    public void Has_the_ranges_of_the_document(string operation)
    {
        var documented = FieldsOf(_document.BodyOf(operation), "").ToDictionary(f => f.Path);
        using (Assert.EnterMultipleScope())
        {
            foreach (var field in Tables.Single(t => t.Operation == operation).Fields)
            {
                var (_, schema, required) = documented[field.Path];
                Assert.That(ApiDocument.AllowsNull(schema), Is.EqualTo(field.Nullable || field.Conditional), $"{field.Path}: null");
                Assert.That(required, Is.EqualTo(field.Required && !field.Conditional), $"{field.Path}: required");
                Assert.That(Number(schema, "minimum"), Is.EqualTo(field.Least), $"{field.Path}: minimum");
                Assert.That(Number(schema, "maximum"), Is.EqualTo(field.Most), $"{field.Path}: maximum");
                if (field is { Longest: { } longest, Conditional: false })
                    Assert.That(Number(schema, "maxLength"), Is.EqualTo(longest), $"{field.Path}: maxLength");
            }
        }
    }

    private static IEnumerable<string> Operations => Tables.Select(t => t.Operation);

    private static double? Number(JsonElement schema, string name) => schema.TryGetProperty(name, out var number) ? number.GetDouble() : null;

    private IEnumerable<(string Path, JsonElement Schema, bool Required)> FieldsOf(JsonElement schema, string prefix)
    {
        var required = schema.TryGetProperty("required", out var names) ? names.EnumerateArray().Select(n => n.GetString()).ToHashSet() : [];
        foreach (var member in schema.GetProperty("properties").EnumerateObject())
        {
            var path = prefix + member.Name;
            yield return (path, member.Value, required.Contains(member.Name));
            var inner = _document.Resolve(member.Value);
            if (inner.TryGetProperty("items", out var items) && _document.Resolve(items) is var item && item.TryGetProperty("properties", out _))
            {
                yield return (path + "[]", items, false);
                (path, inner) = (path + "[]", item);
            }
            if (!inner.TryGetProperty("properties", out _))
                continue;
            foreach (var field in FieldsOf(inner, path + "."))
                yield return field;
        }
    }
}

/// <summary>The other side of <see cref="BadInputTests"/>: what stands at the edge of each range is taken, so that the refusals above are about the values.</summary>
public sealed class GoodInputTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _server = await ApiServer.StartAsync();
        using var upload = await _server.Client.PutAsync($"/api/artifacts/{InputTable.Sha}", new StringContent(InputTable.Artifact));
        Assert.That((int)upload.StatusCode, Is.EqualTo(201));
    }

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static IEnumerable<TestCaseData> Fields =>
        from table in new[] { ("/api/scheduler/jobs", InputTable.SubmitJob), ("/api/scheduler/quotes", InputTable.QuoteJob), ("/api/idle-compute/devices", InputTable.RegisterDevice) }
        from row in table.Item2
        select new TestCaseData(table.Item1, (string[])[.. row.Right.Select(r => row.With(r)), .. row is { Nullable: true } ? [row.With("null")] : Array.Empty<string>()]).SetArgDisplayNames(row.Path);

    [TestCaseSource(nameof(Fields))]
    public async Task Takes_the_edges(string path, string[] bodies)
    {
        foreach (var body in bodies)
        {
            using var answer = await _server.Client.PostAsync(path, ApiServer.Json(body));
            var text = await answer.Content.ReadAsStringAsync();
            // The largest jobs are beyond what an account is given to begin with.
            var taken = (int)answer.StatusCode == 201 || text.Contains("tokenomics.insufficient_funds", StringComparison.Ordinal);
            Assert.That(taken, Is.True, $"{(body.Length > 500 ? body[..500] + "…" : body)}\n{text}");
        }
    }

    [Test]
    public async Task Reads_a_negative_zero_as_zero()
    {
        await _server.PostAsync("/api/idle-compute/devices", System.Text.Json.Nodes.JsonNode.Parse(InputTable.RegisterDevice.Single(f => f.Path == "battery_percent").With("-0.0"))!);
        Assert.That(await _server.Client.GetStringAsync("/api/idle-compute/devices/lab-pc-7"), Does.Contain("\"battery\":0,"));
    }
}
