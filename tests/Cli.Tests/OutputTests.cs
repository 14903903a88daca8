using System.Security.Cryptography;
using System.Text;
using FogCompute.Cli.Output;
using Microsoft.AspNetCore.Http;

namespace FogCompute.Cli.Tests;

[TestFixture]
internal sealed class OutputTests : CliFixture
{
    private const char Escape = '\u001b';

    private static readonly string[][] JsonCommands =
    [
        ["job", "list"], ["job", "show", JobId], ["job", "why", JobId], ["job", "logs", JobId], ["job", "cancel", JobId], ["job", "outputs", JobId],
        ["ledger", "--entries", "5", "--audit"], ["audit"], ["node", "list"], ["node", "why", "ada"], ["run", "--", "true"], ["run", "--follow", "--", "true"], ["doctor"],
        ["plan"], ["quote", "--", "true"], ["run", "--plan", "knee", "--", "true"],
    ];

    [TestCaseSource(nameof(JsonCommands))]
    public async Task With_json_stdout_is_one_document_and_nothing_else(string[] args)
    {
        GiveAnswers();
        var ran = await RunAsync(["--json", .. args]);
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(() => ran.Json, Throws.Nothing, ran.Out);
    }

    [Test]
    public async Task With_json_a_refusal_is_a_document_too()
    {
        Plane.On("GET", JobRoute, Problem(404, "scheduler.job_not_found", "There is no such job."), 404);
        var ran = await RunAsync("job", "show", JobId, "--json");
        Assert.That((int?)ran.Json["error"]!["exitCode"], Is.EqualTo(3));
        Assert.That((string?)ran.Json["error"]!["problem"]!["code"], Is.EqualTo("scheduler.job_not_found"));
    }

    [Test]
    public async Task With_json_a_wrong_command_line_is_a_document_too()
    {
        var ran = await RunAsync("--json", "job", "list", "--limit", "0");
        Assert.That((int?)ran.Json["error"]!["exitCode"], Is.EqualTo(2));
    }

    [Test]
    public async Task Colours_a_terminal_unless_NO_COLOR_is_set()
    {
        GiveAnswers();
        var coloured = await RunAsync(terminal: true, "", "ledger", "--audit");
        Variables["NO_COLOR"] = "1";
        var plain = await RunAsync(terminal: true, "", "ledger", "--audit");
        Assert.That(coloured.Out, Does.Contain("The ledger balances."));
        Assert.That(plain.Out, Does.Contain("The ledger balances.").And.Not.Contain(Escape));
        // The library asks the terminal type before it colours; where the test machine names a capable one the escape must be there.
        if (Environment.GetEnvironmentVariable("TERM") is { } term && term.Contains("xterm", StringComparison.Ordinal))
            Assert.That(coloured.Out, Does.Contain(Escape));
    }

    [Test]
    public async Task Writes_no_escape_sequences_where_no_terminal_is()
    {
        GiveAnswers();
        foreach (var args in JsonCommands)
        {
            var ran = await RunAsync(args);
            Assert.That(ran.Out + ran.Error, Does.Not.Contain(Escape), string.Join(' ', args));
        }
    }

    [Test]
    public async Task Prints_the_log_of_the_followed_job_on_stdout_and_the_rest_on_stderr()
    {
        GiveAnswers();
        var ran = await RunAsync("run", "--follow", "--", "echo", "hello");
        Assert.That(ran.Out, Is.EqualTo("hello\nworld\n"));
        Assert.That(ran.Error, Does.Contain("completed").And.Contain("0.000123 credits"));
    }

    [Test]
    public async Task Keeps_control_characters_of_a_job_away_from_the_terminal()
    {
        GiveAnswers(log: "evil \\u001b[2J\\u0007 text\\n");
        var terminal = await RunAsync(terminal: true, "", "job", "logs", JobId, "--follow");
        Assert.That(terminal.Out, Does.Contain("evil").And.Not.Contain(Escape).And.Not.Contain('\u0007'));
        var redirected = await RunAsync("job", "logs", JobId, "--follow");
        Assert.That(redirected.Out, Does.Contain($"evil {Escape}[2J"));
    }

    [Test]
    public void Prints_only_whole_lines_of_tasks_that_write_at_the_same_time()
    {
        var text = new StringBuilder();
        var printer = new Commands.LogPrinter(prefix: true, s => text.Append(s));
        printer.Write(0, "a");
        printer.Write(1, "one\ntw");
        printer.Write(0, "b\n");
        printer.Write(1, "o");
        printer.Flush();
        Assert.That(text.ToString(), Is.EqualTo("[1] one\n[0] ab\n[1] two\n"));
    }

