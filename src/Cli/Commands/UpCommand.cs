using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using FogCompute.Cli.Processes;
using FogCompute.Cli.Server;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog up</c>: control plane (and agents) in the foreground until Ctrl-C.</summary>
internal static class UpCommand
{
    public static FogCommand Create(GlobalOptions globals)
    {
        var port = new Option<int>("--port") { Description = "Port on 127.0.0.1", DefaultValueFactory = _ => 8000, HelpName = "PORT" };
        port.Validators.Add(JobCommands.Between(1, 65_535));
        var agents = new Option<int>("--agents") { Description = "Also start N agents on this machine", HelpName = "N" };
        agents.Validators.Add(JobCommands.Between(0, 64));
        var verbose = new Option<bool>("--verbose") { Description = "Show the logs here instead of writing them to files" };
        var command = new FogCommand("up", "Start the control plane here and keep it running until Ctrl-C.", "fog up --agents 2", "fog up --port 9000") { port, agents, verbose };
        return command.Runs(globals, async invocation =>
        {
            var (host, terminal) = (invocation.Host, invocation.Terminal);
            var number = invocation.Get(port);
            if (LocalPool.IsPortTaken(number))
            {
                throw new CliException(ExitCodes.Conflict, $"Port {number} of 127.0.0.1 is taken.",
                    $"Perhaps a control plane runs already (fog doctor --server http://127.0.0.1:{number}); or choose another: fog up --port {number + 1}");
            }
            var binaries = ProductBinaries.Find(host);
            await using var pool = new LocalPool(host, binaries, host.FogHome, number, logToFiles: !invocation.Get(verbose) || terminal.Json,
                new Dictionary<string, string?>(StringComparer.Ordinal));
            using var server = new FogServer(pool.Address, invocation.Token);
            terminal.Note($"Starting the control plane; its data and logs are in {pool.Home} …");
            await pool.StartControlPlaneAsync(server, invocation.Cancel);
            for (var i = 1; i <= invocation.Get(agents); i++)
                pool.StartAgent(new AgentStart($"local-{i}", Path.Combine(pool.Home, $"node-local-{i}"), null, null, null));
            terminal.DocumentIfJson(new JsonObject
            {
                ["url"] = pool.Address.ToString().TrimEnd('/'),
                ["processId"] = pool.ControlPlane!.ProcessId,
                ["agents"] = new JsonArray([.. pool.Agents.Select(a => (JsonNode)new JsonObject { ["id"] = a.Name, ["processId"] = a.ProcessId })]),
            });
            var url = pool.Address.ToString().TrimEnd('/');
            terminal.Markup($"[green]FogCompute runs at {url}[/]");
            terminal.Line($"  API documentation   {url}/docs");
            terminal.Line($"  Health              {url}/health");
            if (pool.Agents.Count > 0)
                terminal.Line($"  Agents              {string.Join(", ", pool.Agents.Select(a => a.Name))}");
            terminal.Line();
            terminal.Line("Next, in another terminal:");
            var flag = number == 8000 ? "" : $" --server {url}";
            if (pool.Agents.Count == 0)
                terminal.Line($"  fog node start{flag}                     lend this machine");
            terminal.Line($"  fog run{flag} --follow -- echo hello     run something");
            terminal.Line($"  fog job list{flag}                       see what is there");
            terminal.Line("Ctrl-C stops everything.");

            using var over = CancellationTokenSource.CreateLinkedTokenSource(invocation.Cancel);
            try
            {
                await await Task.WhenAny(pool.All.Select(child => child.WaitForExitAsync(over.Token)));
                var ended = pool.All.First(child => child.HasExited);
                throw LocalPool.Failed(ended, $"{ended.Name} ended by itself with exit code {ended.ExitCode}; stopping the rest.");
            }
            catch (OperationCanceledException) when (invocation.Cancel.IsCancellationRequested)
            {
                terminal.Note("Stopping …");
                var killed = await pool.StopAsync();
                terminal.Note(killed.Count == 0 ? "Stopped." : $"Stopped; these did not end in time and were killed: {string.Join(", ", killed)}.");
                return ExitCodes.Ok;
            }
            finally
            {
                await over.CancelAsync();
            }
        });
    }
}
