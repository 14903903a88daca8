namespace FogCompute.Api.Realtime;

/// <summary>
/// The writing end of a stream of server-sent events. A client that takes nothing for half a minute is cut off: the server's own limit (bytes per second) gives who read
/// megabytes quickly hours of standing still.
/// </summary>
internal sealed class EventWire : IDisposable
{
    public static readonly TimeSpan StalledFor = TimeSpan.FromSeconds(30);

    private readonly HttpResponse _response;
    private readonly CancellationTokenSource _stalled;
    private readonly CancellationTokenSource _ends;

    public EventWire(HttpContext http, TimeProvider time, CancellationToken leaves)
    {
        _response = http.Response;
        _stalled = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _ends = CancellationTokenSource.CreateLinkedTokenSource(leaves, _stalled.Token);
    }

    /// <summary>Whether it was given up; its last write ended with an <see cref="OperationCanceledException"/> then, and the connection with it.</summary>
    public bool IsStalled => _stalled.IsCancellationRequested;

    /// <summary>The headers that go with a stream.</summary>
    public void Open()
    {
        _response.ContentType = "text/event-stream";
        _response.Headers.CacheControl = "no-store";
        _response.Headers["X-Accel-Buffering"] = "no";
    }

    public async Task WriteAsync(string text)
    {
        _stalled.CancelAfter(StalledFor);
        await _response.WriteAsync(text, _ends.Token);
        _stalled.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    public async Task FlushAsync()
    {
        _stalled.CancelAfter(StalledFor);
        await _response.Body.FlushAsync(_ends.Token);
        _stalled.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    public void Dispose()
    {
        _ends.Dispose();
        _stalled.Dispose();
    }
}
