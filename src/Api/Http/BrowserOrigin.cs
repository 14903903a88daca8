namespace FogCompute.Api.Http;

/// <summary>Which pages may make a browser call here.</summary>
internal static class BrowserOrigin
{
    /// <summary>True without an <c>Origin</c> (no browser), for those in CORS_ORIGINS, and for the server's own (Swagger UI).</summary>
    public static bool IsAllowed(HttpRequest request, ServerOptions server) =>
        !request.Headers.TryGetValue("Origin", out var origins)
        || (origins is [{ } origin]
            && (server.CorsOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase)
                || string.Equals(origin, $"{request.Scheme}://{request.Host.Value}", StringComparison.OrdinalIgnoreCase)));
}
