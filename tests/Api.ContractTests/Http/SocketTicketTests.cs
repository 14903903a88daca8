using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FogCompute.Api.ContractTests.Http;

/// <summary>Who says who they are at <c>/ws/metrics</c> must be right; who says nothing listens all the same.</summary>
public sealed class SocketTicketTests
{
    private readonly LogKeeper _log = new();
    private ApiServer _server = null!;
    private HttpClient _member = null!;
    private string _secret = "";

    [OneTimeSetUp]
    public async Task SetUp()
    {
        _server = await ApiServer.StartAsync(["--Logging:LogLevel:Default=Trace"], adjust: services => services.AddSingleton<ILoggerProvider>(_log));
        (_, _member, _secret) = await _server.NewMemberAsync("ticket-holder");
    }

    [OneTimeTearDown]
    public async Task TearDown()
    {
        await _server.DisposeAsync();
        _log.Dispose();
    }

    private async Task<string> TicketAsync()
    {
        using var answer = await _member.PostAsync("/api/ws/ticket", null);
        var text = await answer.JsonAsync();
        Assert.That(text.GetProperty("expires_in").GetInt32(), Is.EqualTo(30));
        return text.GetProperty("ticket").GetString()!;
    }

    private async Task<(ClientWebSocket Socket, HttpStatusCode Status)> ConnectAsync(string query)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        try
        {
            await socket.ConnectAsync(new UriBuilder(_server.Url) { Scheme = "ws", Path = "/ws/metrics", Query = query }.Uri, default);
        }
        catch (WebSocketException)
        {
            // The status tells.
        }
        return (socket, socket.HttpStatusCode);
    }

    private async Task<HttpStatusCode> StatusAsync(string query)
    {
        var (socket, status) = await ConnectAsync(query);
        socket.Dispose();
        return status;
    }

    [Test]
    public async Task A_ticket_opens_one_socket()
    {
        var ticket = await TicketAsync();
        var statuses = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => StatusAsync($"ticket={ticket}")));
        Assert.That(statuses.Count(s => s == HttpStatusCode.SwitchingProtocols), Is.EqualTo(1), string.Join(", ", statuses));
        Assert.That(statuses.Count(s => s == HttpStatusCode.Unauthorized), Is.EqualTo(5));
        Assert.That(await StatusAsync($"ticket={ticket}"), Is.EqualTo(HttpStatusCode.Unauthorized));
    }

    [Test]
    public async Task A_ticket_is_good_for_half_a_minute_and_kept_as_a_hash()
    {
        var ticket = await TicketAsync();
        await using (var search = _server.Database.DataSource.CreateCommand("SELECT count(*) FROM realtime.tickets t WHERE t::text LIKE '%' || $1 || '%'"))
        {
            search.Parameters.Add(new() { Value = ticket[5..] });
            Assert.That(await search.ExecuteScalarAsync(), Is.EqualTo(0L));
        }
        await using (var age = _server.Database.DataSource.CreateCommand("UPDATE realtime.tickets SET expires_at = expires_at - interval '31 seconds'"))
            Assert.That(await age.ExecuteNonQueryAsync(), Is.GreaterThan(0));
        Assert.That(await StatusAsync($"ticket={ticket}"), Is.EqualTo(HttpStatusCode.Unauthorized));
    }

    [Test]
    public async Task Old_addresses_carry_a_token_and_a_wrong_one_is_refused()
    {
        Assert.That(await StatusAsync($"token={_secret}"), Is.EqualTo(HttpStatusCode.SwitchingProtocols));
        Assert.That(await StatusAsync("token=fogk_wrong"), Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(await StatusAsync("token="), Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(await StatusAsync("ticket="), Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(await StatusAsync(""), Is.EqualTo(HttpStatusCode.SwitchingProtocols));
    }

    [TestCase(true, false, null)]
    [TestCase(false, false, WebSocketCloseStatus.PolicyViolation)]
    [TestCase(true, true, WebSocketCloseStatus.PolicyViolation)]
    public async Task The_first_message_may_carry_the_token(bool right, bool second, WebSocketCloseStatus? closed)
    {
        var (socket, _) = await ConnectAsync("");
        if (second)
            await SendAsync(socket, """{"type":"ping"}""");
        await SendAsync(socket, JsonSerializer.Serialize(new { type = "auth", token = right ? _secret : "fogk_wrong" }));
        await SendAsync(socket, """{"type":"ping"}""");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var buffer = new byte[8192];
        var pongs = 0;
        while (socket.State == WebSocketState.Open && pongs < 1)
        {
            var got = await socket.ReceiveAsync(buffer, patience.Token);
            if (closed is null && Encoding.UTF8.GetString(buffer, 0, got.Count) == """{"type":"pong"}""")
                pongs++;
        }
        Assert.That(socket.CloseStatus, Is.EqualTo(closed));
        socket.Dispose();
    }

    [Test, Order(99)]
    public async Task Neither_ticket_nor_token_is_in_the_logs()
    {
        var ticket = await TicketAsync();
        await StatusAsync($"ticket={ticket}&token={_secret}");
        await StatusAsync($"ticket={ticket}&token=fogk_nobody");
        Assert.That(_log.Lines, Is.Not.Empty);
        Assert.That(_log.Lines.Where(l => l.Contains(ticket, StringComparison.Ordinal) || l.Contains(_secret, StringComparison.Ordinal) || l.Contains("fogk_nobody", StringComparison.Ordinal)), Is.Empty);
    }

    private static Task SendAsync(ClientWebSocket socket, string text) => socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, default).ContinueWith(static _ => { }, TaskScheduler.Default);

    private sealed class LogKeeper : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyCollection<string> Lines => _lines;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => _lines.Enqueue(formatter(state, exception) + exception);

        public void Dispose() => _lines.Clear();
    }
}
