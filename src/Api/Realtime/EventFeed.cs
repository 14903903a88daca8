using System.Threading.Channels;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;

namespace FogCompute.Api.Realtime;

/// <summary>One who follows events live.</summary>
/// <param name="from">All events above this id come through <see cref="Events"/>, in order.</param>
public sealed class EventListener(EventFilter filter, Channel<SchedulerEvent> queue, long from)
{
    public long From => from;

    /// <summary>Ends, after what is queued, when the listener did not keep up: it has to resume from the last event it got.</summary>
    public ChannelReader<SchedulerEvent> Events => queue.Reader;

    public void Offer(SchedulerEvent happened)
    {
        if (filter.Shows(happened) && !queue.Writer.TryWrite(happened))
            queue.Writer.TryComplete();
    }
}

/// <summary>
/// Reads the events of jobs and devices once for everybody who follows them on this control plane, four times a second while anybody does, and hands them on.
/// </summary>
public sealed partial class EventFeed(IServiceScopeFactory scopes, TimeProvider time, ILogger<EventFeed> log) : BackgroundService
{
    /// <summary>Most events that wait for one listener.</summary>
    public const int MostQueued = 1_000;

    private const int Page = 1_000;
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan AfterFailure = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly List<EventListener> _listeners = [];
    private readonly Channel<(EventFilter Filter, TaskCompletionSource<EventListener> Joined)> _joining = Channel.CreateUnbounded<(EventFilter, TaskCompletionSource<EventListener>)>();
    private long _position;

    /// <summary>Everything up to this id has been handed to those who follow.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>From the next look on; waits for it.</summary>
    public Task<EventListener> JoinAsync(EventFilter filter, CancellationToken cancel)
    {
        var joined = new TaskCompletionSource<EventListener>(TaskCreationOptions.RunContinuationsAsynchronously);
        _joining.Writer.TryWrite((filter, joined));
        return WaitAsync();

        async Task<EventListener> WaitAsync()
        {
            try
            {
                return await joined.Task.WaitAsync(cancel);
            }
            catch (OperationCanceledException)
            {
                // Whoever gave up is not let in, or leaves again.
                if (!joined.TrySetCanceled(cancel) && joined.Task.IsCompletedSuccessfully)
                    Leave(await joined.Task);
                throw;
            }
        }
    }

    public void Leave(EventListener listener)
    {
        lock (_gate)
            _listeners.Remove(listener);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var failing = false;
        while (true)
        {
            var wait = Period;
            try
            {
                var listeners = Listeners();
                if (listeners.Length == 0)
                    await _joining.Reader.WaitToReadAsync(stoppingToken);
                await LookAsync(listeners, stoppingToken);
                Admit();
                failing = false;
            }
            catch (Exception failure) when (!stoppingToken.IsCancellationRequested)
            {
                if (!failing)
                    Failed(log, failure);
                failing = true;
                wait = AfterFailure;
            }
            await Task.Delay(wait, time, stoppingToken);
        }
    }

    private EventListener[] Listeners()
    {
        lock (_gate)
            return [.. _listeners];
    }

    /// <summary>Numbers what is new and hands it on. Without listeners only the place from which the next one goes on is taken.</summary>
    private async Task LookAsync(EventListener[] listeners, CancellationToken cancel)
    {
        await SendAsync((dispatcher, stop) => dispatcher.SendAsync(new SealEventsCommand(), stop), cancel);
        if (listeners.Length == 0)
        {
            Volatile.Write(ref _position, (await SendAsync((dispatcher, stop) => dispatcher.SendAsync(new ListEventsQuery { Limit = 1 }, stop), cancel)).Last);
            return;
        }
        EventList page;
        do
        {
            page = await SendAsync((dispatcher, stop) => dispatcher.SendAsync(new ListEventsQuery { After = _position, Limit = Page }, stop), cancel);
            foreach (var happened in page.Events)
            {
                foreach (var listener in listeners)
                    listener.Offer(happened);
                Volatile.Write(ref _position, happened.Id);
            }
        }
        while (page.Events.Count == Page);
    }

    private void Admit()
    {
        while (_joining.Reader.TryRead(out var who))
        {
            var queue = Channel.CreateBounded<SchedulerEvent>(new BoundedChannelOptions(MostQueued) { SingleReader = true, SingleWriter = true, FullMode = BoundedChannelFullMode.Wait });
            var listener = new EventListener(who.Filter, queue, _position);
            lock (_gate)
                _listeners.Add(listener);
            if (!who.Joined.TrySetResult(listener))
                Leave(listener);
        }
    }

    private async Task<T> SendAsync<T>(Func<IDispatcher, CancellationToken, Task<T>> send, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        return await send(scope.ServiceProvider.GetRequiredService<IDispatcher>(), cancel);
    }

    [LoggerMessage(41, LogLevel.Warning, "events_not_read Events of jobs and devices cannot be read; those who follow them wait, and miss nothing")]
    private static partial void Failed(ILogger logger, Exception failure);
}
