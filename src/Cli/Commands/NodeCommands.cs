using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using FogCompute.Cli.Processes;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog node …</c>: lend this machine, and look at the machines the pool knows.</summary>
internal static class NodeCommands
{
    private const string StatePrefix = "node-";

    /// <summary>An agent may take 30 s to hand its leases back.</summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(35);

    public static FogCommand Create(GlobalOptions globals) => new FogCommand("node", "Lend this machine, and look at the pool's machines.", "fog node start")
    {
        Start(globals), List(globals), Why(globals),
        Local(globals, "status", "Say what the agent on this machine is doing."),
        Local(globals, "pause", "Take this machine back; running work is handed over."),
        Local(globals, "resume", "Lend this machine again after a pause."),
    };

    private static Option<string?> Name() => new("--name") { Description = "Agent on this machine (default: the machine's name)", HelpName = "NAME" };
    private static Option<string?> State() => new("--state") { Description = "State folder (default: node-NAME in FOG_HOME or ~/.fogcompute)", HelpName = "FOLDER" };

    private static FogCommand Start(GlobalOptions globals)
    {
        var (name, state) = (Name(), State());
        var device = new Option<string?>("--id") { Description = "Device id in the pool (default: the name)", HelpName = "ID" };
        var enrolment = new Option<string?>("--enrolment-token") { Description = "Token of the account that owns the machine (not needed for a server on this machine)", HelpName = "TOKEN" };
        var policy = new Option<string?>("--policy") { Description = "When the machine is lent: owner (default: only while nobody needs it), dedicated (always), or a policy file (JSON)", HelpName = "POLICY" };
        var cpu = new Option<double?>("--cpu") { Description = "Cores to lend", HelpName = "CORES" };
        cpu.Validators.Add(JobCommands.Positive);
        var slots = new Option<int?>("--slots") { Description = "Attempts at once", HelpName = "N" };
        slots.Validators.Add(JobCommands.Between(1, 1024));
        var labels = new Option<string?>("--labels") { Description = "Words jobs can ask for, separated by commas", HelpName = "A,B" };
        var rest = new Argument<string[]>("agent-options") { Description = "Further options of the agent, after --", Arity = ArgumentArity.ZeroOrMore };
        var command = new FogCommand("start", "Lend this machine until Ctrl-C.", "fog node start --policy dedicated --slots 2",
            "fog node start --server https://pool.example --enrolment-token foge_…")
        {
            name, device, state, enrolment, policy, cpu, slots, labels, rest,
        };
        return command.Runs(globals, async invocation =>
        {
            var id = invocation.Get(name) ?? MachineName();
            CheckName(id);
            var folder = invocation.Get(state) is { } given ? Path.GetFullPath(given, invocation.Host.CurrentDirectory) : Path.Combine(invocation.Host.FogHome, StatePrefix + id);
            List<string> args = ["run", "--server", invocation.ServerAddress.ToString().TrimEnd('/'), "--id", invocation.Get(device) ?? id, "--state", folder, "--name", id];
            if (invocation.Get(policy) is { } p)
                args.AddRange(["--policy", p]);
            if (invocation.Get(cpu) is { } c)
                args.AddRange(["--cpu", c.ToString(CultureInfo.InvariantCulture)]);
            if (invocation.Get(slots) is { } s)
                args.AddRange(["--slots", s.ToString(CultureInfo.InvariantCulture)]);
            if (invocation.Get(labels) is { } l)
                args.AddRange(["--labels", l]);
            args.AddRange(invocation.Get(rest));
            var environment = new Dictionary<string, string?>(StringComparer.Ordinal);
            if (invocation.Get(enrolment) is { } token)
                environment["FOG_NODE_TOKEN"] = token;
            using var agent = ChildProcess.Start("fog-node", ProductBinaries.FindDotnet(), ProductBinaries.FindNode(invocation.Host), args, null, environment);
            try
            {
                await agent.WaitForExitAsync(invocation.Cancel);
                return agent.ExitCode;
            }
            catch (OperationCanceledException)
            {
                invocation.Terminal.Note("Handing work back …");
                if (await agent.StopAsync(StopGrace))
                    return agent.ExitCode;
                throw new CliException(ExitCodes.Error, "The agent did not end in time and was killed; its leases return to the pool when they expire.");
            }
        });
    }

