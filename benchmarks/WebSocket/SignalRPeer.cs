using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FogCompute.WebSocket;

/// <summary>The peer that a .NET team would take otherwise: a hub that sends the same object once a second to all.</summary>
internal static class SignalRPeer
{
    public static async Task RunAsync(int port, string template, CancellationToken cancel)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));
        // The load generator sends no pings, so nobody is taken for gone.
        builder.Services.AddSignalR(hub => hub.ClientTimeoutInterval = TimeSpan.FromHours(1));
        await using var app = builder.Build();
        app.MapHub<Metrics>("/hub");
        await app.StartAsync(cancel);
        Console.WriteLine("ready");
        var hub = app.Services.GetRequiredService<IHubContext<Metrics>>();
        var started = Stopwatch.GetTimestamp();
        for (var beat = 1; ; beat++)
        {
            if (TimeSpan.FromSeconds(beat) - Stopwatch.GetElapsedTime(started) is { Ticks: > 0 } left)
                await Task.Delay(left, cancel);
            using var frame = JsonDocument.Parse(template.Replace("@now@", TimeProvider.System.GetUtcNow().ToString("O", CultureInfo.InvariantCulture), StringComparison.Ordinal));
            // Not awaited to the end: one listener that stalls would hold the beat of all.
            _ = hub.Clients.All.SendAsync("metrics", frame.RootElement.Clone(), cancel);
        }
    }

    private sealed class Metrics : Hub;
}
