using FogCompute.Api.Http;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Realtime;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using ICredentials = FogCompute.Application.Identity.ICredentials;

namespace FogCompute.Api.Realtime;

/// <summary><c>WS /ws/metrics</c>: who may listen, and how many.</summary>
internal static class MetricsSocket
{
    /// <summary>Listeners at once; the next is told to come later.</summary>
    private const int MostClients = 20_000;

    // Answers pings of the protocol's own kind: a peer that is gone without a word is noticed within a minute.
    private static readonly WebSocketAcceptContext Accept = new() { KeepAliveInterval = TimeSpan.FromSeconds(30), KeepAliveTimeout = TimeSpan.FromSeconds(30) };

    public static void MapMetricsSocket(this WebApplication app) => app.Map("/ws/metrics", ListenAsync).ExcludeFromDescription();

    private static async Task ListenAsync(HttpContext http, MetricsBeat beat, ServerOptions server, ICredentials credentials, IDispatcher dispatcher, IHostApplicationLifetime lifetime)
    {
        if (!http.WebSockets.IsWebSocketRequest)
            throw new FogException(RealtimeErrors.UpgradeRequired);
        // CORS does not cover WebSockets: without this any page in a browser on this machine could listen.
        if (!BrowserOrigin.IsAllowed(http.Request, server))
            throw new FogException(RealtimeErrors.OriginNotAllowed);
        if (beat.Clients >= MostClients)
            throw new FogException(RealtimeErrors.TooManyListeners) { RetryAfter = TimeSpan.FromSeconds(10) };
        await CheckAsync(http, credentials, dispatcher);
        var socket = await http.WebSockets.AcceptWebSocketAsync(Accept);
        await beat.ServeAsync(socket, async (token, cancel) => await credentials.FindAsync(token, cancel) is not null, lifetime.ApplicationStopping);
    }

    /// <summary>
    /// The pool's figures are public, so nobody has to say who they are; but who does must be right. The address is cleared of both, so that nothing which
    /// later notes it (a log, a trace) has them.
    /// </summary>
    private static async Task CheckAsync(HttpContext http, ICredentials credentials, IDispatcher dispatcher)
    {
        var (ticket, token) = ((string?)http.Request.Query["ticket"], (string?)http.Request.Query["token"]);
        http.Request.QueryString = QueryString.Empty;
        if (ticket is not null)
            await dispatcher.SendAsync(new RedeemSocketTicketCommand(ticket), http.RequestAborted);
        if (token is not null && await credentials.FindAsync(token, http.RequestAborted) is null)
            throw new FogException(IdentityErrors.InvalidToken);
    }
}
