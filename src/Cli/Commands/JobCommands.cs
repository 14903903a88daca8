using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using FogCompute.Cli.Server;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog job …</c>: everything about jobs that exist, and submitting them from files.</summary>
internal static class JobCommands
{
    private static readonly string[] Statuses = ["pending", "running", "paused", "completed", "failed", "cancelled"];

    public static FogCommand Create(GlobalOptions globals) => new FogCommand("job", "Submit jobs and look after them.", "fog job list --status running")
    {
        Submit(globals), List(globals), Show(globals), Logs(globals), Why(globals), Outputs(globals),
        Change(globals, "cancel", "Cancel a job; running tasks are stopped on their devices.", "cancelled"),
        Change(globals, "pause", "Pause a job; its tasks give their devices back.", "paused"),
        Change(globals, "resume", "Let a paused job go on.", "running"),
    };

    private static Argument<string> Id() => new Argument<string>("id") { Description = "The job's id" }.OfIds("fog job list");

    private static FogCommand Submit(GlobalOptions globals)
    {
        var file = new Argument<string>("file") { Description = "Job description (JSON), an array of them, or - for standard input" };
        var key = new Option<string?>("--idempotency-key") { Description = "The same key never submits twice (default: a new one)" };
        var follow = new Option<bool>("--follow", "-f") { Description = "Stay until the end and print the logs" };
        var timeout = new Option<double?>("--timeout") { Description = "With --follow: give up waiting after so many seconds (the job goes on)", HelpName = "SECONDS" };
        timeout.Validators.Add(Positive);
        var plan = new PlanFlags();
        var command = new FogCommand("submit", "Submit the job(s) described in a file.",
            "fog job submit examples/mandelbrot.json --follow", "fog job submit examples/dag.json", "fog job submit examples/mandelbrot.json --plan cheap --max-price 0.5")
        {
            file, key, follow, timeout,
        };
        plan.AddTo(command);
        return command.Runs(globals, async invocation =>
        {
            var jobs = await JobFile.LoadAsync(invocation.Get(file), invocation.Host, invocation.Cancel);
            if (plan.AsksForPlan(invocation) && jobs.Jobs.Count > 1)
                throw new CliException(ExitCodes.Usage, $"--plan takes one job; the file holds {jobs.Jobs.Count}.", "Submit each from a file of its own, or without --plan.");
            var submitted = new List<JsonNode>();
            var ids = new Dictionary<string, string>(StringComparer.Ordinal);
            var baseKey = invocation.Get(key) ?? Guid.NewGuid().ToString("N");
            foreach (var job in jobs.Jobs)
            {
                JobFile.ResolveDependencies(job, ids);
                await JobFile.UploadLocalArtifactsAsync(job, jobs.Folder, invocation.Server, invocation.Terminal, invocation.Cancel);
                await plan.ApplyAsync(invocation, job);
                var answer = await invocation.Server.PostAsync("api/scheduler/jobs", job, invocation.Cancel,
                    jobs.Jobs.Count == 1 ? baseKey : $"{baseKey}-{submitted.Count}");
                submitted.Add(answer);
                if (job.Text("name") is { } name && answer.Text("jobId") is { } id)
                    ids[name] = id;
                if (!invocation.Get(follow))
                    PrintSubmitted(invocation.Terminal, answer, job.Text("name"));
            }
            if (!invocation.Get(follow))
            {
                invocation.Terminal.DocumentIfJson(jobs.IsArray ? new JsonArray([.. submitted.Select(s => s.DeepClone())]) : submitted[0]);
                return ExitCodes.Ok;
            }
            var worst = ExitCodes.Ok;
            var ends = new JsonArray();
            foreach (var answer in submitted)
            {
                var end = await JobFollower.FollowAsync(invocation, answer.Text("jobId")!, Limit(invocation.Get(timeout)));
                ends.Add(end.Job.DeepClone());
                worst = Math.Max(worst, end.ExitCode);
            }
            invocation.Terminal.DocumentIfJson(jobs.IsArray ? ends : ends[0]);
            return worst;
        });
    }