    [Test]
    public async Task Says_why_a_job_waits()
    {
        GiveAnswers();
        var ran = await RunAsync("job", "why", JobId);
        Assert.That(ran.Out, Does.Contain("No device has 4 free cores.").And.Contain("1, next to be served"));
        Assert.That(ran.Out, Does.Contain("Devices: 0 of 2 could take it this moment").And.Contain("  2 refused: capacity_cpu (needs 4 cores)"));
        Assert.That(ran.Out, Does.Not.Contain("What would change it"));
    }

    [Test]
    public async Task Says_who_is_ahead_what_refuses_devices_and_what_would_change_it()
    {
        Plane.On("GET", JobRoute + "/why", """
            {"state":"pending","summary":"Three jobs are before it.","queuePosition":4,
             "ahead":[{"jobId":"a-1","priority":90,"openTasks":12},{"jobId":"a-2","priority":50,"openTasks":1}],
             "reasons":[{"code":"queued_behind","message":"3 job(s) are served before it.","count":3},{"code":"memory","message":"5 device(s) have less than 8192 MiB of memory.","count":5}],
             "devices":{"total":9,"eligible":1,"refused":{"memory":5,"busy":3} },
             "changes":[{"code":"more_devices","message":"2 more devices with ≥ 8 GiB.","devices":2},{"code":"higher_priority","message":"A priority above 90 would put it first.","devices":null}]}
            """);
        var ran = await RunAsync("job", "why", JobId);
        Assert.That(ran.Out.ReplaceLineEndings("\n"), Is.EqualTo("""
            Three jobs are before it.
            Queue position: 4, behind:
              a-1  priority 90, 12 open tasks
              a-2  priority 50, 1 open task
              and 1 other job
            Reasons:
              queued_behind (3): 3 job(s) are served before it.
            Devices: 1 of 9 could take it this moment
              5 refused: memory (5 device(s) have less than 8192 MiB of memory.)
              3 refused: busy
            What would change it:
              - 2 more devices with ≥ 8 GiB. (more_devices)
              - A priority above 90 would put it first. (higher_priority)

            """.ReplaceLineEndings("\n")));
    }

