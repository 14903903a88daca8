using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;

namespace FogCompute.Api.Realtime;

/// <summary>
/// One listener of the pool's metrics: a reader loop that answers pings, and a writer that holds one frame at most. A frame that has not left when the
/// next one comes is replaced by it, so a slow listener sees fewer frames and costs nobody anything.
/// </summary>
/// <remarks>Nothing is allocated for a listener that is quiet: reading waits without a buffer, frames are shared by all.</remarks>
internal sealed class MetricsClient(WebSocket socket, Func<string, CancellationToken, Task<bool>> knows, TimeProvider time) : IDisposable
{
    /// <summary>Largest message from a listener, bytes.</summary>
    public const int MaxMessage = 4096;

    /// <summary>Who wants to say who they are does it in the first message, within this.</summary>
    private static readonly TimeSpan AuthenticationLimit = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ClosingPatience = TimeSpan.FromSeconds(3);
    private static readonly byte[] Pong = """{"type":"pong"}"""u8.ToArray();

    private readonly CancellationTokenSource _ended = new(Timeout.InfiniteTimeSpan, time);
    private byte[]? _frame;
    private int _stopping;
    private int _pongs;
    private int _writing;
    private long _writeStarted;

    /// <summary>Hands over the newest frame; never waits.</summary>
    public void Offer(byte[] frame)
    {
        Volatile.Write(ref _frame, frame);
        Wake();
    }

    /// <summary>Gives up on a listener that has not taken a frame for <paramref name="patience"/>.</summary>
    public void AbortIfStalled(TimeSpan patience)
    {
        if (Volatile.Read(ref _writing) == 1 && time.GetElapsedTime(Volatile.Read(ref _writeStarted)) > patience)
            End();
    }

    /// <summary>Reads until the listener leaves or sends a message that is too long; once <paramref name="stopping"/>, asks it to leave and waits a moment.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await using var stop = stopping.Register(() =>
        {
            Volatile.Write(ref _stopping, 1);
            Wake();
            _ended.CancelAfter(ClosingPatience);
        });
        try
        {
            var reason = await ReadAsync(_ended.Token);
            _ended.CancelAfter(ClosingPatience);
            await socket.CloseAsync(reason, reason switch
            {
                WebSocketCloseStatus.MessageTooBig => $"A message has at most {MaxMessage} bytes.",
                WebSocketCloseStatus.PolicyViolation => "The token is unknown, or came later than in the first message within 5 s.",
                _ => null,
            }, _ended.Token);
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or IOException)
        {
            // It left without a word.
        }
        finally
        {
            End();
        }
    }

    public void Dispose()
    {
        End(); // A writer that is still at it finds the end, not a disposed source.
        _ended.Dispose();
        socket.Dispose();
    }

    private async Task<WebSocketCloseStatus> ReadAsync(CancellationToken cancel)
    {
        var opened = time.GetTimestamp();
        for (var first = true; ; first = false)
        {
            // Waits without a buffer for the beginning of a message.
            var begin = await socket.ReceiveAsync(Memory<byte>.Empty, cancel);
            if (begin.MessageType == WebSocketMessageType.Close)
                return WebSocketCloseStatus.NormalClosure;
            var buffer = ArrayPool<byte>.Shared.Rent(MaxMessage + 1);
            try
            {
                var length = 0;
                for (var end = begin.EndOfMessage; !end;)
                {
                    var part = await socket.ReceiveAsync(buffer.AsMemory(length, MaxMessage + 1 - length), cancel);
                    if (part.MessageType == WebSocketMessageType.Close)
                        return WebSocketCloseStatus.NormalClosure;
                    if ((length += part.Count) > MaxMessage)
                        return WebSocketCloseStatus.MessageTooBig;
                    end = part.EndOfMessage;
                }
                switch (Read(buffer.AsMemory(0, length)))
                {
                    case ("ping", _):
                        Interlocked.Exchange(ref _pongs, 1);
                        Wake();
                        break;
                    case ("auth", var token) when !first || time.GetElapsedTime(opened) > AuthenticationLimit || token is null || !await knows(token, cancel):
                        return WebSocketCloseStatus.PolicyViolation;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    /// <summary>Type and token of a message. Anything that is neither ping nor auth is nothing we know, and is ignored.</summary>
    private static (string? Type, string? Token) Read(ReadOnlyMemory<byte> text)
    {
        try
        {
            using var message = JsonDocument.Parse(text);
            return message.RootElement.ValueKind == JsonValueKind.Object ? (Member(message.RootElement, "type"), Member(message.RootElement, "token")) : default;
        }
        catch (Exception garbage) when (garbage is JsonException or InvalidOperationException)
        {
            return default; // InvalidOperationException: half a character.
        }
    }

    private static string? Member(JsonElement message, string name) => message.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String ? member.GetString() : null;

    private void Wake()
    {
        if (Interlocked.CompareExchange(ref _writing, 1, 0) == 0)
            _ = WriteAsync();
    }

    private async Task WriteAsync()
    {
        try
        {
            while (true)
            {
                if (Volatile.Read(ref _stopping) == 1)
                {
                    // The last word: the writer stays taken, so nothing follows it.
                    await socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, "The control plane is stopping; connect again in a moment.", _ended.Token);
                    return;
                }
                var next = Interlocked.Exchange(ref _pongs, 0) == 1 ? Pong : Interlocked.Exchange(ref _frame, null);
                if (next is not null)
                {
                    Volatile.Write(ref _writeStarted, time.GetTimestamp());
                    await socket.SendAsync(next.AsMemory(), WebSocketMessageType.Text, endOfMessage: true, _ended.Token);
                    continue;
                }
                Volatile.Write(ref _writing, 0);
                // Something may have come between the look and the line above; then this or the other caller takes it.
                if ((Volatile.Read(ref _frame) is null && Volatile.Read(ref _pongs) == 0 && Volatile.Read(ref _stopping) == 0) || Interlocked.CompareExchange(ref _writing, 1, 0) != 0)
                    return;
            }
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            End();
        }
    }

    private void End()
    {
        try
        {
            _ended.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It left at this very moment; whoever gave up on it (the beat, for all the others) must not fall with it.
        }
        socket.Abort();
    }
}
