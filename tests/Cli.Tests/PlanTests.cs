namespace FogCompute.Cli.Tests;

/// <summary><c>fog plan</c>.</summary>
[TestFixture]
internal sealed class PlanTests : CliFixture
{
    private const string Latest = "/api/scheduler/passes/latest";
    private const string PassId = "0198c7a2-5d5e-7c1e-9d0a-00000000a001";

    private const string Pass = $$"""
        {"id":"{{PassId}}","at":"2026-01-02T03:04:05Z","tookMs":212.4,"method":"nsga2","tasks":120,"slots":240,"devices":14,"placed":236,"unplaced":4,
         "generations":61,"evaluations":6100,"searchMs":180.3,"hypervolume":0.8731,"convergence":0.981,"chosen":1,"jobs":[],
         "front":[{"finishSeconds":60.5,"costCredits":0.02,"energyJoules":5300,"risk":0.021,"imbalance":0.01,"names":["fast","safe"]},
                  {"finishSeconds":75,"costCredits":0.0125,"energyJoules":2100,"risk":0.04567,"imbalance":0.02,"names":["knee"]},
                  {"finishSeconds":80,"costCredits":0.011,"energyJoules":2200,"risk":0.05,"imbalance":0.02,"names":[]},
                  {"finishSeconds":119,"costCredits":0.0012,"energyJoules":900,"risk":0.15,"imbalance":0.3,"names":["cheap","green"]}]}
        """;

    [Test]
    public async Task Draws_the_last_pass_and_lists_its_named_points_with_all_objectives()
    {
        Plane.On("GET", Latest, Pass);
        var ran = await RunAsync("plan");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(ran.Out, Does.Contain($"Pass {PassId}, 2026-01-02 03:04:05Z: 4 placements that no other beats, chosen: knee."));
        Assert.That(ran.Out, Does.Contain("┤").And.Contain("expected finish of a task replica, s"));
        Assert.That(ran.Out, Does.Match(@"◆ +knee \(chosen\) +75\.0 s +0\.0125 +2\.1 kJ +4\.57 % +0\.02"));
        Assert.That(ran.Out, Does.Match(@"F +fast, safe +60\.5 s +0\.02 +5\.3 kJ +2\.1 % +0\.01"));
        Assert.That(ran.Out, Does.Match(@"C +cheap, green +119\.0 s +0\.0012 +900 J +15 % +0\.3"));
        Assert.That(ran.Out, Does.Contain("120 tasks, 240 replicas on 14 devices: 236 placed, 4 tasks wait; 61 generations, 6100 evaluations in 180 ms of 212; hypervolume 0.8731, convergence 0.981."));
        Assert.That(ran.Out.Split('\n').Where(l => l.Contains('│') || l.Contains('┤')).Max(l => l.Length), Is.LessThanOrEqualTo(80));
    }

    [Test]
    public async Task Draws_the_pass_that_is_named()
    {
        Plane.On("GET", "/api/scheduler/passes/" + PassId, Pass);
        Assert.That((await RunAsync("plan", PassId)).ExitCode, Is.Zero);
        Assert.That(Plane.Requests.Single().Path, Is.EqualTo("/api/scheduler/passes/" + PassId));
    }

    [Test]
    public async Task Writes_an_svg_beside_the_text_and_beside_the_json()
    {
        Plane.On("GET", Latest, Pass);
        var text = await RunAsync("plan", "--svg", "a.svg");
        var json = await RunAsync("plan", "--svg", "b.svg", "--json");
        Assert.That(text.Error, Does.Contain("Wrote a.svg."));
        Assert.That((string?)json.Json["id"], Is.EqualTo(PassId));
        var picture = await File.ReadAllTextAsync(Path.Combine(Folder, "a.svg"));
        Assert.That(picture, Does.StartWith("<svg").And.Contain("knee (chosen)").And.Contain("240 task replicas, 14 devices"));
        Assert.That(await File.ReadAllTextAsync(Path.Combine(Folder, "b.svg")), Is.EqualTo(picture));
    }

    [Test]
    public async Task Has_an_installed_program_make_the_png()
    {
        Plane.On("GET", Latest, Pass);
        Tool("rsvg-convert", """
            #!/bin/sh
            for last; do :; done
            while [ "$1" != --output ]; do shift; done
            /bin/cat "$last" >"$2"
            """);
        var ran = await RunAsync("plan", "--png", "front.png", "--svg", "front.svg");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(await File.ReadAllTextAsync(Path.Combine(Folder, "front.png")), Is.EqualTo(await File.ReadAllTextAsync(Path.Combine(Folder, "front.svg"))));
    }

    [Test]
    public async Task Takes_a_browser_for_the_png_where_nothing_smaller_is()
    {
        Plane.On("GET", Latest, Pass);
        Tool("chromium", """
            #!/bin/sh
            for word; do case "$word" in --screenshot=*) echo "$@" >"${word#--screenshot=}";; esac; done
            """);
        var ran = await RunAsync("plan", "--png", "front.png");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(await File.ReadAllTextAsync(Path.Combine(Folder, "front.png")), Does.Match(@"--headless .*--window-size=\d+,\d+ .*file:///.*front\.svg"));
    }

