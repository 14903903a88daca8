using FogCompute.Domain.Common;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FogCompute.Api.Http;

/// <summary>What keeps strangers, slow clients and browsers' good will from harming: limits, filters and headers around every request.</summary>
internal static class Hardening
{
    private static readonly FogError UnknownHost = new("common.unknown_host", ErrorKind.Malformed,
        "This server does not answer to the name in the Host header. Use its address, or let its operator add the name to FOG_HOSTS.");

    private static readonly FogError TooManyWebSockets = new("common.too_many_websockets", ErrorKind.Unavailable, "As many WebSockets are open as this server takes; try again later.");

    /// <summary>Answers are data: if a browser is made to show one as a page, that page may do nothing.</summary>
    private const string DataPolicy = "default-src 'none'; frame-ancestors 'none'";

    /// <summary>Pages of this server (reference, operations, set-up) are whole in themselves and talk to nobody else.</summary>
    private const string PagePolicy =
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    /// <summary>
    /// Categories whose lines hold secrets: the host's line for each request has the whole URL, which may carry ?token= or ?ticket=; that of the actions has their
    /// arguments, passwords in bodies among them; the driver's for each connection has how it was asked for.
    /// </summary>
    private static readonly string[] TalkativeCategories = ["Microsoft.AspNetCore.Hosting.Diagnostics", "Microsoft.AspNetCore.Mvc.Infrastructure.ControllerActionInvoker", "Npgsql.Connection"];

    public static void AddHardening(this WebApplicationBuilder builder, EdgeSettings edge)
    {
        builder.Services.AddSingleton(edge);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxConcurrentConnections = edge.MaxConnections;
            // Who sends or reads slower than this for longer than the grace is cut off.
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            kestrel.Limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
        });
        // After what settings say, so that none turns them on; a setting for one provider (Logging:Console:…) counts more than those for all.
        builder.Services.PostConfigure<LoggerFilterOptions>(filters =>
        {
            foreach (var provider in filters.Rules.Select(r => r.ProviderName).Append(null).Distinct(StringComparer.Ordinal).ToList())
            foreach (var category in TalkativeCategories)
                filters.Rules.Add(new LoggerFilterRule(provider, category, LogLevel.Warning, null));
        });
        builder.Services.Configure<ForwardedHeadersOptions>(forwarded =>
        {
            forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
            forwarded.ForwardLimit = null; // From the right to the first address that is nobody's proxy.
            forwarded.KnownProxies.Clear();
            forwarded.KnownIPNetworks.Clear();
            foreach (var network in edge.TrustedProxies)
                forwarded.KnownIPNetworks.Add(network);
        });
    }

    /// <summary>First of all: who is there, and headers on every answer.</summary>
    public static void UseSafeHeaders(this WebApplication app)
    {
        if (app.Services.GetRequiredService<EdgeSettings>().TrustedProxies.Count > 0)
            app.UseForwardedHeaders();
        app.Use((http, next) =>
        {
            http.Response.OnStarting(static state => Complete((HttpContext)state), http);
            return next(http);
        });
    }

    /// <summary>Where refusals become answers.</summary>
    public static void UseHostFilter(this WebApplication app)
    {
        var edge = app.Services.GetRequiredService<EdgeSettings>();
        app.Use((http, next) => edge.Accepts(http.Request.Host) ? next(http) : throw new FogException(UnknownHost));
    }

    /// <summary>After UseWebSockets.</summary>
    public static void UseWebSocketLimit(this WebApplication app)
    {
        var most = app.Services.GetRequiredService<EdgeSettings>().MaxWebSockets;
        var open = 0;
        app.Use(async (http, next) =>
        {
            if (!http.WebSockets.IsWebSocketRequest)
            {
                await next(http);
                return;
            }
            try
            {
                if (Interlocked.Increment(ref open) > most)
                    throw new FogException(TooManyWebSockets) { RetryAfter = TimeSpan.FromSeconds(10) };
                await next(http);
            }
            finally
            {
                Interlocked.Decrement(ref open);
            }
        });
    }

    private static Task Complete(HttpContext http)
    {
        var headers = http.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        // A page that knows better has said so already.
        if (headers.ContentSecurityPolicy.Count == 0)
            headers.ContentSecurityPolicy = http.Response.ContentType?.StartsWith("text/html", StringComparison.OrdinalIgnoreCase) == true ? PagePolicy : DataPolicy;
        // Answers of the API are somebody's, and some are secrets that are shown once.
        if (headers.CacheControl.Count == 0 && RateLimits.Covers(http))
            headers.CacheControl = "no-store";
        if (http.Request.IsHttps)
            headers.StrictTransportSecurity = "max-age=31536000";
        return Task.CompletedTask;
    }
}
