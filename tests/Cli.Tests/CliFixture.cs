using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Tests;

/// <summary>What a run of the command left: exit code and both streams.</summary>
internal sealed record Ran(int ExitCode, string Out, string Error)
{
    /// <summary>Stdout as one JSON document; fails the test when it is anything else.</summary>
    public JsonNode Json => JsonNode.Parse(Out) ?? throw new InvalidOperationException("stdout is the JSON null");
}

/// <summary>A fake control plane, a private folder and the command run in this process.</summary>
internal abstract class CliFixture
{
    protected const string JobId = "0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10";
    protected const string JobRoute = "/api/scheduler/jobs/" + JobId;

    protected FakeControlPlane Plane { get; private set; } = null!;
    protected string Folder { get; private set; } = null!;

    /// <summary>Environment of the command; the server is set already.</summary>
    protected Dictionary<string, string> Variables { get; private set; } = null!;

    /// <summary>Width of the terminal, where the command runs on one.</summary>
    protected int? Columns { get; set; }

    /// <summary>Ctrl-C.</summary>
    protected CancellationToken Interrupted { get; set; }

    [SetUp]
    public async Task StartPlaneAsync()
    {
        Columns = null;
        Interrupted = CancellationToken.None;
        Plane = await FakeControlPlane.StartAsync();
        Folder = Directory.CreateTempSubdirectory("fog-cli-test-").FullName;
        Variables = new Dictionary<string, string>(StringComparer.Ordinal) { ["FOG_SERVER"] = Plane.Url, ["FOG_HOME"] = Path.Combine(Folder, "home") };
    }

    [TearDown]
    public async Task StopPlaneAsync()
    {
        await Plane.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    protected Task<Ran> RunAsync(params string[] args) => RunAsync(terminal: false, "", args);

    protected async Task<Ran> RunAsync(bool terminal, string input, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var host = new CliHost
        {
            Out = output,
            Error = error,
            In = new StringReader(input),
            OutIsTerminal = terminal,
            ErrorIsTerminal = terminal,
            Columns = Columns,
            Variable = name => Variables.GetValueOrDefault(name),
            CurrentDirectory = Folder,
        };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.CurrentContext.CancellationToken, Interrupted);
        var code = await FogCommandLine.RunAsync(args, host, stop.Token);
        return new Ran(code, output.ToString(), error.ToString());
    }

    protected static string Job(string status, string more = "") =>
        $$"""
        {"id":"{{JobId}}","name":"hello","status":"{{status}}","sla":"bronze","cpu":1,"memory":256,"progress":100,
         "submitted":"2026-01-02T03:04:05Z","completed":"2026-01-02T03:04:07Z","tasks":{"total":1,"succeeded":1,"running":0},
         "cost":{"quoted":0.01,"held":0,"charged":0.000123}{{more}}}
        """;

    protected static string Problem(int status, string code, string detail, string errors = "") =>
        $$"""{"type":"about:blank","title":"Refused","status":{{status}},"detail":"{{detail}}","code":"{{code}}","traceId":"t-1"{{errors}}}""";
}
