using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using FogCompute.Api.ContractTests.Identity;
using FogCompute.Api.Http;
using FogCompute.Infrastructure.Persistence;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FogCompute.Api.ContractTests.Http;

public sealed class HardeningTests
{
    private readonly Lines _lines = new();
    private ApiServer _server = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _server = await ApiServer.StartAsync(
        ["--FOG_TRUSTED_PROXIES=127.0.0.1", "--FOG_HOSTS=pool.example", "--FOG_MAX_WEBSOCKETS=1", "--Logging:LogLevel:Default=Trace", $"--Logging:{typeof(Lines).FullName}:LogLevel:Default=Trace"],
        app => app.MapGet("/page", () => Results.Content("<p>page</p>", "text/html")),
        adjust: services =>
        {
            services.AddLogging(log => log.ClearProviders().AddProvider(_lines));
        });

    [OneTimeTearDown]
    public async Task TearDown()
    {
        await _server.DisposeAsync();
        _lines.Dispose();
    }

    private async Task<HttpResponseMessage> GetAsync(string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await _server.Client.SendAsync(request);
    }

    private static string? Header(HttpResponseMessage answer, string name) => answer.Headers.TryGetValues(name, out var values) ? values.Single() : null;

    [TestCase("/api/identity/whoami", 200, "default-src 'none'")]
    [TestCase("/api/none", 404, "default-src 'none'")]
    [TestCase("/api/scheduler/jobs/0190f7a0-0000-7000-8000-000000000042", 404, "default-src 'none'")]
    [TestCase("/page", 200, "default-src 'self'")]
    [TestCase("/docs/index.html", 200, "default-src 'self'")]
    public async Task Every_answer_has_the_headers(string path, int status, string policy)
    {
        using var answer = await GetAsync(path);
        using (Assert.EnterMultipleScope())
        {
            Assert.That((int)answer.StatusCode, Is.EqualTo(status));
            Assert.That(Header(answer, "X-Content-Type-Options"), Is.EqualTo("nosniff"));
            Assert.That(Header(answer, "X-Frame-Options"), Is.EqualTo("DENY"));
            Assert.That(Header(answer, "Referrer-Policy"), Is.EqualTo("no-referrer"));
            Assert.That(Header(answer, "Content-Security-Policy"), Does.StartWith(policy).And.Contain("frame-ancestors 'none'"));
            Assert.That(Header(answer, "Strict-Transport-Security"), Is.Null, "only over https");
            if (path.StartsWith("/api", StringComparison.Ordinal))
                Assert.That(answer.Headers.CacheControl?.NoStore, Is.True);
            Assert.That(Header(answer, "Server"), Is.Null);
        }
    }

