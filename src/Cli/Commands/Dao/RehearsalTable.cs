using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands.Dao;

/// <summary>
/// A rehearsal's figures before and after, whichever the server gives: <c>before</c> and <c>after</c> (or <c>priceBefore</c> and <c>priceAfter</c>) become
/// a row, or a row each where they hold several figures, named by the way to it. The rest is printed as it is.
/// </summary>
internal static class RehearsalTable
{
    private const string Before = "before", After = "after";

    public static void Print(Terminal terminal, JsonNode rehearsal)
    {
        var rows = Rows(rehearsal, "").ToList();
        foreach (var (name, value) in rehearsal.Members().Where(m => m.Value is JsonValue && m.Key is not (Before or After)))
            terminal.Line($"{Tokenomics.Words(name)}: {Figure(rehearsal, name, value)}");
        foreach (var (name, list) in rehearsal.Members().Where(m => m.Value is JsonArray { Count: > 0 } texts && texts.All(t => t is JsonValue)))
        {
            terminal.Line($"{Tokenomics.Words(name)}:");
            foreach (var text in list.Items())
                terminal.Line($"  - {text.Text()}");
        }
        if (rows.Count == 0)
        {
            terminal.Line("The rehearsal shows no difference that could be tabled.");
            return;
        }
        var table = Terminal.NewTable("", "Before", "After", "Difference");
        foreach (var (label, before, after) in rows)
            table.AddRow(JobCommands.Cell(label), JobCommands.Cell(before.Text()), JobCommands.Cell(after.Text()), JobCommands.Cell(Difference(before.Credits(), after.Credits())));
        if (terminal.Fits(table))
        {
            terminal.Table(table);
            return;
        }
        foreach (var (label, before, after) in rows)
            terminal.Line($"{label}\n  {before.Text() ?? "–"} → {after.Text() ?? "–"} ({Difference(before.Credits(), after.Credits())})");
    }

    private static IEnumerable<(string Label, JsonNode? Before, JsonNode? After)> Rows(JsonNode? node, string path)
    {
        switch (node)
        {
            case JsonObject o:
                return o.SelectMany(m => m.Key switch
                {
                    Before => Pairs(path, m.Value, o[After]),
                    After => [],
                    _ when Stem(m.Key, "Before") is { } stem => Pairs(Join(path, Tokenomics.Words(stem)), m.Value, o[stem + "After"]),
                    _ => Rows(m.Value, Join(path, Tokenomics.Words(m.Key))),
                });
            case JsonArray list:
                return list.SelectMany((item, i) => Rows(item, Join(path, Name(item) ?? (i + 1).ToString(CultureInfo.InvariantCulture))));
            default:
                return [];
        }
    }

    private static IEnumerable<(string, JsonNode?, JsonNode?)> Pairs(string path, JsonNode? before, JsonNode? after) =>
        before is JsonObject || after is JsonObject
            ? before.Members().Concat(after.Members()).Select(m => m.Key).Distinct(StringComparer.Ordinal).SelectMany(name => Pairs(Join(path, Tokenomics.Words(name)), before.At(name), after.At(name)))
            : [(path, before, after)];

    /// <summary>What an element of a list is called: its first text.</summary>
    private static string? Name(JsonNode? item) => item.Members().Select(m => m.Value).FirstOrDefault(v => v is JsonValue && v.GetValueKind() == System.Text.Json.JsonValueKind.String).Text();

    private static string? Stem(string name, string ending) => name.Length > ending.Length && name.EndsWith(ending, StringComparison.Ordinal) ? name[..^ending.Length] : null;

    private static string Join(string path, string name) => path.Length == 0 || name.Length == 0 ? path + name : $"{path}, {name}";

    private static string? Figure(JsonNode rehearsal, string name, JsonNode? value) =>
        name is "at" or "from" or "to" || name.EndsWith("At", StringComparison.Ordinal) ? Humane.Instant(rehearsal.Instant(name)) : value.Text();

    private static string Difference(decimal? before, decimal? after)
    {
        if (before is not { } old || after is not { } now)
            return "–";
        var share = old == 0 || now == old ? "" : string.Create(CultureInfo.InvariantCulture, $" ({(now - old) / Math.Abs(old) * 100:+0.##;-0.##;0} %)");
        return (now - old).ToString("+0.######;-0.######;0", CultureInfo.InvariantCulture) + share;
    }
}
