using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>One wrong value: JSON as it is sent, and what else the row needs.</summary>
/// <param name="Json">The raw value, so that numbers and escapes arrive as they stand here.</param>
/// <param name="Body">Another body to put it in than the field's own.</param>
/// <param name="At">The field that the refusal names, where it is not the one that was set.</param>
/// <param name="Says">What the refusal must contain.</param>
internal sealed record Wrong(string Label, string Json, string? Body = null, string? At = null, params string[] Says);

/// <summary>One row: a field of a request body, what it takes and what it refuses.</summary>
/// <param name="Path">Wire name; <c>[]</c> is an element of a list: <c>inputs[].path</c>.</param>
internal sealed record Field(string Path, IReadOnlyList<Wrong> Wrong)
{
    private const string Marker = "@value@";

    /// <summary>A body that is taken as it stands and in which this field means something.</summary>
    public string Body { get; init; } = InputTable.Job;
    public bool Required { get; init; }

    /// <summary>Whether null stands for "not given".</summary>
    public bool Nullable { get; init; }

    /// <summary>The document cannot say that the field is needed, or not null: that depends on another field.</summary>
    public bool Conditional { get; init; }
    public double? Least { get; init; }
    public double? Most { get; init; }
    public int? Longest { get; init; }

    /// <summary>What every refusal of a value of this field must contain: its range.</summary>
    public IReadOnlyList<string> Says { get; init; } = [];

    /// <summary>Values at the edges of what is allowed.</summary>
    public IReadOnlyList<string> Right { get; init; } = [];

    public string With(string json, string? body = null)
    {
        var (root, set, _) = Find(body ?? Body);
        set(JsonValue.Create(Marker));
        return root.ToJsonString().Replace($"\"{Marker}\"", json, StringComparison.Ordinal);
    }

    public string Without()
    {
        var (root, _, remove) = Find(Body);
        remove();
        return root.ToJsonString();
    }

    private (JsonObject Root, Action<JsonNode> Set, Action Remove) Find(string body)
    {
        var root = JsonNode.Parse(body)!.AsObject();
        var node = root;
        var parts = Path.Split('.');
        foreach (var part in parts[..^1])
            node = (part.EndsWith("[]", StringComparison.Ordinal) ? List(node, part)[0]! : node[part] ??= new JsonObject()).AsObject();
        var (parent, last) = (node, parts[^1]);
        return last.EndsWith("[]", StringComparison.Ordinal)
            ? (root, value => List(parent, last)[0] = value, () => List(parent, last).RemoveAt(0))
            : (root, value => parent[last] = value, () => parent.Remove(last));
    }

    private static JsonArray List(JsonObject parent, string part) => (parent[part[..^2]] ??= new JsonArray(new JsonObject())).AsArray();

    public Field Refusing(params Wrong[] more) => this with { Wrong = [.. Wrong, .. more] };
}

/// <summary>
/// Every field of a job submit and of a device registration with the values it must refuse. A new field needs a row here:
/// <see cref="BadInputTests.Has_a_row_for_every_field_of_the_document"/>.
/// </summary>
internal static class InputTable
{
    /// <summary>Uploaded before the table is used.</summary>
    public const string Artifact = "what inputs and modules of the input table name";

