using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace FogCompute.Infrastructure.Caching;

/// <summary>
/// The one connection to Redis. Whoever asks gets an answer within <see cref="RedisOptions.Patience"/> or the news that there is none, and goes on without: Redis never holds
/// up and never fails a request. The first failure makes Redis count as away for everybody at once; from then on only this service tries, until a write has gone
/// through again. Each attempt is a new connection, so that nothing of the old one (subscriptions, half-dead sockets) decides what happens next.
/// </summary>
internal sealed partial class RedisConnection : BackgroundService
{
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _lost = new(0, 1);
    private readonly Lock _gate = new();
    private volatile ConnectionMultiplexer? _up;
    private readonly RedisOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<RedisConnection> _log;
    private readonly Counter<long> _losses;
    private DateTimeOffset _awaySince;
    private bool _reported;

    public RedisConnection(RedisOptions options, IMeterFactory meters, TimeProvider time, ILogger<RedisConnection> log)
    {
        (_options, _time, _log, _awaySince) = (options, time, log, time.GetUtcNow());
        var meter = meters.Create("FogCompute.Redis");
        meter.CreateObservableGauge("fogcompute.redis.up", () => IsUp ? 1 : 0, description: "Whether Redis serves this process (1) or what stands in for it (0).");
        _losses = meter.CreateCounter<long>("fogcompute.redis.losses", "{loss}", "Times that Redis went away.");
    }

    public bool IsUp => _up is not null;

    /// <summary>Since when it is away.</summary>
    public DateTimeOffset AwaySince
    {
        get
        {
            lock (_gate)
                return _awaySince;
        }
    }

    /// <summary>Who gets the messages of the pool's channel, own ones among them; from whichever connection is up.</summary>
    public Action<string>? Receiver { get; set; }

    /// <summary>Where messages of this pool go: channels do not know databases, so the number is part of the name.</summary>
    private string Channel => $"fogcompute:{_options.Database}:signals";

    public async Task<(bool Done, T? Value)> TryAsync<T>(Func<IDatabase, Task<T>> ask)
    {
        if (_up is not { } connection)
            return default;
        try
        {
            return (true, await ask(connection.GetDatabase()).WaitAsync(_options.Patience));
        }
        catch (Exception failure)
        {
            // Whatever it was, the caller goes on without; a connection that fails in an unknown way is replaced like any other.
            Lost(connection, failure);
            return default;
        }
    }

    /// <summary>The same for callers that cannot await.</summary>
    public (bool Done, T? Value) Try<T>(Func<IDatabase, T> ask)
    {
        if (_up is not { } connection)
            return default;
        try
        {
            return (true, ask(connection.GetDatabase()));
        }
        catch (Exception failure)
        {
            // Whatever it was, the caller goes on without; a connection that fails in an unknown way is replaced like any other.
            Lost(connection, failure);
            return default;
        }
    }

    public async Task<bool> PublishAsync(string message) => (await TryAsync(redis => redis.PublishAsync(Channel, message))).Done;

    /// <summary>A write there and back: a server that answers but takes no writes (full, a replica) is of no use here. Null: away.</summary>
    public async Task<TimeSpan?> MeasureAsync()
    {
        var started = Stopwatch.GetTimestamp();
        return (await TryAsync(ProveAsync)).Done ? Stopwatch.GetElapsedTime(started) : null;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var failures = 0;
        try
        {
            while (true)
            {
                if (_up is null)
                    failures = await ConnectAsync(stoppingToken) ? 0 : failures + 1;
                else
                    await MeasureAsync();
                var pause = _up is not null ? Heartbeat : TimeSpan.FromMilliseconds(Math.Min(LongestPause.TotalMilliseconds, 50 * Math.Pow(2, Math.Min(failures, 10))));
                await _lost.WaitAsync(pause, stoppingToken);
            }
        }
        catch (Exception) when (stoppingToken.IsCancellationRequested)
        {
            // The end, however the attempt that was under way took it.
        }
        finally
        {
            Discard(Interlocked.Exchange(ref _up, null));
        }
    }

    private async Task<bool> ConnectAsync(CancellationToken cancel)
    {
        ConnectionMultiplexer? connection = null;
        try
        {
            connection = await ConnectionMultiplexer.ConnectAsync(_options.ToConfiguration()).WaitAsync(cancel);
            // Answers are handed out side by side: in turn, one asker that goes on computing would hold up all others. (Newer clients always do.)
            connection.PreserveAsyncOrder = false;
            await connection.GetSubscriber().SubscribeAsync(Channel, (_, message) => Receiver?.Invoke(message!)).WaitAsync(_options.Patience, cancel);
            await ProveAsync(connection.GetDatabase()).WaitAsync(_options.Patience, cancel);
            connection.ConnectionFailed += (_, broken) => Lost(connection, broken.Exception);
            connection.IncludeDetailInExceptions = false;
            bool wasReported;
            lock (_gate)
                (_up, wasReported, _reported) = (connection, _reported, false);
            if (wasReported)
                Found(_log, _options.Description);
            return true;
        }
        catch (Exception failure) when (!cancel.IsCancellationRequested)
        {
            Discard(connection);
            Report(failure);
            return false;
        }
    }

    /// <summary>Only the first who notices that this very connection is lost says so.</summary>
    private void Lost(ConnectionMultiplexer connection, Exception? failure)
    {
        if (Interlocked.CompareExchange(ref _up, null, connection) != connection)
            return;
        lock (_gate)
            _awaySince = _time.GetUtcNow();
        _losses.Add(1);
        Report(failure);
        Discard(connection);
        if (_lost.CurrentCount == 0)
            _lost.Release();
    }

    private void Report(Exception? failure)
    {
        lock (_gate)
        {
            if (_reported)
                return;
            _reported = true;
        }
        Away(_log, failure, _options.Description);
    }

    /// <summary>Closing waits for a server that may not answer, so nobody waits for it.</summary>
    private static void Discard(ConnectionMultiplexer? connection)
    {
        if (connection is not null)
            _ = Task.Factory.StartNew(connection.Dispose, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private static Task<bool> ProveAsync(IDatabase redis) => redis.StringSetAsync("fogcompute:heartbeat", 1, TimeSpan.FromSeconds(10));

    public override void Dispose()
    {
        base.Dispose();
        _lost.Dispose();
    }

    [LoggerMessage(60, LogLevel.Warning, "redis_away {server} Rate limits count in this process, signals go over PostgreSQL alone, nothing is cached for other control planes; trying again")]
    private static partial void Away(ILogger logger, Exception? failure, string server);

    [LoggerMessage(61, LogLevel.Information, "redis_back {server}")]
    private static partial void Found(ILogger logger, string server);
}
