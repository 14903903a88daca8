using FogCompute.Api.Http;
using FogCompute.Application.Realtime;
using FogCompute.Domain.Common;

namespace FogCompute.Api.Realtime;

/// <summary><c>WS /ws/metrics</c>: who may listen, and how many.</summary>
internal static class MetricsSocket
{
    /// <summary>Listeners at once; the next is told to come later.</summary>
    private const int MostClients = 20_000;

    // Answers pings of the protocol's own kind: a peer that is gone without a word is noticed within a minute.
    private static readonly WebSocketAcceptContext Accept = new() { KeepAliveInterval = TimeSpan.FromSeconds(30), KeepAliveTimeout = TimeSpan.FromSeconds(30) };

    public static void MapMetricsSocket(this WebApplication app) => app.Map("/ws/metrics", ListenAsync).ExcludeFromDescription();

    private static async Task ListenAsync(HttpContext http, MetricsBeat beat, ServerOptions server, IHostApplicationLifetime lifetime)
    {
        if (!http.WebSockets.IsWebSocketRequest)
            throw new FogException(RealtimeErrors.UpgradeRequired);
        // CORS does not cover WebSockets: without this any page in a browser on this machine could listen.
        if (!BrowserOrigin.IsAllowed(http.Request, server))
            throw new FogException(RealtimeErrors.OriginNotAllowed);
        if (beat.Clients >= MostClients)
            throw new FogException(RealtimeErrors.TooManyListeners) { RetryAfter = TimeSpan.FromSeconds(10) };
        var socket = await http.WebSockets.AcceptWebSocketAsync(Accept);
        await beat.ServeAsync(socket, lifetime.ApplicationStopping);
    }
}
