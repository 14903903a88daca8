using FogCompute.Cli.Output;

namespace FogCompute.Cli.Tests;

[TestFixture]
internal sealed class UsageTests : CliFixture
{
    private static readonly string[][] Wrong =
    [
        ["run"],
        ["run", "--count", "0", "--", "true"],
        ["run", "--count", "many", "--", "true"],
        ["run", "--count", "5", "--max-concurrent", "0", "--", "true"],
        ["run", "--count", "5", "--max-concurrent", "1000001", "--", "true"],
        ["run", "--count", "5", "--max-concurrent", "some", "--", "true"],
        ["run", "--max-concurrent", "2", "--", "true"],
        ["run", "--sla", "iron", "--", "true"],
        ["run", "--cpu", "-1", "--", "true"],
        ["run", "--env", "NOVALUE", "--", "true"],
        ["run", "--folow", "--", "true"],
        ["run", "sh", "-c", "true"],
        ["job"],
        ["job", "show"],
        ["job", "why", "my-job"],
        ["job", "cancel", "latest"],
        ["slashes", "appeal", "first", "because of it"],
        ["plan", "yesterday"],
        ["job", "list", "--limit", "0"],
        ["job", "list", "--status", "lost"],
        ["job", "logs", JobId, "--task", "-1"],
        ["job", "submit", "no-such-file.json"],
        ["up", "--port", "0"],
        ["completion", "tcsh"],
        ["ledger", "--entries", "0"],
        ["nonsense"],
        ["--server", "not a url", "job", "list"],
        ["--json", "job", "logs", JobId, "--follow"],
    ];

    [TestCaseSource(nameof(Wrong))]
    public async Task Refuses_a_wrong_command_line_with_2_before_anything_is_sent(string[] args)
    {
        var ran = await RunAsync(args);
        Assert.That(ran.ExitCode, Is.EqualTo(2), ran.Error);
        Assert.That(ran.Error, Does.StartWith("error:"));
        Assert.That(Plane.Requests, Is.Empty);
    }

    [TestCase("[1, 2]"), TestCase("[]"), TestCase("\"text\""), TestCase("{\"name\":")]
    public async Task Refuses_a_job_file_that_holds_no_job(string content)
    {
        var ran = await RunAsync(terminal: false, content, "job", "submit", "-");
        Assert.That(ran.ExitCode, Is.EqualTo(2));
        Assert.That(Plane.Requests, Is.Empty);
    }

    [Test]
    public async Task Every_command_has_help_with_an_example()
    {
        using var quiet = new StringWriter();
        var host = new CliHost { Out = quiet, Error = quiet, In = TextReader.Null, Variable = _ => null, CurrentDirectory = Folder };
        var commands = new Queue<(string[] Path, System.CommandLine.Command Command)>([([], FogCommandLine.Create(new GlobalOptions(host)))]);
        var seen = 0;
        while (commands.TryDequeue(out var entry))
        {
            foreach (var child in entry.Command.Subcommands)
                commands.Enqueue(([.. entry.Path, child.Name], child));
            var ran = await RunAsync([.. entry.Path, "--help"]);
            Assert.That(ran.ExitCode, Is.Zero, string.Join(' ', entry.Path));
            Assert.That(ran.Out, Does.Match("Examples?:\n  fog "), string.Join(' ', entry.Path));
            seen++;
        }
        Assert.That(seen, Is.GreaterThan(20));
    }

