using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using FogCompute.Cli.Plans;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog plan</c>: the trade-offs a placement pass found, as a chart in the terminal and as a picture.</summary>
internal static class PlanCommand
{
    /// <summary>Width of the chart where nobody's window limits it.</summary>
    private const int PlainWidth = 80;

    public static FogCommand Create(GlobalOptions globals)
    {
        var pass = new Argument<string?>("pass") { Description = "Id of a placement pass (default: the last one that searched)", Arity = ArgumentArity.ZeroOrOne }.OfIds("fog plan");
        var svg = new Option<string?>("--svg") { Description = "Write the chart as an SVG picture", HelpName = "FILE" };
        var png = new Option<string?>("--png") { Description = "Write the chart as a PNG picture (needs rsvg-convert or Chromium)", HelpName = "FILE" };
        var command = new FogCommand("plan", "Show how the scheduler weighed finish, cost, energy, risk and balance in a placement pass, and what it chose.",
            "fog plan", "fog plan --svg front.svg --png front.png", "fog plan 0198c7a2-5d5e-7c1e-9d0a-2f6f3f1f8a10 --json")
        {
            pass, svg, png,
        };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.GetAsync($"api/scheduler/passes/{Uri.EscapeDataString(invocation.GetOptional(pass) ?? "latest")}", invocation.Cancel);
            var front = FrontPoint.Read(answer);
            if (invocation.Get(svg) is { } vector)
                await WriteAsync(invocation, vector, path => File.WriteAllTextAsync(path, Picture(answer, front).Text, invocation.Cancel));
            if (invocation.Get(png) is { } bitmap)
                await WriteAsync(invocation, bitmap, path => SvgToPng.ConvertAsync(Picture(answer, front), path, invocation.Host, invocation.Cancel));
            invocation.Terminal.DocumentIfJson(answer);
            Print(invocation.Terminal, answer, front);
            return ExitCodes.Ok;
        });
    }

    private static SvgPicture Picture(JsonNode pass, IReadOnlyList<FrontPoint> front) => front.Count > 0
        ? FrontSvg.Draw(front, "Trade-offs of a placement pass",
            $"{Humane.Instant(pass.Instant("at"))} · {Humane.Plural(front.Count, "placement")} that no other beats · {pass.Text("slots")} task replicas, {pass.Text("devices")} devices · "
            + $"{pass.Text("generations")} generations in {pass.Number("searchMs"):0} ms · hypervolume {Humane.Significant(pass.Number("hypervolume"))}")
        : throw new CliException(ExitCodes.Error, "The pass kept no front that could be drawn.", "Look at what there is: fog plan --json");

    private static async Task WriteAsync(Invocation invocation, string file, Func<string, Task> write)
    {
        await write(Path.GetFullPath(file, invocation.Host.CurrentDirectory));
        invocation.Terminal.Note($"Wrote {file}.");
    }

    private static void Print(Terminal terminal, JsonNode pass, IReadOnlyList<FrontPoint> front)
    {
        terminal.Line($"Pass {pass.Text("id")}, {Humane.Instant(pass.Instant("at"))}: {Humane.Plural(front.Count, "placement")} that no other beats"
            + (front.FirstOrDefault(p => p.Chosen) is { Names.Count: > 0 } chosen ? $", chosen: {string.Join(", ", chosen.Names)}." : "."));
        if (pass.Items("front").Count() is var sent && sent > front.Count)
            terminal.Note($"{sent - front.Count} of {sent} points came without a finish or a cost and are left out.");
        if (front.Count > 0)
        {
            var width = terminal.Host.OutIsTerminal ? terminal.Console.Profile.Width : PlainWidth;
            terminal.Line();
            PrintChart(terminal, front, width);
            if (Vertical.For(front).HidesCost)
                terminal.Note("Cost follows the finish here, since all this work is charged at one rate; so the chart shows energy.");
            terminal.Line();
            PrintNamed(terminal, front);
        }
        terminal.Line(Figures(pass));
    }

    private static void PrintChart(Terminal terminal, IReadOnlyList<FrontPoint> front, int width)
    {
        var lines = FrontText.Draw(front, width);
        if (lines.Count == 0)
            terminal.Line($"({width} columns are too few for the chart; as a picture: fog plan --svg FILE)");
        foreach (var line in lines)
        {
            terminal.Markup(string.Concat(line.Select(part => part.Part switch
            {
                ChartPart.Point => $"[aqua]{part.Text}[/]",
                ChartPart.Named => $"[yellow]{part.Text}[/]",
                ChartPart.Chosen => $"[green]{part.Text}[/]",
                _ => Markup.Escape(part.Text),
            })));
        }
    }

    private static void PrintNamed(Terminal terminal, IReadOnlyList<FrontPoint> front)
    {
        var marks = FrontText.Marks(front);
        if (marks.Count == 0)
            return;
        var table = Terminal.NewTable("", "Plan", "Finish", "Credits", "Energy", "Risk", "Imbalance");
        foreach (var (mark, point) in marks)
        {
            table.AddRow([JobCommands.Cell(mark.ToString()), JobCommands.Cell(point.Label), JobCommands.Cell(Humane.Seconds(point.FinishSeconds)),
                JobCommands.Cell(Humane.Significant(point.CostCredits)), JobCommands.Cell(Humane.Joules(point.EnergyJoules)), JobCommands.Cell(Humane.Percent(point.Risk)),
                JobCommands.Cell(Humane.Significant(point.Imbalance))]);
        }
        if (terminal.Fits(table))
        {
            terminal.Table(table);
            return;
        }
        foreach (var (mark, point) in marks)
        {
            terminal.Line($"{mark} {point.Label}");
            terminal.Line($"  {Humane.Seconds(point.FinishSeconds)}, {Humane.Significant(point.CostCredits)} credits");
            terminal.Line($"  {Humane.Joules(point.EnergyJoules)}, risk {Humane.Percent(point.Risk)}");
            terminal.Line($"  imbalance {Humane.Significant(point.Imbalance)}");
        }
    }

    private static string Figures(JsonNode pass) =>
        $"{pass.Text("tasks")} tasks, {pass.Text("slots")} replicas on {pass.Text("devices")} devices: {pass.Text("placed")} placed, {pass.Text("unplaced")} tasks wait; "
        + $"{pass.Text("generations")} generations, {pass.Text("evaluations")} evaluations in {pass.Number("searchMs"):0} ms of {pass.Number("tookMs"):0}; "
        + $"hypervolume {Humane.Significant(pass.Number("hypervolume"))}, convergence {Humane.Significant(pass.Number("convergence"))}.";
}
