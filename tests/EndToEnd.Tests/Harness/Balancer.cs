using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>
/// The load balancer before several control planes, as little as one can be: it passes connections on, not requests, so it hides nothing that a control
/// plane does to one. Every 100 ms it asks each for /readyz; a new connection goes in turn to those that are ready, and to the next when one does not accept.
/// </summary>
internal sealed class Balancer : IAsyncDisposable
{
    private static readonly TimeSpan HealthPeriod = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ClosingPatience = TimeSpan.FromSeconds(5);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Backend[] _backends;
    private readonly Task _work;
    private int _turn;

    public Balancer(params Uri[] backends)
    {
        _backends = [.. backends.Select(b => new Backend(b))];
        _listener.Start();
        Url = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/"));
        _work = Task.WhenAll([AcceptAsync(), .. _backends.Select(WatchAsync)]);
    }

    public Uri Url { get; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _work;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task WatchAsync(Backend backend)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.Zero }) { Timeout = TimeSpan.FromSeconds(2) };
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri(backend.Url, "readyz"), _stop.Token);
                backend.Ready = answer.IsSuccessStatusCode;
            }
            catch (Exception away) when (away is HttpRequestException or OperationCanceledException)
            {
                backend.Ready = false;
            }
            await Task.Delay(HealthPeriod, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task AcceptAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_stop.Token);
                open.RemoveAll(t => t.IsCompleted);
                open.Add(ServeAsync(client));
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using (client)
        {
            using var server = await ConnectAsync();
            if (server is null)
                return;
            client.NoDelay = server.NoDelay = true;
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            var up = CopyAsync(client, server, ended.Token);
            var down = CopyAsync(server, client, ended.Token);
            await Task.WhenAny(up, down);
            ended.CancelAfter(ClosingPatience);
            await Task.WhenAll(up, down);
        }
    }

    /// <summary>Null when no control plane takes a connection.</summary>
    private async Task<Socket?> ConnectAsync()
    {
        var first = Interlocked.Increment(ref _turn);
        var inTurn = Enumerable.Range(0, _backends.Length).Select(i => _backends[(int)((uint)(first + i) % (uint)_backends.Length)]);
        foreach (var backend in inTurn.OrderBy(b => b.Ready ? 0 : 1))
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, backend.Url.Port, _stop.Token);
                return socket;
            }
            catch (Exception refused) when (refused is SocketException or OperationCanceledException)
            {
                backend.Ready = false;
                socket.Dispose();
            }
        }
        return null;
    }

    private static async Task CopyAsync(Socket from, Socket to, CancellationToken cancel)
    {
        var buffer = new byte[32 * 1024];
        try
        {
            for (int read; (read = await from.ReceiveAsync(buffer, cancel)) > 0;)
            {
                for (var sent = 0; sent < read;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent), cancel);
            }
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception broken) when (broken is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // A reset travels as a reset: the other direction ends with the sockets.
            if (broken is SocketException)
            {
                from.Close(0);
                to.Close(0);
            }
        }
    }

    private sealed class Backend(Uri url)
    {
        public Uri Url => url;
        public volatile bool Ready = true;
    }
}
