using System.Net;
using System.Security.Cryptography;
using System.Text;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Common.Telemetry;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using ICredentials = FogCompute.Application.Identity.ICredentials;

namespace FogCompute.Api.Http;

/// <summary>
/// <c>GET /metrics</c>, for Prometheus. Open to processes of this very machine, to the scrape key and to credentials with the permission <c>operate</c>; the page names
/// no account, job or device, but how busy a pool is concerns its operators only.
/// </summary>
internal static class TelemetryPage
{
    public const string Path = "/metrics";

    private const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    public static void MapTelemetryPage(this WebApplication app) => app.MapGet(Path, ShowAsync).ExcludeFromDescription();

    private static async Task ShowAsync(HttpContext http, IMetricsPage page, ICredentials credentials, TelemetrySettings settings)
    {
        await RequireAccessAsync(http, credentials, settings);
        var text = await page.WriteAsync(http.RequestAborted);
        http.Response.ContentType = ContentType;
        http.Response.Headers.CacheControl = "no-store";
        await http.Response.WriteAsync(text, http.RequestAborted);
    }

    private static async Task RequireAccessAsync(HttpContext http, ICredentials credentials, TelemetrySettings settings)
    {
        if (http.Request.Headers.TryGetValue("Authorization", out var header))
        {
            const string scheme = "Bearer ";
            var token = header.ToString() is var text && text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? text[scheme.Length..].Trim() : "";
            if (settings.ScrapeKey is { } key && CryptographicOperations.FixedTimeEquals(Digest(key), Digest(token)))
                return;
            var credential = await credentials.FindAsync(token, http.RequestAborted) ?? throw new FogException(IdentityErrors.InvalidToken);
            if (!credential.ToCaller().IsOperator)
                throw new FogException(IdentityErrors.Forbidden(Permissions.Operate));
        }
        else if (!IsLocal(http))
        {
            throw new FogException(IdentityErrors.Unauthenticated);
        }
    }

    /// <summary>A program of this machine: not a proxy's visitor, and not a page in a browser here.</summary>
    private static bool IsLocal(HttpContext http)
    {
        var headers = http.Request.Headers;
        return http.Connection.RemoteIpAddress is { } peer && IPAddress.IsLoopback(peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4() : peer)
            && !Authentication.ProxyHeaders.Any(headers.ContainsKey) && !headers.ContainsKey("Origin") && !headers.ContainsKey("Sec-Fetch-Site");
    }

    private static byte[] Digest(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
