using System.Diagnostics;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using FogCompute.EndToEnd.Tests.Harness;

namespace FogCompute.EndToEnd.Tests;

/// <summary>SIGTERM to a control plane in the middle of everything it can be in the middle of: nothing that was begun fails, and it ends soon.</summary>
[TestFixture]
internal sealed class GracefulShutdownTests : Scenario
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private Pool? _pool;

    protected override Pool Pool => _pool ?? throw new InvalidOperationException("The pool is not open.");

    [OneTimeSetUp]
    public async Task Open() => _pool = await Pool.OpenAsync(silence: 60);

    [OneTimeTearDown]
    public async Task Close()
    {
        if (_pool is not null)
            await _pool.DisposeAsync();
    }

    [Test]
    public async Task What_was_begun_is_finished_and_what_waits_is_answered()
    {
        using var device = await Pool.EnrolFakeAsync("waiting", "waiting");
        var job = await Pool.Client.SubmitAsync(new JobRequest { Name = "unplaced", Payload = JobRequest.Noop, Constraints = new(["nobody"]) });
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.Zero }) { BaseAddress = Pool.Plane.Url };

        var poll = device.PollAsync(wait: 20);
        using var events = await http.GetAsync($"api/scheduler/jobs/{job.JobId}/logs?follow=true", HttpCompletionOption.ResponseHeadersRead);
        var stream = events.Content.ReadAsStringAsync();
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{Pool.Plane.Url.Port}/ws/metrics"), CancellationToken.None);
        var closed = ClosedAsync(socket);
        var content = RandomNumberGenerator.GetBytes(200_000);
        var digest = Convert.ToHexStringLower(SHA256.HashData(content));
        using var body = new HesitantContent(content);
        var upload = http.PutAsync($"api/artifacts/{digest}", body);
        await BegunAsync(digest);

        var signalled = Stopwatch.GetTimestamp();
        var stopping = Pool.Plane.StopAsync(Limit);
        var answer = await poll;
        var answered = Took("SIGTERM to the answer of the long poll", signalled);
        Assert.That(answered, Is.LessThan(TimeSpan.FromSeconds(8)), "at once: it would have waited for twenty");
        Assert.That((answer.Leases.Count, answer.Revoked.Count), Is.EqualTo((0, 0)), "an empty answer, not an error");
        Assert.That(await stream, Does.EndWith("retry: 1000\n: the control plane is stopping\n\n").And.Not.Contain("event: end"));
        Assert.That(await closed, Is.EqualTo(WebSocketCloseStatus.EndpointUnavailable));
        Took("SIGTERM to the end of stream and socket", signalled);

        // The upload is still in flight, so it still listens: it says that it goes, and takes nothing new.
        using (var ready = await http.GetAsync("readyz"))
        {
            Assert.That(ready.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
            Assert.That(await ready.Content.ReadAsStringAsync(), Does.Contain("shutting down"));
        }
        using (var refused = await http.PostAsync("api/scheduler/jobs", new StringContent("{}", Encoding.UTF8, "application/json")))
        {
            Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
            Assert.That(await refused.Content.ReadAsStringAsync(), Does.Contain("common.shutting_down"));
            Assert.That(refused.Headers.RetryAfter?.Delta, Is.EqualTo(TimeSpan.FromSeconds(1)));
            Assert.That(refused.Headers.ConnectionClose, Is.True);
        }

        var released = Stopwatch.GetTimestamp();
        body.GoOn();
        using (var uploaded = await upload)
            Assert.That(uploaded.IsSuccessStatusCode, $"the upload that was in flight: {(int)uploaded.StatusCode}");
        Assert.That(await stopping, Is.Not.Null, "it ended in time");
        Took("last request in flight to the end of the process (with its database)", released);
        Assert.That(Pool.Plane.ExitCode, Is.Zero);

        await Pool.Plane.StartAsync();
        Assert.That(await Pool.Operator.DownloadAsync(digest), Is.EqualTo(content));
        Assert.That((await Pool.Client.JobAsync(job.JobId)).Status, Is.EqualTo("pending"));
        await Pool.AssertBalancedAsync(openHolds: 1);
    }

    /// <summary>A request that never ends does not keep the process: it is cut off, and what it was about to do has not happened.</summary>
    [Test]
    public async Task A_request_that_does_not_end_is_cut_off()
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = Pool.Plane.Url };
        var content = RandomNumberGenerator.GetBytes(200_000);
        using var body = new HesitantContent(content);
        var digest = Convert.ToHexStringLower(SHA256.HashData(content));
        var upload = http.PutAsync($"api/artifacts/{digest}", body);
        await BegunAsync(digest);
        var took = await Pool.Plane.StopAsync(Wait.OnThisMachine(Limit));
        Assert.That(took, Is.Not.Null, "it ended in time");
        TestContext.Out.WriteLine($"SIGTERM to the end with an upload that hangs: {took!.Value.TotalSeconds:0.00} s");
        body.GoOn();
        try
        {
            using var answer = await upload;
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        }
        catch (HttpRequestException)
        {
            // Nobody is there any more.
        }
        await Pool.Plane.StartAsync();
        var missing = Assert.ThrowsAsync<RefusedException>(() => Pool.Operator.DownloadAsync(digest));
        Assert.That(missing!.Status, Is.EqualTo(HttpStatusCode.NotFound));
    }

    /// <summary>Waits until the upload has reached the store.</summary>
    private Task BegunAsync(string digest)
    {
        var unfinished = Path.Combine(Pool.Plane.Home, "artifacts", "partial");
        return Wait.UntilAsync("the upload arrives", () => Directory.Exists(unfinished) && Directory.EnumerateFiles(unfinished, $"*{digest}*", SearchOption.AllDirectories).Any(f => new FileInfo(f) is { Exists: true, Length: > 0 }));
    }

    private static async Task<WebSocketCloseStatus?> ClosedAsync(ClientWebSocket socket)
    {
        var buffer = new byte[64 * 1024];
        while ((await socket.ReceiveAsync(buffer, CancellationToken.None)).MessageType != WebSocketMessageType.Close)
        {
            // Frames of metrics.
        }
        var status = socket.CloseStatus;
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        return status;
    }

    /// <summary>A body whose second half is sent when the test says so.</summary>
    private sealed class HesitantContent(byte[] content) : HttpContent
    {
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void GoOn() => _goOn.TrySetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(content.AsMemory(0, content.Length / 2));
            await stream.FlushAsync();
            await _goOn.Task;
            await stream.WriteAsync(content.AsMemory(content.Length / 2));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = content.Length;
            return true;
        }
    }
}
