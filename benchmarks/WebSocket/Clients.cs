using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace FogCompute.WebSocket;

/// <param name="BeatP99">Milliseconds from the first delivery of a frame to anybody to its delivery to each.</param>
/// <param name="StampP99">Milliseconds from the frame's timestamp, which is taken before the beat.</param>
/// <param name="Jitter">Most milliseconds that a first delivery was off the even second.</param>
/// <param name="Missing">Frames that somebody did not get.</param>
internal sealed record Delivery(int Connected, int Failed, int Beats, double BeatP50, double BeatP99, double BeatMax, double StampP50, double StampP99, double Jitter, long Missing);

/// <summary>
/// Thousands of listeners in a process of its own: a socket and a kilobyte each, a reader of frames without masks, and the moment at which each frame
/// came. One more connects and never reads.
/// </summary>
internal sealed class Clients(int port, string path, int count, bool signalR)
{
    private const int BufferBytes = 1024;
    private const int AtOnce = 64;
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private readonly List<Listener> _listeners = new(count);
    private volatile bool _measuring;

    /// <summary>Prints "ready", waits for a line, listens, prints a <see cref="Delivery"/> as JSON.</summary>
    public async Task RunAsync(double seconds)
    {
        using var stalled = await StallAsync();
        using var gate = new SemaphoreSlim(AtOnce);
        var failed = 0;
        await Task.WhenAll(Enumerable.Range(0, count).Select(async number =>
        {
            await gate.WaitAsync();
            try
            {
                var listener = new Listener(this, await OpenAsync(number, receiveBuffer: null));
                lock (_listeners)
                    _listeners.Add(listener);
                listener.Start();
            }
            catch (Exception refused) when (refused is SocketException or IOException or OperationCanceledException)
            {
                if (Interlocked.Increment(ref failed) == 1)
                    await Console.Error.WriteLineAsync($"a connection failed: {refused.Message}");
            }
            finally
            {
                gate.Release();
            }
        }));
        Console.WriteLine("ready");
        Console.ReadLine();
        _measuring = true;
        var from = TimeProvider.System.GetUtcNow().UtcTicks;
        await Task.Delay(TimeSpan.FromSeconds(seconds));
        var to = TimeProvider.System.GetUtcNow().UtcTicks;
        // What was sent in time may arrive late: that is what is measured.
        await Task.Delay(Grace);
        _measuring = false;
        Console.WriteLine(JsonSerializer.Serialize(Sum(failed, from, to)));
    }

    /// <param name="from">Frames of an earlier time may have come to some before anybody took note.</param>
    private Delivery Sum(int failed, long from, long to)
    {
        var beats = _listeners.SelectMany(l => l.Received).Where(r => r.Stamp > from && r.Stamp < to).GroupBy(r => r.Stamp).OrderBy(g => g.Key).ToList();
        var firsts = beats.Select(b => b.Min(r => r.At)).ToArray();
        var fromBeat = beats.SelectMany((b, i) => b.Select(r => (r.At - firsts[i]) / 10_000.0)).Order().ToArray();
        var fromStamp = beats.SelectMany(b => b.Select(r => (r.At - r.Stamp) / 10_000.0)).Order().ToArray();
        // Whole seconds apart but for the jitter: off the median phase. A beat that was left out is a second, not jitter.
        var phases = firsts.Select(f => (f - firsts[0]) / 10_000.0).Select(ms => ms - Math.Round(ms / 1000) * 1000).ToArray();
        var middle = Percentile([.. phases.Order()], 0.5);
        return new Delivery(
            _listeners.Count, failed, beats.Count, Percentile(fromBeat, 0.5), Percentile(fromBeat, 0.99), Percentile(fromBeat, 1), Percentile(fromStamp, 0.5), Percentile(fromStamp, 0.99),
            phases.Length == 0 ? -1 : phases.Max(p => Math.Abs(p - middle)), (long)beats.Count * _listeners.Count - beats.Sum(b => b.LongCount()));
    }

