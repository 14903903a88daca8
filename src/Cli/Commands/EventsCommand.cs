using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog events</c>: what happened to one's jobs and devices, and what happens.</summary>
internal static class EventsCommand
{
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);

    public static FogCommand Create(GlobalOptions globals)
    {
        var follow = new Option<bool>("--follow", "-f") { Description = "Stay, and print what happens from now on" };
        var job = new Option<Guid?>("--job") { Description = "Only this job", HelpName = "ID" };
        var device = new Option<string?>("--device") { Description = "Only this device", HelpName = "ID" };
        var limit = new Option<int>("--limit") { Description = "How many of the newest, 1-1000", HelpName = "N", DefaultValueFactory = _ => 50 };
        limit.Validators.Add(JobCommands.Between(1, 1000));
        var command = new FogCommand("events", "Show what happened to your jobs and devices in the last day.", "fog events", "fog events --follow --job 0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10")
        {
            follow, job, device, limit,
        };
        return command.Runs(globals, async invocation =>
        {
            var path = $"api/scheduler/events?limit={invocation.Get(limit)}"
                + (invocation.Get(job) is { } j ? $"&job={j}" : "") + (invocation.Get(device) is { } d ? $"&device={Uri.EscapeDataString(d)}" : "");
            if (invocation.Get(follow))
            {
                if (invocation.Terminal.Json)
                    throw new CliException(ExitCodes.Usage, "--json and --follow do not go together: a stream is not one document.", "Leave one of them out.");
                await FollowAsync(invocation, path);
                return ExitCodes.Ok;
            }
            var answer = await invocation.Server.GetAsync(path, invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            foreach (var happened in answer.Items("events"))
                Print(invocation.Terminal, happened);
            if (!answer.Items("events").Any())
                invocation.Terminal.Note("Nothing happened in the last day.");
            return ExitCodes.Ok;
        });
    }

    /// <summary>Until interrupted. A stream that ends (the server restarts, or wants to see the token again) goes on from the last event.</summary>
    private static async Task FollowAsync(Invocation invocation, string path)
    {
        string? last = null;
        var away = false;
        while (true)
        {
            try
            {
                await foreach (var item in invocation.Server.EventsAsync(last is null ? path : $"{path}&after={last}", invocation.Cancel, Reached))
                {
                    if (away)
                        invocation.Terminal.Note("The control plane is back.");
                    away = false;
                    if (item.EventType == "reset")
                        invocation.Terminal.Note("Some events were missed and are gone; this is what is kept.");
                    if (item.EventType is not ("open" or "reset"))
                        Print(invocation.Terminal, JsonNode.Parse(item.Data));
                    Reached(item.EventId);
                }
            }
            catch (Exception broken) when (last is not null && broken is CliException { ExitCode: ExitCodes.Unreachable } or HttpRequestException or IOException)
            {
                if (!away)
                    invocation.Terminal.Note("The control plane is away; waiting for it.");
                away = true;
            }
            await Task.Delay(Again, invocation.Host.Time, invocation.Cancel);
        }

        // In a long silence it grows, too: events are kept for a day, a follower may wait for longer.
        void Reached(string? id) => last = long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? id : last;
    }

    private static void Print(Terminal terminal, JsonNode? happened) => terminal.Line(
        $"{Humane.Instant(happened.Instant("at"))}  {happened.Text("kind"),-19} {happened.Text("jobId") ?? happened.Text("deviceId")}"
        + (happened.Text("name") is { } name ? $"  {name}" : "") + (happened.Text("reason") is { } reason ? $"  ({reason})" : ""));
}
