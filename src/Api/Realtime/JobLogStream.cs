using System.Text.Json;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity;
using FogCompute.Application.Scheduler;
using FogCompute.Protocol;

namespace FogCompute.Api.Realtime;

/// <summary>
/// Follows the logs of a job as server-sent events: <c>log</c> with what is new of a task, <c>end</c> with the job's last status. A control plane that stops
/// ends the stream without <c>end</c>, after a <c>retry</c> that says when to connect again.
/// </summary>
public sealed class JobLogStream(
    IServiceScopeFactory scopes, ISignals signals, ICredentials credentials, CallerContext context, CredentialContext credential, IHostApplicationLifetime lifetime, TimeProvider time)
{
    /// <summary>How often a stream asks whether its reader still may, at most.</summary>
    private static readonly TimeSpan AccessPeriod = TimeSpan.FromSeconds(1);

    /// <summary>Longest silence on the wire: a comment line then keeps proxies and followers sure that the stream lives.</summary>
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(10);

    public async Task WriteAsync(HttpContext http, GetJobLogsQuery query, CancellationToken cancel)
    {
        var seen = new Dictionary<int, (Guid Attempt, long Bytes)>();
        var opened = false;
        var allowed = time.GetTimestamp();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancel, lifetime.ApplicationStopping);
        using var wire = new EventWire(http, time, cancel);
        try
        {
            await FollowAsync();
        }
        catch (OperationCanceledException) when (wire.IsStalled)
        {
            http.Abort();
        }

        async Task FollowAsync()
        {
            while (true)
            {
                using var ticket = signals.Listen(Topics.Job(query.JobId));
                if (time.GetElapsedTime(allowed) >= AccessPeriod)
                {
                    // A job can run for days: who was logged out meanwhile, or whose key was revoked, reads no further.
                    if (credential.Credential is { } reader && !await credentials.StandsAsync(reader, cancel))
                        return;
                    allowed = time.GetTimestamp();
                }
                // The first look decides between a stream and a problem document, so headers wait for it.
                var logs = await LookAsync(query, cancel);
                if (!opened)
                {
                    wire.Open();
                    opened = true;
                }
                foreach (var log in logs.Logs)
                {
                    if (NewText(seen, log) is { Length: > 0 } text)
                        await SendAsync(wire, "log", new { task = log.Task, stream = "log", text });
                }
                if (logs.Status is "completed" or "failed" or "cancelled")
                {
                    await SendAsync(wire, "end", new { status = logs.Status });
                    return;
                }
                await wire.FlushAsync();
                var quiet = time.GetTimestamp();
                try
                {
                    if (!await ticket.WaitAsync(KeepAlive, ends.Token) && time.GetElapsedTime(quiet) >= KeepAlive)
                        await wire.WriteAsync(": waiting\n\n");
                }
                catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
                {
                    await wire.WriteAsync("retry: 1000\n: the control plane is stopping\n\n");
                    return;
                }
            }
        }
    }

    private static string NewText(Dictionary<int, (Guid Attempt, long Bytes)> seen, TaskLog log)
    {
        var (attempt, bytes) = seen.GetValueOrDefault(log.Task);
        seen[log.Task] = (log.Attempt, log.Bytes);
        if (attempt != log.Attempt)
            return log.Text;
        var fresh = log.Bytes - bytes;
        var tail = System.Text.Encoding.UTF8.GetBytes(log.Text);
        // More came than the tail holds: what was cut off is in the stdout artifact.
        return fresh <= 0 ? "" : fresh >= tail.Length ? log.Text : System.Text.Encoding.UTF8.GetString(tail.AsSpan(tail.Length - (int)fresh));
    }

    private static async Task SendAsync(EventWire wire, string name, object data)
    {
        await wire.WriteAsync($"event: {name}\ndata: {JsonSerializer.Serialize(data, WireJson.Responses)}\n\n");
        await wire.FlushAsync();
    }

    private async Task<JobLogs> LookAsync(GetJobLogsQuery query, CancellationToken cancel)
    {
        await using var scope = scopes.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<CallerContext>().Caller = context.Caller;
        return await scope.ServiceProvider.GetRequiredService<IDispatcher>().SendAsync(query, cancel);
    }
}
