using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace FogCompute.Testing;

/// <summary>
/// A real redis-server on a free port of the loopback, keeping nothing on disk. A shell stands over it and kills it when this process ends, whatever way.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private Process? _guardian;

    private RedisServer(int port) => Port = port;

    public int Port { get; }

    public string Url => $"redis://127.0.0.1:{Port}/0";

    /// <summary>Only a port, on which nothing answers until <see cref="RestartAsync"/>.</summary>
    public static RedisServer Stopped()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return new RedisServer(((IPEndPoint)probe.LocalEndpoint).Port);
    }

    public static async Task<RedisServer> StartAsync()
    {
        var server = Stopped();
        await server.RestartAsync();
        return server;
    }

    /// <summary>Starts it, empty, on the same port; returns when it answers.</summary>
    public async Task RestartAsync()
    {
        const string script = """
            redis-server --bind 127.0.0.1 --port "$1" --save "" --appendonly no --dir /tmp --loglevel warning >/dev/null 2>&1 &
            cat >/dev/null
            kill -9 $!
            """;
        _guardian = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "command -v redis-server >/dev/null || exit 127\n" + script, "test-redis-guardian", $"{Port}"])
        {
            UseShellExecute = false, RedirectStandardInput = true,
        }) ?? throw new InvalidOperationException("/bin/sh could not be started.");
        var started = Stopwatch.GetTimestamp();
        while (!await AnswersAsync())
        {
            if (_guardian.HasExited)
                throw new InvalidOperationException("redis-server could not be started. Install it (apt-get install redis-server; ./dev test does), these tests need a real one.");
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(20))
                throw new InvalidOperationException($"redis-server does not answer on port {Port}.");
            await Task.Delay(10);
        }
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        if (_guardian is not { } guardian)
            return;
        _guardian = null;
        guardian.StandardInput.Close();
        await guardian.WaitForExitAsync();
        guardian.Dispose();
    }

    public async ValueTask DisposeAsync() => await KillAsync();

    private async Task<bool> AnswersAsync()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, Port);
            await socket.SendAsync("PING\r\n"u8.ToArray());
            var answer = new byte[5];
            return await socket.ReceiveAsync(answer) > 0 && answer[0] == '+';
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