    public static readonly string Sha = Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(Artifact)));

    public const string Job = """{"name":"test-job"}""";
    public const string Device = """{"device_id":"lab-pc-7","device_type":"desktop","cpu_cores":8,"memory_mb":16384}""";
    private const string Builtin = """{"name":"test-job","payload":{"kind":"builtin","kernel":"sleep","parameters":{"seconds":1}}}""";
    private const string Command = """{"name":"test-job","payload":{"kind":"command","argv":["true"]}}""";
    private static readonly string Wasm = $$"""{"name":"test-job","payload":{"module":"{{Sha}}","kind":"wasm"} }""";
    private const string Container = """{"name":"test-job","payload":{"kind":"container","image":"x"}}""";
    private static readonly string Input = $$"""{"name":"test-job","inputs":[{"path":"in","sha256":"{{Sha}}"}]}""";

    private static readonly string[] Kinds = ["builtin", "command", "wasm", "container"];
    private static readonly string[] Isolations = ["process", "sandbox", "container", "wasm"];

    public static readonly IReadOnlyList<Field> SubmitJob =
    [
        Line("name", 200) with { Required = true },
        Word("sla_tier", "bronze", "silver", "gold", "platinum"),
        Number("cpu_required", 0.01m, 1024),
        Number("memory_required", 1, 16_777_216),
        Number("gpu_required", 0, 64),
        Number("duration_estimate", 0.001m, 10_080),
        Number("data_size_mb", 0, 16_777_216),

        Object("payload", """{"kind":"builtin","kernel":"noop"}""") with { Nullable = true },
        Spelled("payload.kind", Kinds) with { Required = true, Body = Builtin, Right = ["\"builtin\""] },
        Spelled("payload.kernel", "noop", "sleep", "device-benchmark", "mandelbrot-tile").Refusing(Foreign("\"noop\"", Command)) with { Required = true, Conditional = true, Body = Builtin },
        Map("payload.parameters", 32, "1", "\"x\"").Refusing(
            new("infinite", """{"seconds":1e400}"""), new("not a number", """{"seconds":"NaN"}"""), new("name of 65", $$"""{"{{new string('x', 65)}}":1}""", Says: "64"),
            new("name of nothing", """{"":1}"""), Foreign("""{"seconds":1}""", Command)) with { Nullable = true, Body = Builtin },
        List("payload.argv", 256, i => $"\"{i}\"", isSet: false).Refusing(
            new("nothing to run", "[]"), new("program without name", "[\"\"]"), new("number among words", "[\"a\",7]"), new("NUL", """["a\u0000b"]"""), new("half a character", """["\ud800"]"""),
            new("too long together", $"[{Repeat('x', 131_073)}]", Says: "131072"), Foreign("[\"true\"]", Builtin)) with { Required = true, Conditional = true, Body = Command },
        Sha256("payload.module").Refusing(Foreign($"\"{Sha}\"", Command)) with { Required = true, Conditional = true, Body = Wasm },
        List("payload.args", 256, i => $"\"{i}\"", isSet: false).Refusing(
            new("number among words", "[\"a\",7]"), new("NUL", """["a\u0000b"]"""), new("half a character", """["\udc00"]"""),
            new("too long together", $"[{Repeat('x', 131_073)}]", Says: "131072"), Foreign("[\"x\"]", Command)) with { Nullable = true, Body = Wasm },
        Text("payload.image", 512, empty: false).Refusing(Foreign("\"x\"", Command), new("of a kind nobody offers", "\"alpine\"", At: "payload.kind", Says: "container"))
            with { Required = true, Conditional = true, Body = Container, Right = [] },
        Map("payload.env", 128, "\"x\"", "7").Refusing(
            new("name with a dash", """{"A-B":"x"}"""), new("name with a digit first", """{"1A":"x"}"""), new("name of nothing", """{"":"x"}"""), new("reserved name", """{"FOG_TASK_INDEX":"x"}"""),
            new("name of 129", $$"""{"{{new string('A', 129)}}":"x"}"""), new("value of 32769", $"{{\"A\":{Repeat('x', 32_769)}}}", Says: "32768"),
            new("NUL in a value", """{"A":"a\u0000b"}"""), new("half a character in a value", """{"A":"\ud800"}"""), Foreign("""{"A":"x"}""", Builtin)) with { Nullable = true, Body = Command },
        Text("payload.stdin", 262_144, empty: true).Refusing(Foreign("\"x\"", Builtin)) with { Nullable = true, Body = Command },
        Flag("payload.reuse_runner").Refusing(Foreign("true", Command)) with { Body = Wasm },

        List("inputs", 1024, i => $$"""{"path":"in/{{i}}","sha256":"{{Sha}}"}""").Refusing(
            new("a word among them", "[\"in\"]"),
            new("a null beside a wrong one", $$"""[null,{"path":"..","sha256":"{{Sha}}"}]""")),
        Object("inputs[]", $$"""{"path":"in","sha256":"{{Sha}}"}""") with { Body = Input },
        RelativePath("inputs[].path") with { Required = true, Body = Input },
        Sha256("inputs[].sha256").Refusing(new Wrong("nobody uploaded it", $"\"{new string('0', 64)}\"", Says: "Upload")) with { Required = true, Body = Input },
        Flag("inputs[].executable") with { Body = Input },
        List("outputs", 64, i => $"\"out/{i}\"").Refusing(
            new("out of the folder", "[\"../x\"]"), new("absolute", "[\"/etc/passwd\"]"), new("backslash", """["a\\b"]"""), new("empty part", "[\"a//b\"]"), new("nothing", "[\"\"]"),
            new("pattern of 513", $"[{Repeat('x', 513)}]", Says: "512"), new("NUL", """["a\u0000b"]"""), new("half a character", """["\ud800"]"""), new("a number", "[7]")),

        Object("checkpoint", """{"path":"state"}""") with { Nullable = true, Body = Command, Right = ["{}", """{"path":"state"}"""] },
        RelativePath("checkpoint.path").Refusing(new Wrong("of a kernel", "\"state\"", Builtin, At: "checkpoint", Says: "command")) with { Body = Command },
        Object("array", """{"count":1}""") with { Nullable = true },
        // The upper edge costs more credits than the caller has: the validator's own test has it.
        Whole("array.count", 1, 1_000_000) with { Required = true, Right = ["1", "\"2\"", "3.0", "1e1"] },
        Whole("array.max_concurrent", 1, 1_000_000) with { Body = """{"name":"n","array":{"count":1}}""", Nullable = true },
        List("depends_on", 256, i => $"\"0190f7a0-0000-7000-8000-{i:x12}\"").Refusing(
            new("no id", "[\"test-job\"]"), new("a number", "[7]"), new("id without dashes", "[\"0190f7a0000070008000000000000001\"]"), new("id in braces", "[\"{0190f7a0-0000-7000-8000-000000000001}\"]"),
            new("no such job", """["0190f7a0-0000-7000-8000-000000000001"]""")) with { Right = ["[]"] },

        Object("limits", "{}") with { Nullable = true },
        Whole("limits.queue_seconds", 1, 31_536_000) with { Nullable = true },
        Whole("limits.stage_in_seconds", 1, 86_400) with { Nullable = true },
        Whole("limits.wall_seconds", 1, 604_800) with { Nullable = true },
        Whole("limits.stage_out_seconds", 1, 86_400) with { Nullable = true },
        Whole("limits.memory_bytes", 1 << 20, 1L << 44) with { Nullable = true },
        Whole("limits.disk_bytes", 0, 1L << 44) with { Nullable = true },
        Whole("limits.output_bytes", 0, 1L << 40) with { Nullable = true },
        Whole("limits.processes", 1, 4096) with { Nullable = true },

        Word("isolation", Isolations) with { Nullable = true },
        Word("network", "none", "full").Refusing(new Wrong("of a wasm payload", "\"full\"", Wasm)),
        new Field("deadline",
        [
            .. NotText, new("no time", "\"soon\""), new("nothing", "\"\""), new("a day that is none", "\"2031-02-30T12:00:00Z\""), new("without offset", "\"2031-01-31T12:00:00\"", Says: "offset"),
            new("only a day", "\"2031-01-31\"", Says: "offset"), new("past", "\"2020-01-31T12:00:00Z\"", Says: "past"), new("year 10000", "\"10000-01-31T12:00:00Z\""),
            new("beyond the calendar", "\"9999-12-31T23:59:59-14:00\""), new("before the calendar", "\"0001-01-01T00:00:00+14:00\""), new("half a character", "\"\\ud800\""),
        ]) { Nullable = true, Right = ["\"2999-01-31T12:00:00Z\"", "\"2999-01-31T12:00:00.5+14:00\"", "\"9999-12-31T23:59:59Z\""] },
        Whole("priority", 0, 100),
        Whole("retries", 0, 20),
        Number("max_price", 0.000001m, 1_000_000).Refusing(new Wrong("below the quote", "0.000001", At: "max_price", Says: "quote")) with { Nullable = true, Right = ["1000000", "\"1000000\""] },
        Flag("deterministic"),
        Object("constraints", "{}") with { Nullable = true },
        Words("constraints.labels", 32),
        Words("constraints.regions", 32),
        List("constraints.exclude_devices", 256, i => $"\"pc-{i}\"").Refusing(
            new("no device id", "[\"a b\"]"), new("empty id", "[\"\"]"), new("id of 256", $"[{Repeat('x', 256)}]", Says: "255"), new("a number", "[7]"), new("NUL", """["a\u0000b"]"""), new("half a character", """["\ud800"]""")),
        new Field("quote_id",
        [
            .. NotText, new("no id", "\"test-job\""), new("nothing", "\"\""), new("id without dashes", "\"0190f7a0000070008000000000000001\""), new("id in braces", "\"{0190f7a0-0000-7000-8000-000000000001}\""),
            new("half a character", "\"\\ud800\""), new("no such quote", "\"0190f7a0-0000-7000-8000-000000000001\""),
        ]) { Nullable = true },
        Word("plan", "knee", "fast", "cheap", "safe", "green") with { Nullable = true },
        Word("privacy_level", "public", "private", "confidential", "secret").Refusing(
            new Wrong("a path that there is not", "\"private\"", At: "privacy_level", Says: "'public'"), new Wrong("another path that there is not", "\"secret\"", At: "privacy_level", Says: "'public'")) with { Right = ["\"public\""] },
    ];

    /// <summary>The same body; what names a quote means nothing in it.</summary>
    public static readonly IReadOnlyList<Field> QuoteJob =
        [.. SubmitJob.Select(f => f.Path is "quote_id" or "plan" ? f.Refusing(new Wrong("of a submit", f.Path == "plan" ? "\"fast\"" : "\"0190f7a0-0000-7000-8000-000000000002\"", At: f.Path, Says: "means nothing to a quote")) with { Right = [] } : f)];

    public static readonly IReadOnlyList<Field> RegisterDevice =
    [
        .. new[]
        {
            Text("device_id", 255, empty: false).Refusing(new("space", "\"a b\""), new("slash", "\"a/b\""), new("letter of another script", "\"gerät\"")) with { Required = true },
            Word("device_type", "android", "ios", "desktop", "laptop", "tablet", "edge") with { Required = true },
            Number("cpu_cores", 1, 1024) with { Required = true },
            Whole("memory_mb", 1, 16_777_216) with { Required = true },
            Number("battery_percent", 0, 100) with { Nullable = true },
            Flag("is_charging") with { Nullable = true },
            Line("name", 200) with { Nullable = true },
            Line("platform", 200) with { Nullable = true },
            Whole("disk_mb", 0, 1L << 40) with { Nullable = true },
            Whole("gpu_count", 0, 64) with { Nullable = true },
            Whole("slots", 1, 1024) with { Nullable = true },
            WordList("isolation", Isolations) with { Nullable = true },
            WordList("payload_kinds", Kinds) with { Nullable = true },
            Flag("network_allowed") with { Nullable = true },
            Words("labels", 32) with { Nullable = true },
            Line("region", 64) with { Nullable = true },
            Number("benchmark_score", 0, 1_000_000_000_000_000m) with { Nullable = true },
            Number("cpu_ghz", 0, 100) with { Nullable = true },
            new Field("public_key",
            [
                .. NotText, new("NUL", "\"\\u0000\""), new("half a character", "\"\\ud800\""), new("nothing", "\"\"", Says: "P-256"), new("no base64", "\"!!!!\"", Says: "P-256"), new("no key", "\"AAAA\"", Says: "P-256"), new("too long", Repeat('A', 1024), Says: "P-256"),
                new("P-384", $"\"{KeyOn(ECCurve.NamedCurves.nistP384)}\"", Says: "P-256"),
                new("another curve of 256 bits", $"\"{KeyOn(ECCurve.CreateFromFriendlyName("secp256k1"))}\"", Says: "P-256"),
            ]) { Nullable = true, Right = [$"\"{KeyOn(ECCurve.NamedCurves.nistP256)}\""] },
            Whole("offline_grace_seconds", 0, 86_400) with { Nullable = true },
        }.Select(f => f with { Body = Device }),
    ];

    public const string OwnStake = """{"amount":1.5}""";
    public const string OwnClaim = """{"address":"fog1"}""";
    public const string Appeal = """{"reason":"nobody lied here"}""";
    public const string Verdict = """{"uphold":true,"reason":"nobody lied here"}""";

    /// <summary>Of a stake and of an unstaking.</summary>
    public static readonly IReadOnlyList<Field> StakeAmount =
    [
        Number("amount", 0.000001m, 1_000_000).Refusing(new Wrong("seven decimals", "1.0000001", At: "amount", Says: "six decimals")) with { Body = OwnStake, Required = true },
        Text("address", 100, empty: false) with { Body = OwnStake, Nullable = true },
    ];

    public static readonly IReadOnlyList<Field> ClaimUnbonded = [Text("address", 100, empty: false) with { Body = OwnClaim, Nullable = true }];

    public static readonly IReadOnlyList<Field> AppealSlash =
        [Text("reason", 2000, empty: false).Refusing(new Wrong("nine characters", Repeat('x', 9), Says: "10")) with { Body = Appeal, Required = true }];

    public static readonly IReadOnlyList<Field> DecideSlash =
    [
        Flag("uphold") with { Body = Verdict, Required = true },
        Text("reason", 2000, empty: false).Refusing(new Wrong("nine characters", Repeat('x', 9), Says: "10")) with { Body = Verdict, Required = true },
    ];

    public const string Proposal = """{"title":"A proposal of the table","description":"What is proposed here is proposed for reasons that fill fifty characters."}""";
    private static readonly string SetParameter = Proposal[..^1] + ""","action":{"type":"set_parameter","name":"pricing.core_hour_micro","value":80000}}""";
    private static readonly string TreasuryTransfer = Proposal[..^1] + ""","action":{"type":"treasury_transfer","to":"fog1","amount":1}}""";
    private static readonly string DecideSlashAction = Proposal[..^1] + ""","action":{"type":"decide_slash","slash_id":"0190f7a0-0000-7000-8000-000000000001","uphold":true}}""";
    private const string Ballot = """{"proposal_id":"0000000000000000000000000000000000000000000000000000000000000000","vote":true}""";

    public static readonly IReadOnlyList<Field> CreateProposal =
    [
        Line("title", 200).Refusing(new Wrong("9 characters", Repeat('x', 9), Says: "10")) with { Required = true, Body = Proposal, Right = [Repeat('x', 200), Repeat('x', 10), "\"ü 😀 for everybody\""] },
        Text("description", 5000, empty: false).Refusing(new Wrong("49 characters", Repeat('x', 49), Says: "50")) with { Required = true, Body = Proposal, Right = [Repeat('x', 50), Repeat('x', 5000)] },
        Text("proposer", 100, empty: false) with { Nullable = true, Body = Proposal, Right = [] },
        Object("action", """{"type":"set_parameter","name":"pricing.core_hour_micro","value":80000}""") with { Nullable = true, Body = Proposal },
        Word("action.type", "set_parameter", "treasury_transfer", "decide_slash") with { Required = true, Body = SetParameter, Right = ["\"set_parameter\""] },
        Text("action.name", 100, empty: false).Refusing(
            new("unknown", "\"supply.cap\"", Says: "pricing.core_hour_micro"), Foreign("\"pricing.core_hour_micro\"", TreasuryTransfer) with { Says = ["set_parameter"] })
            with { Required = true, Conditional = true, Body = SetParameter, Right = ["\"pricing.core_hour_micro\""] },
        new Field("action.value",
        [
            .. NotNumbers, new("a fraction", "1.5"), new("below its bound", "0", Says: "1–100000000"), new("above its bound", "100000001", Says: "1–100000000"), new("what it is already", "100000", Says: "already"),
            Foreign("80000", TreasuryTransfer) with { Says = ["set_parameter"] },
        ]) { Required = true, Conditional = true, Body = SetParameter, Right = ["1", "100000000", "\"2\"", "3.0"] },
        Text("action.to", 100, empty: false).Refusing(new("unknown", "\"fog1nobody\""), Foreign("\"fog1\"", SetParameter) with { Says = ["treasury_transfer"] })
            with { Required = true, Conditional = true, Body = TreasuryTransfer, Right = [] },
        Number("action.amount", 0.000001m, 1_000_000).Refusing(new("seven places", "1.0000001", Says: "six"), Foreign("1", SetParameter) with { Says = ["treasury_transfer"] })
            with { Required = true, Conditional = true, Body = TreasuryTransfer, Says = [], Right = [] },
        new Field("action.slash_id",
        [
            .. NotText, new("no id", "\"slash\""), new("nothing", "\"\""), new("id without dashes", "\"0190f7a0000070008000000000000001\""), new("half a character", "\"\\ud800\""),
            Foreign("\"0190f7a0-0000-7000-8000-000000000001\"", SetParameter) with { Says = ["decide_slash"] },
        ]) { Required = true, Conditional = true, Body = DecideSlashAction },
        Flag("action.uphold").Refusing(Foreign("true", SetParameter) with { Says = ["decide_slash"] }) with { Required = true, Conditional = true, Body = DecideSlashAction, Right = [] },
    ];

    public static readonly IReadOnlyList<Field> Vote =
    [
        Sha256("proposal_id") with { Required = true, Body = Ballot },
        Text("voter", 100, empty: false) with { Nullable = true, Body = Ballot },
        new Field("vote",
        [
            new("a number", "1"), new("a list", "[true]"), new("an object", "{}"), new("another word", "\"yes\""), new("nothing", "\"\""), new("true as text", "\"true\""), new("capitals", "\"For\""), new("blank", "\" for\""),
            new("two words", "\"for,against\""), new("NUL", "\"for\\u0000\""), new("half a character", "\"\\ud800\""),
        ]) { Required = true, Body = Ballot },
        Text("reason", 1000, empty: true) with { Nullable = true, Body = Ballot },
    ];

    public static readonly IReadOnlyList<Field> CancelProposal =
        [Text("reason", 1000, empty: false).Refusing(new Wrong("9 characters", Repeat('x', 9), Says: "10")) with { Required = true, Body = """{"reason":"It was a mistake."}""" }];

    public static readonly IReadOnlyList<Field> Delegate =
    [
        Text("to", 100, empty: false).Refusing(new Wrong("unknown", "\"fog1nobody\"")) with { Nullable = true, Body = """{"to":null}""" },
        Text("address", 100, empty: false) with { Nullable = true, Body = """{"to":null}""" },
    ];

    private const string Newcomer = """{"username":"table","email":"table@example.org","password":"a long way to the sea"}""";
    private static readonly string First = Newcomer[..^1] + ""","token":"fogs_0"}""";
    private const string Credentials = """{"username":"table","password":"x","code":"123456"}""";
    private const string NewPassword = """{"current_password":"x","new_password":"a long way to the sea"}""";
    private const string ResetLink = """{"token":"fogp_0","new_password":"a long way to the sea"}""";

    private static Field Password(string path, string body) =>
        Text(path, 128, empty: false).Refusing(new Wrong("7 characters", Repeat('x', 7), Says: "8"), new Wrong("7 characters of two units each", $"\"{string.Concat(Enumerable.Repeat("😀", 7))}\"", Says: "8"))
            with { Required = true, Body = body };

    private static Field Email(string body) => Text("email", 254, empty: false).Refusing(
        new("no address", "\"ada\""), new("a name with it", "\"Ada <ada@example.org>\""), new("two", "\"a@example.org,b@example.org\""), new("a blank", "\"a da@example.org\""), new("a line break", "\"ada@example.org\\nBcc: x@example.org\""))
        with { Required = true, Body = body };

    private static Field[] NewUser(string body) =>
    [
        Text("username", 64, empty: false).Refusing(new("capitals", "\"Ada\""), new("a blank", "\"a da\""), new("letter of another script", "\"ädä\""), new("an address", "\"ada@example.org\"")) with { Required = true, Body = body },
        Email(body), Password("password", body),
    ];

    public static readonly IReadOnlyList<Field> Register = NewUser(Newcomer);
    public static readonly IReadOnlyList<Field> SetUp = [.. NewUser(First), Text("token", 128, empty: false) with { Required = true, Body = First }];
    public static readonly IReadOnlyList<Field> Login =
    [
        Text("username", 254, empty: false) with { Required = true, Body = Credentials },
        Text("password", 1024, empty: false) with { Required = true, Body = Credentials },
        Text("code", 64, empty: false) with { Nullable = true, Body = Credentials },
    ];
    public static readonly IReadOnlyList<Field> Refresh = [Text("refresh_token", 128, empty: false) with { Required = true, Body = """{"refresh_token":"fogr_0"}""" }];
    public static readonly IReadOnlyList<Field> ChangePassword = [Text("current_password", 1024, empty: false) with { Required = true, Body = NewPassword }, Password("new_password", NewPassword)];
    public static readonly IReadOnlyList<Field> RequestPasswordReset = [Email("""{"email":"table@example.org"}""")];
    public static readonly IReadOnlyList<Field> ResetPassword = [Text("token", 128, empty: false) with { Required = true, Body = ResetLink }, Password("new_password", ResetLink)];
    public static readonly IReadOnlyList<Field> OwnPassword = [Text("password", 1024, empty: false) with { Required = true, Body = """{"password":"x"}""" }];
    public static readonly IReadOnlyList<Field> ConfirmMfa = [Text("code", 64, empty: false) with { Required = true, Body = """{"code":"123456"}""" }];

    public static readonly IReadOnlyList<Field> StartBenchmark =
    [
        Word("type", "latency", "throughput", "stress") with { Required = true, Body = """{"type":"latency"}""" },
        Whole("duration", 1, 3600) with { Body = """{"type":"latency"}""" },
    ];

    public static readonly IReadOnlyList<Field> DeployBetanetNode =
    [
        Line("node_type", 64) with { Body = """{"node_type":"mixnode"}""" },
        Line("region", 64) with { Body = """{"node_type":"mixnode"}""" },
    ];

    private static Wrong[] NotText => [new("a number", "7"), new("true", "true"), new("a list", "[\"a\"]"), new("an object", "{}")];

    private static Wrong[] NotNumbers =>
    [
        new("a word", "\"four\""), new("nothing", "\"\""), new("blank", "\" 4\""), new("hexadecimal", "\"0x4\""), new("two numbers", "\"1,000\""), new("true", "true"), new("a list", "[4]"), new("an object", "{}"),
        new("beyond doubles", "1e400"), new("beyond doubles below", "-1e400"), new("beyond doubles as text", "\"1e400\""), new("not a number", "\"NaN\""), new("infinite", "\"Infinity\""),
        new("2^63", "9223372036854775808"), new("-2^63-1", "-9223372036854775809"), new("2^127", "170141183460469231731687303715884105728"),
    ];

    private static string Text(decimal number) => ((double)number).ToString(CultureInfo.InvariantCulture);

    private static string Raw(decimal number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Repeat(char letter, int times) => $"\"{new string(letter, times)}\"";

    /// <summary>A payload's member under a payload that does not know it: refused, not ignored.</summary>
    private static Wrong Foreign(string json, string body) => new("of another kind", json, body, Says: "payload");

    private static Field Number(string path, decimal least, decimal most) => new(path,
    [
        .. NotNumbers, new("below", Raw(least > 0 ? least / 2 : least - 0.001m)), new("far below", "-1e300"), new("above", Raw(most * 1.001m)), new("far above", "1e300"),
        .. least > 0 ? [new Wrong("negative zero", "-0.0")] : Array.Empty<Wrong>(),
    ]) { Least = (double)least, Most = (double)most, Says = [Range(least), Range(most)], Right = [Raw(least), Raw(most), $"\"{Raw(most)}\"", .. least <= 0 ? ["-0", "-0.0"] : Array.Empty<string>()] };

    private static Field Whole(string path, long least, long most) => new(path,
    [
        .. NotNumbers, new("below", Raw(least - 1)), new("far below", "-2147483649"), new("above", Raw(most + 1)), new("far above", "1e20"), new("a fraction", $"{least}.5"), new("a fraction as text", $"\"{least}.5\""),
        .. least > 0 ? [new Wrong("negative zero", "-0")] : Array.Empty<Wrong>(),
    ]) { Least = least, Most = most, Says = [Range(least), Range(most)], Right = [Raw(least), Raw(most), $"\"{most}\"", $"{most}.0", .. least <= 0 ? ["-0"] : Array.Empty<string>()] };

    /// <summary>As numbers are written in a message.</summary>
    private static string Range(decimal bound) => bound is > 0 and < 0.0001m ? Raw(bound) : Text(bound);

    private static Field Text(string path, int longest, bool empty) => new(path,
    [
        .. NotText, new("NUL", "\"a\\u0000b\""), new("half a character", "\"\\ud800\""), new("the other half", "\"a\\udc00b\""), new($"{longest + 1} characters", Repeat('x', longest + 1), Says: longest.ToString()),
        .. empty ? [] : new[] { new Wrong("nothing", "\"\"") },
    ]) { Longest = longest, Right = [Repeat('x', longest), empty ? "\"\"" : "\"x\""] };

    /// <summary>Text that people read in one line.</summary>
    private static Field Line(string path, int longest) => Text(path, longest, empty: false).Refusing(
        new("line break", "\"a\\nb\""), new("escape sequence", "\"\\u001b[31mred\""), new("only blanks", "\"   \"")) with { Right = [Repeat('x', longest), "\"ü 😀\""] };

    /// <param name="path">See <see cref="Field"/>.</param>
    /// <param name="words">Each refusal of an enumeration names them; a text that is looked up afterwards <see cref="Spelled"/> does so for texts only.</param>
    private static Field Word(string path, params string[] words) => new(path,
    [
        .. NotText, new("unknown", "\"magic\"", Says: words), new("nothing", "\"\"", Says: words), new("capitals", $"\"{words[0].ToUpperInvariant()}\"", Says: words), new("number of a word", "\"1\"", Says: words),
        new("two words", $"\"{words[0]},{words[1]}\"", Says: words), new("two words with a blank", $"\"{words[0]}, {words[1]}\"", Says: words), new("blank", $"\" {words[0]}\"", Says: words),
        new("NUL", $"\"{words[0]}\\u0000\""), new("half a character", "\"\\ud800\""), new("too long", Repeat('x', 100_000), Says: words),
    ]) { Says = words, Right = [.. words.Select(w => $"\"{w}\"")] };

    private static Field Spelled(string path, params string[] words) => Word(path, words) with { Says = [] };

    private static Field Flag(string path) => new(path,
    [
        new("as text", "\"true\""), new("a number", "1"), new("a word", "\"yes\""), new("nothing", "\"\""), new("a list", "[true]"), new("an object", "{}"), new("half a character", "\"\\ud800\""),
    ]) { Right = ["true", "false"] };

    private static Field Object(string path, string right) => new(path,
    [
        new("text", "\"x\""), new("a number", "7"), new("true", "true"), new("a list", "[]"),
        new("unknown member", right.Replace("}", right == "{}" ? "\"surprise\":1}" : ",\"surprise\":1}", StringComparison.Ordinal), At: path + ".surprise", Says: "not a field"),
        new("member that is half a character", right.Replace("}", right == "{}" ? "\"\\ud800\":1}" : ",\"\\ud800\":1}", StringComparison.Ordinal)),
    ]) { Right = [right] };

    private static Field List(string path, int most, Func<int, string> item, bool isSet = true) => new(path,
    [
        new("text", "\"x\""), new("a number", "7"), new("true", "true"), new("an object", "{}"), new("a null in it", "[null]"), new("a null beside others", $"[{item(1)},null]"), new("a list in it", "[[]]"),
        new($"{most + 1} of them", $"[{string.Join(',', Enumerable.Range(0, most + 1).Select(item))}]", Says: most.ToString()),
        .. isSet ? [new Wrong("twice the same", $"[{item(1)},{item(1)}]")] : Array.Empty<Wrong>(),
    ]) { Right = [$"[{item(1)}]", $"[{string.Join(',', Enumerable.Range(0, most).Select(item))}]"] };

    private static Field Words(string path, int most) => List(path, most, i => $"\"word-{i}\"").Refusing(
        new("nothing", "[\"\"]"), new("word of 65", $"[{Repeat('x', 65)}]", Says: "64"), new("line break", "[\"a\\nb\"]"), new("NUL", """["a\u0000b"]"""), new("half a character", """["\ud800"]"""), new("a number", "[7]"), new("only blanks", "[\"  \"]"));

    /// <summary>A set of the given words.</summary>
    private static Field WordList(string path, params string[] words) => new(path,
    [
        new("text", $"\"{words[0]}\""), new("a number", "7"), new("true", "true"), new("an object", "{}"), new("a null in it", "[null]"), new("a null beside others", $"[\"{words[0]}\",null]"), new("unknown", "[\"magic\"]", Says: words),
        new("capitals", $"[\"{words[0].ToUpperInvariant()}\"]", Says: words), new("number of a word", "[1]"), new("NUL", """["\u0000"]"""), new("half a character", """["\ud800"]"""), new("twice the same", $"[\"{words[0]}\",\"{words[0]}\"]"),
        new("a thousand of them", $"[{string.Join(',', Enumerable.Repeat($"\"{words[1]}\"", 1000))}]"),
    ]) { Right = ["[]", $"[{string.Join(',', words.Select(w => $"\"{w}\""))}]"] };

    private static Field Map(string path, int most, string right, string wrong) => new(path,
    [
        new("text", "\"x\""), new("a number", "7"), new("a list", "[]"), new("a null in it", """{"A":null}"""), new("a null beside others", $$"""{"A":{{right}},"B":null}"""), new("a wrong value", $$"""{"A":{{wrong}}}"""), new("a list in it", """{"A":[]}"""),
        new("twice the same", $$"""{"A":{{right}},"A":{{right}}}"""), new("NUL in a name", $$"""{"A\u0000":{{right}}}"""), new("half a character in a name", $$"""{"\ud800":{{right}}}"""),
        new($"{most + 1} of them", $"{{{string.Join(',', Enumerable.Range(0, most + 1).Select(i => $"\"A{i}\":{right}"))}}}", Says: most.ToString()),
    ]) { Right = ["{}", $$"""{"A":{{right}}}""", $"{{{string.Join(',', Enumerable.Range(0, most).Select(i => $"\"A{i}\":{right}"))}}}"] };

    private static Field Sha256(string path) => new(path,
    [
        .. NotText, new("nothing", "\"\""), new("63 digits", $"\"{Sha[1..]}\""), new("65 digits", $"\"{Sha}0\""), new("capitals", $"\"{new string('A', 64)}\""), new("no digit", $"\"{new string('g', 64)}\""),
        new("NUL", $"\"{Sha[1..]}\\u0000\""), new("half a character", $"\"{Sha[1..]}\\ud800\""),
    ]) { Right = [$"\"{Sha}\""] };

    private static Field RelativePath(string path) => Text(path, 512, empty: false).Refusing(
        new("out of the folder", "\"../etc/passwd\""), new("out of the folder on the way", "\"a/../../b\""), new("absolute", "\"/etc/passwd\""), new("backslash", "\"a\\\\b\""), new("empty part", "\"a//b\""), new("the folder itself", "\".\""), new("line break", "\"a\\nb\"")) with { Longest = null };

    private static string KeyOn(ECCurve curve)
    {
        using var key = ECDsa.Create(curve);
        return Convert.ToBase64String(key.ExportSubjectPublicKeyInfo());
    }
}
