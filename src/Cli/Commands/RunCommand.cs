using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog run … -- cmd</c>: one command as a sandboxed job, or N of them as an array.</summary>
internal static class RunCommand
{
    public static FogCommand Create(GlobalOptions globals)
    {
        var count = new Option<int>("--count", "-n") { Description = "Number of tasks; each sees its number as FOG_TASK_INDEX", DefaultValueFactory = _ => 1, HelpName = "N" };
        count.Validators.Add(JobCommands.Between(1, 1_000_000));
        var sla = new Option<string>("--sla") { Description = "bronze, silver, gold or platinum", DefaultValueFactory = _ => "bronze" };
        sla.AcceptOnlyFromAmong("bronze", "silver", "gold", "platinum");
        var follow = new Option<bool>("--follow", "-f") { Description = "Stay until the end and print the logs; exit 6 when the job failed" };
        var cpu = new Option<double>("--cpu") { Description = "Cores per task", DefaultValueFactory = _ => 1, HelpName = "CORES" };
        cpu.Validators.Add(JobCommands.Positive);
        var memory = new Option<int>("--memory") { Description = "Memory per task, MiB", DefaultValueFactory = _ => 256, HelpName = "MIB" };
        memory.Validators.Add(JobCommands.Positive);
        var output = new Option<string[]>("--output", "-o") { Description = "Files to keep, as a glob in the work folder (repeatable)", HelpName = "GLOB", DefaultValueFactory = _ => [] };
        var input = new Option<string[]>("--input", "-i") { Description = "Local file to put into the work folder under its own name (repeatable)", HelpName = "FILE", DefaultValueFactory = _ => [] };
        var environment = new Option<string[]>("--env", "-e") { Description = "NAME=VALUE for the command (repeatable)", HelpName = "NAME=VALUE", DefaultValueFactory = _ => [] };
        environment.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(t => t.Value.IndexOf('=', StringComparison.Ordinal) < 1) is { } wrong)
                result.AddError($"--env takes NAME=VALUE, not '{wrong.Value}'.");
        });
        var name = new Option<string?>("--name") { Description = "Name of the job (default: the command's name)" };
        var wall = new Option<int>("--wall") { Description = "Longest run of one task, seconds", DefaultValueFactory = _ => 600, HelpName = "SECONDS" };
        wall.Validators.Add(JobCommands.Positive);
        var estimate = new Option<double>("--estimate") { Description = "Expected run of one task, minutes; decides what is held of your credits", DefaultValueFactory = _ => 1, HelpName = "MINUTES" };
        estimate.Validators.Add(JobCommands.Positive);
        var retries = new Option<int>("--retries") { Description = "Run a failed task again so often, 0-20 (lost machines cost no retry)", HelpName = "N" };
        retries.Validators.Add(JobCommands.Between(0, 20));
        var timeout = new Option<double?>("--timeout") { Description = "With --follow: give up waiting after so many seconds (the job goes on; exit 7)", HelpName = "SECONDS" };
        timeout.Validators.Add(JobCommands.Positive);
        var argv = new Argument<string[]>("cmd") { Description = "Program and arguments, after --", Arity = ArgumentArity.OneOrMore };

        var command = new FogCommand("run", "Run a command on the pool, in a sandbox without network.",
            "fog run --follow -- echo hello",
            "fog run --count 8 --sla silver --follow -- sh -c 'echo task $FOG_TASK_INDEX'",
            "fog run --input data.csv --output '*.png' -- python3 plot.py data.csv")
        {
            count, sla, follow, cpu, memory, output, input, environment, name, wall, estimate, retries, timeout, argv,
        };
        return command.Runs(globals, async invocation =>
        {
            var words = invocation.Get(argv);
            var job = new JsonObject
            {
                ["name"] = invocation.Get(name) ?? Path.GetFileName(words[0]),
                ["sla_tier"] = invocation.Get(sla),
                ["cpu_required"] = invocation.Get(cpu),
                ["memory_required"] = invocation.Get(memory),
                ["duration_estimate"] = invocation.Get(estimate),
                ["payload"] = new JsonObject { ["kind"] = "command", ["argv"] = Strings(words) },
                ["isolation"] = "sandbox",
                ["retries"] = invocation.Get(retries),
                ["limits"] = new JsonObject { ["wall_seconds"] = invocation.Get(wall) },
            };
            if (invocation.Get(environment) is { Length: > 0 } pairs)
            {
                var env = new JsonObject();
                foreach (var pair in pairs)
                    env[pair[..pair.IndexOf('=', StringComparison.Ordinal)]] = pair[(pair.IndexOf('=', StringComparison.Ordinal) + 1)..];
                job["payload"]!["env"] = env;
            }
            if (invocation.Get(count) > 1)
                job["array"] = new JsonObject { ["count"] = invocation.Get(count) };
            if (invocation.Get(output) is { Length: > 0 } globs)
                job["outputs"] = Strings(globs);
            if (invocation.Get(input) is { Length: > 0 } files)
            {
                var inputs = new JsonArray();
                foreach (var file in files)
                {
                    var path = Path.GetFullPath(file, invocation.Host.CurrentDirectory);
                    if (!File.Exists(path))
                        throw new CliException(ExitCodes.Usage, $"There is no file {path}.", "Name an existing file with --input.");
                    var sha256 = await invocation.Server.UploadAsync(path, invocation.Cancel);
                    inputs.Add(new JsonObject { ["path"] = Path.GetFileName(path), ["sha256"] = sha256, ["executable"] = IsExecutable(path) });
                }
                job["inputs"] = inputs;
            }
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

    private static JsonArray Strings(IEnumerable<string> words) => new([.. words.Select(w => (JsonNode)w)]);

    private static bool IsExecutable(string path) =>
        !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & UnixFileMode.UserExecute) != UnixFileMode.None;
}
