using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog run … -- cmd</c>: one command as a sandboxed job, or N of them as an array.</summary>
internal static class RunCommand
{
    public static FogCommand Create(GlobalOptions globals)
    {
        var flags = new JobFlags();
        var plan = new PlanFlags();
        var follow = new Option<bool>("--follow", "-f") { Description = "Stay until the end and print the logs; exit 6 when the job failed" };
        var timeout = new Option<double?>("--timeout") { Description = "With --follow: give up waiting after so many seconds (the job goes on; exit 7)", HelpName = "SECONDS" };
        timeout.Validators.Add(JobCommands.Positive);
        var argv = new Argument<string[]>("cmd") { Description = "Program and arguments, after --; ./program is sent along", Arity = ArgumentArity.OneOrMore };

        var command = new FogCommand("run", "Run a command on the pool, in a sandbox without network.",
            "fog run --follow -- echo hello",
            "fog run --count 8 --sla silver --follow -- sh -c 'echo task $FOG_TASK_INDEX'",
            "fog run --input data.csv --output '*.png' -- python3 plot.py data.csv",
            "fog run --plan fast --max-price 2 --count 100 -- ./my-program")
        {
            follow, timeout, argv,
        };
        flags.AddTo(command);
        plan.AddTo(command);
        return command.Runs(globals, async invocation =>
        {
            var job = await flags.BuildAsync(invocation, invocation.Get(argv));
            await plan.ApplyAsync(invocation, job);
            var answer = await invocation.Server.PostAsync("api/scheduler/jobs", job, invocation.Cancel, Guid.NewGuid().ToString("N"));
            if (!invocation.Get(follow))
            {
                invocation.Terminal.DocumentIfJson(answer);
                JobCommands.PrintSubmitted(invocation.Terminal, answer, job.Text("name"));
                return ExitCodes.Ok;
            }
            var end = await JobFollower.FollowAsync(invocation, answer.Text("jobId")!, JobCommands.Limit(invocation.Get(timeout)));
            invocation.Terminal.DocumentIfJson(end.Job);
            return end.ExitCode;
        });
    }
}

/// <summary>The options that describe a command as a job; <c>fog run</c> and <c>fog quote</c> take the same.</summary>
internal sealed class JobFlags
{
    private readonly Option<int> _count = new("--count", "-n") { Description = "Number of tasks; each sees its number as FOG_TASK_INDEX", DefaultValueFactory = _ => 1, HelpName = "N" };
    private readonly Option<int?> _maxConcurrent = new("--max-concurrent") { Description = "With --count: run at most so many of the tasks at once", HelpName = "N" };
    private readonly Option<string> _sla = new("--sla") { Description = "bronze, silver, gold or platinum", DefaultValueFactory = _ => "bronze" };
    private readonly Option<double> _cpu = new("--cpu") { Description = "Cores per task", DefaultValueFactory = _ => 1, HelpName = "CORES" };
    private readonly Option<int> _memory = new("--memory") { Description = "Memory per task, MiB", DefaultValueFactory = _ => 256, HelpName = "MIB" };
    private readonly Option<string[]> _output = new("--output", "-o") { Description = "Files to keep, as a glob in the work folder (repeatable)", HelpName = "GLOB", DefaultValueFactory = _ => [] };
    private readonly Option<string[]> _input = new("--input", "-i") { Description = "Local file to put into the work folder under its own name (repeatable)", HelpName = "FILE", DefaultValueFactory = _ => [] };
    private readonly Option<string[]> _environment = new("--env", "-e") { Description = "NAME=VALUE for the command (repeatable)", HelpName = "NAME=VALUE", DefaultValueFactory = _ => [] };
    private readonly Option<string?> _name = new("--name") { Description = "Name of the job (default: the command's name)" };
    private readonly Option<int> _wall = new("--wall") { Description = "Longest run of one task, seconds", DefaultValueFactory = _ => 600, HelpName = "SECONDS" };
    private readonly Option<double> _estimate = new("--estimate") { Description = "Expected run of one task, minutes; decides what is held of your credits", DefaultValueFactory = _ => 1, HelpName = "MINUTES" };
    private readonly Option<int> _retries = new("--retries") { Description = "Run a failed task again so often, 0-20 (lost machines cost no retry)", HelpName = "N" };

