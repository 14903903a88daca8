using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace FogCompute.Api.Pages;

/// <summary>
/// The operations page: three files of our own, embedded in the assembly, that show what <c>/api/ops</c> answers. Anybody may have the files; the figures need permission
/// <c>operate</c>. Its content security policy allows its own files and nothing else.
/// </summary>
internal static class OpsPage
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void MapOpsPage(this WebApplication app)
    {
        Map(app, "/ops/jobs", "ops.html", "text/html; charset=utf-8");
        Map(app, "/ops/ops.js", "ops.js", "text/javascript; charset=utf-8");
        Map(app, "/ops/ops.css", "ops.css", "text/css; charset=utf-8");
        Map(app, "/ops/icon.svg", "icon.svg", "image/svg+xml");
        app.MapGet("/ops", () => Results.Redirect("/ops/jobs")).ExcludeFromDescription();
    }

    private static void Map(WebApplication app, string path, string file, string type)
    {
        var content = Read(file);
        var tag = new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(content))[..16]}\"");
        app.MapGet(path, (HttpContext http) =>
        {
            var headers = http.Response.Headers;
            headers.ContentSecurityPolicy = Policy;
            headers["Referrer-Policy"] = "no-referrer";
            headers.XFrameOptions = "DENY";
            headers.CacheControl = "no-cache"; // Asked for each time, sent when it is another.
            return Results.File(content, type, entityTag: tag);
        }).ExcludeFromDescription();
    }

    private static byte[] Read(string file)
    {
        using var stream = typeof(OpsPage).Assembly.GetManifestResourceStream("pages/" + file) ?? throw new InvalidOperationException($"The page file {file} is not in this build.");
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }
}
