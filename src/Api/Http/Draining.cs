namespace FogCompute.Api.Http;

/// <summary>
/// How a control plane leaves without failing anybody. On SIGTERM:
/// <list type="number">
/// <item><c>/readyz</c> answers 503, long polls answer with what they have, event streams and WebSockets end, and every answer closes its connection;</item>
/// <item>for <see cref="ServerOptions.Drain"/> requests are still served, so that a load balancer can notice;</item>
/// <item>new requests get 503 with Retry-After, those in flight are finished (<see cref="RequestsLimit"/> at most);</item>
/// <item>then the port is closed and everything else stops, all at once: recurring commands finish their transaction.</item>
/// </list>
/// What is not done after <see cref="Limit"/> is cut off; its transaction is rolled back by the database.
/// </summary>
internal sealed partial class Draining(ServerOptions server, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<Draining> log) : IHostedLifecycleService
{
    /// <summary>From the end of the drain to the end of the process, the embedded database not counted.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(8);

    private static readonly TimeSpan RequestsLimit = TimeSpan.FromSeconds(4);

    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _inFlight;
    private volatile bool _closed;

    /// <summary>Whether the process has been told to stop.</summary>
    public bool IsStopping => lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>Every answer of a process that stops closes its connection: the next request of this client then opens one to where somebody listens.</summary>
    public Task CloseConnectionsAsync(HttpContext http, RequestDelegate next)
    {
        http.Response.OnStarting(static state =>
        {
            var (draining, http) = ((Draining, HttpContext))state;
            if (draining.IsStopping && HttpProtocol.IsHttp11(http.Request.Protocol) && http.Response.StatusCode != StatusCodes.Status101SwitchingProtocols)
                http.Response.Headers.Connection = "close";
            return Task.CompletedTask;
        }, (this, http));
        return next(http);
    }

    /// <summary>Counts the request, or refuses it once the time for new ones is over. Whoever asks how this process is gets an answer to the end.</summary>
    public async Task InvokeAsync(HttpContext http, RequestDelegate next)
    {
        if (http.Request.Path.Value is "/livez" or "/readyz" or "/health")
        {
            await next(http);
            return;
        }
        Interlocked.Increment(ref _inFlight);
        try
        {
            // Full fences on both sides: either this request sees the gate closed, or the gate sees this request.
            if (_closed)
                await Problems.WriteAsync(http, StatusCodes.Status503ServiceUnavailable, HttpErrors.ShuttingDown, null, TimeSpan.FromSeconds(1));
            else
                await next(http);
        }
        finally
        {
            if (Interlocked.Decrement(ref _inFlight) == 0 && _closed)
                _empty.TrySetResult();
        }
    }

    /// <summary>Before anything of the process stops.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        lifetime.StopApplication(); // Whoever stops the host directly means the same as a signal.
        var started = time.GetTimestamp();
        await Task.Delay(server.Drain, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _closed = true;
        Interlocked.MemoryBarrier();
        var inFlight = Volatile.Read(ref _inFlight);
        var cutOff = 0;
        if (inFlight > 0)
        {
            try
            {
                await _empty.Task.WaitAsync(RequestsLimit, time, cancellationToken);
            }
            catch (Exception late) when (late is TimeoutException or OperationCanceledException)
            {
                cutOff = Volatile.Read(ref _inFlight);
            }
        }
        Drained(log, inFlight, cutOff, time.GetElapsedTime(started).TotalMilliseconds);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(12, LogLevel.Information, "drained {in_flight} requests were in flight, {unfinished} of them are not finished; took {elapsed_ms} ms")]
    private static partial void Drained(ILogger logger, int in_flight, int unfinished, double elapsed_ms);
}
