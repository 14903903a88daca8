using System.Globalization;
using System.Net;
using System.Net.Sockets;
using FogCompute.Cli.Output;
using FogCompute.Cli.Server;

namespace FogCompute.Cli.Processes;

/// <summary>How an agent is started.</summary>
/// <param name="Id">Device id; also its name.</param>
/// <param name="Token">Enrolment token; null enrols as the local operator.</param>
public sealed record AgentStart(string Id, string StateFolder, string? Token, double? Cpu, int? Slots, string? Labels = null);

/// <summary>
/// A control plane and agents of this machine as child processes, for <c>fog up</c> and <c>fog demo</c>. Disposal stops all of them, agents
/// first, and is safe after any failure.
/// </summary>
public sealed class LocalPool : IAsyncDisposable
{
    /// <summary>The first start creates a database cluster, which takes seconds on a slow disk.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(90);

    /// <summary>An agent may take 30 s to hand its leases back.</summary>
    private static readonly TimeSpan AgentGrace = TimeSpan.FromSeconds(35);
    private static readonly TimeSpan ControlPlaneGrace = TimeSpan.FromSeconds(30);

    private readonly CliHost _host;
    private readonly ProductBinaries _binaries;
    private readonly bool _logToFiles;
    private readonly IReadOnlyDictionary<string, string?> _environment;
    private readonly List<ChildProcess> _agents = [];
    private ChildProcess? _controlPlane;

    /// <param name="home">FOG_HOME of the control plane; logs go to its folder <c>logs</c>.</param>
    /// <param name="environment">Changes to the environment of all children; a null value removes a variable.</param>
    public LocalPool(CliHost host, ProductBinaries binaries, string home, int port, bool logToFiles, IReadOnlyDictionary<string, string?> environment)
    {
        _host = host;
        _binaries = binaries;
        _logToFiles = logToFiles;
        Home = home;
        Port = port;
        Address = new Uri($"http://127.0.0.1:{port}");
        _environment = new Dictionary<string, string?>(environment, StringComparer.Ordinal) { ["FOG_HOME"] = home };
    }

    public string Home { get; }
    public int Port { get; }
    public Uri Address { get; }
    public IReadOnlyList<ChildProcess> Agents => _agents;
    public ChildProcess? ControlPlane => _controlPlane;
    public IEnumerable<ChildProcess> All => _controlPlane is null ? _agents : _agents.Append(_controlPlane);

    /// <summary>Starts the control plane and returns when it says it is ready.</summary>
    public async Task StartControlPlaneAsync(FogServer server, CancellationToken cancel)
    {
        var environment = new Dictionary<string, string?>(_environment, StringComparer.Ordinal) { ["API_PORT"] = Port.ToString(CultureInfo.InvariantCulture) };
        _controlPlane = ChildProcess.Start("control-plane", _binaries.Dotnet, _binaries.Api, [], LogFile("control-plane"), environment);
        var started = _host.Time.GetTimestamp();
        while (!await server.IsReadyAsync(cancel))
        {
            if (_controlPlane.HasExited)
                throw Failed(_controlPlane, $"The control plane ended with exit code {_controlPlane.ExitCode} instead of starting.");
            if (_host.Time.GetElapsedTime(started) > StartLimit)
                throw Failed(_controlPlane, $"The control plane was not ready after {StartLimit.TotalSeconds:0} s.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), _host.Time, cancel);
        }
    }

    /// <summary>Starts an agent; it enrols by itself.</summary>
    public ChildProcess StartAgent(AgentStart agent)
    {
        List<string> args =
        [
            "run", "--server", Address.ToString().TrimEnd('/'), "--id", agent.Id, "--name", agent.Id, "--state", agent.StateFolder, "--policy", "dedicated",
        ];
        if (agent.Cpu is { } cpu)
            args.AddRange(["--cpu", cpu.ToString(CultureInfo.InvariantCulture)]);
        if (agent.Slots is { } slots)
            args.AddRange(["--slots", slots.ToString(CultureInfo.InvariantCulture)]);
        if (agent.Labels is { } labels)
            args.AddRange(["--labels", labels]);
        var environment = new Dictionary<string, string?>(_environment, StringComparer.Ordinal);
        // By environment, not by argument: arguments are visible to every user of the machine.
        if (agent.Token is { } token)
            environment["FOG_NODE_TOKEN"] = token;
        var child = ChildProcess.Start(agent.Id, _binaries.Dotnet, _binaries.Node, args, LogFile(agent.Id), environment);
        _agents.Add(child);
        return child;
    }

    /// <summary>The error of a child that is not doing its work, with the end of its log.</summary>
    public static CliException Failed(ChildProcess child, string message) => new(ExitCodes.Error, message,
        child.Log is null ? "See its output above." : $"The whole log: {child.Log}", child.LogTail(25));

    /// <summary>Stops everything, agents first (they hand their work back), then the control plane with its database.</summary>
    /// <returns>Names of those that had to be killed.</returns>
    public async Task<IReadOnlyList<string>> StopAsync()
    {
        var killed = new List<string>();
        var stops = _agents.Select(async agent => (agent.Name, Clean: await agent.StopAsync(AgentGrace)));
        foreach (var (name, clean) in await Task.WhenAll(stops))
        {
            if (!clean)
                killed.Add(name);
        }
        if (_controlPlane is not null && !await _controlPlane.StopAsync(ControlPlaneGrace))
            killed.Add(_controlPlane.Name);
        return killed;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var child in All)
            child.Dispose();
    }

    /// <summary>A port nobody uses now. Another program may take it before the server does; the server then says so.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Whether something listens on the port already.</summary>
    public static bool IsPortTaken(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private string? LogFile(string name) => _logToFiles ? Path.Combine(Home, "logs", name + ".log") : null;
}
