using System.Diagnostics;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using FogCompute.Application.Realtime;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Api.ContractTests.Http;

/// <summary><c>/ws/metrics</c> as clients see it.</summary>
public sealed class MetricsSocketTests
{
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _server = await ApiServer.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await _server.DisposeAsync();

    [Test]
    public async Task The_first_frame_comes_at_once_and_has_exactly_the_promised_names()
    {
        using var socket = await ConnectAsync();
        var frame = (JsonObject)JsonNode.Parse(await TextAsync(socket))!;
        Assert.That(Names(frame), Is.EqualTo(new[]
        {
            "timestamp", "betanet{active_nodes connections latency_ms packets}", "p2p{connected_peers messages_sent messages_received}",
            "scheduler{pending running total queue_length}", "idle_compute{total_devices harvesting}", "tokenomics{total_supply stakers}", "privacy{circuits}",
        }));
        Assert.That(frame["tokenomics"]!["total_supply"]!.GetValue<decimal>(), Is.EqualTo(1_000_000m));
        Assert.That(DateTimeOffset.Parse(frame["timestamp"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture).Offset, Is.EqualTo(TimeSpan.Zero));
    }

    [Test]
    public async Task Frames_come_once_a_second_and_count_what_is_there()
    {
        using var socket = await ConnectAsync();
        _ = await FrameAsync(socket);
        var first = await FrameAsync(socket);
        await _server.PostAsync("/api/scheduler/jobs", new JsonObject { ["name"] = "counted" });
        var (last, frames) = (first, 0);
        do
            (last, frames) = (await FrameAsync(socket), frames + 1);
        while (last["scheduler"]!["pending"]!.GetValue<int>() == 0 || frames < 3);
        // By the server's own clock: however slow the machine, no beat comes before its time; the first frame may have been late by a beat.
        var seconds = (At(last) - At(first)).TotalSeconds;
        Assert.That(seconds, Is.GreaterThan(frames - 2), "more than one frame a second");
        var shown = last["scheduler"]!;
        Assert.That((shown["pending"]!.GetValue<int>(), shown["total"]!.GetValue<int>(), shown["queue_length"]!.GetValue<int>()), Is.EqualTo((1, 1, 1)));
    }

    [Test]
    public async Task A_part_that_does_not_answer_is_null_while_the_others_and_the_beat_go_on()
    {
        await using var server = await ApiServer.StartAsync(adjust: services => services.AddScoped<IPoolFigures, FrozenDatabase>());
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(AddressOf(server), default);
        for (var beat = 0; beat < 3; beat++)
        {
            var frame = await FrameAsync(socket);
            Assert.That(Names(frame).Skip(1), Is.EqualTo(new[]
            {
                "betanet{active_nodes connections latency_ms packets}", "p2p{connected_peers messages_sent messages_received}", "scheduler", "idle_compute", "tokenomics", "privacy{circuits}",
            }));
            Assert.That(new[] { frame["scheduler"], frame["idle_compute"], frame["tokenomics"] }, Is.All.Null);
        }
    }

    /// <summary>As a driver is that waits for a server which was stopped in its tracks: deaf to being cancelled.</summary>
    private sealed class FrozenDatabase : IPoolFigures
    {
        public Task<PoolCounts?> CountAsync(CancellationToken cancel) => new TaskCompletionSource<PoolCounts?>().Task;
    }

    [Test]
    public async Task A_ping_is_answered_and_anything_else_is_not()
    {
        using var socket = await ConnectAsync();
        foreach (var text in new[] { "nonsense", "[]", "{\"type\":7}", "{\"type\":\"subscribe\"}", "", "{\"type\":\"ping\"}" })
            await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, default);
        // Frames of the beat come in between, and after it nothing but them.
        while (await TextAsync(socket) is var text && text != "{\"type\":\"pong\"}")
            Assert.That(text, Does.Contain("\"scheduler\""));
        Assert.That(await TextAsync(socket), Does.Contain("\"scheduler\""));
    }

    [Test]
    public async Task A_message_of_more_than_4_KiB_closes_with_1009()
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(new byte[4096], WebSocketMessageType.Text, true, default);
        await socket.SendAsync(new byte[4097], WebSocketMessageType.Text, true, default);
        Assert.That(await CloseAsync(socket), Is.EqualTo(WebSocketCloseStatus.MessageTooBig));
    }

    [TestCase("http://evil.example", false)]
    [TestCase("http://localhost:3000", true)]
    public async Task Only_pages_of_allowed_origins_may_listen(string origin, bool allowed)
    {
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Origin", origin);
        socket.Options.CollectHttpResponseDetails = true;
        try
        {
            await socket.ConnectAsync(Address, default);
        }
        catch (WebSocketException)
        {
            // The status tells below.
        }
        Assert.That(socket.HttpStatusCode, Is.EqualTo(allowed ? HttpStatusCode.SwitchingProtocols : HttpStatusCode.Forbidden));
    }

    [Test]
    public async Task A_plain_request_is_told_to_upgrade()
    {
        using var answer = await _server.Client.GetAsync("/ws/metrics");
        Assert.That((int)answer.StatusCode, Is.EqualTo(400));
        Assert.That(JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["code"]!.GetValue<string>(), Is.EqualTo("realtime.upgrade_required"));
    }

    [Test]
    public async Task Stopping_says_so_to_the_listeners()
    {
        await using var server = await ApiServer.StartAsync();
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(AddressOf(server), default);
        _ = await TextAsync(socket);
        var started = Stopwatch.GetTimestamp();
        var stopping = server.StopAsync();
        Assert.That(await CloseAsync(socket), Is.EqualTo(WebSocketCloseStatus.EndpointUnavailable));
        await stopping;
        Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(TimeSpan.FromSeconds(30)));
    }

    private Uri Address => AddressOf(_server);

    private static Uri AddressOf(ApiServer server) => new UriBuilder(server.Url) { Scheme = "ws", Path = "/ws/metrics" }.Uri;

    private async Task<ClientWebSocket> ConnectAsync()
    {
        var socket = new ClientWebSocket();
        await socket.ConnectAsync(Address, default);
        return socket;
    }

    private static async Task<JsonObject> FrameAsync(ClientWebSocket socket) => (JsonObject)JsonNode.Parse(await TextAsync(socket))!;

    private static DateTimeOffset At(JsonObject frame) => DateTimeOffset.Parse(frame["timestamp"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture);

    private static async Task<string> TextAsync(ClientWebSocket socket)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var buffer = new byte[8192];
        var got = await socket.ReceiveAsync(buffer, patience.Token);
        Assert.That((got.MessageType, got.EndOfMessage), Is.EqualTo((WebSocketMessageType.Text, true)));
        return Encoding.UTF8.GetString(buffer, 0, got.Count);
    }

    private static async Task<WebSocketCloseStatus?> CloseAsync(ClientWebSocket socket)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var buffer = new byte[8192];
        while (socket.State == WebSocketState.Open)
            await socket.ReceiveAsync(buffer, patience.Token);
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, patience.Token);
        return socket.CloseStatus;
    }

    private static IEnumerable<string> Names(JsonObject frame) =>
        frame.Select(p => p.Value is JsonObject inner ? $"{p.Key}{{{string.Join(' ', inner.Select(i => i.Key))}}}" : p.Key);
}
