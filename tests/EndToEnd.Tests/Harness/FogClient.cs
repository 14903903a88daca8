using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using FogCompute.Protocol;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>An answer that is no success.</summary>
internal sealed class RefusedException(HttpStatusCode status, string? code, TimeSpan? retryAfter, string body) : Exception($"{(int)status} {code}: {body}")
{
    public HttpStatusCode Status { get; } = status;

    /// <summary>Stable word of the problem document; null when the body is none.</summary>
    public string? Code { get; } = code;
    public TimeSpan? RetryAfter { get; } = retryAfter;
}

/// <summary>The HTTP API as a stranger would use it: its own view of the answers, no type of the server.</summary>
internal sealed class FogClient(Uri server, string? token) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = server, Timeout = TimeSpan.FromSeconds(60) };

    /// <summary>API key, enrolment token or device key; null: the local operator.</summary>
    public string? Token { get; set; } = token;

    public async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await _http.GetAsync("readyz");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false; // Nobody listens yet.
        }
    }

    public Task<T> GetAsync<T>(string path) => SendAsync<T>(HttpMethod.Get, path, null);

    public Task<T> PostAsync<T>(string path, object body, string? key = null) => SendAsync<T>(HttpMethod.Post, path, JsonContent.Create(body, body.GetType(), null, WireJson.Requests), key);

    public Task<Submitted> SubmitAsync(JobRequest job, string? key = null) => PostAsync<Submitted>("api/scheduler/jobs", job, key);

    public Task<JobView> JobAsync(Guid id) => GetAsync<JobView>($"api/scheduler/jobs/{id}");

    public Task<WhyView> WhyAsync(Guid id) => GetAsync<WhyView>($"api/scheduler/jobs/{id}/why");

    public Task<PaymentsView> PaymentsAsync(Guid id) => GetAsync<PaymentsView>($"api/scheduler/jobs/{id}/payments");

    /// <summary>All jobs of the caller, newest first.</summary>
    public async Task<IReadOnlyList<JobListItem>> JobsAsync()
    {
        var jobs = new List<JobListItem>();
        Guid? cursor = null;
        do
        {
            var page = await GetAsync<JobListView>($"api/scheduler/jobs?limit=1000{(cursor is null ? "" : $"&cursor={cursor}")}");
            jobs.AddRange(page.Jobs);
            cursor = page.Next;
        }
        while (cursor is not null);
        return jobs;
    }

    public async Task<IReadOnlyList<TaskView>> TasksAsync(Guid id)
    {
        var tasks = new List<TaskView>();
        for (int? cursor = 0; cursor is not null;)
        {
            var page = await GetAsync<TaskListView>($"api/scheduler/jobs/{id}/tasks?limit=1000&cursor={cursor}");
            tasks.AddRange(page.Tasks);
            cursor = page.Next;
        }
        return tasks;
    }

    public Task<ChangedView> CancelAsync(Guid id) => SendAsync<ChangedView>(HttpMethod.Delete, $"api/scheduler/jobs/{id}", null);

    /// <param name="status">pause, resume or cancel.</param>
    public Task<ChangedView> ChangeAsync(Guid id, string status) =>
        SendAsync<ChangedView>(HttpMethod.Patch, $"api/scheduler/jobs/{id}", JsonContent.Create(new { status }));

    public Task<DeviceView> DeviceAsync(string id) => GetAsync<DeviceView>($"api/idle-compute/devices/{id}");

    public Task<DeviceWhyView> DeviceWhyAsync(string id) => GetAsync<DeviceWhyView>($"api/idle-compute/devices/{id}/why");

    public Task<JsonElement> DeleteDeviceAsync(string id) => SendAsync<JsonElement>(HttpMethod.Delete, $"api/idle-compute/devices/{id}", null);

    public Task<BalanceView> BalanceAsync() => GetAsync<BalanceView>("api/tokenomics/balance");

    public Task<AuditView> AuditAsync() => GetAsync<AuditView>("api/tokenomics/audit");

    /// <summary>The caller's whole ledger, newest first.</summary>
    public async Task<IReadOnlyList<LedgerLineView>> LedgerAsync()
    {
        var lines = new List<LedgerLineView>();
        string? cursor = null;
        do
        {
            var page = await GetAsync<LedgerView>($"api/tokenomics/ledger?limit=1000{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}");
            lines.AddRange(page.Entries);
            cursor = page.Next;
        }
        while (cursor is not null);
        return lines;
    }

    /// <summary>Uploads an artifact; its SHA-256.</summary>
    public async Task<string> UploadAsync(byte[] content)
    {
        var digest = Convert.ToHexStringLower(SHA256.HashData(content));
        await SendAsync<JsonElement>(HttpMethod.Put, $"api/artifacts/{digest}", new ByteArrayContent(content));
        return digest;
    }

    public async Task<byte[]> DownloadAsync(string sha256)
    {
        using var request = Request(HttpMethod.Get, $"api/artifacts/{sha256}", null, null);
        using var answer = await _http.SendAsync(request);
        await ThrowIfRefusedAsync(answer);
        return await answer.Content.ReadAsByteArrayAsync();
    }

    public void Dispose() => _http.Dispose();

    /// <summary>For messages.</summary>
    public static string Show(object? seen)
    {
        var text = seen is null ? "null" : JsonSerializer.Serialize(seen, seen.GetType(), WireJson.Responses);
        return text.Length > 3000 ? text[..3000] + "…" : text;
    }

    private async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? content, string? key = null)
    {
        using var request = Request(method, path, content, key);
        using var answer = await _http.SendAsync(request);
        await ThrowIfRefusedAsync(answer);
        return (await answer.Content.ReadFromJsonAsync<T>(WireJson.Responses))!;
    }

    private HttpRequestMessage Request(HttpMethod method, string path, HttpContent? content, string? key)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        if (Token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return request;
    }

    private static async Task ThrowIfRefusedAsync(HttpResponseMessage answer)
    {
        if (answer.IsSuccessStatusCode)
            return;
        var body = await answer.Content.ReadAsStringAsync();
        string? code = null;
        if (answer.Content.Headers.ContentType?.MediaType == "application/problem+json")
            code = JsonSerializer.Deserialize<JsonElement>(body).TryGetProperty("code", out var word) ? word.GetString() : null;
        throw new RefusedException(answer.StatusCode, code, answer.Headers.RetryAfter?.Delta, body);
    }
}