    [Test]
    public async Task Passes_everything_after_the_dashes_to_the_command_untouched()
    {
        Plane.On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{JobId}}","status":"pending","sla":"silver"}""", 201);
        var ran = await RunAsync("run", "--count", "3", "--sla", "silver", "--cpu", "0.5", "--memory", "64", "--output", "*.txt", "--env", "A=b=c", "--name", "mine", "--wall", "9",
            "--", "prog", "--json", "--count", "@file", "--", "[x]", "");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        var body = Plane.Requests.Single().Body!;
        Assert.That(body["payload"]!["argv"]!.ToJsonString(), Is.EqualTo("""["prog","--json","--count","@file","--","[x]",""]"""));
        Assert.That(body["payload"]!["env"]!.ToJsonString(), Is.EqualTo("""{"A":"b=c"}"""));
        Assert.That(body["outputs"]!.ToJsonString(), Is.EqualTo("""["*.txt"]"""));
        Assert.That(body["array"]!.ToJsonString(), Is.EqualTo("""{"count":3}"""));
        Assert.That((string?)body["sla_tier"], Is.EqualTo("silver"));
        Assert.That((string?)body["isolation"], Is.EqualTo("sandbox"));
        Assert.That((double?)body["cpu_required"], Is.EqualTo(0.5));
        Assert.That((int?)body["memory_required"], Is.EqualTo(64));
        Assert.That((string?)body["name"], Is.EqualTo("mine"));
        Assert.That((int?)body["limits"]!["wall_seconds"], Is.EqualTo(9));
        Assert.That(Plane.Requests.Single().IdempotencyKey, Is.Not.Null.And.Not.Empty);
    }

    [Test]
    public async Task Limits_how_many_tasks_of_an_array_run_at_once_when_told_to()
    {
        Plane.On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{JobId}}","status":"pending","sla":"bronze"}""", 201);
        Assert.That((await RunAsync("run", "--count", "10", "--max-concurrent", "4", "--", "true")).ExitCode, Is.Zero);
        Assert.That(Plane.Requests.Single().Body!["array"]!.ToJsonString(), Is.EqualTo("""{"count":10,"max_concurrent":4}"""));
    }

    [Test]
    public async Task Sends_the_token_from_the_option_before_the_one_from_the_environment()
    {
        Plane.On("GET", "/api/scheduler/jobs", """{"jobs":[],"total":0}""");
        Variables["FOG_TOKEN"] = "from-environment";
        await RunAsync("job", "list");
        await RunAsync("--token", "from-option", "job", "list");
        Assert.That(Plane.Requests.Select(r => r.Authorization), Is.EqualTo(new[] { "Bearer from-environment", "Bearer from-option" }));
    }

    [TestCase("bash"), TestCase("zsh"), TestCase("fish")]
    public async Task Prints_a_completion_script_that_asks_the_command_itself(string shell)
    {
        var ran = await RunAsync("completion", shell);
        Assert.That(ran.ExitCode, Is.Zero);
        Assert.That(ran.Out, Does.Contain("complete --position"));
        if (shell == "bash")
            Assert.That(await BashAcceptsAsync(ran.Out), Is.True, ran.Out);
    }

    [TestCase("./fog job s", "show"), TestCase("/opt/fog/fog job submit --fo", "--follow"), TestCase("fog run --sla g", "gold"), TestCase("fog dem", "demo"),
     TestCase("fog completion z", "zsh")]
    public async Task Completes_the_word_under_the_cursor(string line, string expected)
    {
        var ran = await RunAsync("complete", "--position", line.Length.ToString(), line);
        Assert.That(ran.Out.Split('\n'), Does.Contain(expected));
    }

    [Test]
    public async Task Does_not_offer_its_own_helper_commands()
    {
        var ran = await RunAsync("complete", "fog comp");
        Assert.That(ran.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.EqualTo(new[] { "completion" }));
    }

    private static async Task<bool> BashAcceptsAsync(string script)
    {
        var start = new System.Diagnostics.ProcessStartInfo("bash", "-n") { RedirectStandardInput = true, UseShellExecute = false };
        using var bash = System.Diagnostics.Process.Start(start)!;
        await bash.StandardInput.WriteAsync(script);
        bash.StandardInput.Close();
        await bash.WaitForExitAsync();
        return bash.ExitCode == 0;
    }
}
