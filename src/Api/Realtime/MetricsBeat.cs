using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Realtime;

namespace FogCompute.Api.Realtime;

/// <summary>
/// The beat of <c>/ws/metrics</c>: one snapshot a second, gathered and serialised once and handed to all listeners. Gathering begins a little before the
/// beat; when it takes longer than that, the frame leaves late and the next beat is where it would have been. Without listeners nothing is gathered.
/// </summary>
internal sealed partial class MetricsBeat(IServiceScopeFactory scopes, TimeProvider time, ILogger<MetricsBeat> log) : BackgroundService
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Lead = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(700);
    private static readonly TimeSpan StalledFor = TimeSpan.FromSeconds(30);
    private static readonly JsonSerializerOptions Snake = new(JsonSerializerDefaults.General) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly ConcurrentDictionary<MetricsClient, byte> _clients = new();
    private readonly Lock _gate = new();
    private Task<byte[]>? _gathering;
    private (byte[] Frame, long At)? _last;

    public int Clients => _clients.Count;

    /// <summary>Sends the first frame at once, then each beat's until the listener leaves.</summary>
    /// <param name="knows">Whether a token that the listener shows in its first message is one.</param>
    public async Task ServeAsync(WebSocket socket, Func<string, CancellationToken, Task<bool>> knows, CancellationToken stopping)
    {
        using var client = new MetricsClient(socket, knows, time);
        client.Offer(await CurrentAsync());
        _clients.TryAdd(client, 0);
        try
        {
            await client.RunAsync(stopping);
        }
        finally
        {
            _clients.TryRemove(client, out _);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var started = time.GetTimestamp();
        for (var beat = 1L; ; beat++)
        {
            var due = Period * beat;
            // A beat that is over (the machine slept) is left out, not caught up with.
            if (time.GetElapsedTime(started) is var elapsed && elapsed > due + Period)
                due = Period * (beat = (long)(elapsed / Period) + 1);
            await WaitAsync(started, due - Lead, stoppingToken);
            if (_clients.IsEmpty)
                continue;
            var frame = await GatherAsync();
            await WaitAsync(started, due, stoppingToken);
            foreach (var (client, _) in _clients)
            {
                client.AbortIfStalled(StalledFor);
                client.Offer(frame);
            }
        }
    }

    private async Task WaitAsync(long started, TimeSpan until, CancellationToken cancel)
    {
        var left = until - time.GetElapsedTime(started);
        if (left > TimeSpan.Zero)
            await Task.Delay(left, time, cancel);
    }

    /// <summary>The last beat's frame while it is of this beat; else a new one. Many listeners that come at once share one look.</summary>
    private Task<byte[]> CurrentAsync()
    {
        lock (_gate)
            return _last is { } last && time.GetElapsedTime(last.At) < Period ? Task.FromResult(last.Frame) : GatherAsync();
    }

    private Task<byte[]> GatherAsync()
    {
        lock (_gate)
            return _gathering is { IsCompleted: false } ? _gathering : _gathering = LookAsync();
    }

    private async Task<byte[]> LookAsync()
    {
        await Task.Yield();
        PoolMetrics metrics;
        try
        {
            using var limit = new CancellationTokenSource(Patience, time);
            await using var scope = scopes.CreateAsyncScope();
            metrics = await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new GetPoolMetricsQuery(), limit.Token);
        }
        catch (Exception failure)
        {
            Failed(log, failure);
            metrics = new PoolMetrics(time.GetUtcNow(), null, null, null, null, null, null);
        }
        var frame = JsonSerializer.SerializeToUtf8Bytes(metrics, Snake);
        lock (_gate)
            _last = (frame, time.GetTimestamp());
        return frame;
    }

    [LoggerMessage(40, LogLevel.Warning, "metrics_snapshot_failed The pool could not be looked at in time; listeners are told nothing of it this second")]
    private static partial void Failed(ILogger logger, Exception failure);
}
