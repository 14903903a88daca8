using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Server;

/// <summary>
/// The control plane as the CLI sees it: JSON in, JSON out. Every refusal and every broken connection becomes a <see cref="CliException"/>
/// with the exit code that belongs to it.
/// </summary>
public sealed class FogServer : IDisposable
{
    public const string DefaultUrl = "http://127.0.0.1:8000";

    /// <summary>An answer that takes longer counts as a timeout; streams are not bound by it.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(60);

    private readonly HttpClient _http;

    /// <param name="address">Where it listens.</param>
    /// <param name="token">Sent with every request; null: none.</param>
    /// <param name="logins">Where the token of a login is, if no other is given.</param>
    public FogServer(Uri address, string? token, SavedLogins? logins = null)
    {
        Address = address;
        // A proxy that is set for the outside world must not catch calls to this machine.
        HttpMessageHandler handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), UseProxy = !address.IsLoopback };
        if (token is null && logins is not null)
            handler = new SavedLoginHandler(logins, address, handler);
        _http = new HttpClient(handler)
        {
            BaseAddress = address.AbsoluteUri.EndsWith('/') ? address : new Uri(address.AbsoluteUri + "/"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (token is not null)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        _http.DefaultRequestHeaders.Accept.ParseAdd("application/json");
        _http.DefaultRequestHeaders.Accept.ParseAdd("application/problem+json");
    }

    public Uri Address { get; }

    public Task<JsonNode> GetAsync(string path, CancellationToken cancel) => SendAsync(HttpMethod.Get, path, null, null, cancel);

    public Task<JsonNode> PostAsync(string path, JsonNode body, CancellationToken cancel, string? idempotencyKey = null) =>
        SendAsync(HttpMethod.Post, path, body, idempotencyKey, cancel);

    public Task<JsonNode> PatchAsync(string path, JsonNode body, CancellationToken cancel) => SendAsync(HttpMethod.Patch, path, body, null, cancel);

    /// <summary>All pages of a list; each but the last names the next one's cursor in <c>next</c>.</summary>
    /// <param name="path">With its query, without a cursor.</param>
    /// <param name="cancel">Ends the reading.</param>
    /// <param name="field">Query field that takes the cursor.</param>
    /// <param name="first">Cursor of the first page to read; null: from the beginning.</param>
    public async Task<List<JsonNode>> PagesAsync(string path, CancellationToken cancel, string field = "cursor", string? first = null)
    {
        var pages = new List<JsonNode>();
        var cursor = first;
        do
        {
            var page = await GetAsync(cursor is null ? path : $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{field}={Uri.EscapeDataString(cursor)}", cancel);
            pages.Add(page);
            cursor = page.Text("next");
        }
        while (cursor is not null);
        return pages;
    }

    /// <summary>Sends one request and returns the answer's body.</summary>
    public async Task<JsonNode> SendAsync(HttpMethod method, string path, JsonNode? body, string? idempotencyKey, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        if (idempotencyKey is not null)
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        return await GuardAsync(async limit =>
        {
            using var response = await _http.SendAsync(request, limit);
            await ThrowUnlessSuccessAsync(response, limit);
            return await ReadJsonAsync(response, limit);
        }, AnswerLimit, cancel);
    }

    /// <summary>Whether the control plane says it is ready; false also when nothing listens.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancel)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(TimeSpan.FromSeconds(5));
            using var response = await _http.GetAsync("readyz", limit.Token);
            return response.IsSuccessStatusCode;
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException && !cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary><c>/health</c> with the server's clock (its Date header, whole seconds, null when it sent none).</summary>
    public async Task<(JsonNode Health, DateTimeOffset? ServerTime)> HealthAsync(CancellationToken cancel) => await GuardAsync(async limit =>
    {
        using var response = await _http.GetAsync("health", limit);
        await ThrowUnlessSuccessAsync(response, limit);
        return (await ReadJsonAsync(response, limit), response.Headers.Date);
    }, TimeSpan.FromSeconds(5), cancel);

    /// <summary>
    /// Writes an artifact to <paramref name="target"/> and checks its content against the hash before the file gets its name, so a broken
    /// download never looks like a result.
    /// </summary>
    public async Task DownloadAsync(string sha256, string target, CancellationToken cancel)
    {
        var part = target + ".part";
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        try
        {
            await GuardAsync(async limit =>
            {
                using var response = await _http.GetAsync($"api/artifacts/{sha256}", HttpCompletionOption.ResponseHeadersRead, limit);
                await ThrowUnlessSuccessAsync(response, limit);
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                await using (var file = File.Create(part))
                await using (var body = await response.Content.ReadAsStreamAsync(limit))
                {
                    var buffer = new byte[81920];
                    int read;
                    while ((read = await body.ReadAsync(buffer, limit)) > 0)
                    {
                        hash.AppendData(buffer, 0, read);
                        await file.WriteAsync(buffer.AsMemory(0, read), limit);
                    }
                }
                var actual = Convert.ToHexStringLower(hash.GetHashAndReset());
                if (actual != sha256)
                {
                    throw new CliException(ExitCodes.Error, $"artifact {sha256} arrived with the hash {actual}.",
                        "Run the command again; if it stays, the server's store is damaged: see its log.");
                }
                return true;
            }, Timeout.InfiniteTimeSpan, cancel);
            File.Move(part, target, overwrite: true);
        }
        finally
        {
            File.Delete(part);
        }
    }

    /// <summary>Writes an answer of any length to a file, which gets its name when all of it has come. Returns its bytes.</summary>
    public async Task<long> SaveAsync(string path, string mediaType, string target, CancellationToken cancel)
    {
        var part = target + ".part";
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        try
        {
            var length = await GuardAsync(async limit =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path);
                request.Headers.Accept.ParseAdd(mediaType);
                request.Headers.Accept.ParseAdd("application/problem+json");
                using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit);
                await ThrowUnlessSuccessAsync(response, limit);
                await using var file = File.Create(part);
                await response.Content.CopyToAsync(file, limit);
                return file.Length;
            }, Timeout.InfiniteTimeSpan, cancel);
            File.Move(part, target, overwrite: true);
            return length;
        }
        finally
        {
            File.Delete(part);
        }
    }

    /// <summary>An artifact's bytes, checked against the hash. For small ones.</summary>
    public async Task<byte[]> DownloadBytesAsync(string sha256, CancellationToken cancel) => await GuardAsync(async limit =>
    {
        using var response = await _http.GetAsync($"api/artifacts/{sha256}", limit);
        await ThrowUnlessSuccessAsync(response, limit);
        var bytes = await response.Content.ReadAsByteArrayAsync(limit);
        return Convert.ToHexStringLower(SHA256.HashData(bytes)) == sha256
            ? bytes
            : throw new CliException(ExitCodes.Error, $"artifact {sha256} arrived with other content.", "Run the command again.");
    }, AnswerLimit, cancel);

    /// <summary>Puts a local file into the artifact store unless it is there; returns its SHA-256.</summary>
    public async Task<string> UploadAsync(string file, CancellationToken cancel)
    {
        string sha256;
        await using (var content = File.OpenRead(file))
            sha256 = Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancel));
        return await GuardAsync(async limit =>
        {
            using var head = new HttpRequestMessage(HttpMethod.Head, $"api/artifacts/{sha256}");
            using (var present = await _http.SendAsync(head, limit))
            {
                if (present.IsSuccessStatusCode)
                    return sha256;
            }
            await using var body = File.OpenRead(file);
            using var content = new StreamContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            using var response = await _http.PutAsync($"api/artifacts/{sha256}", content, limit);
            await ThrowUnlessSuccessAsync(response, limit);
            return sha256;
        }, Timeout.InfiniteTimeSpan, cancel);
    }

    /// <summary>Server-sent events until the server ends the stream.</summary>
    /// <param name="ended">Told at a whole end which id came last, also where it came without an event; empty when none did. A broken stream may end within an event: then the last one that came whole counts.</param>
    public async IAsyncEnumerable<SseItem<string>> EventsAsync(string path, [EnumeratorCancellation] CancellationToken cancel, Action<string>? ended = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Clear();
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var response = await GuardAsync(async limit =>
        {
            var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit);
            try
            {
                await ThrowUnlessSuccessAsync(answer, limit);
                return answer;
            }
            catch
            {
                answer.Dispose();
                throw;
            }
        }, AnswerLimit, cancel);
        await using var stream = await response.Content.ReadAsStreamAsync(cancel);
        var parser = SseParser.Create(stream);
        await foreach (var item in parser.EnumerateAsync(cancel))
            yield return item;
        ended?.Invoke(parser.LastEventId);
    }

    public void Dispose() => _http.Dispose();

    private async Task<T> GuardAsync<T>(Func<CancellationToken, Task<T>> call, TimeSpan limit, CancellationToken cancel)
    {
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        if (limit != Timeout.InfiniteTimeSpan)
            bounded.CancelAfter(limit);
        try
        {
            return await call(bounded.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new CliException(ExitCodes.Timeout, $"{Address} did not answer within {limit.TotalSeconds:0} s.",
                "See whether the control plane is overloaded: fog doctor");
        }
        catch (HttpRequestException error)
        {
            throw new CliException(ExitCodes.Unreachable, $"No control plane answers at {Address} ({error.InnerException?.Message ?? error.Message}).",
                "Start one with: fog up    or name another: --server URL (or FOG_SERVER)");
        }
        catch (IOException error)
        {
            throw new CliException(ExitCodes.Unreachable, $"The connection to {Address} broke off ({error.Message}).",
                "Look at what became of it before you repeat it: it may or may not have happened.");
        }
    }

    private async Task<JsonNode> ReadJsonAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        var text = await response.Content.ReadAsStringAsync(cancel);
        try
        {
            if (JsonNode.Parse(text) is { } node)
                return node;
        }
        catch (JsonException)
        {
            // Reported below: the same as an empty answer.
        }
        throw new CliException(ExitCodes.Error, $"What answers at {Address} is not a FogCompute control plane: {response.RequestMessage?.RequestUri?.AbsolutePath} gave no JSON.",
            "Check the address: --server URL or FOG_SERVER");
    }

    private async Task ThrowUnlessSuccessAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        if (response.IsSuccessStatusCode)
            return;
        JsonNode? problem = null;
        try
        {
            problem = JsonNode.Parse(await response.Content.ReadAsStringAsync(cancel)) as JsonObject;
        }
        catch (JsonException)
        {
            // Not a problem document: the status line has to do.
        }
        var status = (int)response.StatusCode;
        var detail = new List<string>();
        foreach (var (field, messages) in problem.Members("errors"))
        {
            foreach (var message in messages is JsonArray list ? list.OfType<JsonNode>().Select(m => m.Text()) : [messages.Text()])
                detail.Add($"{field}: {message}");
        }
        var code = problem.Text("code");
        if (code is not null)
            detail.Add($"code: {code} (HTTP {status})");
        if (problem.Text("traceId") is { } trace && status >= 500)
            detail.Add($"trace: {trace}");
        var (exitCode, next) = response.StatusCode switch
        {
            HttpStatusCode.Unauthorized => (ExitCodes.Auth, "Log in (fog login) or pass a token: --token T or FOG_TOKEN. Without one only a server on this machine's loopback accepts you."),
            HttpStatusCode.Forbidden => (ExitCodes.Auth, "Use a token whose account may do this: --token T or FOG_TOKEN."),
            HttpStatusCode.NotFound => (ExitCodes.NotFound, NotFoundHint(response.RequestMessage?.RequestUri?.AbsolutePath)),
            HttpStatusCode.Conflict => (ExitCodes.Conflict, ConflictHint(response.RequestMessage?.RequestUri?.AbsolutePath, code)),
            HttpStatusCode.RequestTimeout or HttpStatusCode.GatewayTimeout => (ExitCodes.Timeout, "Try again; see fog doctor if it stays."),
            HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable => (ExitCodes.Unreachable, "A part of the control plane is down; fog doctor says which."),
            HttpStatusCode.TooManyRequests => (ExitCodes.Error, response.Headers.RetryAfter?.Delta is { } wait
                ? $"Try again in {wait.TotalSeconds:0} s." : "Wait, or move to a larger plan."),
            HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity => (ExitCodes.Error, "Correct the fields above and send it again."),
            _ => (ExitCodes.Error, "See the control plane's log; fog doctor checks its parts."),
        };
        throw new CliException(exitCode,
            problem.Text("detail") ?? problem.Text("title") ?? $"{Address} answered {status} {response.ReasonPhrase}.", next, detail, problem);
    }

    private static string ConflictHint(string? path, string? code) => (path, code) switch
    {
        (_, "tokenomics.insufficient_funds") => "See what you have: fog ledger    and what is staked or on its way back: fog stakes",
        ({ } p, _) when p.EndsWith("/unstake", StringComparison.Ordinal) || p.EndsWith("/claim", StringComparison.Ordinal) || p.EndsWith("/stake", StringComparison.Ordinal) => "See what is free and when the rest will be: fog stakes",
        ({ } p, _) when p.Contains("/slashes", StringComparison.Ordinal) => "See its present state: fog slashes",
        ({ } p, _) when p.Contains("/tokenomics/", StringComparison.Ordinal) => "See the present states and clocks: fog proposals",
        _ => "Look at its present state, then decide: fog job show ID",
    };

    private static string NotFoundHint(string? path) => path switch
    {
        { } p when p.Contains("/proposals", StringComparison.Ordinal) || p.EndsWith("/vote", StringComparison.Ordinal) => "See what there is: fog proposals",
        { } p when p.Contains("/parameters", StringComparison.Ordinal) => "See what there is: fog parameters",
        { } p when p.Contains("/slashes", StringComparison.Ordinal) => "See what there is: fog slashes",
        { } p when p.Contains("/checkpoints", StringComparison.Ordinal) => "See what there is: fog ledger checkpoints",
        { } p when p.Contains("/tokenomics/", StringComparison.Ordinal) => "Check the address: yours is in fog ledger",
        { } p when p.Contains("/jobs", StringComparison.Ordinal) => "See what there is: fog job list",
        { } p when p.Contains("/devices", StringComparison.Ordinal) => "See what there is: fog node list",
        { } p when p.EndsWith("/passes/latest", StringComparison.Ordinal) => "Queue work that takes a search, then look again: fog run --count 100 -- sleep 60    then fog plan",
        { } p when p.Contains("/passes", StringComparison.Ordinal) => "See the last one: fog plan",
        _ => "Check the id and the server's version (fog doctor).",
    };
}