    [Test]
    public async Task Ends_with_1_when_the_ledger_does_not_balance()
    {
        Plane.On("GET", "/api/tokenomics/balance", """{"address":"fog1abc","balance":1,"staked":0,"total":1}""")
            .On("GET", "/api/tokenomics/audit", """{"balanced":false,"cap":1000000,"supply":1000001,"differences":[{"check":"supply","subject":"pool","expected":"1000000","found":"1000001"}]}""");
        var ran = await RunAsync("ledger", "--audit");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Out, Does.Contain("does NOT balance").And.Contain("found 1000001"));
    }

    [Test]
    public async Task Shows_who_did_what_and_ends_with_1_when_the_audit_log_was_changed()
    {
        Plane.On("GET", "/api/audit/entries", """{"entries":[{"id":7,"at":"2026-01-02T03:04:05Z","account":null,"caller":"system","actor":null,"action":"identity.account_created","subject":"a-1","details":{"name":"lab"},"hash":null}],"next":null}""")
            .On("GET", "/api/audit/verification", """{"intact":false,"entries":6,"unsealed":0,"head":9,"headHash":"ab","brokenEntry":7,"reason":"the entry was removed after it was sealed","elapsedMs":1}""");
        var ran = await RunAsync("audit", "--action", "identity.");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Out, Does.Contain("identity.account_created").And.Contain("name lab").And.Contain("CHANGED").And.Contain("entry 7: the entry was removed"));
        Assert.That(Plane.Requests.First().Query, Is.EqualTo("?limit=20&action=identity."));
    }

    [Test]
    public async Task Downloads_outputs_of_all_pages_and_checks_their_hashes()
    {
        var (good, other) = ("good content"u8.ToArray(), "other"u8.ToArray());
        Plane.On("GET", JobRoute + "/tasks", Page(0, "out/a.txt", good, "\"1\""))
            .On("GET", JobRoute + "/tasks", Page(1, "b.txt", other, "null"))
            .On("GET", "/api/artifacts/" + Hash(good), c => c.Response.Body.WriteAsync(good).AsTask())
            .On("GET", "/api/artifacts/" + Hash(other), c => c.Response.Body.WriteAsync(other).AsTask());
        var ran = await RunAsync("job", "outputs", JobId, "--dir", "results");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(await File.ReadAllBytesAsync(Path.Combine(Folder, "results", "task-0", "out", "a.txt")), Is.EqualTo(good));
        Assert.That(await File.ReadAllBytesAsync(Path.Combine(Folder, "results", "task-1", "b.txt")), Is.EqualTo(other));
    }

    [Test]
    public async Task Leaves_no_file_when_the_content_is_not_what_the_hash_promises()
    {
        var promised = "promised"u8.ToArray();
        Plane.On("GET", JobRoute + "/tasks", Page(0, "a.txt", promised, "null"))
            .On("GET", "/api/artifacts/" + Hash(promised), c => c.Response.Body.WriteAsync("damaged"u8.ToArray()).AsTask());
        var ran = await RunAsync("job", "outputs", JobId, "--dir", "results");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(Directory.GetFiles(Path.Combine(Folder, "results")), Is.Empty);
    }

    [TestCase("../outside.txt"), TestCase("/etc/outside.txt"), TestCase("a/../../../outside.txt")]
    public async Task Never_writes_an_output_outside_the_folder(string path)
    {
        Plane.On("GET", JobRoute + "/tasks", Page(0, path, "x"u8.ToArray(), "null"));
        var ran = await RunAsync("job", "outputs", JobId, "--dir", "results");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain("outside"));
        Assert.That(Plane.Requests.Where(r => r.Path.StartsWith("/api/artifacts", StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public async Task Submits_a_file_of_dependent_jobs_with_the_ids_of_the_earlier_ones()
    {
        const string second = "0198c7a2-5d5e-7c1e-9d0a-000000000002";
        Plane.On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{JobId}}","status":"pending","sla":"bronze"}""", 201)
            .On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{second}}","status":"pending","sla":"bronze"}""", 201);
        await File.WriteAllTextAsync(Path.Combine(Folder, "dag.json"), """[{"name":"first"},{"name":"second","depends_on":["first"]}]""");
        var ran = await RunAsync("job", "submit", "dag.json", "--idempotency-key", "k");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(Plane.Requests.Last().Body!["depends_on"]!.ToJsonString(), Is.EqualTo($"[\"{JobId}\"]"));
        Assert.That(Plane.Requests.Select(r => r.IdempotencyKey), Is.EqualTo(new[] { "k-0", "k-1" }));
    }

    [Test]
    public async Task Uploads_what_a_job_file_names_with_an_at_sign()
    {
        var module = "module bytes"u8.ToArray();
        var uploaded = Array.Empty<byte>();
        await File.WriteAllBytesAsync(Path.Combine(Folder, "m.wasm"), module);
        await File.WriteAllTextAsync(Path.Combine(Folder, "job.json"), """{"name":"w","payload":{"kind":"wasm","module":"@m.wasm"},"inputs":[{"path":"x","sha256":"@m.wasm"}]}""");
        Plane.On("HEAD", "/api/artifacts/" + Hash(module), "", 404)
            .On("PUT", "/api/artifacts/" + Hash(module), async context =>
            {
                using var body = new MemoryStream();
                await context.Request.Body.CopyToAsync(body);
                uploaded = body.ToArray();
                context.Response.StatusCode = 201;
            })
            .On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{JobId}}","status":"pending","sla":"bronze"}""", 201);
        var ran = await RunAsync("job", "submit", "job.json");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(uploaded, Is.EqualTo(module));
        var body = Plane.Requests.Last().Body!;
        Assert.That((string?)body["payload"]!["module"], Is.EqualTo(Hash(module)));
        Assert.That((string?)body["inputs"]![0]!["sha256"], Is.EqualTo(Hash(module)));
    }

    [Test]
    public async Task Sends_a_program_of_this_folder_along()
    {
        var program = "#!/bin/sh\n"u8.ToArray();
        await File.WriteAllBytesAsync(Path.Combine(Folder, "tool"), program);
        Plane.On("HEAD", "/api/artifacts/" + Hash(program), "")
            .On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{JobId}}","status":"pending","sla":"bronze"}""", 201);
        foreach (var given in new[] { Array.Empty<string>(), ["--input", "tool"] })
        {
            var ran = await RunAsync(["run", .. given, "--", "./tool", "x"]);
            Assert.That(ran.ExitCode, Is.Zero, ran.Error);
            Assert.That(Plane.Requests.Last().Body!["inputs"]!.ToJsonString(), Is.EqualTo($$"""[{"path":"tool","sha256":"{{Hash(program)}}","executable":true}]"""));
        }
        var before = Plane.Requests.Count;
        var missing = await RunAsync("run", "--", "./no-such-tool");
        Assert.That(missing.ExitCode, Is.EqualTo(ExitCodes.Usage));
        Assert.That(missing.Error, Does.Contain("There is no file").And.Contain("no-such-tool"));
        Assert.That(Plane.Requests, Has.Count.EqualTo(before));
    }

    private void GiveAnswers(string log = "hello\\nworld\\n") => Plane
        .On("GET", "/health", """{"status":"healthy","services":{},"version":"0.1.0","checks":{}}""")
        .On("GET", "/api/scheduler/jobs", $$"""{"jobs":[{{Job("running")}}],"total":7}""")
        .On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{JobId}}","status":"pending","sla":"bronze"}""", 201)
        .On("PATCH", JobRoute, $$"""{"success":true,"jobId":"{{JobId}}","status":"cancelled"}""")
        .On("GET", JobRoute, Job("completed"))
        .On("GET", JobRoute + "/why", $$"""
            {"jobId":"{{JobId}}","state":"pending","summary":"No device has 4 free cores.","queuePosition":1,"ahead":[],
             "reasons":[{"code":"capacity_cpu","message":"needs 4 cores","count":2}],"devices":{"total":2,"eligible":0,"refused":{"capacity_cpu":2} } }
            """)
        .On("GET", JobRoute + "/tasks", """{"tasks":[],"next":null}""")
        .On("GET", JobRoute + "/logs", async context =>
        {
            if (!context.Request.QueryString.Value!.Contains("follow", StringComparison.Ordinal))
            {
                await context.Response.WriteAsJsonAsync(new { status = "completed", logs = new[] { new { task = 0, text = "hello\n", bytes = 6 } } });
                return;
            }
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync($$"""
                event: log
                data: {"task":0,"stream":"log","text":"{{log}}"}

                event: end
                data: {"status":"completed"}


                """);
        })
        .On("GET", "/api/scheduler/passes/latest", """{"id":"p","chosen":0,"front":[{"finishSeconds":1,"costCredits":1,"names":["knee"]},{"finishSeconds":2,"costCredits":0.5,"names":[]}]}""")
        .On("POST", "/api/scheduler/quotes", """{"quoteId":"q","recommended":"knee","plans":[{"plan":"knee","names":["knee"],"price":1}],"reasons":[],"calibration":null}""", 201)
        .On("GET", "/api/tokenomics/balance", """{"address":"fog1abc","balance":99.5,"staked":0,"total":99.5}""")
        .On("GET", "/api/tokenomics/ledger", """{"entries":[{"seq":1,"kind":"faucet","amount":100}],"next":null}""")
        .On("GET", "/api/audit/entries", """{"entries":[{"id":7,"at":"2026-01-02T03:04:05Z","account":null,"caller":"system","actor":null,"action":"identity.account_created","subject":"a-1","details":{"name":"lab"},"hash":null}],"next":null}""")
        .On("GET", "/api/audit/verification", """{"intact":true,"entries":7,"unsealed":0,"head":7,"headHash":"ab","brokenEntry":null,"reason":null,"elapsedMs":1}""")
        .On("GET", "/api/tokenomics/audit", """{"balanced":true,"cap":1000000,"supply":1000000,"burned":0,"held":0,"openHolds":0,"accounts":9,"transfers":3,"postings":6,"unsealed":0,"blocks":1,"headHash":"ab","differences":[]}""")
        .On("GET", "/api/idle-compute/devices", """{"devices":[{"id":"ada","type":"desktop","status":"idle","cpu":2,"memory":1024}],"total":1}""")
        .On("GET", "/api/idle-compute/devices/ada/why", """{"deviceId":"ada","state":"eligible","summary":"Takes work.","reasons":[]}""");

    private static string Page(int index, string path, byte[] content, string next) =>
        $$"""{"tasks":[{"index":{{index}},"state":"succeeded","outputs":[{"path":"{{path}}","sha256":"{{Hash(content)}}","size":{{content.Length}} }]}],"next":{{next}} }""";

    private static string Hash(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));
}
