using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands.Dao;

/// <summary><c>fog parameters</c>: every tunable of the pool, its bounds, and who changed it when.</summary>
internal static class ParametersCommand
{
    public static FogCommand Create(GlobalOptions globals)
    {
        var name = new Argument<string?>("name") { Description = "One of them, with its history (default: all)", Arity = ArgumentArity.ZeroOrOne };
        var command = new FogCommand("parameters", "Show what the pool's rules are set to, and what a proposal may set them to.", "fog parameters", "fog parameters pricing.core_hour_micro") { name };
        return command.Runs(globals, async invocation =>
        {
            var terminal = invocation.Terminal;
            if (invocation.GetOptional(name) is { } one)
            {
                var parameter = await OneAsync(invocation, one);
                terminal.DocumentIfJson(parameter);
                PrintOne(terminal, parameter);
                return ExitCodes.Ok;
            }
            var answer = await invocation.Server.GetAsync(Tokenomics.Root + "parameters", invocation.Cancel);
            terminal.DocumentIfJson(answer);
            PrintAll(terminal, answer);
            return ExitCodes.Ok;
        });
    }

    public static Task<JsonNode> OneAsync(Invocation invocation, string name) => invocation.Server.GetAsync($"{Tokenomics.Root}parameters/{Uri.EscapeDataString(name)}", invocation.Cancel);

    /// <summary>A value as people read it, <c>100000 (0.100000 credits)</c>; the number is what proposals set.</summary>
    public static string Value(JsonNode parameter, string? value)
    {
        var reading = (parameter.Text("unit"), decimal.TryParse(value, CultureInfo.InvariantCulture, out var number)) switch
        {
            (_, false) => null,
            ("micro_credits", _) => Humane.Amount(number / 1_000_000) + " credits",
            ("basis_points", _) => string.Create(CultureInfo.InvariantCulture, $"{number / 100:0.##} %"),
            ("tenths", _) => string.Create(CultureInfo.InvariantCulture, $"× {number / 10:0.0}"),
            ("seconds", _) when number >= 60 => Humane.Span(TimeSpan.FromSeconds((double)number)),
            ("seconds", _) => string.Create(CultureInfo.InvariantCulture, $"{number} s"),
            ("flag", _) => number == 0 ? "off" : "on",
            _ => null,
        };
        return reading is null ? value ?? "–" : $"{value} ({reading})";
    }

    public static string Bounds(JsonNode parameter) => $"{parameter.Text("min")} – {parameter.Text("max")}";

    private static void PrintAll(Terminal terminal, JsonNode answer)
    {
        var parameters = answer.Items("parameters").ToList();
        var table = Terminal.NewTable("", "Name", "Value", "Default", "Bounds", "Changed");
        foreach (var p in parameters)
        {
            table.AddRow(JobCommands.Cell(Differs(p) ? "*" : ""), JobCommands.Cell(p.Text("name")), JobCommands.Cell(Value(p, p.Text("value"))), JobCommands.Cell(p.Text("default")),
                JobCommands.Cell(Bounds(p)), JobCommands.Cell(Humane.Instant(p.Instant("changedAt"))));
        }
        if (terminal.Fits(table))
        {
            terminal.Table(table);
        }
        else
        {
            foreach (var p in parameters)
            {
                terminal.Line($"{(Differs(p) ? "*" : " ")} {p.Text("name")}: {Value(p, p.Text("value"))}");
                terminal.Line($"    default {p.Text("default")}, bounds {Bounds(p)}{(p.Instant("changedAt") is { } at ? $", changed {Humane.Instant(at)}" : "")}");
            }
        }
        terminal.Line($"Version {answer.Text("version")}; * differs from its default. What one means and how it was changed: fog parameters NAME");
    }

    private static bool Differs(JsonNode parameter) => parameter.Text("value") != parameter.Text("default");

    private static void PrintOne(Terminal terminal, JsonNode p)
    {
        terminal.Line($"{p.Text("name")}: {Value(p, p.Text("value"))}");
        terminal.Line($"  {p.Text("meaning")}");
        terminal.Line($"  default {Value(p, p.Text("default"))}; a proposal may set {Value(p, p.Text("min"))} to {Value(p, p.Text("max"))}, in {Tokenomics.Words(p.Text("unit"))}");
        var history = p.Items("history").ToList();
        if (history.Count == 0)
        {
            terminal.Line("  never changed");
            return;
        }
        var table = Terminal.NewTable("At", "Version", "From", "To", "By proposal");
        foreach (var change in history)
        {
            table.AddRow(JobCommands.Cell(Humane.Instant(change.Instant("at"))), JobCommands.Cell(change.Text("version")), JobCommands.Cell(Value(p, change.Text("previous"))),
                JobCommands.Cell(Value(p, change.Text("value"))), JobCommands.Cell(change.Text("proposal") ?? "none: the pool's founder"));
        }
        terminal.Table(table);
    }
}