    public JobFlags()
    {
        _count.Validators.Add(JobCommands.Between(1, 1_000_000));
        _maxConcurrent.Validators.Add(JobCommands.Between(1, 1_000_000));
        _sla.AcceptOnlyFromAmong("bronze", "silver", "gold", "platinum");
        _cpu.Validators.Add(JobCommands.Positive);
        _memory.Validators.Add(JobCommands.Positive);
        _environment.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(t => t.Value.IndexOf('=', StringComparison.Ordinal) < 1) is { } wrong)
                result.AddError($"--env takes NAME=VALUE, not '{wrong.Value}'.");
        });
        _wall.Validators.Add(JobCommands.Positive);
        _estimate.Validators.Add(JobCommands.Positive);
        _retries.Validators.Add(JobCommands.Between(0, 20));
    }

    private IReadOnlyList<Option> All => [_count, _maxConcurrent, _sla, _cpu, _memory, _output, _input, _environment, _name, _wall, _estimate, _retries];

    public void AddTo(Command command)
    {
        foreach (var option in All)
            command.Add(option);
    }

    /// <summary>The first of them that stands on the command line, or null.</summary>
    public string? FirstGiven(Invocation invocation) => All.FirstOrDefault(invocation.IsGiven)?.Name;

    /// <summary>The body of a submission; uploads the files it names.</summary>
    public async Task<JsonObject> BuildAsync(Invocation invocation, string[] words)
    {
        var job = new JsonObject
        {
            ["name"] = invocation.Get(_name) ?? Path.GetFileName(words[0]),
            ["sla_tier"] = invocation.Get(_sla),
            ["cpu_required"] = invocation.Get(_cpu),
            ["memory_required"] = invocation.Get(_memory),
            ["duration_estimate"] = invocation.Get(_estimate),
            ["payload"] = new JsonObject { ["kind"] = "command", ["argv"] = Strings(words) },
            ["isolation"] = "sandbox",
            ["retries"] = invocation.Get(_retries),
            ["limits"] = new JsonObject { ["wall_seconds"] = invocation.Get(_wall) },
        };
        if (invocation.Get(_environment) is { Length: > 0 } pairs)
        {
            var env = new JsonObject();
            foreach (var pair in pairs)
                env[pair[..pair.IndexOf('=', StringComparison.Ordinal)]] = pair[(pair.IndexOf('=', StringComparison.Ordinal) + 1)..];
            job["payload"]!["env"] = env;
        }
        if (invocation.Get(_count) > 1)
            job["array"] = new JsonObject { ["count"] = invocation.Get(_count) };
        if (invocation.Get(_maxConcurrent) is { } most)
        {
            if (job["array"] is not { } array)
                throw new CliException(ExitCodes.Usage, "--max-concurrent limits the tasks of an array, and this is one task.", "Say how many tasks there are: --count N.");
            array["max_concurrent"] = most;
        }
        if (invocation.Get(_output) is { Length: > 0 } globs)
            job["outputs"] = Strings(globs);
        var files = (invocation.Get(_input) ?? []).Select(file => (Name: Path.GetFileName(file), From: file)).ToList();
        // ./program can only be a file of the work folder, and there are none in it but the inputs.
        var program = words[0].StartsWith("./", StringComparison.Ordinal) ? words[0][2..] : null;
        if (program is not null && !files.Exists(f => f.Name == program))
            files.Add((program, program));
        var inputs = new JsonArray();
        foreach (var (name, from) in files)
        {
            var path = Path.GetFullPath(from, invocation.Host.CurrentDirectory);
            if (!File.Exists(path))
            {
                throw new CliException(ExitCodes.Usage, $"There is no file {path}.",
                    name == program ? "Name a program that is here, to be sent along, or one that the devices have: python3, sh." : "Name an existing file with --input.");
            }
            var sha256 = await invocation.Server.UploadAsync(path, invocation.Cancel);
            inputs.Add(new JsonObject { ["path"] = name, ["sha256"] = sha256, ["executable"] = IsExecutable(path) || name == program });
        }
        if (inputs.Count > 0)
            job["inputs"] = inputs;
        return job;
    }

    private static JsonArray Strings(IEnumerable<string> words) => new([.. words.Select(w => (JsonNode)w)]);

    private static bool IsExecutable(string path) =>
        !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & UnixFileMode.UserExecute) != UnixFileMode.None;
}
