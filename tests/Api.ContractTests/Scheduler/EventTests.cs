using System.Diagnostics;
using System.IO.Pipelines;
using System.Net.ServerSentEvents;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using FogCompute.Api.Realtime;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace FogCompute.Api.ContractTests.Scheduler;

/// <summary><c>GET /api/scheduler/events</c>: as a list, as a stream, and across interruptions of it.</summary>
public sealed class EventTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp()
    {
        // The devices of these tests never poll: that they are lost after the usual time would be one event more.
        _server = await ApiServer.StartAsync(["--FOG_DEVICE_SILENCE_SECONDS=86400"]);
        foreach (var device in new[] { "late", "busy" })
            await _server.PostAsync("/api/idle-compute/devices", new JsonObject { ["device_id"] = device, ["device_type"] = "desktop", ["cpu_cores"] = 8, ["memory_mb"] = 16384 });
    }

    [OneTimeTearDown]
    public async Task TearDown() => await _server.DisposeAsync();

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>An open stream.</summary>
    private sealed class Follower(HttpResponseMessage answer, IAsyncEnumerator<SseItem<string>> items) : IAsyncDisposable
    {
        public static async Task<Follower> OpenAsync(HttpClient client, string query = "", string? last = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/scheduler/events{query}") { Headers = { { "Accept", "text/event-stream" } } };
            if (last is not null)
                request.Headers.Add("Last-Event-ID", last);
            var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Assert.That(answer.Content.Headers.ContentType?.MediaType, Is.EqualTo("text/event-stream"), answer.StatusCode.ToString());
            return new Follower(answer, SseParser.Create(await answer.Content.ReadAsStreamAsync()).EnumerateAsync().GetAsyncEnumerator());
        }

        /// <summary>Null: the stream has ended.</summary>
        public async Task<SseItem<string>?> NextAsync() => await items.MoveNextAsync().AsTask().WaitAsync(Patience) ? items.Current : null;

        public async Task<List<string>> KindsAsync(int count)
        {
            var kinds = new List<string>();
            while (kinds.Count < count)
                kinds.Add((await NextAsync())!.Value.EventType);
            return kinds;
        }

        public async ValueTask DisposeAsync()
        {
            answer.Dispose();
            await Task.CompletedTask;
        }
    }

    private async Task<Guid> SubmitAsync(HttpClient client, string name)
    {
        using var answer = await client.PostAsync("/api/scheduler/jobs", ApiServer.Json(new JsonObject { ["name"] = name }.ToJsonString()));
        return (await answer.JsonAsync()).GetProperty("jobId").GetGuid();
    }

    private static async Task ChangeAsync(HttpClient client, Guid job, string status)
    {
        using var answer = await client.PatchAsync($"/api/scheduler/jobs/{job}", ApiServer.Json($$"""{"status":"{{status}}"}"""));
        Assert.That(answer.IsSuccessStatusCode, Is.True, await answer.Content.ReadAsStringAsync());
    }

    private async Task<long> ExecuteAsync(string sql)
    {
        await using var command = _server.Database.DataSource.CreateCommand(sql);
        return await command.ExecuteScalarAsync() is long number ? number : 0;
    }

    [Test]
    public async Task Tells_ones_own_what_happens_to_a_job_and_operators_all()
    {
        var (_, mine, _) = await _server.NewMemberAsync("events-mine");
        var (_, other, _) = await _server.NewMemberAsync("events-other");
        await using var follower = await Follower.OpenAsync(mine);
        await using var operators = await Follower.OpenAsync(_server.Client);
        Assert.That(await follower.KindsAsync(1), Is.EqualTo(new[] { "open" }));
        Assert.That(await operators.KindsAsync(1), Is.EqualTo(new[] { "open" }));
        await SubmitAsync(other, "not yours");
        var job = await SubmitAsync(mine, "followed");
        await ChangeAsync(mine, job, "pause");
        await ChangeAsync(mine, job, "resume");
        using var cancelled = await mine.DeleteAsync($"/api/scheduler/jobs/{job}");
        Assert.That(cancelled.IsSuccessStatusCode, Is.True);
        Assert.That(await follower.KindsAsync(4), Is.EqualTo(new[] { "job_submitted", "job_paused", "job_resumed", "job_cancelled" }));
        Assert.That(await operators.KindsAsync(5), Is.EqualTo(new[] { "job_submitted", "job_submitted", "job_paused", "job_resumed", "job_cancelled" }));

        using var listed = await mine.GetAsync($"/api/scheduler/events?job={job}&limit=2");
        var page = (await listed.JsonAsync()).GetProperty("events").EnumerateArray().ToList();
        Assert.That(page.Select(e => e.GetProperty("kind").GetString()), Is.EqualTo(new[] { "job_resumed", "job_cancelled" }), "the newest, in order");
        Assert.That(page[1].GetProperty("reason").GetString(), Is.EqualTo("cancelled_by_requester"));
        Assert.That(page[1].GetProperty("name").GetString(), Is.EqualTo("followed"));
        using var theirs = await other.GetAsync($"/api/scheduler/events?job={job}");
        await theirs.ProblemAsync(404, "scheduler.job_not_found");
    }

    [Test]
    public async Task Tells_what_happens_to_a_device()
    {
        var (_, owner, _) = await _server.NewMemberAsync("events-owner");
        using var registered = await owner.PostAsync("/api/idle-compute/devices", ApiServer.Json("""{"device_id":"events-pc","device_type":"desktop","cpu_cores":8,"memory_mb":16384}"""));
        Assert.That(registered.IsSuccessStatusCode, Is.True);
        await using var follower = await Follower.OpenAsync(owner, "?device=events-pc&after=0");
        foreach (var (state, reason) in new[] { ("Contributing", null), ("Ineligible", "on_battery"), ("Ineligible", "too_hot"), ("Lost", "silent"), ("Eligible", (string?)null), ("Contributing", null), ("Unregistered", "unregistered") })
            await ExecuteAsync($"UPDATE idle_compute.devices SET state = '{state}', state_reason = {(reason is null ? "NULL" : $"'{reason}'")} WHERE id = 'events-pc'");
        var seen = new List<string>();
        while (seen.Count < 7)
        {
            var item = (await follower.NextAsync())!.Value;
            seen.Add($"{item.EventType} {(JsonNode.Parse(item.Data)!["reason"]?.GetValue<string>())}".TrimEnd());
        }
        Assert.That(seen, Is.EqualTo(new[]
        {
            "open", "device_registered", "device_paused on_battery", "device_paused too_hot", "device_lost silent", "device_returned", "device_unregistered unregistered",
        }), "working is no news");
    }

    [Test]
    public async Task Goes_on_from_the_last_event_and_says_when_that_is_gone()
    {
        var (_, mine, _) = await _server.NewMemberAsync("events-resuming");
        await SubmitAsync(mine, "before");
        await using (var early = await Follower.OpenAsync(mine, "?after=0"))
            Assert.That(await early.KindsAsync(2), Is.EqualTo(new[] { "open", "job_submitted" }));
        string last;
        await using (var first = await Follower.OpenAsync(mine))
        {
            await first.KindsAsync(1);
            var job = await SubmitAsync(mine, "seen");
            var item = (await first.NextAsync())!.Value;
            Assert.That(JsonNode.Parse(item.Data)!["jobId"]!.GetValue<Guid>(), Is.EqualTo(job));
            last = item.EventId!;
        }
        var missed = await SubmitAsync(mine, "missed");
        await using var again = await Follower.OpenAsync(mine, last: last);
        Assert.That((await again.NextAsync())!.Value.EventType, Is.EqualTo("open"));
        Assert.That(JsonNode.Parse((await again.NextAsync())!.Value.Data)!["jobId"]!.GetValue<Guid>(), Is.EqualTo(missed));
        await using (var none = await Follower.OpenAsync(mine, last: ""))
            Assert.That(await none.KindsAsync(1), Is.EqualTo(new[] { "open" }), "empty is none");
        foreach (var gone in new[] { "99999999", "nonsense" })
        {
            await using var reset = await Follower.OpenAsync(mine, last: gone);
            Assert.That(await reset.KindsAsync(4), Is.EqualTo(new[] { "reset", "job_submitted", "job_submitted", "job_submitted" }), "all that is kept follows");
        }
    }

    [Test]
    public async Task Skips_nothing_when_the_earlier_write_commits_later()
    {
        await using var follower = await Follower.OpenAsync(_server.Client, "?device=late");
        Assert.That(await follower.KindsAsync(1), Is.EqualTo(new[] { "open" }));
        const string insert = "INSERT INTO scheduler.events (kind, account_id, device_id, name) VALUES ('device_paused', '0190f7a0-0000-7000-8000-000000000001', 'late', $1)";
        await using var slow = await _server.Database.DataSource.OpenConnectionAsync();
        await using var transaction = await slow.BeginTransactionAsync();
        await using (var first = new NpgsqlCommand(insert, slow, transaction) { Parameters = { new() { Value = "written first" } } })
            await first.ExecuteNonQueryAsync();
        await using (var second = _server.Database.DataSource.CreateCommand(insert))
        {
            second.Parameters.Add(new() { Value = "committed first" });
            await second.ExecuteNonQueryAsync();
        }
        var early = (await follower.NextAsync())!.Value;
        await transaction.CommitAsync();
        var late = (await follower.NextAsync())!.Value;
        Assert.That(new[] { early, late }.Select(e => JsonNode.Parse(e.Data)!["name"]!.GetValue<string>()), Is.EqualTo(new[] { "committed first", "written first" }));
        Assert.That(long.Parse(late.EventId!), Is.GreaterThan(long.Parse(early.EventId!)));
    }

    [Test]
    public async Task Tells_each_event_once_to_who_is_interrupted_all_the_time()
    {
        const int writers = 4, each = 150;
        await using var opening = await Follower.OpenAsync(_server.Client, "?device=busy");
        var last = (await opening.NextAsync())!.Value.EventId;
        var writing = Task.WhenAll(Enumerable.Range(0, writers).Select(async writer =>
        {
            await using var connection = await _server.Database.DataSource.OpenConnectionAsync();
            for (var i = 0; i < each; i++)
            {
                await using var transaction = await connection.BeginTransactionAsync();
                await using var write = new NpgsqlCommand("INSERT INTO scheduler.events (kind, account_id, device_id, name) VALUES ('device_paused', '0190f7a0-0000-7000-8000-000000000001', 'busy', $1)", connection, transaction)
                {
                    Parameters = { new() { Value = $"{writer}.{i}" } },
                };
                await write.ExecuteNonQueryAsync();
                if (i % 7 == writer)
                    await Task.Delay(5); // So that others overtake it.
                await transaction.CommitAsync();
            }
        }));
        var seen = new List<string>();
        var ids = new List<long>();
        while (seen.Count < writers * each)
        {
            await using var follower = await Follower.OpenAsync(_server.Client, "?device=busy", last);
            Assert.That((await follower.NextAsync())!.Value.EventType, Is.EqualTo("open"));
            for (var i = 0; i < 60 && seen.Count < writers * each; i++)
            {
                var item = (await follower.NextAsync())!.Value;
                seen.Add(JsonNode.Parse(item.Data)!["name"]!.GetValue<string>());
                ids.Add(long.Parse((last = item.EventId)!));
            }
        }
        await writing;
        Assert.That(seen, Is.Unique);
        Assert.That(ids, Is.Ordered.And.Unique);
    }

    [Test]
    public async Task A_silence_tells_how_far_it_reaches()
    {
        var (time, wire) = (new ManualTimeProvider(), new Pipe());
        await using var scope = _server.Services.CreateAsyncScope();
        var feed = _server.Services.GetRequiredService<EventFeed>();
        var context = scope.ServiceProvider.GetRequiredService<CallerContext>();
        context.Caller = Caller.System;
        var stream = new EventStream(_server.Services.GetRequiredService<IServiceScopeFactory>(), feed, context, _server.Services.GetRequiredService<IHostApplicationLifetime>(), time);
        using var leaves = new CancellationTokenSource();
        var writing = stream.WriteAsync(new DefaultHttpContext { Response = { Body = wire.Writer.AsStream() } }, new ListEventsQuery { Device = "late" }, null, leaves.Token);
        using var reader = new StreamReader(wire.Reader.AsStream());
        var opened = await IdAsync();
        await ExecuteAsync("INSERT INTO scheduler.events (kind, account_id, device_id) VALUES ('device_paused', '0190f7a0-0000-7000-8000-000000000001', 'busy')");
        while (feed.Position <= opened)
            await Task.Delay(10);
        // Another device's event: nothing of it comes, but the next silences are beyond it.
        for (var reached = opened; reached <= opened; reached = await IdAsync())
        {
            while (time.PendingTimers == 0)
                await Task.Delay(10);
            time.Advance(TimeSpan.FromSeconds(10));
        }
        await leaves.CancelAsync();
        Assert.That(async () => await writing, Throws.InstanceOf<OperationCanceledException>());

        async Task<long> IdAsync()
        {
            while (true)
            {
                var line = await reader.ReadLineAsync().WaitAsync(Patience);
                if (line!.StartsWith("id: ", StringComparison.Ordinal))
                    return long.Parse(line[4..]);
            }
        }
    }

    [Test]
    public async Task Who_takes_nothing_for_half_a_minute_is_cut_off()
    {
        // A client whose buffers are full: no write ends.
        var (time, wire) = (new ManualTimeProvider(), new Pipe(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1)));
        await using var scope = _server.Services.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<CallerContext>();
        context.Caller = Caller.System;
        var stream = new EventStream(
            _server.Services.GetRequiredService<IServiceScopeFactory>(), _server.Services.GetRequiredService<EventFeed>(), context, _server.Services.GetRequiredService<IHostApplicationLifetime>(), time);
        var writing = stream.WriteAsync(new DefaultHttpContext { Response = { Body = wire.Writer.AsStream() } }, new ListEventsQuery(), null, CancellationToken.None);
        var limit = Stopwatch.StartNew();
        while (!writing.IsCompleted && limit.Elapsed < Patience)
        {
            await Task.Delay(10);
            time.Advance(EventWire.StalledFor);
        }
        Assert.That(writing.IsCompletedSuccessfully, Is.True);
    }

    [Test]
    public void A_listener_that_does_not_keep_up_is_let_go_with_what_it_has()
    {
        var queue = Channel.CreateBounded<SchedulerEvent>(EventFeed.MostQueued);
        var listener = new EventListener(new EventFilter(null, null, null, Devices: true), queue, 0);
        for (var id = 1; id <= EventFeed.MostQueued + 5; id++)
            listener.Offer(new SchedulerEvent(id, DateTimeOffset.UnixEpoch, "job_started", Guid.Empty, Guid.Empty, null, null, null));
        var got = new List<long>();
        while (listener.Events.TryRead(out var happened))
            got.Add(happened.Id);
        Assert.That(got, Is.EqualTo(Enumerable.Range(1, EventFeed.MostQueued)), "no hole before the end");
        Assert.That(listener.Events.Completion.IsCompletedSuccessfully, Is.True);
    }

    [Test]
    public async Task Forgets_what_is_old_and_ends_whole_when_the_server_stops()
    {
        await using var server = await ApiServer.StartAsync();
        for (var i = 0; i < 3; i++)
            await SubmitAsync(server.Client, $"old-{i}");
        await using (var forget = server.Database.DataSource.CreateCommand("SELECT scheduler.seal_events(100); UPDATE scheduler.events SET at = at - interval '25 hours' WHERE name <> 'old-2'"))
            await forget.ExecuteNonQueryAsync();
        await using (var scope = Microsoft.Extensions.DependencyInjection.ServiceProviderServiceExtensions.CreateAsyncScope(server.Services))
        {
            var log = Microsoft.Extensions.DependencyInjection.ServiceProviderServiceExtensions.GetRequiredService<IEventLog>(scope.ServiceProvider);
            Assert.That(await log.ForgetAsync(TimeSpan.FromDays(1), 1_000_000, 100, default), Is.EqualTo(2));
            Assert.That(await log.ForgetAsync(TimeSpan.FromDays(1), 1_000_000, 100, default), Is.Zero);
            Assert.That(await log.BoundsAsync(default), Is.EqualTo(new EventBounds(3, 3)));
        }
        await using var follower = await Follower.OpenAsync(server.Client, last: "1");
        Assert.That(await follower.KindsAsync(2), Is.EqualTo(new[] { "reset", "job_submitted" }));
        var stopping = server.StopAsync();
        Assert.That(await follower.NextAsync(), Is.Null, "an end, not a broken connection");
        await stopping;
    }
}
