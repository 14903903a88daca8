using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FogCompute.ApiSpeed;

/// <summary>What this machine could do at most: Kestrel alone, which reads the request and answers as many fixed bytes as the path names.</summary>
internal static class Floor
{
    public static async Task RunAsync(int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.ListenLocalhost(port);
            kestrel.AddServerHeader = false;
        });
        await using var app = builder.Build();
        var bodies = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        app.Run(async http =>
        {
            if (http.Request.ContentLength > 0)
                await http.Request.Body.CopyToAsync(Stream.Null, http.RequestAborted);
            var path = http.Request.Path.Value!;
            byte[]? body;
            lock (bodies)
            {
                if (!bodies.TryGetValue(path, out body))
                    bodies[path] = body = Enumerable.Repeat((byte)'x', int.Parse(path.AsSpan(1), CultureInfo.InvariantCulture)).ToArray();
            }
            http.Response.ContentType = "application/json; charset=utf-8";
            http.Response.ContentLength = body.Length;
            await http.Response.Body.WriteAsync(body, http.RequestAborted);
        });
        await app.StartAsync();
        // Ends with the process that started it.
        await Console.In.ReadLineAsync();
        await app.StopAsync();
    }
}
