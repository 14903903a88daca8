using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using FogCompute.Protocol;

namespace FogCompute.Node.Transport;

/// <summary>What went wrong with a request.</summary>
public enum ControlPlaneFault
{
    /// <summary>No answer: refused connection, time-out, broken connection.</summary>
    Unreachable,

    /// <summary>Answer 5xx, 408 or 429: the same request may succeed later.</summary>
    Busy,

    /// <summary>Answer 401 or 403.</summary>
    NotAllowed,

    /// <summary>Any other 4xx: repeating the request is pointless.</summary>
    Refused,
}

/// <summary>A request to the control plane that failed.</summary>
public sealed class ControlPlaneException(
    ControlPlaneFault fault, string message, HttpStatusCode? status = null, string? code = null, TimeSpan? retryAfter = null, Exception? inner = null)
    : Exception(message, inner)
{
    public ControlPlaneFault Fault { get; } = fault;
    public HttpStatusCode? Status { get; } = status;

    /// <summary>Stable code of the problem document, for example <c>idle_compute.device_not_found</c>.</summary>
    public string? Code { get; } = code;
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>For a PUT at the wrong offset: where the server wants to go on.</summary>
    public long? UploadOffset { get; init; }
}

/// <summary>Answer to a registration.</summary>
public sealed record RegistrationAnswer(bool Success, string DeviceId, string Status, string? DeviceToken);

/// <summary>What the server has of an artifact.</summary>
/// <param name="Complete">Whether it is there as a whole.</param>
/// <param name="Offset">Bytes of an unfinished upload.</param>
public readonly record struct ArtifactState(bool Complete, long Offset);

/// <summary>The control plane's HTTP interface as the agent uses it. Every failure is a <see cref="ControlPlaneException"/>.</summary>
public sealed class ControlPlaneClient : IDisposable
{
    private static readonly MediaTypeHeaderValue JsonType = new("application/json") { CharSet = "utf-8" };
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly HttpClient _http;
    private readonly string _device;
    private readonly Func<string?> _deviceKey;
    private readonly TimeProvider _clock;
    private long _transferred;

