using System.Globalization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Infrastructure.Persistence;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.Messaging;

/// <summary>
/// Wake-ups inside this process at once, and on the other control planes through PostgreSQL's LISTEN/NOTIFY.
/// <para>
/// One channel, payload "instance number topic". Topics published while a round trip is under way share the next one, each named once, so thousands of
/// publishes per second cost at most 200 small statements. When more different topics wait than fit, one "everything" stands for them all: a
/// needless wake-up is harmless, a lost one costs its waiter a period. After the listening connection was away everybody here is woken for the
/// same reason. Publishing never waits and never fails; while the database is away waiters of other processes have their period.
/// </para>
/// <para>
/// A relay (Redis) goes ahead of PostgreSQL and never instead of it: what it carries wakes sooner, and the notification that follows, ten times rarer then, is
/// recognised by its number and wakes nobody twice. So nothing is lost when the relay is, nor to a process that cannot reach it or knows of none.
/// </para>
/// </summary>
internal sealed partial class PostgresSignals(DatabaseHost host, NpgsqlDataSource database, TimeProvider time, ILogger<PostgresSignals> log, ISignalRelay? relay = null)
    : BackgroundService, ISignals
{
    private const string Channel = "fog_signals";
    private const string Everything = "*";

    /// <summary>Number of a topic that no relayed batch names.</summary>
    private const long NotRelayed = 0;

    /// <summary>PostgreSQL takes payloads below 8000 bytes; a topic has at most 4 per character and some are the instance's.</summary>
    private const int LongestTopic = 1900;
    private const int MostPending = 10_000;

    /// <summary>Relayed batches that are remembered until their notification has come: some seconds' worth.</summary>
    private const int RememberedBatches = 4096;

    private static readonly TimeSpan SendSpacing = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan RelayedSpacing = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(3);

    private readonly string _instance = Guid.NewGuid().ToString("N")[..16];
    private readonly Dictionary<string, Waiters> _waiters = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _toSend = new(0, 1);
    private readonly SemaphoreSlim _toRelay = new(0, 1);
    private readonly HashSet<(string Instance, long Number)> _relayed = [];
    private readonly Queue<(string Instance, long Number)> _relayedInTurn = new();

    /// <summary>Topic → number of the relayed batch that names it as well.</summary>
    private Dictionary<string, long> _pending = new(StringComparer.Ordinal);

    private HashSet<string> _pendingRelay = new(StringComparer.Ordinal);
    private long _number = 1;
    private bool _running;

    /// <summary>Whether other processes' signals arrive just now.</summary>
    public bool IsListening { get; private set; }

    public void Publish(string topic)
    {
        if (topic.Length is 0 or > LongestTopic || topic.Contains('\n'))
            throw new ArgumentException($"A topic is one line of 1–{LongestTopic} characters.", nameof(topic));
        lock (_gate)
        {
            Wake(topic);
            // Without the sender (a host that was not started) there is nobody to send for, and nothing may pile up.
            if (!_running)
                return;
            var number = NotRelayed;
            if (relay is { IsUp: true })
            {
                number = _number;
                if (_pendingRelay.Count >= MostPending)
                    _pendingRelay = new HashSet<string>(StringComparer.Ordinal) { Everything };
                else if (!_pendingRelay.Contains(Everything))
                    _pendingRelay.Add(topic);
                if (_toRelay.CurrentCount == 0)
                    _toRelay.Release();
            }
            if (_pending.Count >= MostPending)
                _pending = new Dictionary<string, long>(StringComparer.Ordinal) { [Everything] = NotRelayed };
            else if (!_pending.ContainsKey(Everything))
                _pending[topic] = number;
            if (_toSend.CurrentCount == 0)
                _toSend.Release();
        }
    }

    public ISignalTicket Listen(string topic)
    {
        lock (_gate)
        {
            if (!_waiters.TryGetValue(topic, out var waiters))
                _waiters.Add(topic, waiters = new Waiters(topic));
            waiters.Tickets++;
            return new Ticket(this, waiters, waiters.Next.Task);
        }
    }

    /// <summary>Topics that somebody waits for; only for tests and diagnostics.</summary>
    internal int TopicsListenedTo
    {
        get
        {
            lock (_gate)
                return _waiters.Count;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        lock (_gate)
            _running = true;
        if (relay is null)
        {
            await Task.WhenAll(ListenLoopAsync(stoppingToken), SendLoopAsync(stoppingToken));
            return;
        }
        relay.Receiver = Relayed;
        await Task.WhenAll(ListenLoopAsync(stoppingToken), SendLoopAsync(stoppingToken), RelayLoopAsync(relay, stoppingToken));
        relay.Receiver = null;
    }

    /// <summary>One message on its way at a time; what is published meanwhile shares the next.</summary>
    private async Task RelayLoopAsync(ISignalRelay to, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await _toRelay.WaitAsync(stop);
                HashSet<string> batch;
                long number;
                lock (_gate)
                {
                    (batch, number) = (_pendingRelay, _number++);
                    _pendingRelay = new HashSet<string>(StringComparer.Ordinal);
                }
                // When it does not leave, the notification has a number that nobody has seen.
                await to.PublishAsync($"{_instance} {number}\n{string.Join('\n', batch)}");
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // What is left goes out as notifications.
        }
    }

    /// <summary>"instance number", then a topic each line.</summary>
    private void Relayed(string message)
    {
        var lines = message.Split('\n');
        if (lines[0].Split(' ') is not [var instance, var text] || instance == _instance || !long.TryParse(text, CultureInfo.InvariantCulture, out var number))
            return;
        lock (_gate)
        {
            if (_relayed.Add((instance, number)))
                _relayedInTurn.Enqueue((instance, number));
            if (_relayedInTurn.Count > RememberedBatches)
                _relayed.Remove(_relayedInTurn.Dequeue());
            foreach (var topic in lines.Skip(1))
            {
                if (topic == Everything)
                    WakeEverybody();
                else
                    Wake(topic);
            }
        }
    }

    /// <summary>The gate is held.</summary>
    private void Wake(string topic)
    {
        if (_waiters.TryGetValue(topic, out var waiters))
            waiters.WakeAll();
    }

    private void WakeEverybody()
    {
        lock (_gate)
        {
            foreach (var waiters in _waiters.Values)
                waiters.WakeAll();
        }
    }

    private void Received(string payload)
    {
        if (payload.Split(' ', 3) is not [var instance, var text, var topic] || instance == _instance || !long.TryParse(text, CultureInfo.InvariantCulture, out var number))
            return;
        // It stands for topics of more than one batch, so no single one makes it superfluous.
        if (topic == Everything)
        {
            WakeEverybody();
            return;
        }
        lock (_gate)
        {
            if (!_relayed.Contains((instance, number)))
                Wake(topic);
        }
    }

    private async Task ListenLoopAsync(CancellationToken stop)
    {
        var failures = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = host.CreateDedicatedConnection("fogcompute signals");
                connection.Notification += (_, notification) => Received(notification.Payload);
                await connection.OpenAsync(stop);
                await using (var listen = new NpgsqlCommand($"LISTEN {Channel}", connection))
                    await listen.ExecuteNonQueryAsync(stop);
                if (failures > 0)
                    Reconnected(log);
                failures = 0;
                IsListening = true;
                // What was signalled before LISTEN took effect did not reach us.
                WakeEverybody();
                while (true)
                    await connection.WaitAsync(stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure)
            {
                IsListening = false;
                if (failures == 0)
                    Disconnected(log, failure);
                failures++;
            }
            await BackOffAsync(failures, stop);
        }
    }

    private async Task SendLoopAsync(CancellationToken stop)
    {
        var failures = 0;
        while (true)
        {
            try
            {
                await _toSend.WaitAsync(stop);
                if (failures > 0)
                    await BackOffAsync(failures, stop);
                await SendAsync(stop);
                failures = 0;
                await Task.Delay(relay is { IsUp: true } ? RelayedSpacing : SendSpacing, stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                break;
            }
            catch (Exception failure)
            {
                // The listening side reports the outage once for both.
                if (failures == 0 && IsListening)
                    SendFailed(log, failure);
                failures++;
            }
        }
        lock (_gate)
            _running = false;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            await SendAsync(patience.Token);
        }
        catch (Exception failure)
        {
            SendFailed(log, failure);
        }
    }

    private async Task SendAsync(CancellationToken cancel)
    {
        Dictionary<string, long> batch;
        lock (_gate)
        {
            if (_pending.Count == 0)
                return;
            batch = _pending;
            _pending = new Dictionary<string, long>(StringComparer.Ordinal);
        }
        try
        {
            // Nothing but NOTIFY happens in this transaction, so its commit does not wait for the disk.
            await using var command = database.CreateCommand($"SELECT pg_notify('{Channel}', payload) FROM unnest($1) AS payload");
            command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. batch.Select(topic => $"{_instance} {topic.Value} {topic.Key}")] });
            await command.ExecuteNonQueryAsync(cancel);
        }
        catch
        {
            lock (_gate)
            {
                // Rather all of them than a batch that grows while the database is away.
                if (_pending.Count + batch.Count > MostPending || batch.ContainsKey(Everything))
                    _pending = new Dictionary<string, long>(StringComparer.Ordinal) { [Everything] = NotRelayed };
                // One that was published again meanwhile has the later number already.
                foreach (var (topic, number) in batch)
                {
                    if (!_pending.ContainsKey(Everything))
                        _pending.TryAdd(topic, number);
                }
                if (_toSend.CurrentCount == 0)
                    _toSend.Release();
            }
            throw;
        }
    }

    private static Task BackOffAsync(int failures, CancellationToken stop)
    {
        var wait = TimeSpan.FromMilliseconds(Math.Min(LongestBackoff.TotalMilliseconds, 50 * Math.Pow(2, Math.Min(failures, 10))));
        return Task.Delay(wait, stop).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    public override void Dispose()
    {
        base.Dispose();
        _toSend.Dispose();
        _toRelay.Dispose();
    }

    private sealed class Waiters(string topic)
    {
        public string Topic => topic;
        public int Tickets { get; set; }
        public TaskCompletionSource Next { get; private set; } = New();

        public void WakeAll()
        {
            Next.TrySetResult();
            Next = New();
        }

        // Waiters go on in their own time, not inside the publisher.
        private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class Ticket(PostgresSignals signals, Waiters waiters, Task signalled) : ISignalTicket
    {
        private bool _disposed;

        public bool IsSignalled => signalled.IsCompleted;

        public async Task<bool> WaitAsync(TimeSpan timeout, CancellationToken cancel)
        {
            if (signalled.IsCompleted)
                return true;
            using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            var first = await Task.WhenAny(signalled, Task.Delay(timeout, signals._time, enough.Token));
            await enough.CancelAsync();
            cancel.ThrowIfCancellationRequested();
            return first == signalled;
        }

        public void Dispose()
        {
            lock (signals._gate)
            {
                if (_disposed)
                    return;
                _disposed = true;
                if (--waiters.Tickets == 0)
                    signals._waiters.Remove(waiters.Topic);
            }
        }
    }

    private readonly TimeProvider _time = time;

    [LoggerMessage(30, LogLevel.Warning, "signals_disconnected Signals of other control planes do not arrive; waiters go by their period until it is mended")]
    private static partial void Disconnected(ILogger logger, Exception failure);

    [LoggerMessage(31, LogLevel.Information, "signals_reconnected")]
    private static partial void Reconnected(ILogger logger);

    [LoggerMessage(32, LogLevel.Warning, "signals_not_sent Other control planes were not signalled; trying again")]
    private static partial void SendFailed(ILogger logger, Exception failure);
}
