using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using FogCompute.Infrastructure.Persistence.Embedded;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>A control plane process on a port and a home of its own. It can be killed and started again; agents find it at the same address.</summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    private readonly Dictionary<string, string> _settings;
    private ChildProcess? _process;

    /// <param name="home">FOG_HOME; removed by whoever made it.</param>
    /// <param name="settings">Environment variables.</param>
    public ControlPlane(string name, string home, IReadOnlyDictionary<string, string> settings)
    {
        Name = name;
        Home = home;
        var port = FreePort();
        Url = new Uri($"http://127.0.0.1:{port}/");
        _settings = new Dictionary<string, string>(settings) { ["FOG_HOME"] = home, ["API_PORT"] = port.ToString(CultureInfo.InvariantCulture) };
    }

    public string Name { get; }
    public string Home { get; }
    public Uri Url { get; }

    /// <summary>What somebody else sets as DATABASE_URL to use this one's embedded database.</summary>
    public string DatabaseUrl => $"postgresql:///{EmbeddedPostgres.Database}?host={Path.Combine(ClusterFolder, "s")}&user={EmbeddedPostgres.User}";

    /// <summary>The same for Npgsql.</summary>
    public string ConnectionString => $"Host={Path.Combine(ClusterFolder, "s")};Username={EmbeddedPostgres.User};Database={EmbeddedPostgres.Database}";

    /// <summary>Process id of the embedded PostgreSQL; null when it does not run.</summary>
    public int? DatabaseProcessId
    {
        get
        {
            var file = Path.Combine(ClusterFolder, "data", "postmaster.pid");
            return File.Exists(file) && int.TryParse(File.ReadLines(file).FirstOrDefault(), out var pid) && Directory.Exists($"/proc/{pid}") ? pid : null;
        }
    }

    private string ClusterFolder => File.ReadAllText(Path.Combine(Home, "postgres", "location")).Trim();

    /// <summary>Starts it and returns when it calls itself ready.</summary>
    public async Task StartAsync()
    {
        _process?.Dispose();
        _process = new ChildProcess(Name, "Api", "FogCompute.Api.dll", [], _settings);
        using var client = new FogClient(Url, null);
        await Wait.UntilAsync($"control plane {Name} is ready", async () => _process.HasExited || await client.IsReadyAsync(), ready => ready);
        if (_process.HasExited)
            throw new AssertionException($"Control plane {Name} ended with code {_process.ExitCode}:\n{_process.Tail(40)}");
    }

    public bool IsRunning => _process is { HasExited: false };

    /// <summary>kill -9.</summary>
    public Task KillAsync() => _process?.KillAsync() ?? Task.CompletedTask;

    /// <summary>SIGTERM; how long it took to end, or null when it was killed after <paramref name="patience"/>. The exit code is <see cref="ExitCode"/>.</summary>
    public async Task<TimeSpan?> StopAsync(TimeSpan patience)
    {
        var started = Stopwatch.GetTimestamp();
        if (await _process!.TerminateAsync(patience))
            return Stopwatch.GetElapsedTime(started);
        await KillAsync();
        return null;
    }

    public int ExitCode => _process!.ExitCode;

    /// <summary>kill -9, then a start on the same home and port.</summary>
    public async Task KillAndRestartAsync()
    {
        await KillAsync();
        await StartAsync();
    }

    public string Tail(int lines) => _process?.Tail(lines) ?? "    (never started)";

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process?.Dispose();
        // The database outlives a killed control plane; one that another control plane uses as embedded stays.
        await EmbeddedPostgres.StopAsync(Home);
    }

    /// <summary>
    /// Below the range from which the system gives ports to outgoing connections: one of those could take it while the control plane is down.
    /// </summary>
    private static int FreePort()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(20_000, 32_000);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken; another one.
            }
        }
    }
}
