using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Commands.Dao;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog ledger</c>: the caller's balance, its last entries, and whether the whole book balances.</summary>
internal static class LedgerCommand
{
    public static FogCommand Create(GlobalOptions globals)
    {
        var entries = new Option<int>("--entries") { Description = "Also show the last N entries, 1-1000", HelpName = "N" };
        entries.Validators.Add(JobCommands.Between(1, 1000));
        var audit = new Option<bool>("--audit") { Description = "Also re-derive every balance and hold and check the hash chain" };
        var command = new FogCommand("ledger", "Show your credits; with --audit prove that the book balances.", "fog ledger --entries 10 --audit", "fog ledger verify 2026-01-31")
        {
            entries, audit, CheckpointCommands.List(globals), CheckpointCommands.Verify(globals),
        };
        return command.Runs(globals, async invocation =>
        {
            var terminal = invocation.Terminal;
            var result = new JsonObject();
            var balance = await invocation.Server.GetAsync("api/tokenomics/balance", invocation.Cancel);
            result["balance"] = balance.DeepClone();
            terminal.Line($"Account {balance.Text("address")}: {Humane.Amount(balance.Credits("balance"))} credits available, "
                + $"{Humane.Amount(balance.Credits("held"))} held for jobs, {Humane.Amount(balance.Credits("staked"))} staked, {Humane.Amount(balance.Credits("total"))} in total.");
            if (invocation.Get(entries) is > 0 and var limit)
            {
                var list = await invocation.Server.GetAsync($"api/tokenomics/ledger?limit={limit}", invocation.Cancel);
                result["entries"] = list.At("entries")?.DeepClone();
                PrintEntries(terminal, [.. list.Items("entries")]);
            }
            var balanced = true;
            if (invocation.Get(audit))
            {
                var report = await invocation.Server.GetAsync(AuditPath, invocation.Cancel);
                result["audit"] = report.DeepClone();
                balanced = PrintAudit(terminal, report);
            }
            terminal.DocumentIfJson(result);
            return balanced ? ExitCodes.Ok : ExitCodes.Error;
        });
    }

    public const string AuditPath = "api/tokenomics/audit";

    /// <summary>Prints the audit; whether the book balances.</summary>
    public static bool PrintAudit(Terminal terminal, JsonNode report)
    {
        var balanced = report.Flag("balanced") ?? false;
        terminal.Markup(balanced ? "[green]The ledger balances.[/]" : "[red]The ledger does NOT balance.[/]");
        void Figure(string name, string text) => terminal.Line($"  {name,-9} {text}");
        Figure("supply", $"{Humane.Credits(report.Credits("supply"))} of {Humane.Credits(report.Credits("cap"))} credits exist, {Humane.Credits(report.Credits("burned"))} of them burned");
        Figure("postings", $"{report.Text("postings")} in {report.Text("transfers")} transfers over {report.Text("accounts")} accounts, every balance re-derived from them");
        Figure("holds", $"{Humane.Credits(report.Credits("held"))} credits held for {report.Text("openHolds")} open jobs");
        Figure("chain", $"{report.Text("blocks")} blocks recomputed, {report.Text("unsealed")} transfers not sealed yet, head {report.Text("headHash") ?? "none"}");
        foreach (var difference in report.Items("differences"))
            terminal.Line("  difference: " + (difference.Text() ?? string.Join(", ", difference.Members().Select(m => $"{m.Key} {m.Value.Text()}"))));
        return balanced;
    }

    /// <summary>Entries with whatever members the server gives them: the ledger grows columns, the table follows.</summary>
    private static void PrintEntries(Terminal terminal, IReadOnlyList<JsonNode> entries)
    {
        if (entries.Count == 0)
        {
            terminal.Line("No entries yet.");
            return;
        }
        var columns = entries.SelectMany(e => e.Members()).Where(m => m.Value is JsonValue).Select(m => m.Key).Distinct(StringComparer.Ordinal).ToArray();
        var table = Terminal.NewTable(columns);
        foreach (var entry in entries)
            table.AddRow(columns.Select(c => JobCommands.Cell(c == "at" ? Humane.Instant(entry.Instant(c)) : entry.Text(c))));
        terminal.Table(table);
    }
}