    [Test]
    public async Task A_trusted_proxy_says_that_it_was_https_and_nobody_behind_it_is_the_local_operator()
    {
        using var answer = await GetAsync("/api/identity/whoami", ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "127.0.0.1"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Header(answer, "Strict-Transport-Security"), Does.StartWith("max-age="));
            Assert.That((await answer.JsonAsync()).GetProperty("kind").GetString(), Is.EqualTo("anonymous"));
        }
    }

    [TestCase("localhost:1", 200)]
    [TestCase("127.0.0.1", 200)]
    [TestCase("[::1]:9", 200)]
    [TestCase("192.0.2.9:8000", 401)]
    [TestCase("pool.example", 401)]
    [TestCase("POOL.example:443", 401)]
    [TestCase("evil.example", 400)]
    [TestCase("localhost.evil.example", 400)]
    [TestCase("pool.example.evil", 400)]
    [TestCase("127.0.0.1.evil.example", 400)]
    public async Task Answers_to_its_own_names_only(string host, int status)
    {
        using var answer = await GetAsync("/api/tokenomics/balance", ("Host", host));
        if (status == 400)
            await answer.ProblemAsync(400, "common.unknown_host");
        else
            Assert.That((int)answer.StatusCode, Is.EqualTo(status));
    }

    [TestCase("FOG_HOSTS", "http://pool.example")]
    [TestCase("FOG_TRUSTED_PROXIES", "proxy")]
    [TestCase("FOG_TRUSTED_PROXIES", "10.0.0.0/99")]
    [TestCase("FOG_MAX_CONNECTIONS", "0")]
    [TestCase("FOG_MAX_WEBSOCKETS", "many")]
    public void A_setting_that_cannot_be_used_is_named(string key, string value) =>
        Assert.That(() => EdgeSettings.Read(new ConfigurationBuilder().AddInMemoryCollection([new(key, value)]).Build()), Throws.TypeOf<ConfigurationException>().With.Message.Contains(key).And.Message.Contains(value));

    [Test]
    public async Task Headers_and_nesting_have_limits()
    {
        using var headers = await GetAsync("/api/identity/whoami", ("X-Big", new string('x', 40_000)));
        Assert.That((int)headers.StatusCode, Is.EqualTo(431));
        using var many = await GetAsync("/api/identity/whoami", [.. Enumerable.Range(0, 120).Select(i => ($"X-{i}", "1"))]);
        Assert.That((int)many.StatusCode, Is.EqualTo(431));
        using var deep = await _server.Client.PostAsync("/api/scheduler/jobs", ApiServer.Json($$"""{"name":{{string.Concat(Enumerable.Repeat("[", 64))}}{{string.Concat(Enumerable.Repeat("]", 64))}}}"""));
        Assert.That((int)deep.StatusCode, Is.EqualTo(400), await deep.Content.ReadAsStringAsync());
    }

    // The server's own defaults; the tests below shorten them so that they take a second or two.
    [Test]
    public async Task Slow_clients_are_cut_off_by_default_too()
    {
        await using var server = await ApiServer.StartAsync(["--FOG_MAX_CONNECTIONS=3"]);
        var limits = server.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(limits.RequestHeadersTimeout, Is.LessThanOrEqualTo(TimeSpan.FromSeconds(15)));
            Assert.That(limits.MinRequestBodyDataRate, Is.Not.Null);
            Assert.That(limits.MinResponseDataRate, Is.Not.Null);
        }
        server.Client.Dispose();
        // One connection more than there may be is closed without an answer.
        var sockets = new List<TcpClient>();
        try
        {
            var closed = 0;
            for (var i = 0; i < 6; i++)
            {
                var socket = new TcpClient();
                sockets.Add(socket);
                await socket.ConnectAsync(server.Url.Host, server.Url.Port);
                try
                {
                    await socket.GetStream().WriteAsync("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
                }
                catch (IOException)
                {
                    // Closed already.
                }
                if (await ReadAsync(socket, 1) == "")
                    closed++;
            }
            Assert.That(closed, Is.InRange(3, 4));
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
    }

    [TestCase("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "408")]
    [TestCase("POST /api/identity/accounts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"name\":\"", "408")]
    public async Task Who_trickles_is_cut_off(string start, string status)
    {
        // A server of their own: with so little patience it would take others on a busy machine for slow, too.
        await using var server = await ApiServer.StartAsync(adjust: services => services.Configure<KestrelServerOptions>(kestrel =>
        {
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(1);
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(kestrel.Limits.MinRequestBodyDataRate!.BytesPerSecond, TimeSpan.FromSeconds(1.1));
        }));
        using var socket = new TcpClient();
        await socket.ConnectAsync(server.Url.Host, server.Url.Port);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(start));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var answer = ReadAsync(socket, 4096);
        while (!answer.IsCompleted)
        {
            try
            {
                await stream.WriteAsync("x"u8.ToArray(), patience.Token);
            }
            catch (IOException)
            {
                break; // Cut off already.
            }
            await Task.WhenAny(answer, Task.Delay(100, patience.Token));
            patience.Token.ThrowIfCancellationRequested();
        }
        Assert.That(await answer, Is.Empty.Or.StartWith($"HTTP/1.1 {status}"));
    }

    [Test]
    public async Task More_websockets_than_there_may_be_are_refused()
    {
        using var first = new ClientWebSocket();
        await first.ConnectAsync(new Uri($"ws://{_server.Url.Authority}/ws/metrics"), CancellationToken.None);
        using var second = new ClientWebSocket { Options = { CollectHttpResponseDetails = true } };
        Assert.That(async () => await second.ConnectAsync(new Uri($"ws://{_server.Url.Authority}/ws/metrics"), CancellationToken.None), Throws.TypeOf<WebSocketException>());
        Assert.That(second.HttpStatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        first.Abort();
    }

    [Test]
    public async Task No_secret_is_in_the_logs_at_any_level()
    {
        var (_, member, secret) = await _server.NewMemberAsync("chatty");
        var made = await (await member.PostAsync("/api/identity/enrolment-tokens", ApiServer.Json("{}"))).JsonAsync();
        var token = made.GetProperty("secret").GetString()!;
        using var enrolled = _server.NewClient(token);
        using var registered = await enrolled.PostAsync("/api/idle-compute/devices", ApiServer.Json("""{"device_id":"quiet","device_type":"desktop","cpu_cores":1,"memory_mb":1024}"""));
        var device = (await registered.JsonAsync()).GetProperty("deviceToken").GetString()!;
        const string inQuery = "tkt-5f8e2c77aa10", wrong = "fogk_1111111111111111111111111111111111111111111", body = "body-9c1d33e0ff21";
        (await GetAsync("/api/identity/whoami", ("X-API-Key", secret))).Dispose();
        (await GetAsync("/api/identity/whoami", ("Authorization", "Bearer " + wrong))).Dispose();
        (await GetAsync("/api/identity/whoami", ("Authorization", "Bearer " + device))).Dispose();
        foreach (var path in new[] { $"/api/identity/whoami?token={inQuery}", $"/ws/metrics?token={inQuery}", $"/ws/metrics?ticket={inQuery}", $"/api/none?token={inQuery}" })
            (await GetAsync(path)).Dispose();
        using (var socket = new ClientWebSocket())
        {
            try
            {
                await socket.ConnectAsync(new Uri($"ws://{_server.Url.Authority}/ws/metrics?token={inQuery}"), CancellationToken.None);
            }
            catch (WebSocketException)
            {
                // Refused or not: what counts is what was written down about it.
            }
        }
        (await _server.Client.PostAsync("/api/auth/login", ApiServer.Json(new JsonObject { ["username"] = "nobody", ["password"] = body }.ToJsonString()))).Dispose();
        (await _server.Client.PostAsync("/api/identity/accounts", ApiServer.Json(new JsonObject { ["name"] = "X" + body }.ToJsonString()))).Dispose();

        var person = await People.RegisterAsync(_server);
        (await People.RefreshAsync(_server, person.Refresh)).Dispose();
        (await person.PostAsync("/api/auth/change-password", new { current_password = person.Password, new_password = "body-77aa10c1d33e" })).Dispose();

        var everything = string.Join('\n', _lines.All);
        Assert.That(everything, Does.Contain("use_case").And.Contain("Microsoft.AspNetCore.Mvc").And.Contain("Microsoft.EntityFrameworkCore").And.Contain("Npgsql"), "the log was listened to at all levels");
        foreach (var hidden in new[] { secret, token, device, inQuery, wrong, body, person.Password, person.Access, person.Refresh, "body-77aa10c1d33e" })
            Assert.That(everything.Contains(hidden, StringComparison.Ordinal), Is.False, $"{hidden}: {_lines.All.FirstOrDefault(l => l.Contains(hidden, StringComparison.Ordinal))}");
    }

    /// <summary>Names of pools are labels of metrics, and connection strings stand in lines of the driver's log.</summary>
    [TestCase("Host=db.example;Username=u;Password=hunter22")]
    [TestCase("Host=db.example;Username=u;Password=hunter22;Persist Security Info=true")]
    public void What_the_driver_shows_of_the_database_has_no_password(string database)
    {
        var host = DatabaseHost.At(database);
        Assert.That(new Npgsql.NpgsqlConnectionStringBuilder(host.ConnectionString).Password, Is.EqualTo("hunter22"));
        using var pool = host.CreateDataSource();
        using var other = Npgsql.NpgsqlDataSource.Create(host.ConnectionString);
        Assert.That(new[] { pool.ConnectionString, other.ConnectionString }, Is.All.Not.Contains("hunter22"));
    }

    /// <summary>What the server says until it closes or <paramref name="most"/> bytes have come.</summary>
    private static async Task<string> ReadAsync(TcpClient socket, int most)
    {
        var buffer = new byte[most];
        try
        {
            var read = await socket.GetStream().ReadAsync(buffer);
            return Encoding.ASCII.GetString(buffer, 0, read);
        }
        catch (IOException)
        {
            return "";
        }
    }

    /// <summary>Every line of every category, with its state and exception.</summary>
    private sealed class Lines : ILoggerProvider
    {
        public ConcurrentQueue<string> All { get; } = new();

        public ILogger CreateLogger(string categoryName) => new Writer(categoryName, All);

        public void Dispose()
        {
        }

        private sealed class Writer(string category, ConcurrentQueue<string> lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull
            {
                lines.Enqueue($"{category} scope {Text(state)}");
                return null;
            }

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                lines.Enqueue($"{category} {formatter(state, exception)} {Text(state)} {exception}");

            private static string Text<TState>(TState state) => state is IEnumerable<KeyValuePair<string, object?>> pairs ? string.Join(' ', pairs.Select(p => $"{p.Key}={p.Value}")) : $"{state}";
        }
    }
}
