using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Commands;
using FogCompute.Cli.Output;
using FogCompute.Cli.Processes;
using FogCompute.Cli.Server;
using Spectre.Console;

namespace FogCompute.Cli.Demo;

/// <summary>
/// One run of the demo. It owns a private folder and port, starts real processes, and asks the server for every figure it prints. Whatever
/// happens, its processes are gone when it returns; its folder is gone too unless it failed or was asked to keep it.
/// </summary>
internal sealed class DemoRun(Invocation invocation, bool keep, string picture)
{
    private const int Columns = 8, Rows = 8, Side = 1536, MaxIterations = 4000;
    private const int SilenceSeconds = 5;
    private const string TileFile = "tile.pgm";
    private static readonly string[] Owners = ["ada", "grace", "linus"];
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(150);
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LeftoverGrace = TimeSpan.FromSeconds(5);

    private readonly Terminal _terminal = invocation.Terminal;
    private readonly TimeProvider _time = invocation.Host.Time;
    private readonly long _started = invocation.Host.Time.GetTimestamp();
    private readonly JsonObject _summary = [];

    private TimeSpan Elapsed => _time.GetElapsedTime(_started);

    /// <summary>Runs it; returns 0 only when all work was done, verified and paid, the ledger balances and nothing is left behind.</summary>
    public async Task<int> RunAsync()
    {
        var binaries = ProductBinaries.Find(invocation.Host);
        var home = CreateHome();
        var ok = false;
        var pool = new LocalPool(invocation.Host, binaries, home, LocalPool.FreePort(), logToFiles: true, Environment());
        CliException? failure = null;
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(invocation.Cancel);
            limit.CancelAfter(Limit);
            try
            {
                using var server = new FogServer(pool.Address, null);
                await ShowAsync(pool, server, limit.Token);
                ok = true;
            }
            catch (OperationCanceledException) when (!invocation.Cancel.IsCancellationRequested)
            {
                failure = new CliException(ExitCodes.Timeout, $"The demo did not finish within {Limit.TotalSeconds:0} s.", "See the logs below, and: fog doctor");
            }
            catch (CliException error)
            {
                failure = error;
            }
        }
        finally
        {
            if (failure is not null)
                PrintLogs(pool);
            ok &= await StopAsync(pool, removeHome: !keep && failure is null);
        }
        if (failure is not null)
        {
            throw new CliException(failure.ExitCode, failure.Message, $"Everything was stopped; the demo's folder is kept: {home}" + (failure.Next is null ? "" : $" ({failure.Next})"),
                failure.Detail, failure.Problem);
        }
        _summary["ok"] = ok;
        _summary["seconds"] = Math.Round(Elapsed.TotalSeconds, 1);
        _terminal.DocumentIfJson(_summary);
        _terminal.Line(string.Create(CultureInfo.InvariantCulture, $"{(ok ? "Done" : "Not all went well: see above")} after {Elapsed.TotalSeconds:0.0} s."));
        if (ok)
            _terminal.Line("Next: fog up --agents 2    then: fog run --follow -- echo hello");
        return ok ? ExitCodes.Ok : ExitCodes.Error;
    }

    private async Task ShowAsync(LocalPool pool, FogServer server, CancellationToken cancel)
    {
        Step("Starting the control plane with its own PostgreSQL …");
        await pool.StartControlPlaneAsync(server, cancel);
        Done($"Control plane ready at {pool.Address.ToString().TrimEnd('/')} (data in {pool.Home}).");
        Done($"For this demo a silent device counts as lost after {SilenceSeconds} s; the default is 90 s.");

        var (sandbox, sandboxDetail) = await DoctorCommand.TrySandboxAsync(cancel);
        await StartAgentsAsync(pool, server, cancel);

        var tilesId = await SubmitAsync(server, TilesJob(), cancel);
        Done($"Submitted 64 Mandelbrot tiles, silver: every tile is computed on two devices and counts only when both agree (job {tilesId}).");
        string? commandId = null;
        if (sandbox)
        {
            commandId = await SubmitAsync(server, CommandJob(), cancel);
            Done($"Submitted one shell command, bronze, in a sandbox without network (job {commandId}).");
        }
        else
        {
            Done($"Left out the sandboxed command: {sandboxDetail}. See: fog doctor");
        }

        var (state, victim) = await new DemoView(_terminal).ShowAsync(show => WorkAsync(pool, server, tilesId, commandId, show, cancel));
        CheckCompleted(state.Tiles);
        if (state.Command is not null)
            CheckCompleted(state.Command);
        var killed = victim!;
        ReportTakeover(state, killed);

        await DrawAsync(server, tilesId, cancel);
        if (commandId is not null)
            await PrintCommandAsync(server, commandId, cancel);
        await PrintPaymentsAsync(server, state, cancel);
        await PrintAuditAsync(server, cancel);
        _summary["jobs"] = new JsonArray([.. new[] { state.Tiles, state.Command }.OfType<JsonNode>().Select(job => (JsonNode)new JsonObject
        {
            ["id"] = job.Text("id"), ["name"] = job.Text("name"), ["status"] = job.Text("status"), ["tasks"] = job.At("tasks")?.DeepClone(), ["cost"] = job.At("cost")?.DeepClone(),
        })]);
    }

    private async Task StartAgentsAsync(LocalPool pool, FogServer server, CancellationToken cancel)
    {
        foreach (var owner in Owners)
        {
            var account = await server.PostAsync("api/identity/accounts", new JsonObject { ["name"] = owner }, cancel);
            var token = await server.PostAsync("api/identity/enrolment-tokens", new JsonObject { ["account_id"] = account.Text("id"), ["uses"] = 1 }, cancel);
            pool.StartAgent(new AgentStart(owner, Path.Combine(pool.Home, "node-" + owner), token.Text("secret"), 1, 1));
        }
        Step("Starting three agents; each measures its machine and enrols …");
        while (true)
        {
            var devices = await server.GetAsync("api/idle-compute/devices", cancel);
            var ready = devices.Items("devices").Where(d => d.Text("status") is not "offline").Select(d => d.Text("id")).ToHashSet(StringComparer.Ordinal);
            if (Owners.All(ready.Contains))
                break;
            FailIfEnded(pool, null);
            await Task.Delay(Beat, _time, cancel);
        }
        Done($"Agents enrolled: {string.Join(", ", pool.Agents.Select(a => $"{a.Name} (process {a.ProcessId})"))}; each belongs to its own account.");
    }

    /// <summary>Watches both jobs to their end and kills one agent half way. Returns the last state and who was killed.</summary>
    private async Task<(DemoState State, Victim? Victim)> WorkAsync(LocalPool pool, FogServer server, string tilesId, string? commandId,
        Action<DemoState> show, CancellationToken cancel)
    {
        Victim? victim = null;
        while (true)
        {
            var tiles = await server.GetAsync(JobCommands.JobPath(tilesId), cancel);
            var command = commandId is null ? null : await server.GetAsync(JobCommands.JobPath(commandId), cancel);
            var state = new DemoState(Elapsed, tiles, command, Owners, victim?.Device);
            show(state);
            if (state.IsOver)
            {
                return victim is not null ? (state, victim)
                    : throw new CliException(ExitCodes.Error, "The work was over before an agent could be killed half way.", "Run it again on an idle machine.");
            }
            // Half way, and in the middle of something: otherwise there would be nothing to take over.
            if (victim is null && state.Succeeded * 2 >= state.Total && Owners.MaxBy(state.Live) is { } busiest && state.Live(busiest) > 0)
            {
                var agent = pool.Agents.Single(a => a.Name == busiest);
                await agent.KillAsync();
                victim = new Victim(busiest, agent.ProcessId, state.Live(busiest), state.Succeeded, Elapsed);
                if (!_terminal.Live)
                    _terminal.Line($"  kill -9 {victim.ProcessId}: {busiest} dies with {Humane.Plural(victim.Held, "running replica")}; its work has to finish elsewhere.");
            }
            FailIfEnded(pool, victim?.Device);
            await Task.Delay(Beat, _time, cancel);
        }
    }

    private sealed record Victim(string Device, int ProcessId, int Held, int DoneBefore, TimeSpan At);

    private void ReportTakeover(DemoState state, Victim victim)
    {
        var attempts = state.Tiles.Items("attempts").ToList();
        var lost = attempts.Where(a => a.Text("device") == victim.Device && a.Text("state") is not "accepted" and not "rejected").ToList();
        var lostTasks = lost.Select(a => a.Integer("taskIndex")).ToHashSet();
        var rescued = attempts.Where(a => a.Text("state") == "accepted" && a.Text("device") != victim.Device && lostTasks.Contains(a.Integer("taskIndex")))
            .GroupBy(a => a.Text("device")!, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        Done($"{victim.Device} was killed (kill -9 {victim.ProcessId}) {Humane.Seconds(victim.At.TotalSeconds)} into the demo, with {victim.DoneBefore} of {state.Total} tiles done "
            + $"and {Humane.Plural(victim.Held, "replica")} running.");
        foreach (var attempt in lost)
        {
            var by = attempts.Where(a => a.Text("state") == "accepted" && a.Integer("taskIndex") == attempt.Integer("taskIndex")).Select(a => a.Text("device")).Order(StringComparer.Ordinal);
            Done($"  tile {attempt.Text("taskIndex")}: {victim.Device}'s attempt ended as {attempt.Text("state")}"
                + $"{(attempt.Text("reason") is { } r ? $" ({r})" : "")}; verified results came from {string.Join(" and ", by)}.");
        }
        if (lost.Count > 0 && rescued.Count == 0)
            throw new CliException(ExitCodes.Error, $"No other device took over what {victim.Device} left.", "See the control plane's log.");
        _summary["killed"] = new JsonObject
        {
            ["device"] = victim.Device, ["tilesDoneBefore"] = victim.DoneBefore, ["replicasHeld"] = victim.Held, ["attemptsLost"] = lost.Count,
            ["takenOverBy"] = new JsonObject(rescued.Select(r => KeyValuePair.Create(r.Key, (JsonNode?)r.Value))),
        };
    }

    private async Task DrawAsync(FogServer server, string jobId, CancellationToken cancel)
    {
        var mosaic = new Mosaic(Side, Side, Columns, Rows);
        foreach (var task in await JobCommands.TasksAsync(server, jobId, cancel))
        {
            var output = task.Items("outputs").FirstOrDefault(o => o.Text("path") == TileFile)
                ?? throw new CliException(ExitCodes.Error, $"Tile {task.Text("index")} has no output {TileFile}.", "See: the agents' logs.");
            var bytes = await server.DownloadBytesAsync(output.Text("sha256")!, cancel);
            try
            {
                mosaic.Place(task.Integer("index") ?? -1, Pgm.Parse(bytes));
            }
            catch (Exception error) when (error is FormatException or ArgumentOutOfRangeException)
            {
                throw new CliException(ExitCodes.Error, $"Tile {task.Text("index")} cannot be used: {error.Message}", "See the agents' logs.");
            }
        }
        var missing = mosaic.Missing.ToList();
        if (missing.Count > 0)
            throw new CliException(ExitCodes.Error, $"{Humane.Plural(missing.Count, "tile")} missing: {string.Join(", ", missing)}.", "See the control plane's log.");
        // Beside its final name first: a picture that is there is whole.
        var draft = picture + ".part";
        await using (var file = File.Create(draft))
            Png.Write(file, mosaic.Width, mosaic.Height, mosaic.Rgb);
        File.Move(draft, picture, overwrite: true);
        Done($"Assembled 64 verified tiles: {picture} ({Side} × {Side}, {Humane.Bytes(new FileInfo(picture).Length)}).");
        _summary["picture"] = picture;
    }

    private async Task PrintCommandAsync(FogServer server, string jobId, CancellationToken cancel)
    {
        var task = (await JobCommands.TasksAsync(server, jobId, cancel))[0];
        var stdout = task.Text("stdout") ?? "";
        if (stdout.Length == 64 && stdout.All(char.IsAsciiHexDigitLower))
            stdout = System.Text.Encoding.UTF8.GetString(await server.DownloadBytesAsync(stdout, cancel));
        Done($"The command ran on {task.Text("device")} and printed:");
        foreach (var line in stdout.TrimEnd('\n').Split('\n'))
            _terminal.Line("    " + line);
        _summary["command"] = new JsonObject { ["device"] = task.Text("device"), ["exitCode"] = task.Integer("exitCode"), ["stdout"] = stdout };
    }

    private async Task PrintPaymentsAsync(FogServer server, DemoState state, CancellationToken cancel)
    {
        var rows = new SortedDictionary<string, Pay>(StringComparer.Ordinal);
        decimal fee = 0, burned = 0, total = 0;
        foreach (var job in new[] { state.Tiles, state.Command }.OfType<JsonNode>())
        {
            var payments = await server.GetAsync(JobCommands.JobPath(job.Text("id")!) + "/payments", cancel);
            foreach (var payment in payments.Items("payments"))
            {
                var device = payment.Text("device") ?? "–";
                var pay = rows.GetValueOrDefault(device) ?? new Pay(payment.Text("owner") ?? "–", 0, 0, 0);
                var wall = job.Items("attempts").Where(a => a.Text("device") == device && a.Text("state") == "accepted").Sum(a => a.Number("wallMs") ?? 0);
                rows[device] = pay with { Tasks = pay.Tasks + (payment.Integer("tasks") ?? 0), WallMs = pay.WallMs + wall, Amount = pay.Amount + (payment.Credits("amount") ?? 0) };
            }
            fee += payments.Credits("fee") ?? 0;
            burned += payments.Credits("burned") ?? 0;
            total += payments.Credits("total") ?? 0;
        }
        var table = Terminal.NewTable("Device", "Owner", "Paid replicas", "Wall time", "Credits");
        foreach (var (device, pay) in rows)
        {
            table.AddRow(new Text(device), new Text(pay.Owner), new Text(pay.Tasks.ToString(CultureInfo.InvariantCulture)),
                new Text(Humane.Seconds(pay.WallMs / 1000)), new Text(Humane.Credits(pay.Amount)));
        }
        Step("Who did what, and was paid what (from the ledger):");
        _terminal.Table(table);
        _terminal.Line($"  The requester paid {Humane.Credits(total)} credits: {Humane.Credits(rows.Values.Sum(r => r.Amount))} to owners, {Humane.Credits(fee)} fee, {Humane.Credits(burned)} burned.");
        if (rows.Count == 0 || rows.Values.All(r => r.Amount <= 0))
            throw new CliException(ExitCodes.Error, "Nobody was paid for verified work.", "See the control plane's log.");
        _summary["payments"] = new JsonArray([.. rows.Select(r => (JsonNode)new JsonObject
        {
            ["device"] = r.Key, ["owner"] = r.Value.Owner, ["tasks"] = r.Value.Tasks, ["wallSeconds"] = Math.Round(r.Value.WallMs / 1000, 3), ["credits"] = r.Value.Amount,
        })]);
        _summary["fee"] = fee;
        _summary["burned"] = burned;
        _summary["total"] = total;
    }

    private sealed record Pay(string Owner, int Tasks, double WallMs, decimal Amount);

    private async Task PrintAuditAsync(FogServer server, CancellationToken cancel)
    {
        var audit = await server.GetAsync(LedgerCommand.AuditPath, cancel);
        var balanced = LedgerCommand.PrintAudit(_terminal, audit);
        _summary["audit"] = audit.DeepClone();
        if (!balanced)
            throw new CliException(ExitCodes.Error, "The ledger does not balance.", "The differences are named above.");
    }

    /// <summary>Stops all processes, proves that none is left, removes the folder. Whether all ended by themselves.</summary>
    private async Task<bool> StopAsync(LocalPool pool, bool removeHome)
    {
        var clean = true;
        Step("Stopping …");
        foreach (var name in await pool.StopAsync())
        {
            clean = false;
            await invocation.Host.Error.WriteLineAsync($"{name} did not end when asked to and was killed (SIGKILL).");
        }
        var waited = _time.GetTimestamp();
        IReadOnlyList<Leftovers.Found> left;
        while ((left = Leftovers.Of(pool.Home)).Count > 0 && _time.GetElapsedTime(waited) < LeftoverGrace)
            await Task.Delay(Beat, _time, CancellationToken.None);
        foreach (var process in left)
        {
            clean = false;
            await invocation.Host.Error.WriteLineAsync($"Process {process.ProcessId} was left over and is killed (SIGKILL): {process.CommandLine}");
            Leftovers.Kill(process);
        }
        _summary["leftoverProcesses"] = left.Count;
        foreach (var child in pool.All)
            child.Dispose();
        if (removeHome)
            Directory.Delete(pool.Home, recursive: true);
        else
            _summary["home"] = pool.Home;
        Done(clean ? $"All processes ended; none is left{(removeHome ? ", and the demo's folder is removed" : $"; the demo's folder is kept: {pool.Home}")}."
            : "Some processes had to be killed.");
        return clean;
    }

    private void PrintLogs(LocalPool pool)
    {
        foreach (var child in pool.All)
        {
            var tail = child.LogTail(15);
            if (tail.Count == 0)
                continue;
            invocation.Host.Error.WriteLine($"--- end of {child.Log}{(child.HasExited ? $" (ended with exit code {child.ExitCode})" : "")}");
            foreach (var line in tail)
                invocation.Host.Error.WriteLine(Terminal.Sanitize(line));
        }
    }

    private static void FailIfEnded(LocalPool pool, string? killed)
    {
        if (pool.All.FirstOrDefault(c => c.HasExited && c.Name != killed) is { } ended)
            throw new CliException(ExitCodes.Error, $"{ended.Name} ended by itself with exit code {ended.ExitCode}.", "See the end of its log.");
    }

    private static void CheckCompleted(JsonNode job)
    {
        if (job.Text("status") == "completed")
            return;
        var reasons = job.Items("attempts").Where(a => a.Text("message") is not null).Take(5)
            .Select(a => $"task {a.Text("taskIndex")} on {a.Text("device")}: {a.Text("state")}, {a.Text("message")}");
        throw new CliException(ExitCodes.JobFailed, $"Job {job.Text("name")} is {job.Text("status")}.", "See the agents' logs.", [.. reasons]);
    }

    private static async Task<string> SubmitAsync(FogServer server, JsonObject job, CancellationToken cancel) =>
        (await server.PostAsync("api/scheduler/jobs", job, cancel, Guid.NewGuid().ToString("N"))).Text("jobId")
        ?? throw new CliException(ExitCodes.Error, "The control plane accepted a job without giving it an id.", "The server is not the one this command belongs to.");

    private static JsonObject TilesJob() => new()
    {
        ["name"] = "mandelbrot",
        ["sla_tier"] = "silver",
        ["cpu_required"] = 1,
        ["memory_required"] = 64,
        ["duration_estimate"] = 0.1,
        ["isolation"] = "process",
        ["payload"] = new JsonObject
        {
            ["kind"] = "builtin",
            ["kernel"] = "mandelbrot-tile",
            ["parameters"] = new JsonObject { ["width"] = Side, ["height"] = Side, ["columns"] = Columns, ["rows"] = Rows, ["max_iterations"] = MaxIterations },
        },
        ["array"] = new JsonObject { ["count"] = Columns * Rows },
    };

    private static JsonObject CommandJob() => new()
    {
        ["name"] = "hello",
        ["sla_tier"] = "bronze",
        ["cpu_required"] = 1,
        ["memory_required"] = 64,
        ["duration_estimate"] = 0.1,
        ["isolation"] = "sandbox",
        ["limits"] = new JsonObject { ["wall_seconds"] = 30 },
        ["payload"] = new JsonObject
        {
            ["kind"] = "command",
            ["argv"] = new JsonArray("sh", "-c",
                "echo \"Hello from a sandbox, host name $(uname -n), process $$.\"; "
                + "echo \"Network interfaces I can see: $(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | tr '\\n' ' ')\"; "
                + "touch /usr/x 2>/dev/null || echo 'The system is read-only for me.'"),
        },
    };

    /// <summary>A folder others may pass through: PostgreSQL refuses root, so its account has to reach its data below.</summary>
    private static string CreateHome()
    {
        // PostgreSQL's unix socket lies below and its path must fit into 107 bytes.
        const int longestTemp = 40;
        var temp = Path.GetTempPath().TrimEnd(Path.DirectorySeparatorChar);
        var home = Directory.CreateTempSubdirectory("fog-demo-").FullName;
        if (temp.Length > longestTemp && Directory.Exists("/tmp"))
        {
            Directory.Delete(home);
            home = Path.Combine("/tmp", Path.GetFileName(home));
            Directory.CreateDirectory(home);
        }
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        return home;
    }

    /// <summary>Nothing of the caller's own set-up may reach the demo, least of all their database.</summary>
    private static Dictionary<string, string?> Environment()
    {
        var changes = System.Environment.GetEnvironmentVariables().Keys.Cast<string>()
            .Where(name => name is "DATABASE_URL" or "REDIS_URL" or "BETANET_URL" or "CORS_ORIGINS" or "DOTNET_ENVIRONMENT"
                || name.StartsWith("ASPNETCORE_", StringComparison.Ordinal) || name.StartsWith("FOG_", StringComparison.Ordinal)
                || name.StartsWith("API_", StringComparison.Ordinal))
            .ToDictionary(name => name, _ => (string?)null, StringComparer.Ordinal);
        changes["API_HOST"] = "127.0.0.1";
        changes["FOG_DEVICE_SILENCE_SECONDS"] = SilenceSeconds.ToString(CultureInfo.InvariantCulture);
        return changes;
    }

    private void Step(string text) => _terminal.Markup($"[bold]{Markup.Escape(text)}[/]");
    private void Done(string text) => _terminal.Markup(Markup.Escape("  " + text));
}