    private static FogCommand List(GlobalOptions globals)
    {
        var status = new Option<string?>("--status") { Description = "Only jobs in this state: " + string.Join(", ", Statuses) };
        status.AcceptOnlyFromAmong(Statuses);
        var limit = new Option<int>("--limit") { Description = "At most so many, 1-1000", DefaultValueFactory = _ => 20, HelpName = "N" };
        limit.Validators.Add(Between(1, 1000));
        var command = new FogCommand("list", "List jobs, newest first.", "fog job list --status running --limit 50", "fog --json job list") { status, limit };
        return command.Runs(globals, async invocation =>
        {
            var filter = invocation.Get(status) is { } s ? $"&status={s}" : "";
            var answer = await invocation.Server.GetAsync($"api/scheduler/jobs?limit={invocation.Get(limit)}{filter}", invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            var table = Terminal.NewTable("Job", "Name", "Status", "SLA", "Progress", "Submitted");
            var shown = 0;
            foreach (var job in answer.Items("jobs"))
            {
                shown++;
                table.AddRow(Cell(job.Text("id")), Cell(job.Text("name")), StatusCell(job.Text("status")), Cell(job.Text("sla")),
                    Cell(job.Number("progress") is { } p ? string.Create(CultureInfo.InvariantCulture, $"{p:0.#} %") : "–"),
                    Cell(Humane.Instant(job.Instant("submitted"))));
            }
            if (shown == 0)
            {
                invocation.Terminal.Line(filter.Length > 0 ? "No job in that state." : "No jobs yet. Submit one: fog run --follow -- echo hello");
                return ExitCodes.Ok;
            }
            invocation.Terminal.Table(table);
            if (answer.Integer("total") is { } total && total > shown)
                invocation.Terminal.Line($"{shown} of {total} shown; more with --limit.");
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Show(GlobalOptions globals)
    {
        var id = Id();
        var command = new FogCommand("show", "Show a job: state, tasks, cost, attempts, last log lines.", "fog job show 0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10") { id };
        return command.Runs(globals, async invocation =>
        {
            var job = await invocation.Server.GetAsync(JobPath(invocation.Get(id)), invocation.Cancel);
            invocation.Terminal.DocumentIfJson(job);
            PrintJob(invocation.Terminal, job);
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Logs(GlobalOptions globals)
    {
        var id = Id();
        var follow = new Option<bool>("--follow", "-f") { Description = "Stay until the job ends" };
        var task = new Option<int?>("--task") { Description = "Only the task with this index", HelpName = "N" };
        task.Validators.Add(NotNegative);
        var command = new FogCommand("logs", "Print what a job wrote.", "fog job logs 0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10 --follow") { id, follow, task };
        return command.Runs(globals, async invocation =>
        {
            var only = invocation.Get(task) is { } t ? $"task={t}" : "";
            if (invocation.Get(follow))
            {
                if (!invocation.Terminal.Json)
                    return (await JobFollower.FollowAsync(invocation, invocation.Get(id), null, invocation.Get(task), quiet: true)).ExitCode;
                throw new CliException(ExitCodes.Usage, "--json and --follow do not go together: a stream is not one document.",
                    "Leave one of them out.");
            }
            var answer = await invocation.Server.GetAsync($"{JobPath(invocation.Get(id))}/logs?{only}", invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            var logs = answer.Items("logs").ToList();
            var printer = new LogPrinter(prefix: logs.Count > 1, text => invocation.Host.Out.Write(invocation.Terminal.ForPerson(text)));
            foreach (var log in invocation.Terminal.Json ? [] : logs)
                printer.Write(log.Integer("task") ?? 0, log.Text("text") ?? "");
            printer.Flush();
            if (logs.Count == 0)
                invocation.Terminal.Note("Nothing was written (yet).");
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Why(GlobalOptions globals)
    {
        var id = Id();
        var command = new FogCommand("why", "Say why a job is where it is: queue, refused devices, reasons.", "fog job why 0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10") { id };
        return command.Runs(globals, async invocation =>
        {
            var why = await invocation.Server.GetAsync($"{JobPath(invocation.Get(id))}/why", invocation.Cancel);
            invocation.Terminal.DocumentIfJson(why);
            PrintWhy(invocation.Terminal, why);
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Outputs(GlobalOptions globals)
    {
        var id = Id();
        var task = new Option<int?>("--task") { Description = "Only the task with this index", HelpName = "N" };
        task.Validators.Add(NotNegative);
        var folder = new Option<string?>("--dir") { Description = "Download into this folder (task-N/… when the job has several tasks)", HelpName = "FOLDER" };
        var command = new FogCommand("outputs", "List a job's output files, or download them with --dir.",
            "fog job outputs 0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10 --dir results")
        {
            id, task, folder,
        };
        return command.Runs(globals, async invocation =>
        {
            var tasks = await TasksAsync(invocation.Server, invocation.Get(id), invocation.Cancel);
            if (invocation.Get(task) is { } only)
            {
                var chosen = tasks.Where(t => t.Integer("index") == only).ToList();
                if (chosen.Count == 0)
                    throw new CliException(ExitCodes.NotFound, $"The job has {Humane.Plural(tasks.Count, "task")}, none with index {only}.", "Indexes start at 0.");
                tasks = chosen;
            }
            var several = tasks.Count > 1 || invocation.Get(task) is not null;
            var rows = new JsonArray();
            var table = Terminal.NewTable("Task", "File", "Size", "SHA-256");
            foreach (var entry in tasks)
            {
                foreach (var output in entry.Items("outputs"))
                {
                    var (path, sha256) = (output.Text("path") ?? "", output.Text("sha256") ?? "");
                    string? saved = null;
                    if (invocation.Get(folder) is { } target)
                    {
                        var root = Path.GetFullPath(target, invocation.Host.CurrentDirectory);
                        saved = SafePath(several ? Path.Combine(root, $"task-{entry.Integer("index")}") : root, path);
                        await invocation.Server.DownloadAsync(sha256, saved, invocation.Cancel);
                    }
                    rows.Add(new JsonObject
                    {
                        ["task"] = entry.Integer("index"), ["path"] = path, ["sha256"] = sha256, ["size"] = output.At("size")?.DeepClone(), ["savedAs"] = saved,
                    });
                    table.AddRow(Cell(entry.Text("index")), Cell(saved ?? path), Cell(Humane.Bytes(output.Number("size"))), Cell(sha256));
                }
            }
            invocation.Terminal.DocumentIfJson(new JsonObject { ["outputs"] = rows });
            if (rows.Count == 0)
                invocation.Terminal.Line("No outputs (yet). A job names what it keeps: \"outputs\": [\"*.txt\"], or fog run --output '*.txt'.");
            else
                invocation.Terminal.Table(table);
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Change(GlobalOptions globals, string name, string description, string status)
    {
        var id = Id();
        var command = new FogCommand(name, description, $"fog job {name} 0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10") { id };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.PatchAsync(JobPath(invocation.Get(id)), new JsonObject { ["status"] = status }, invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            invocation.Terminal.Line($"Job {answer.Text("jobId")} is {answer.Text("status")}.");
            return ExitCodes.Ok;
        });
    }

    /// <summary>All tasks of a job, over all pages.</summary>
    public static async Task<List<JsonNode>> TasksAsync(FogServer server, string id, CancellationToken cancel) =>
        [.. (await server.PagesAsync($"{JobPath(id)}/tasks?limit=1000", cancel)).SelectMany(page => page.Items("tasks"))];

    public static string JobPath(string id) => $"api/scheduler/jobs/{Uri.EscapeDataString(id)}";

    /// <summary>A path inside the folder; output names come from other people's jobs, so one that leads out of it is an error.</summary>
    public static string SafePath(string folder, string path)
    {
        var full = Path.GetFullPath(path, folder);
        return full.StartsWith(folder.TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? full
            : throw new CliException(ExitCodes.Error, $"The output '{path}' would be written outside {folder}; nothing was written for it.",
                "Download it by hash if you trust it: GET /api/artifacts/{sha256}");
    }

    public static void PrintSubmitted(Terminal terminal, JsonNode answer, string? name)
    {
        var id = answer.Text("jobId");
        terminal.Line($"Submitted {(name is null ? "" : name + " ")}as job {id} ({answer.Text("sla")}, {answer.Text("status")}"
            + $"{(answer.Credits("held") is { } held ? $", {Humane.Credits(held)} credits held" : "")}).");
        foreach (var remark in answer.Items("notes"))
            terminal.Note("note: " + remark.Text());
        terminal.Note($"next: fog job logs {id} --follow    fog job why {id}");
    }

    public static void PrintWhy(Terminal terminal, JsonNode why)
    {
        terminal.Line(why.Text("summary") ?? $"The job is {why.Text("state")}.");
        if (why.Integer("queuePosition") is { } position)
        {
            terminal.Line(position == 1 ? "Queue position: 1, next to be served" : $"Queue position: {position}, behind:");
            var ahead = why.Items("ahead").ToList();
            foreach (var job in ahead)
                terminal.Line($"  {job.Text("jobId")}  priority {job.Text("priority")}, {(job.Integer("openTasks") is { } n ? Humane.Plural(n, "open task") : "–")}");
            if (position - 1 > ahead.Count)
                terminal.Line($"  and {Humane.Plural(position - 1 - ahead.Count, "other job")}");
        }
        // What refuses devices is counted below, with the devices; the rest stands here.
        var refused = why.Members("devices", "refused").ToDictionary(r => r.Key, r => r.Value.Text());
        var reasons = why.Items("reasons").ToList();
        var others = reasons.Where(r => !refused.ContainsKey(r.Text("code") ?? "")).ToList();
        if (others.Count > 0)
            terminal.Line("Reasons:");
        foreach (var reason in others)
            terminal.Line($"  {reason.Text("code")}{(reason.Text("count") is { } n ? $" ({n})" : "")}: {reason.Text("message")}");
        // Whom a job that has ended could have been given to is nobody's question.
        if (why.Integer("devices", "total") is { } total && why.Text("state") is not ("completed" or "failed" or "cancelled"))
        {
            terminal.Line($"Devices: {why.Text("devices", "eligible")} of {total} could take it this moment");
            foreach (var (code, count) in refused)
                terminal.Line($"  {count} refused: {code}{(reasons.Find(r => r.Text("code") == code) is { } reason ? $" ({reason.Text("message")})" : "")}");
        }
        var changes = why.Items("changes").ToList();
        if (changes.Count > 0)
            terminal.Line("What would change it:");
        foreach (var change in changes)
            terminal.Line($"  - {change.Text("message")} ({change.Text("code")})");
    }

    private static void PrintJob(Terminal terminal, JsonNode job)
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = false };
        table.AddColumn("").AddColumn("");
        void Row(string label, string? value)
        {
            if (value is not null)
                table.AddRow(new Text(label), new Text(Terminal.Sanitize(value)));
        }

        Row("Job", job.Text("id"));
        Row("Name", job.Text("name"));
        table.AddRow(new Text("Status"), StatusCell(job.Text("status")));
        Row("SLA", job.Text("sla"));
        Row("Reason", job.Text("reason"));
        Row("Needs", $"CPU cores {job.Text("cpu")}, memory {job.Text("memory")} MiB per task");
        Row("Submitted", Humane.Instant(job.Instant("submitted")));
        Row("Started", Humane.Instant(job.Instant("started")));
        Row("Completed", Humane.Instant(job.Instant("completed")));
        Row("Progress", job.Number("progress") is { } p ? string.Create(CultureInfo.InvariantCulture, $"{p:0.#} %") : null);
        if (job.At("tasks") is { } tasks)
        {
            Row("Tasks", $"{tasks.Text("total")}: "
                + string.Join(", ", tasks.Members().Where(m => m.Key != "total" && m.Value.Number() is > 0).Select(m => $"{m.Value.Text()} {m.Key}")));
        }
        if (job.At("cost") is { } cost)
        {
            // The hold of a job that has ended is history: what was not charged went back.
            var open = job.Text("completed") is null;
            Row("Cost", $"{Humane.Credits(cost.Credits("charged"))} credits charged, {Humane.Credits(cost.Credits("quoted"))} quoted"
                + (open ? $", {Humane.Credits(cost.Credits("held"))} held" : ""));
        }
        if (job.Text("status") is "pending" or "failed" or "paused")
            Row("Why", job.Text("why", "summary") ?? job.Text("why"));
        terminal.Table(table);

        var attempts = job.Items("attempts").Take(10).ToList();
        if (attempts.Count > 0)
        {
            var list = Terminal.NewTable("Task", "Replica", "Device", "State", "Wall", "Exit", "Reason");
            foreach (var a in attempts)
            {
                list.AddRow(Cell(a.Text("taskIndex")), Cell(a.Text("replica")), Cell(a.Text("device")), Cell(a.Text("state")),
                    Cell(Humane.Seconds(a.Number("wallMs") / 1000)), Cell(a.Text("exitCode")), Cell(a.Text("message") ?? a.Text("reason")));
            }
            terminal.Line($"Attempts ({(attempts.Count == 10 ? "the latest 10" : "all")}):");
            terminal.Table(list);
        }
        var logs = job.Items("logs").Select(l => l.Text() ?? l.Text("text")).OfType<string>().TakeLast(10).ToList();
        if (logs.Count > 0)
        {
            terminal.Line("Last log lines:");
            foreach (var line in logs)
                terminal.Line("  " + line.TrimEnd('\n'));
        }
    }

    public static Text Cell(string? text) => new(Terminal.Sanitize(text ?? "–"));

    public static Text StatusCell(string? status) => new(status ?? "–", new Style(foreground: status switch
    {
        "completed" => Color.Green,
        "failed" or "cancelled" => Color.Red,
        "running" => Color.Aqua,
        _ => Color.Yellow,
    }));

    public static TimeSpan? Limit(double? seconds) => seconds is { } s ? TimeSpan.FromSeconds(s) : null;

    public static void Positive(System.CommandLine.Parsing.OptionResult result)
    {
        if (result.Tokens.Count > 0 && double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            && !(value > 0 && double.IsFinite(value)))
            result.AddError($"{result.Option.Name} must be greater than 0.");
    }

    public static void NotNegative(System.CommandLine.Parsing.OptionResult result)
    {
        if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && value < 0)
            result.AddError($"{result.Option.Name} must be 0 or more.");
    }

    /// <summary>Takes ids only: anything else would be an address that the control plane does not have.</summary>
    /// <param name="listing">The command that shows them.</param>
    public static Argument<T> OfIds<T>(this Argument<T> argument, string listing)
    {
        argument.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && !Guid.TryParse(text, out _))
                result.AddError($"'{text}' is no id. Ids look like 0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10; {listing} shows them.");
        });
        return argument;
    }

    public static Action<System.CommandLine.Parsing.OptionResult> Between(int low, int high) => result =>
    {
        if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && (value < low || value > high))
            result.AddError($"{result.Option.Name} must be between {low} and {high}.");
    };

    public static void DocumentIfJson(this Terminal terminal, JsonNode? node)
    {
        if (terminal.Json)
            terminal.Document(node);
    }
}

/// <summary>Job files: one job, or an array in which a later job names earlier ones in <c>depends_on</c>.</summary>
internal static class JobFile
{
    public sealed record Loaded(IReadOnlyList<JsonObject> Jobs, bool IsArray, string Folder);

    public static async Task<Loaded> LoadAsync(string file, CliHost host, CancellationToken cancel)
    {
        string text, folder;
        if (file == "-")
        {
            text = await host.In.ReadToEndAsync(cancel);
            folder = host.CurrentDirectory;
        }
        else
        {
            var path = Path.GetFullPath(file, host.CurrentDirectory);
            if (!File.Exists(path))
                throw new CliException(ExitCodes.Usage, $"There is no file {path}.", "See examples/ for files to start from.");
            text = await File.ReadAllTextAsync(path, cancel);
            folder = Path.GetDirectoryName(path)!;
        }
        JsonNode? node;
        try
        {
            node = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        }
        catch (JsonException error)
        {
            throw new CliException(ExitCodes.Usage, $"{file} is not JSON: {error.Message}", "See examples/ for files to start from.");
        }
        return node switch
        {
            JsonObject job => new Loaded([job], false, folder),
            JsonArray { Count: > 0 } list when list.All(j => j is JsonObject) => new Loaded([.. list.Cast<JsonObject>()], true, folder),
            _ => throw new CliException(ExitCodes.Usage, $"{file} holds neither a job nor an array of jobs.", "See examples/ for files to start from."),
        };
    }

    /// <summary>Replaces names of jobs submitted before from the same file by their ids; anything else is left to the server.</summary>
    public static void ResolveDependencies(JsonObject job, IReadOnlyDictionary<string, string> ids)
    {
        if (job["depends_on"] is not JsonArray list)
            return;
        for (var i = 0; i < list.Count; i++)
        {
            if (list[i].Text() is { } name && ids.TryGetValue(name, out var id))
                list[i] = id;
        }
    }

    /// <summary>Uploads what the file names as <c>@path</c> (a module, the content of an input) and puts the hash in its place.</summary>
    public static async Task UploadLocalArtifactsAsync(JsonObject job, string folder, FogServer server, Terminal terminal, CancellationToken cancel)
    {
        var places = new List<(JsonObject Owner, string Member)>();
        if (job["payload"] is JsonObject payload)
            places.Add((payload, "module"));
        places.AddRange(job.Items("inputs").OfType<JsonObject>().Select(input => (input, "sha256")));
        foreach (var (owner, member) in places)
        {
            if (owner.Text(member) is not ['@', .. var relative])
                continue;
            var path = Path.GetFullPath(relative, folder);
            if (!File.Exists(path))
                throw new CliException(ExitCodes.Usage, $"The job file names {path}, which does not exist.", "Paths after @ are relative to the job file.");
            owner[member] = await server.UploadAsync(path, cancel);
            terminal.Note($"Uploaded {relative} ({owner.Text(member)}).");
        }
    }
}