    private static double Percentile(double[] sorted, double share) => sorted.Length == 0 ? -1 : Math.Round(sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)], 2);

    /// <summary>A listener with a small window that never reads.</summary>
    private Task<Socket> StallAsync() => OpenAsync(count, receiveBuffer: 2048);

    private async Task<Socket> OpenAsync(int number, int? receiveBuffer)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer is { } bytes)
            socket.ReceiveBufferSize = bytes;
        // Each address has ports of its own.
        socket.Bind(new IPEndPoint(new IPAddress([127, 0, 0, (byte)(2 + number % 8)]), 0));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), patience.Token);
        await socket.SendAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")), patience.Token);
        // Byte for byte, so that nothing of the first frame is taken with the head.
        var head = new List<byte>(256);
        var one = new byte[1];
        while (head.Count < 4 || !CollectionsMarshal.AsSpan(head)[^4..].SequenceEqual("\r\n\r\n"u8))
        {
            if (await socket.ReceiveAsync(one, patience.Token) == 0 || head.Count > 4096)
                throw new IOException("the server closed the connection");
            head.Add(one[0]);
        }
        if (!CollectionsMarshal.AsSpan(head).StartsWith("HTTP/1.1 101"u8))
            throw new IOException(Encoding.ASCII.GetString(CollectionsMarshal.AsSpan(head)).Split('\r')[0]);
        if (signalR)
            await socket.SendAsync(Masked("{\"protocol\":\"json\",\"version\":1}\u001e"u8), patience.Token);
        return socket;
    }

    /// <summary>A text frame of a client; the mask of zeros is one like any other.</summary>
    private static byte[] Masked(ReadOnlySpan<byte> text) => [0x81, (byte)(0x80 | text.Length), 0, 0, 0, 0, .. text];

#pragma warning disable CA1001 // Lives as long as its process, which ends with the measurement.
    private sealed class Listener
#pragma warning restore CA1001
    {
        private readonly Clients _owner;
        private readonly Socket _socket;
        private readonly SocketAsyncEventArgs _args = new();
        private readonly byte[] _buffer = new byte[BufferBytes];
        private int _held;

        public Listener(Clients owner, Socket socket)
        {
            (_owner, _socket) = (owner, socket);
            _args.Completed += (_, _) => Go();
        }

        /// <summary>Ticks of the frame's timestamp and of its arrival.</summary>
        public List<(long Stamp, long At)> Received { get; } = new(16);

        public void Start()
        {
            _args.SetBuffer(_buffer, 0, BufferBytes);
            if (!_socket.ReceiveAsync(_args))
                Go();
        }

        private void Go()
        {
            do
            {
                if (_args.SocketError != SocketError.Success || _args.BytesTransferred == 0)
                    return; // Frames that it does not get are counted as missing.
                var now = TimeProvider.System.GetUtcNow().UtcTicks;
                _held += _args.BytesTransferred;
                Take(now);
                _args.SetBuffer(_held, BufferBytes - _held);
            }
            while (!_socket.ReceiveAsync(_args));
        }

        /// <summary>All whole frames; what is left of the next moves to the front.</summary>
        private void Take(long now)
        {
            var at = 0;
            while (_held - at >= 2)
            {
                var (length, header) = ((int)_buffer[at + 1], 2);
                if (length == 126)
                {
                    if (_held - at < 4)
                        break;
                    (length, header) = (_buffer[at + 2] << 8 | _buffer[at + 3], 4);
                }
                if (length > BufferBytes - 4)
                    throw new InvalidDataException($"A frame of {length} bytes does not fit the buffer.");
                if (_held - at < header + length)
                    break;
                if (_owner._measuring && Stamp(_buffer.AsSpan(at + header, length)) is { } stamp)
                    Received.Add((stamp, now));
                at += header + length;
            }
            _buffer.AsSpan(at, _held - at).CopyTo(_buffer);
            _held -= at;
        }

        /// <summary>The value of "timestamp"; null for a frame without one (a ping).</summary>
        private static long? Stamp(ReadOnlySpan<byte> text)
        {
            var name = "\"timestamp\":\""u8;
            if (text.IndexOf(name) is var at && at < 0)
                return null;
            var value = text[(at + name.Length)..];
            return DateTimeOffset.Parse(Encoding.ASCII.GetString(value[..value.IndexOf((byte)'"')]), CultureInfo.InvariantCulture).UtcTicks;
        }
    }
}