    /// <param name="deviceKey">Read at each request, because enrolment may replace the key.</param>
    public ControlPlaneClient(Uri server, string deviceId, Func<string?> deviceKey, TimeProvider clock)
    {
        _device = $"api/scheduler/nodes/{Uri.EscapeDataString(deviceId)}";
        _deviceKey = deviceKey;
        _clock = clock;
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            UseCookies = false,
            AllowAutoRedirect = false,
        })
        {
            BaseAddress = server,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("fog-node/0.1");
    }

    /// <summary>Bytes of artifacts moved since the start, both ways.</summary>
    public long Transferred => Interlocked.Read(ref _transferred);

    /// <param name="credential">Enrolment token or device key; null for the server's loopback local operator.</param>
    public Task<RegistrationAnswer> RegisterAsync(DeviceRegistration registration, string? credential, CancellationToken stop) =>
        PostAsync<DeviceRegistration, RegistrationAnswer>("api/idle-compute/devices", registration, credential, Patience, stop);

    public Task<LeasePollResponse> PollAsync(LeasePollRequest request, CancellationToken stop) =>
        PostAsync<LeasePollRequest, LeasePollResponse>($"{_device}/poll", request, _deviceKey(), TimeSpan.FromSeconds(request.WaitSeconds + 15), stop);

    public Task<ProgressResponse> ProgressAsync(ProgressRequest request, CancellationToken stop) =>
        PostAsync<ProgressRequest, ProgressResponse>($"{_device}/progress", request, _deviceKey(), Patience, stop);

    public Task<ReportResponse> ReportAsync(ReportRequest request, CancellationToken stop) =>
        PostAsync<ReportRequest, ReportResponse>($"{_device}/reports", request, _deviceKey(), Patience, stop);

    public async Task<ArtifactState> HeadArtifactAsync(string sha256, Guid attempt, CancellationToken stop)
    {
        using var request = New(HttpMethod.Head, Artifact(sha256, attempt), _deviceKey());
        using var response = await SendAsync(request, Patience, HttpCompletionOption.ResponseHeadersRead, stop);
        if (response.IsSuccessStatusCode)
            return new ArtifactState(true, response.Content.Headers.ContentLength ?? 0);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return new ArtifactState(false, Offset(response) ?? 0);
        throw await FailureAsync(response, stop);
    }

    /// <summary>
    /// Downloads into the file, going on behind what is already there. The content is not verified here.
    /// </summary>
    /// <param name="idle">Longest wait for the next bytes.</param>
    public async Task DownloadAsync(string sha256, Guid attempt, string file, TimeSpan idle, CancellationToken stop)
    {
        await using var target = new FileStream(file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        using var request = New(HttpMethod.Get, Artifact(sha256, attempt), _deviceKey());
        if (target.Length > 0)
            request.Headers.Range = new RangeHeaderValue(target.Length, null);
        using var response = await SendAsync(request, Patience, HttpCompletionOption.ResponseHeadersRead, stop);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
            // Everything is there already, or the part on disk is longer than the artifact: the hash tells which.
            return;
        if (!response.IsSuccessStatusCode)
            throw await FailureAsync(response, stop);
        if (response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == target.Length)
            target.Seek(0, SeekOrigin.End);
        else
            target.SetLength(0);

        using var limit = new IdleLimit(idle, _clock, stop);
        var buffer = new byte[128 * 1024];
        try
        {
            await using var source = await response.Content.ReadAsStreamAsync(limit.Token);
            for (int read; (read = await source.ReadAsync(buffer, limit.Token)) > 0;)
            {
                limit.Reset();
                Interlocked.Add(ref _transferred, read);
                await target.WriteAsync(buffer.AsMemory(0, read), stop);
            }
        }
        catch (Exception error) when (IsConnection(error, stop))
        {
            throw Unreachable(error);
        }
        if (response.Content.Headers.ContentLength is { } expected && response.StatusCode == HttpStatusCode.OK && target.Length < expected)
            throw new ControlPlaneException(ControlPlaneFault.Unreachable, "The connection broke in the middle of a download.");
    }

    /// <summary>Uploads the file from the offset. Answers when the server has all of it.</summary>
    /// <exception cref="ControlPlaneException">With <c>UploadOffset</c> when the server expects another offset.</exception>
    public async Task UploadAsync(string sha256, Guid attempt, string file, long offset, CancellationToken stop)
    {
        await using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read);
        var size = source.Length;
        source.Seek(offset, SeekOrigin.Begin);
        using var limit = new IdleLimit(TimeSpan.FromSeconds(60), _clock, stop);
        await using var counted = new CountingStream(source, read =>
        {
            limit.Reset();
            Interlocked.Add(ref _transferred, read);
        });
        using var request = New(HttpMethod.Put, Artifact(sha256, attempt), _deviceKey());
        request.Content = new StreamContent(counted, 128 * 1024);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        request.Content.Headers.ContentLength = size - offset;
        if (offset > 0)
            request.Content.Headers.ContentRange = new ContentRangeHeaderValue(offset, size - 1, size);
        using var response = await SendAsync(request, Timeout.InfiniteTimeSpan, HttpCompletionOption.ResponseHeadersRead, limit.Token, stop);
        if (!response.IsSuccessStatusCode)
            throw await FailureAsync(response, stop);
    }

    public void Dispose() => _http.Dispose();

    private static string Artifact(string sha256, Guid attempt) => $"api/artifacts/{sha256}?attempt={attempt:D}";

    private static HttpRequestMessage New(HttpMethod method, string path, string? credential)
    {
        var request = new HttpRequestMessage(method, path);
        if (credential is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", credential);
        return request;
    }

    private async Task<TAnswer> PostAsync<TBody, TAnswer>(string path, TBody body, string? credential, TimeSpan patience, CancellationToken stop)
    {
        using var request = New(HttpMethod.Post, path, credential);
        request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, WireJson.Requests));
        request.Content.Headers.ContentType = JsonType;
        using var response = await SendAsync(request, patience, HttpCompletionOption.ResponseContentRead, stop);
        if (!response.IsSuccessStatusCode)
            throw await FailureAsync(response, stop);
        try
        {
            await using var content = await response.Content.ReadAsStreamAsync(stop);
            return await JsonSerializer.DeserializeAsync<TAnswer>(content, WireJson.Responses, stop)
                ?? throw new JsonException("The answer is null.");
        }
        catch (JsonException error)
        {
            throw new ControlPlaneException(ControlPlaneFault.Busy,
                $"The control plane answered {path} with something this agent does not understand ({error.Message}). Are both of the same version?", response.StatusCode, inner: error);
        }
    }

    private Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, TimeSpan patience, HttpCompletionOption completion, CancellationToken stop) =>
        SendAsync(request, patience, completion, stop, stop);

    /// <param name="limit">Ends the request as a connection failure.</param>
    /// <param name="stop">Ends the request because the caller no longer wants it.</param>
    private async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, TimeSpan patience, HttpCompletionOption completion, CancellationToken limit, CancellationToken stop)
    {
        using var timeout = new CancellationTokenSource(patience, _clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit, timeout.Token);
        try
        {
            return await _http.SendAsync(request, completion, both.Token);
        }
        catch (Exception error) when (IsConnection(error, stop))
        {
            throw Unreachable(error);
        }
    }

    private static bool IsConnection(Exception error, CancellationToken stop) =>
        error is HttpRequestException or IOException || (error is OperationCanceledException && !stop.IsCancellationRequested);

    private ControlPlaneException Unreachable(Exception error) => new(ControlPlaneFault.Unreachable,
        $"The control plane at {_http.BaseAddress} does not answer: {(error is OperationCanceledException ? "time-out" : error.Message)}", inner: error);

    private async Task<ControlPlaneException> FailureAsync(HttpResponseMessage response, CancellationToken stop)
    {
        string? code = null, detail = null;
        try
        {
            if (response.RequestMessage?.Method != HttpMethod.Head && response.Content.Headers.ContentType?.MediaType == "application/problem+json")
            {
                using var problem = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(stop), cancellationToken: stop);
                code = Text(problem, "code");
                detail = Text(problem, "detail") ?? Text(problem, "title");
            }
        }
        catch (Exception error) when (error is JsonException || IsConnection(error, stop))
        {
            detail = "The explanation could not be read.";
        }
        var status = response.StatusCode;
        var fault = status switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ControlPlaneFault.NotAllowed,
            HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError => ControlPlaneFault.Busy,
            _ => ControlPlaneFault.Refused,
        };
        var wait = response.Headers.RetryAfter is { } retry
            ? retry.Delta ?? (retry.Date is { } date ? date - _clock.GetUtcNow() : null)
            : null;
        return new ControlPlaneException(fault, $"The control plane answered {(int)status}{(code is null ? "" : $" {code}")}{(detail is null ? "." : $": {detail}")}", status, code, wait)
        {
            UploadOffset = Offset(response),
        };
    }

    private static string? Text(JsonDocument problem, string name) =>
        problem.RootElement.ValueKind == JsonValueKind.Object && problem.RootElement.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long? Offset(HttpResponseMessage response) =>
        response.Headers.TryGetValues("Upload-Offset", out var values) && long.TryParse(values.First(), out var offset) && offset >= 0 ? offset : null;

    /// <summary>A token that ends when nothing has moved for a while.</summary>
    private sealed class IdleLimit : IDisposable
    {
        private readonly TimeSpan _idle;
        private readonly CancellationTokenSource _timer;
        private readonly CancellationTokenSource _both;

        public IdleLimit(TimeSpan idle, TimeProvider clock, CancellationToken stop)
        {
            _idle = idle;
            _timer = new CancellationTokenSource(idle, clock);
            _both = CancellationTokenSource.CreateLinkedTokenSource(_timer.Token, stop);
        }

        public CancellationToken Token => _both.Token;

        public void Reset() => _timer.CancelAfter(_idle);

        public void Dispose()
        {
            _both.Dispose();
            _timer.Dispose();
        }
    }

    /// <summary>Read-only pass-through that tells how much was read.</summary>
    private sealed class CountingStream(Stream inner, Action<int> read) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException("A counted stream has no length.");
        public override long Position
        {
            get => throw new NotSupportedException("A counted stream cannot seek.");
            set => throw new NotSupportedException("A counted stream cannot seek.");
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var got = inner.Read(buffer, offset, count);
            read(got);
            return got;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var got = await inner.ReadAsync(buffer, cancellationToken);
            read(got);
            return got;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush()
        {
            // Nothing is ever written to this stream.
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A counted stream cannot seek.");
        public override void SetLength(long value) => throw new NotSupportedException("A counted stream is read-only.");
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A counted stream is read-only.");
    }
}

/// <summary>Waits between attempts at the same thing: 0.5 s, 1 s, 2 s … 30 s, ± 20 %, never shorter than the server's Retry-After.</summary>
public sealed class Backoff(TimeProvider clock, Random random)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);
    private int _failures;

    public void Reset() => _failures = 0;

    public Task WaitAsync(TimeSpan? retryAfter, CancellationToken stop) => Task.Delay(Next(retryAfter), clock, stop);

    internal TimeSpan Next(TimeSpan? retryAfter)
    {
        var wait = TimeSpan.FromSeconds(Math.Min(Longest.TotalSeconds, 0.5 * Math.Pow(2, Math.Min(_failures++, 10))));
        double jitter;
        lock (random)
            jitter = 0.8 + (0.4 * random.NextDouble());
        wait *= jitter;
        // A server that asks for an hour is still asked every five minutes: leases would lapse meanwhile.
        return retryAfter is { } asked && asked > wait ? TimeSpan.FromSeconds(Math.Min(asked.TotalSeconds, 300)) : wait;
    }
}