    [Test]
    public async Task Says_what_to_install_when_nothing_can_make_a_png()
    {
        Plane.On("GET", Latest, Pass);
        Variables["PATH"] = Folder;
        var ran = await RunAsync("plan", "--png", "front.png");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain("apt-get install librsvg2-bin").And.Contain("fog plan --svg"));
        Assert.That(File.Exists(Path.Combine(Folder, "front.png")), Is.False);
    }

    [Test]
    public async Task Repeats_what_the_program_said_when_it_made_no_png()
    {
        Plane.On("GET", Latest, Pass);
        Tool("rsvg-convert", "#!/bin/sh\necho no fonts here >&2; exit 3\n");
        var ran = await RunAsync("plan", "--png", "front.png");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain("made no picture").And.Contain("no fonts here"));
    }

    [TestCase("plan", "Queue work"), TestCase("plan " + PassId, "fog plan")]
    public async Task Ends_with_3_and_the_servers_reason_when_there_is_no_pass(string line, string next)
    {
        foreach (var route in (string[])[Latest, "/api/scheduler/passes/" + PassId])
            Plane.On("GET", route, Problem(404, "scheduler.pass_not_found", "Small queues are placed without a search."), 404);
        var ran = await RunAsync(line.Split(' '));
        Assert.That(ran.ExitCode, Is.EqualTo(3));
        Assert.That(ran.Out, Is.Empty);
        Assert.That(ran.Error, Does.Contain("Small queues are placed without a search.").And.Contain("scheduler.pass_not_found").And.Contain(next));
    }

    [Test]
    public async Task Ends_with_8_when_nobody_listens()
    {
        var ran = await RunAsync("--server", $"http://127.0.0.1:{Processes.LocalPool.FreePort()}", "plan", "--svg", "front.svg");
        Assert.That(ran.ExitCode, Is.EqualTo(8));
        Assert.That(File.Exists(Path.Combine(Folder, "front.svg")), Is.False);
    }

    [Test]
    public async Task Draws_nothing_of_an_empty_front_but_gives_the_figures()
    {
        Plane.On("GET", Latest, """{"id":"p","at":"2026-01-02T03:04:05Z","tasks":3,"slots":3,"devices":2,"chosen":0,"front":[]}""");
        var ran = await RunAsync("plan");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(ran.Out, Does.Contain("0 placements").And.Contain("3 tasks, 3 replicas on 2 devices").And.Not.Contain("┤"));
        Assert.That((await RunAsync("plan", "--svg", "front.svg")).ExitCode, Is.EqualTo(1));
    }

    [Test]
    public async Task Leaves_out_points_without_figures_and_says_so()
    {
        Plane.On("GET", Latest, """{"id":"p","chosen":1,"front":[{"finishSeconds":null,"costCredits":1},{"finishSeconds":1,"costCredits":1,"names":["knee"]}]}""");
        var ran = await RunAsync("plan");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        Assert.That(ran.Error, Does.Contain("1 of 2 points"));
        Assert.That(ran.Out, Does.Match(@"◆ +knee \(chosen\) +1\.0 s +1 +– +– +–"));
    }

    [Test]
    public async Task Colours_the_marks_only_on_a_terminal_that_wants_colours()
    {
        Plane.On("GET", Latest, Pass);
        var chart = ChartOf(await RunAsync(terminal: true, "", "plan"));
        Variables["NO_COLOR"] = "1";
        var plain = ChartOf(await RunAsync(terminal: true, "", "plan"));
        Assert.That(plain, Does.Contain("◆").And.Not.Contain('\u001b'));
        if (Environment.GetEnvironmentVariable("TERM") is { } term && term.Contains("xterm", StringComparison.Ordinal))
            Assert.That(chart, Does.Contain('\u001b'));
    }

    [TestCase(24), TestCase(50), TestCase(80)]
    public async Task Keeps_the_chart_and_the_named_points_within_a_narrow_terminal(int columns)
    {
        Variables["NO_COLOR"] = "1";
        Columns = columns;
        Plane.On("GET", Latest, Pass);
        var ran = await RunAsync(terminal: true, "", "plan");
        Assert.That(ran.ExitCode, Is.Zero, ran.Error);
        // The first line and the figures are sentences; those may wrap.
        var lines = ran.Out.TrimEnd().Split('\n')[1..^1];
        Assert.That(lines.Max(l => System.Text.RegularExpressions.Regex.Replace(l, "\u001b\\[[0-9;]*m", "", System.Text.RegularExpressions.RegexOptions.NonBacktracking).Length), Is.LessThanOrEqualTo(Math.Max(columns, 30)));
        Assert.That(ran.Out, Does.Contain("knee (chosen)").And.Contain("fast, safe").And.Contain("4.57 %").And.Contain("2.1 kJ"));
        Assert.That(ran.Out.Contains('┤'), Is.True);
    }

    [Test]
    public async Task Says_that_a_terminal_is_too_narrow_for_the_chart()
    {
        Columns = 18;
        Plane.On("GET", Latest, Pass);
        var ran = await RunAsync(terminal: true, "", "plan");
        Assert.That(ran.Out, Does.Contain("18 columns are too few for the chart").And.Contain("knee (chosen)").And.Not.Contain("┤"));
    }

    /// <summary>The lines of the chart without the table.</summary>
    private static string ChartOf(Ran ran) => string.Join('\n', ran.Out.Split('\n').Where(l => l.Contains('│') || l.Contains('┤')));

    /// <summary>Puts a program on the command's PATH, which has nothing else.</summary>
    private void Tool(string name, string script)
    {
        var path = Path.Combine(Folder, "bin", name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, script.ReplaceLineEndings("\n"));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Variables["PATH"] = Path.GetDirectoryName(path)!;
    }
}
