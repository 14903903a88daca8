using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using FogCompute.Protocol;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FogCompute.Node.Tests.Transport;

/// <summary>How the fake answers.</summary>
internal enum Weather
{
    Fine,

    /// <summary>Connections break without an answer.</summary>
    Down,

    /// <summary>503 with Retry-After.</summary>
    Busy,

    /// <summary>401: the device key was revoked.</summary>
    Revoked,
}

/// <summary>The control plane as the agent sees it, on a loopback port, with the weather of a test. Obeys the wire contract, knows no scheduling.</summary>
internal sealed class FakeControlPlane : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, LeaseMessage> _live = [];
    private readonly List<Revocation> _revoked = [];
    private readonly List<Notice> _notices = [];
    private readonly Dictionary<string, byte[]> _partial = [];
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private FakeControlPlane(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;
    public Weather Weather { get; set; }
    public int RetryAfterSeconds { get; set; } = 1;
    public double LeaseSeconds { get; set; } = 600;

    /// <summary>Answers to polls that are computed and then lost on the way.</summary>
    public int LosePollAnswers { get; set; }

    /// <summary>Breaks the next upload after this many bytes.</summary>
    public int? CutUploadAfter { get; set; }

    /// <summary>Breaks the next download after this many bytes.</summary>
    public int? CutDownloadAfter { get; set; }
    /// <summary>Only transfers of artifacts break.</summary>
    public bool ArtifactsDown { get; set; }

    /// <summary>Every upload is answered with 413.</summary>
    public bool RefuseUploads { get; set; }
    public string AckStatus { get; set; } = "recorded";
    public bool LoseReportAnswers { get; set; }

    /// <summary>Refuses batches that contain this attempt with 422.</summary>
    public Guid? PoisonedAttempt { get; set; }
    public TimeSpan ReportDelay { get; set; }

    /// <summary>Reports are not looked at before this has ended.</summary>
    public Task BeforeReports { get; set; } = Task.CompletedTask;

    /// <summary>What was answered with 503, and when.</summary>
    public ConcurrentQueue<(string Path, long At)> BusyAnswers { get; } = new();
    public ConcurrentDictionary<string, byte[]> Artifacts { get; } = new();
    public ConcurrentQueue<LeasePollRequest> Polls { get; } = new();
    public ConcurrentQueue<AttemptReport> Reports { get; } = new();
    public ConcurrentQueue<int> ReportBatches { get; } = new();
    public ConcurrentQueue<AttemptProgress> Progress { get; } = new();
    public ConcurrentQueue<DeviceRegistration> Registrations { get; } = new();
    public ConcurrentQueue<string> Requests { get; } = new();

    public static async Task<FakeControlPlane> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var fake = new FakeControlPlane(app);
        app.Run(fake.HandleAsync);
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        fake.Address = new Uri(address + "/");
        return fake;
    }

    public void Lease(params LeaseMessage[] leases)
    {
        lock (_gate)
            foreach (var lease in leases)
                _live[lease.AttemptId] = lease;
        Signal();
    }

    public void Revoke(Guid attempt, string reason)
    {
        lock (_gate)
        {
            _live.Remove(attempt);
            _revoked.Add(new Revocation(attempt, reason));
        }
        Signal();
    }

    /// <summary>Said in every answer until the agent says that it knows.</summary>
    public void Notify(Guid attempt, double graceSeconds)
    {
        lock (_gate)
            _notices.Add(new Notice(attempt, "preempted", graceSeconds));
        Signal();
    }

    public AttemptReport? ReportOf(Guid attempt) => Reports.LastOrDefault(r => r.AttemptId == attempt);

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        Weather = Weather.Down;
        Signal();
        try
        {
            await _app.StopAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            // A long poll was still open; disposal below closes it.
        }
        await _app.DisposeAsync();
    }

    private void Signal()
    {
        TaskCompletionSource old;
        lock (_gate)
        {
            old = _news;
            _news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        old.TrySetResult();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        Requests.Enqueue($"{context.Request.Method} {path} {Weather}");
        switch (Weather)
        {
            case Weather.Down:
                context.Abort();
                return;
            case Weather.Busy:
                BusyAnswers.Enqueue((path, TimeProvider.System.GetTimestamp()));
                context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString();
                await ProblemAsync(context, 503, "common.busy");
                return;
            case Weather.Revoked when path != "/api/idle-compute/devices":
                await ProblemAsync(context, 401, "identity.device_key_revoked");
                return;
        }
        if (path.StartsWith("/api/artifacts/", StringComparison.Ordinal))
            await ArtifactAsync(context, path.Split('/')[^1]);
        else if (path == "/api/idle-compute/devices")
        {
            var body = await BodyAsync<DeviceRegistration>(context);
            if (context.Request.Headers.Authorization == "Bearer used-up")
            {
                await ProblemAsync(context, 401, "identity.token_used");
                return;
            }
            Registrations.Enqueue(body);
            await AnswerAsync(context, new { Success = true, body.DeviceId, Status = "registered", DeviceToken = (string?)"device-key-1" }, 201);
        }
        else if (context.Request.Headers.Authorization != "Bearer device-key-1")
            await ProblemAsync(context, 401, "identity.unknown_key");
        else if (path.EndsWith("/poll", StringComparison.Ordinal))
            await PollAsync(context);
        else if (path.EndsWith("/progress", StringComparison.Ordinal))
        {
            foreach (var item in (await BodyAsync<ProgressRequest>(context)).Items)
                Progress.Enqueue(item);
            await AnswerAsync(context, new ProgressResponse { Revoked = [] });
        }
        else if (path.EndsWith("/reports", StringComparison.Ordinal))
            await ReportAsync(context);
        else
            await ProblemAsync(context, 404, "common.not_found");
    }

    private async Task PollAsync(HttpContext context)
    {
        var request = await BodyAsync<LeasePollRequest>(context);
        Polls.Enqueue(request);
        var held = request.Held.Select(h => h.AttemptId).ToHashSet();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(request.WaitSeconds));
        while (true)
        {
            Task news;
            List<LeaseMessage> fresh;
            List<Revocation> revoked;
            List<Notice> notices;
            lock (_gate)
            {
                fresh = [.. _live.Values.Where(l => !held.Contains(l.AttemptId)).Take(Math.Max(0, request.Condition.Slots - _live.Keys.Count(held.Contains)))];
                if (request.Condition.State is not ("eligible" or "contributing") && request.Condition.Reason != "agent_stopping")
                    fresh.Clear();
                revoked = [.. _revoked];
                _revoked.Clear();
                notices = _notices.FindAll(n => request.Held.Any(h => h.AttemptId == n.AttemptId && h.Noticed != true));
                news = _news.Task;
            }
            if (fresh.Count + revoked.Count + notices.Count > 0 || limit.IsCancellationRequested)
            {
                if (LosePollAnswers > 0)
                {
                    LosePollAnswers--;
                    context.Abort();
                    return;
                }
                await AnswerAsync(context, new LeasePollResponse { Leases = fresh, Revoked = revoked, Notices = notices, Now = TimeProvider.System.GetUtcNow(), LeaseSeconds = LeaseSeconds });
                return;
            }
            await Task.WhenAny(news, Task.Delay(Timeout.Infinite, limit.Token), Task.Delay(Timeout.Infinite, context.RequestAborted));
            if (context.RequestAborted.IsCancellationRequested)
                return;
            if (Weather == Weather.Down)
            {
                context.Abort();
                return;
            }
            if (Weather == Weather.Revoked)
            {
                await ProblemAsync(context, 401, "identity.device_key_revoked");
                return;
            }
        }
    }

    /// <summary>Makes outstanding polls look at the weather.</summary>
    public void Turn(Weather weather)
    {
        Weather = weather;
        Signal();
    }

    private async Task ReportAsync(HttpContext context)
    {
        var request = await BodyAsync<ReportRequest>(context);
        await BeforeReports;
        if (ReportDelay > TimeSpan.Zero)
            await Task.Delay(ReportDelay);
        if (PoisonedAttempt is { } poisoned && request.Items.Any(i => i.AttemptId == poisoned))
        {
            await ProblemAsync(context, 422, "idle_compute.report_invalid");
            return;
        }
        ReportBatches.Enqueue(request.Items.Count);
        foreach (var item in request.Items)
        {
            Reports.Enqueue(item);
            lock (_gate)
                _live.Remove(item.AttemptId);
        }
        if (LoseReportAnswers)
        {
            LoseReportAnswers = false;
            context.Abort();
            return;
        }
        await AnswerAsync(context, new ReportResponse { Items = [.. request.Items.Select(i => new ReportAck(i.AttemptId, AckStatus))] });
        Signal();
    }

    private async Task ArtifactAsync(HttpContext context, string sha)
    {
        var request = context.Request;
        if (ArtifactsDown)
        {
            context.Abort();
            return;
        }
        switch (request.Method)
        {
            case "HEAD" when Artifacts.TryGetValue(sha, out var whole):
                context.Response.ContentLength = whole.Length;
                return;
            case "HEAD":
                context.Response.StatusCode = 404;
                if (_partial.TryGetValue(sha, out var part))
                    context.Response.Headers["Upload-Offset"] = part.Length.ToString();
                return;
            case "GET":
                if (!Artifacts.TryGetValue(sha, out var bytes))
                {
                    await ProblemAsync(context, 404, "artifacts.not_found");
                    return;
                }
                var from = 0;
                if (request.Headers.Range is [{ } range] && range.StartsWith("bytes=", StringComparison.Ordinal))
                {
                    from = int.Parse(range["bytes=".Length..].TrimEnd('-'));
                    if (from >= bytes.Length)
                    {
                        context.Response.StatusCode = 416;
                        return;
                    }
                    context.Response.StatusCode = 206;
                    context.Response.Headers.ContentRange = $"bytes {from}-{bytes.Length - 1}/{bytes.Length}";
                }
                context.Response.ContentLength = bytes.Length - from;
                if (CutDownloadAfter is { } cut && cut < bytes.Length - from)
                {
                    CutDownloadAfter = null;
                    await context.Response.Body.WriteAsync(bytes.AsMemory(from, cut));
                    await context.Response.Body.FlushAsync();
                    // What was written must reach the client before the connection breaks.
                    await Task.Delay(200);
                    context.Abort();
                    return;
                }
                await context.Response.Body.WriteAsync(bytes.AsMemory(from));
                return;
            case "PUT":
                await PutAsync(context, sha);
                return;
        }
    }

    private async Task PutAsync(HttpContext context, string sha)
    {
        if (RefuseUploads)
        {
            await ProblemAsync(context, 413, "artifacts.too_large");
            return;
        }
        var known = _partial.GetValueOrDefault(sha) ?? [];
        var offset = 0L;
        if (context.Request.Headers.ContentRange is [{ } range])
            offset = long.Parse(range["bytes ".Length..].Split('-')[0]);
        if (offset != 0 && offset != known.Length)
        {
            context.Response.Headers["Upload-Offset"] = known.Length.ToString();
            await ProblemAsync(context, 409, "artifacts.wrong_offset");
            return;
        }
        using var content = new MemoryStream();
        content.Write(known.AsSpan(0, (int)offset));
        var buffer = new byte[4096];
        try
        {
            for (int got; (got = await context.Request.Body.ReadAsync(buffer)) > 0;)
            {
                content.Write(buffer.AsSpan(0, got));
                if (CutUploadAfter is { } cut && content.Length >= cut)
                {
                    CutUploadAfter = null;
                    _partial[sha] = content.ToArray();
                    context.Abort();
                    return;
                }
            }
        }
        catch (IOException)
        {
            _partial[sha] = content.ToArray();
            return;
        }
        var bytes = content.ToArray();
        if (Convert.ToHexStringLower(SHA256.HashData(bytes)) != sha)
        {
            _partial.Remove(sha);
            await ProblemAsync(context, 422, "artifacts.hash_mismatch");
            return;
        }
        Artifacts[sha] = bytes;
        context.Response.StatusCode = 201;
    }

    private static async Task<T> BodyAsync<T>(HttpContext context) => (await JsonSerializer.DeserializeAsync<T>(context.Request.Body, WireJson.Requests))!;

    private static async Task AnswerAsync<T>(HttpContext context, T body, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(body, WireJson.Responses));
    }

    private static async Task ProblemAsync(HttpContext context, int status, string code)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/problem+json";
        await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(new { title = "Refused", status, detail = "Refused by the fake.", code }));
    }
}
