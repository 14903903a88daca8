using System.Net;
using ICredentials = FogCompute.Application.Identity.ICredentials;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Health;
using FogCompute.Application.Identity;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Api.Http;

/// <summary>The local operator's account; empty when the server is not bound to loopback.</summary>
public sealed class LocalOperator
{
    private static readonly IReadOnlySet<string> Everything = new HashSet<string>(Permissions.All, StringComparer.Ordinal);

    public Caller? Caller { get; private set; }

    /// <summary>Makes sure that the account exists and lets it in from now on.</summary>
    public async Task OpenAsync(IServiceScopeFactory scopes, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Application.Common.Security.Caller.System;
        var account = await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(new EnsureLocalOperatorCommand(), cancel);
        Caller = new Caller(CallerKind.LocalOperator, account, null, Everything);
    }
}

/// <summary>
/// The last step of start-up: once the schema is there (<paramref name="databaseReady"/>), the founder's settings take effect if they still can, the local
/// operator's account is opened and the control plane calls itself ready. A database that goes away in between only makes this take longer.
/// </summary>
internal sealed partial class Opening(
    Func<CancellationToken, Task> databaseReady, ServerOptions server, LocalOperator local, FirstRun firstRun, Readiness readiness, IServiceScopeFactory scopes, TimeProvider clock, ILogger<Opening> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await databaseReady(stoppingToken);
        var mayRun = false;
        await InsistAsync(async cancel => mayRun = await AsSystemAsync(firstRun.CheckAsync, cancel), stoppingToken);
        if (!mayRun)
            return;
        // Before any account: the settings of the founder count in a pool without one only.
        await InsistAsync(ApplyFoundersParametersAsync, stoppingToken);
        if (server.IsLoopback)
            await InsistAsync(cancel => local.OpenAsync(scopes, cancel), stoppingToken);
        readiness.Ready();
        if (server.IsLoopback)
        {
            await InsistAsync(cancel => AsSystemAsync(async (dispatcher, token) =>
            {
                await firstRun.OfferAsync(dispatcher, token);
                return true;
            }, cancel), stoppingToken);
        }
    }

    private Task ApplyFoundersParametersAsync(CancellationToken cancel) => AsSystemAsync((dispatcher, token) => dispatcher.SendAsync(new ApplyFoundersParametersCommand(), token), cancel);

    private async Task<T> AsSystemAsync<T>(Func<IDispatcher, CancellationToken, Task<T>> use, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = Caller.System;
        return await use(scope.ServiceProvider.GetRequiredService<IDispatcher>(), cancel);
    }

    private async Task InsistAsync(Func<CancellationToken, Task> step, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                await step(cancel);
                return;
            }
            catch (Exception failure) when (!cancel.IsCancellationRequested)
            {
                Failed(log, failure);
                await Task.Delay(TimeSpan.FromSeconds(1), clock, cancel);
            }
        }
    }

    [LoggerMessage(20, LogLevel.Warning, "opening_failed A step of the start-up failed; trying again in a second")]
    private static partial void Failed(ILogger logger, Exception failure);
}

/// <summary>
/// The operation makes or renews an identity: whatever token comes along (an expired one of a client that sends it always) is not looked at.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class IgnoresCredentialsAttribute : Attribute;

/// <summary>
/// Says who is calling, for everything under <c>/api</c> and <c>/ws</c>. A token decides alone: one that is not good is refused and never
/// falls back to the local operator. Without a token a caller is the local operator only if nothing hints that the request comes from
/// elsewhere; browsers are the reason for most of the rules (a page on any site can make the browser send requests to localhost).
/// </summary>
internal sealed class Authentication(RequestDelegate next, ServerOptions server, LocalOperator local, FirstRun firstRun, ICredentials credentials)
{
    private const int LongestAgent = 200;

    /// <summary>A proxy on this machine would make every visitor look like a loopback peer.</summary>
    internal static readonly string[] ProxyHeaders = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via", "X-Original-For", "X-Original-Proto"];

    public async Task InvokeAsync(HttpContext http, CallerContext context, CredentialContext credential, ClientContext client)
    {
        if (http.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase) || http.Request.Path.StartsWithSegments("/ws", StringComparison.OrdinalIgnoreCase))
        {
            if (!firstRun.IsOpen)
                throw new FogException(HealthErrors.NotReady) { RetryAfter = TimeSpan.FromSeconds(1) };
            client.Peer = http.Connection.RemoteIpAddress is { } address ? LoginKeys.PeerOf(address) : null;
            client.Agent = AgentOf(http.Request);
            var looksAtToken = http.GetEndpoint()?.Metadata.GetMetadata<IgnoresCredentialsAttribute>() is null;
            if (looksAtToken && TokenOf(http.Request) is { } token)
            {
                credential.Credential = await credentials.FindAsync(token, http.RequestAborted) ?? throw new FogException(IdentityErrors.InvalidToken);
                context.Caller = credential.Credential.ToCaller();
            }
            else if (IsFromThisMachine(http))
            {
                context.Caller = local.Caller ?? throw new FogException(HealthErrors.NotReady) { RetryAfter = TimeSpan.FromSeconds(1) };
            }
        }
        await next(http);
    }

    /// <summary>What PostgreSQL can store and a terminal can show of it.</summary>
    private static string? AgentOf(HttpRequest request) =>
        request.Headers.UserAgent.ToString() is { Length: > 0 } agent ? new string([.. agent.Where(c => !char.IsControl(c) && !char.IsSurrogate(c)).Take(LongestAgent)]) : null;

    /// <summary>The token, "" when credentials of another form were sent, null when none were.</summary>
    private static string? TokenOf(HttpRequest request)
    {
        if (request.Headers.TryGetValue("Authorization", out var values))
        {
            var text = values.Count == 1 ? values[0] ?? "" : "";
            const string scheme = "Bearer ";
            return text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? text[scheme.Length..].Trim() : "";
        }
        return request.Headers.TryGetValue("X-API-Key", out var keys) ? (keys.Count == 1 ? keys[0] ?? "" : "") : null;
    }

    private bool IsFromThisMachine(HttpContext http)
    {
        var headers = http.Request.Headers;
        if (!server.IsLoopback || http.Connection.RemoteIpAddress is not { } peer || !IPAddress.IsLoopback(peer))
            return false;
        if (ProxyHeaders.Any(headers.ContainsKey) || !IsLoopbackName(http.Request.Host.Host))
            return false;
        // The authority of the server's own origin is the Host that was checked above.
        if (headers.ContainsKey("Origin"))
            return BrowserOrigin.IsAllowed(http.Request, server);
        // A cross-site image, form or navigation carries no Origin on GET, but browsers say where it comes from.
        return headers["Sec-Fetch-Site"] != "cross-site";
    }

    private static bool IsLoopbackName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || host is "127.0.0.1" or "[::1]";
}
