using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using FogCompute.Protocol;
using FogCompute.Node.Control;
using FogCompute.Node.Probes;

namespace FogCompute.Node;

/// <summary>The commands of fog-node. Every option can also be given as environment variable FOG_NODE_*.</summary>
public static class CommandLine
{
    private static readonly string[] DeviceTypes = ["android", "ios", "desktop", "laptop", "tablet", "edge"];

    /// <summary>Runs the command and answers the exit code.</summary>
    public static async Task<int> InvokeAsync(string[] arguments, ExecutorFactory executors, TimeProvider clock)
    {
        var root = new RootCommand(
            "The FogCompute device agent: lends this machine's idle time to the pool, on its owner's terms.\n\n"
            + "Exit codes: 0 ok, 1 error, 2 usage, 4 the control plane refuses this device, 8 no agent runs in that state folder.\n"
            + "Every option can also be given as an environment variable: --memory-mb as FOG_NODE_MEMORY_MB.")
        {
            Run(executors, clock),
            Ask("status", "Show what the agent does now.", "status", StatusText),
            Ask("pause", "Take no more work until `resume`, also after a restart. Running work has 30 s to finish.", "pause", StatusText),
            Ask("resume", "Let the machine work again after `pause`.", "resume", StatusText),
            Ask("why", "Explain why the machine works or does not.", "status", WhyText),
        };
        var parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
                await Console.Error.WriteLineAsync(error.Message);
            await Console.Error.WriteLineAsync("Try `fog-node --help`, or `fog-node run --help` for the options of a command.");
            return ExitCodes.Usage;
        }
        try
        {
            // Signals are handled by the run command; the library's own handler would end the process after 2 s.
            return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false });
        }
        catch (AgentException error)
        {
            await Console.Error.WriteLineAsync($"fog-node: {error.Message}");
            return error.ExitCode;
        }
    }

    private static Command Run(ExecutorFactory executors, TimeProvider clock)
    {
        var server = Text("--server", "URL", "Base address of the control plane, for example http://127.0.0.1:8000.", required: true);
        var id = Text("--id", "ID", "Id of this device: 1–255 of letters, digits and . _ : -", required: true);
        var state = StateOption();
        var token = Text("--token", "TOKEN", "Enrolment token; needed once, not at all for a control plane on this machine.");
        var name = Text("--name", "NAME", "Name shown to people. Default: the host name.");
        var type = Text("--type", "TYPE", $"One of {string.Join(", ", DeviceTypes)}. Default: desktop.");
        var slots = Number("--slots", "N", "Attempts at once, 1–1024. Default: one per offered core.", 1, 1024, whole: true);
        var cpu = Number("--cpu", "CORES", "Cores offered, 1–1024. Default: the policy's share of the machine.", 1, 1024);
        var memory = Number("--memory-mb", "MIB", "Memory offered, MiB, 1–16777216. Default: the policy's share of the machine.", 1, 16_777_216, whole: true);
        var labels = Text("--labels", "A,B", "Free words jobs can ask for, comma-separated, at most 32 of at most 64 characters.");
        var region = Text("--region", "REGION", "Where the machine stands, as jobs may ask for it.");
        var network = Flag("--network", "Let jobs that ask for it use the network.");
        var policy = Text("--policy", "FILE|PRESET", "The owner's terms: a JSON file, or `owner` (default: mains power, nobody at it, cool, half of the CPU) or `dedicated` (no limits but heat).");
        var sensors = Text("--sensors", "FILE", "JSON file that replaces single sensors, for machines whose sensors are wrong and for tests.");
        var process = Flag("--allow-process-isolation", "Also run commands without a sandbox. Only for jobs you trust.");
        var cache = Number("--cache-mb", "MIB", "Bound of the cache for inputs, MiB. Default: 10240.", 1, 16_777_216, whole: true);
        var json = Flag("--json-logs", "Log as JSON lines.");
        var verbose = Flag("--verbose", "Also log every attempt.");
        var command = new Command("run", "Run the agent until it is stopped (SIGTERM or Ctrl+C hands all work back within 30 s).")
        {
            server, id, state, token, name, type, slots, cpu, memory, labels, region, network, policy, sensors, process, cache, json, verbose,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(server) is { } url && ServerUri(url) is null)
                result.AddError($"--server is '{url}', allowed: an absolute http or https address such as http://127.0.0.1:8000.");
            if (result.GetValue(id) is { } device && (device.Length is 0 or > 255 || !device.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or ':' or '-')))
                result.AddError($"--id is '{device}', allowed: 1–255 of letters, digits and . _ : -");
            if (result.GetValue(type) is { } kind && !DeviceTypes.Contains(kind))
                result.AddError($"--type is '{kind}', allowed: {string.Join(", ", DeviceTypes)}.");
            if (Split(result.GetValue(labels)) is var words && (words.Length > 32 || words.Any(w => w.Length > 64)))
                result.AddError("--labels has more than 32 words or one with more than 64 characters.");
        });
        command.SetAction(async (parsed, stop) =>
        {
            var log = new NodeLog(Console.Error, parsed.GetValue(json), parsed.GetValue(verbose), clock);
            var options = new NodeOptions
            {
                Server = ServerUri(parsed.GetValue(server)!)!,
                DeviceId = parsed.GetValue(id)!,
                StateFolder = parsed.GetValue(state)!,
                Token = parsed.GetValue(token),
                Name = parsed.GetValue(name),
                DeviceType = parsed.GetValue(type) ?? "desktop",
                Slots = (int?)parsed.GetValue(slots),
                Cpu = parsed.GetValue(cpu),
                MemoryMb = (long?)parsed.GetValue(memory),
                Labels = Split(parsed.GetValue(labels)),
                Region = parsed.GetValue(region),
                Network = parsed.GetValue(network),
                Policy = parsed.GetValue(policy),
                SensorsFile = parsed.GetValue(sensors),
                AllowProcessIsolation = parsed.GetValue(process),
                CacheMb = (long?)parsed.GetValue(cache) ?? 10_240,
            };
            using var signalled = CancellationTokenSource.CreateLinkedTokenSource(stop);
            void OnSignal(PosixSignalContext context)
            {
                context.Cancel = true;
                log.Info("signal", $"Got {context.Signal}; handing work back.");
                signalled.Cancel();
            }
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
            using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);
            if (ParentWatch.FromEnvironment(clock) is { } parent)
            {
                _ = parent.WaitForExitAsync(signalled.Token).ContinueWith(_ =>
                {
                    log.Info("parent_gone", "The process that started this agent has ended; handing work back.");
                    signalled.Cancel();
                }, CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            }
            return await new AgentHost(options, executors, new LinuxSensors("/", clock), clock, log).RunAsync(signalled.Token);
        });
        return command;
    }

    private static Command Ask(string name, string description, string word, Func<NodeStatus, string> text)
    {
        var state = StateOption();
        var json = new Option<bool>("--json") { Description = "Print the whole state as one line of JSON." };
        var command = new Command(name, description) { state, json };
        command.SetAction(async (parsed, stop) =>
        {
            var folder = parsed.GetValue(state)!;
            if (await ControlSocket.AskAsync(folder, word, stop) is not { } status)
                throw new AgentException(ExitCodes.Unreachable,
                    $"No agent runs with the state folder {Path.GetFullPath(folder)}. Start one with `fog-node run`, or name another folder with --state.");
            await Console.Out.WriteLineAsync(parsed.GetValue(json) ? ControlSocket.ToJson(status) : text(status));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static string StatusText(NodeStatus status)
    {
        var lines = new List<string>
        {
            $"{status.DeviceId}: {status.State}{(status.Reason is null ? "" : $" ({status.Reason})")}{(status.Since is { } since ? $" since {since:u}" : "")}",
            $"control plane  {status.Server} {(status.Connected ? "answers" : status.Trouble is null ? "not asked yet" : $"does not answer: {status.Trouble}")}",
            $"attempts       {status.Running} running, {status.Queued} queued, {status.Uploading} uploading, {status.Unreported} not yet reported; {status.Slots} slots, CPU limit {status.CpuLimit:P0}",
            $"since start    {status.Succeeded} succeeded, {status.Failed} failed, {status.Evicted} evicted",
            $"sensors        battery {Show(status.BatteryPercent, "0 '%'")}, mains {(status.Charging is { } on ? on ? "on" : "off" : "no sensor")}, temperature {Show(status.TemperatureCelsius, "0.# '°C'")}, "
                + $"other CPU {Show(status.OtherCpu * 100, "0 '%'")}, user idle {Show(status.UserIdleSeconds, "0 's'")}, network {status.Network ?? "no sensor"}",
        };
        lines.AddRange(status.Attempts.Select(a => $"  {a.AttemptId} {a.Phase}{(a.StartedAt is { } started ? $" since {started:u}" : "")}"));
        return string.Join('\n', lines);
    }

    private static string WhyText(NodeStatus status)
    {
        if (status.Reason is null)
            return $"{status.DeviceId} is {status.State}: nothing is against taking work.{(status.Connected ? "" : $" But the control plane does not answer: {status.Trouble ?? "not asked yet"}")}";
        var lines = new List<string> { $"{status.DeviceId} is {status.State} because of {status.Reason}." };
        lines.AddRange(status.Reasons.Select(r => $"  {r.Code}: {r.Message}"));
        if (status.Reasons.Count == 0)
            lines.Add("  The cause is gone; the machine waits a while so that it does not flap.");
        if (status.NotBefore is { } until)
            lines.Add($"  Not before {until:u}.");
        return string.Join('\n', lines);
    }

    private static string Show(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "no sensor";

    private static Option<string> StateOption() => Text("--state", "DIR", "Folder that holds this agent's identity, leases and unsent results.", required: true)!;

    private static Uri? ServerUri(string text) =>
        Uri.TryCreate(text.EndsWith('/') ? text : text + "/", UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri : null;

    private static string[] Split(string? list) => list?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    private static string? FromEnvironment(string option) =>
        Environment.GetEnvironmentVariable("FOG_NODE_" + option[2..].Replace('-', '_').ToUpperInvariant()) is { Length: > 0 } value ? value : null;

    private static Option<string?> Text(string name, string value, string description, bool required = false)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = value };
        if (FromEnvironment(name) is { } set)
            option.DefaultValueFactory = _ => set;
        else
            option.Required = required;
        return option;
    }

    private static Option<double?> Number(string name, string value, string description, double min, double max, bool whole = false)
    {
        var option = new Option<double?>(name)
        {
            Description = description,
            HelpName = value,
            CustomParser = result => Parse(result.Tokens[0].Value, result.AddError),
        };
        if (FromEnvironment(name) is { } set)
            option.DefaultValueFactory = result => Parse(set, result.AddError);
        return option;

        double? Parse(string text, Action<string> fail)
        {
            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
                && (!whole || double.IsInteger(number)))
                return number;
            fail($"{name} is '{text}', allowed: {(whole ? "whole numbers " : "")}{min}–{max}.");
            return null;
        }
    }

    private static Option<bool> Flag(string name, string description)
    {
        var option = new Option<bool>(name) { Description = description };
        if (FromEnvironment(name) is { } set)
            option.DefaultValueFactory = result =>
            {
                if (set is "1" or "true" or "0" or "false")
                    return set is "1" or "true";
                result.AddError($"The environment variable of {name} is '{set}', allowed: 1, true, 0, false.");
                return false;
            };
        return option;
    }
}
