using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Commands;
using FogCompute.Cli.Output;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FogCompute.Cli.Demo;

/// <summary>What the server said at one moment: both jobs (the second is null where it was left out) and which device is dead.</summary>
internal sealed record DemoState(TimeSpan Elapsed, JsonNode Tiles, JsonNode? Command, IReadOnlyList<string> Devices, string? Killed)
{
    private static readonly string[] LiveStates = ["leased", "staging", "running", "uploading"];

    public int Total => Tiles.Integer("tasks", "total") ?? 0;
    public int Succeeded => Tiles.Integer("tasks", "succeeded") ?? 0;

    public bool IsOver => IsOverOne(Tiles) && (Command is null || IsOverOne(Command));

    /// <summary>Attempts of the picture that the device holds now.</summary>
    public int Live(string device) => Attempts(device).Count(a => LiveStates.Contains(a.Text("state")));

    /// <summary>Attempts of the picture that the device did and that were accepted.</summary>
    public int Accepted(string device) => Attempts(device).Count(a => a.Text("state") == "accepted");

    private IEnumerable<JsonNode> Attempts(string device) => Tiles.Items("attempts").Where(a => a.Text("device") == device);

    private static bool IsOverOne(JsonNode job) => job.Text("status") is "completed" or "failed" or "cancelled";
}

/// <summary>Shows the demo's progress: a live table on a terminal, else one line per second.</summary>
internal sealed class DemoView(Terminal terminal)
{
    private const int BarWidth = 32;
    private static readonly TimeSpan LinePeriod = TimeSpan.FromSeconds(1);
    private TimeSpan _lastLine = TimeSpan.MinValue;

    /// <summary>Runs the work with a function it calls for every new state.</summary>
    public async Task<T> ShowAsync<T>(Func<Action<DemoState>, Task<T>> work)
    {
        if (!terminal.Live)
            return await work(PrintLine);
        T result = default!;
        await terminal.Console.Live(new Text("")).AutoClear(false).StartAsync(async live =>
            result = await work(state =>
            {
                live.UpdateTarget(Render(state));
                live.Refresh();
            }));
        return result;
    }

    private void PrintLine(DemoState state)
    {
        if (!state.IsOver && _lastLine != TimeSpan.MinValue && state.Elapsed - _lastLine < LinePeriod)
            return;
        _lastLine = state.Elapsed;
        var devices = string.Join("  ", state.Devices.Select(d => $"{d} {state.Accepted(d)}{(d == state.Killed ? " (killed)" : $"+{state.Live(d)}")}"));
        terminal.Line(string.Create(CultureInfo.InvariantCulture,
            $"  {state.Elapsed.TotalSeconds,5:0.0} s  tiles {state.Succeeded,2}/{state.Total}  accepted+running replicas: {devices}{(state.Command is null ? "" : $"  command {state.Command.Text("status")}")}"));
    }

    private static Rows Render(DemoState state)
    {
        var jobs = Terminal.NewTable("Job", "Tier", "State", "Tasks");
        AddJob(jobs, state.Tiles, state.Succeeded, state.Total);
        if (state.Command is { } command)
            AddJob(jobs, command, command.Integer("tasks", "succeeded") ?? 0, command.Integer("tasks", "total") ?? 1);
        var devices = Terminal.NewTable("Device", "State", "Running", "Accepted");
        foreach (var device in state.Devices)
        {
            var dead = device == state.Killed;
            devices.AddRow(new Text(device), new Text(dead ? "killed" : "working", new Style(dead ? Color.Red : Color.Green)),
                new Text(state.Live(device).ToString(CultureInfo.InvariantCulture)), new Text(state.Accepted(device).ToString(CultureInfo.InvariantCulture)));
        }
        return new Rows(jobs, devices, new Text(string.Create(CultureInfo.InvariantCulture, $"{state.Elapsed.TotalSeconds:0.0} s"), new Style(decoration: Decoration.Dim)));
    }

    private static void AddJob(Table table, JsonNode job, int done, int total)
    {
        var full = total == 0 ? 0 : done * BarWidth / total;
        table.AddRow((IRenderable[])
        [
            new Text(job.Text("name") ?? ""), new Text(job.Text("sla") ?? ""), JobCommands.StatusCell(job.Text("status")),
            new Markup($"[green]{new string('█', full)}[/][grey]{new string('░', BarWidth - full)}[/] {done}/{total}"),
        ]);
    }
}
