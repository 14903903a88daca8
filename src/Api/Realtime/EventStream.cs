using System.Globalization;
using System.Text.Json;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Protocol;

namespace FogCompute.Api.Realtime;

/// <summary>
/// Events as server-sent events: <c>open</c> with the id from which on they come (<c>reset</c> when the id that was given is gone: then all that is kept follows),
/// then each by its kind. Every one carries its id, so that a client that comes back with <c>Last-Event-ID</c> misses none; a silence carries the id up to which
/// there was nothing to tell, so that who waits for longer than events are kept is not told that some are gone.
/// </summary>
public sealed class EventStream(IServiceScopeFactory scopes, EventFeed feed, CallerContext context, IHostApplicationLifetime lifetime, TimeProvider time)
{
    private const int Page = 1_000;

    /// <summary>Longest silence on the wire.</summary>
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(10);

    /// <summary>Then the client has to come again, and to show that it still may.</summary>
    private static readonly TimeSpan LongestLife = TimeSpan.FromMinutes(5);

    /// <param name="resume">The header <c>Last-Event-ID</c> as it came; null or empty: from now on.</param>
    public async Task WriteAsync(HttpContext http, ListEventsQuery query, string? resume, CancellationToken cancel)
    {
        // What is no id that was ever given cannot be followed from, and a client that sends it cannot mend it: it starts anew. An empty one is none.
        long? after = string.IsNullOrEmpty(resume) ? query.After : long.TryParse(resume, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : long.MaxValue;
        // The first look decides between a stream and a problem document.
        var first = await LookAsync(query with { After = after ?? long.MaxValue, Limit = after is null ? 1 : Page }, cancel);
        var began = time.GetTimestamp();
        using var stops = CancellationTokenSource.CreateLinkedTokenSource(cancel, lifetime.ApplicationStopping);
        using var wire = new EventWire(http, time, cancel);
        EventListener? listener = null;
        wire.Open();
        try
        {
            listener = await feed.JoinAsync(EventFilter.Of(context.Caller, query.Job, query.Device), stops.Token);
            await wire.WriteAsync("retry: 2000\n");
            if (after is null)
                await WriteAsync(wire, listener.From, "open", new { last = listener.From });
            else
                await CatchUpAsync(wire, query, first, after.Value, listener.From, cancel);
            await wire.FlushAsync();
            await FollowAsync(wire, listener, began, stops.Token);
        }
        catch (OperationCanceledException) when (wire.IsStalled)
        {
            http.Abort();
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            // A whole end: the client comes back with the last id it got.
            await wire.WriteAsync("retry: 1000\n: the control plane is stopping\n\n");
        }
        finally
        {
            if (listener is not null)
                feed.Leave(listener);
        }
    }

    /// <summary>What was kept between the client's last event and where the feed begins for it.</summary>
    private async Task CatchUpAsync(EventWire wire, ListEventsQuery query, EventList page, long after, long until, CancellationToken cancel)
    {
        var reached = after;
        for (var opening = true; ; opening = false)
        {
            // Also when the oldest went while it was reading on.
            if (page.Reset)
                reached = page.Events.Count > 0 ? page.Events[0].Id - 1 : until;
            if (page.Reset || opening)
                await WriteAsync(wire, reached, page.Reset ? "reset" : "open", new { last = reached });
            foreach (var happened in page.Events)
            {
                if (happened.Id > until)
                    return;
                await WriteAsync(wire, happened.Id, happened.Kind, happened);
                reached = happened.Id;
            }
            await wire.FlushAsync();
            if (page.Events.Count < Page && page.Last >= until)
                return;
            page = await LookAsync(query with { After = reached, Limit = Page }, cancel);
        }
    }

    private async Task FollowAsync(EventWire wire, EventListener listener, long began, CancellationToken stops)
    {
        Task<bool>? more = null;
        var reached = listener.From;
        while (time.GetElapsedTime(began) < LongestLife)
        {
            // Before reading: what is below it is in the queue by now, or was not for this listener.
            reached = Math.Max(reached, feed.Position);
            while (listener.Events.TryRead(out var happened))
            {
                await WriteAsync(wire, happened.Id, happened.Kind, happened);
                reached = Math.Max(reached, happened.Id);
            }
            await wire.FlushAsync();
            try
            {
                more ??= listener.Events.WaitToReadAsync(stops).AsTask();
                if (!await more.WaitAsync(KeepAlive, time, stops))
                    return; // It did not keep up.
                more = null;
            }
            catch (TimeoutException)
            {
                await wire.WriteAsync(string.Create(CultureInfo.InvariantCulture, $"id: {reached}\n: waiting\n\n"));
            }
        }
    }

    private static Task WriteAsync(EventWire wire, long id, string name, object data) =>
        wire.WriteAsync(string.Create(CultureInfo.InvariantCulture, $"id: {id}\nevent: {name}\ndata: {JsonSerializer.Serialize(data, WireJson.Responses)}\n\n"));

    private async Task<EventList> LookAsync(ListEventsQuery query, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = context.Caller;
        return await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(query, cancel);
    }
}