    private static FogCommand List(GlobalOptions globals)
    {
        var command = new FogCommand("list", "List the machines of the pool.", "fog node list");
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.GetAsync("api/idle-compute/devices", invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            var devices = answer.Items("devices").ToList();
            if (devices.Count == 0)
            {
                invocation.Terminal.Line("No machines yet. Lend this one: fog node start");
                return ExitCodes.Ok;
            }
            var table = Terminal.NewTable("Device", "Name", "Type", "Status", "Cores", "Memory", "Battery", "Tasks done", "Last seen");
            foreach (var d in devices)
            {
                table.AddRow([JobCommands.Cell(d.Text("id")), JobCommands.Cell(d.Text("name")), JobCommands.Cell(d.Text("type")), JobCommands.Cell(d.Text("status")),
                    JobCommands.Cell(d.Text("cpu")), JobCommands.Cell(d.Text("memory") is { } m ? m + " MiB" : null),
                    JobCommands.Cell(d.Text("battery") is { } b ? b + " %" : null), JobCommands.Cell(d.Text("tasksCompleted")),
                    JobCommands.Cell(Humane.Instant(d.Instant("lastSeen")))]);
            }
            invocation.Terminal.Table(table);
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Why(GlobalOptions globals)
    {
        var (name, state) = (Name(), State());
        var device = new Argument<string?>("device") { Description = "Device id; without it the agent on this machine answers", Arity = ArgumentArity.ZeroOrOne };
        var command = new FogCommand("why", "Say why a machine does or does not take work.", "fog node why", "fog node why lab-pc-7") { device, name, state };
        return command.Runs(globals, async invocation =>
        {
            if (invocation.GetOptional(device) is not { } id)
                return await AskAgentAsync(invocation, "why", invocation.Get(name), invocation.Get(state));
            var why = await invocation.Server.GetAsync($"api/idle-compute/devices/{Uri.EscapeDataString(id)}/why", invocation.Cancel);
            invocation.Terminal.DocumentIfJson(why);
            invocation.Terminal.Line($"{why.Text("deviceId")}: {why.Text("summary") ?? why.Text("state")}");
            foreach (var reason in why.Items("reasons"))
                invocation.Terminal.Line("  " + (reason.Text() ?? $"{reason.Text("code")}: {reason.Text("message")}"));
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Local(GlobalOptions globals, string verb, string description)
    {
        var (name, state) = (Name(), State());
        var command = new FogCommand(verb, description, $"fog node {verb}") { name, state };
        return command.Runs(globals, invocation => AskAgentAsync(invocation, verb, invocation.Get(name), invocation.Get(state)));
    }

    /// <summary>Runs <c>fog-node VERB --state FOLDER</c> and passes its answer and exit code on.</summary>
    private static async Task<int> AskAgentAsync(Invocation invocation, string verb, string? name, string? state)
    {
        var folder = state is not null ? Path.GetFullPath(state, invocation.Host.CurrentDirectory) : FindState(invocation.Host, name);
        var start = new ProcessStartInfo(ProductBinaries.FindDotnet())
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        foreach (var arg in (string[])[ProductBinaries.FindNode(invocation.Host), verb, "--state", folder])
            start.ArgumentList.Add(arg);
        if (invocation.Terminal.Json)
            start.ArgumentList.Add("--json");
        using var process = Process.Start(start) ?? throw new CliException(ExitCodes.Error, "fog-node could not be started.", "Run: fog doctor");
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(invocation.Cancel), process.StandardError.ReadToEndAsync(invocation.Cancel));
        await process.WaitForExitAsync(invocation.Cancel);
        var (said, complained) = (await output, await error);
        if (invocation.Terminal.Json && Parse(said) is { } document)
            invocation.Terminal.Document(document);
        else if (!invocation.Terminal.Json)
            await invocation.Host.Out.WriteAsync(said);
        if (process.ExitCode != 0 && invocation.Terminal.Json && !invocation.Terminal.DocumentWritten)
        {
            throw new CliException(process.ExitCode, complained.Trim() is { Length: > 0 } text ? text : $"fog-node {verb} ended with exit code {process.ExitCode}.",
                "Is it running? fog node start");
        }
        await invocation.Host.Error.WriteAsync(complained);
        return process.ExitCode;
    }

    private static JsonNode? Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The folder of the agent meant: the named one, else this machine's, else the only one there is.</summary>
    private static string FindState(CliHost host, string? name)
    {
        if (name is not null)
            CheckName(name);
        var wanted = Path.Combine(host.FogHome, StatePrefix + (name ?? MachineName()));
        if (Directory.Exists(wanted))
            return wanted;
        var present = Directory.Exists(host.FogHome)
            ? Directory.GetDirectories(host.FogHome, StatePrefix + "*").Select(d => Path.GetFileName(d)[StatePrefix.Length..]).Order(StringComparer.Ordinal).ToList()
            : [];
        return (name, present) switch
        {
            (null, [var only]) => Path.Combine(host.FogHome, StatePrefix + only),
            (_, []) => throw new CliException(ExitCodes.NotFound, $"No agent was ever started here (nothing in {host.FogHome}).", "Lend this machine: fog node start"),
            (null, _) => throw new CliException(ExitCodes.Usage, "Several agents live on this machine.", $"Name one with --name: {string.Join(", ", present)}"),
            _ => throw new CliException(ExitCodes.NotFound, $"There is no agent called '{name}' on this machine.", $"There are: {string.Join(", ", present)}"),
        };
    }

    private static string MachineName() =>
        new([.. Environment.MachineName.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '-')]);

    private static void CheckName(string name)
    {
        if (name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-') || name.StartsWith('.'))
            throw new CliException(ExitCodes.Usage, $"'{name}' cannot be the name of an agent.", "Use 1-64 letters, digits, dots, dashes and underscores.");
    }
}
