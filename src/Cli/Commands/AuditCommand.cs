using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog audit</c>: who did what lately, and whether the log is what it was.</summary>
internal static class AuditCommand
{
    public static FogCommand Create(GlobalOptions globals)
    {
        var limit = new Option<int>("--limit") { Description = "Show the last N entries, 1-1000", HelpName = "N", DefaultValueFactory = _ => 20 };
        limit.Validators.Add(JobCommands.Between(1, 1000));
        var action = new Option<string?>("--action") { Description = "Only this action, or a module's with a trailing dot (identity.)", HelpName = "ACTION" };
        var account = new Option<string?>("--account") { Description = "Only what callers of this account did", HelpName = "ID" };
        var command = new FogCommand("audit", "Show who did what, and check that the audit log was not changed.", "fog audit --action identity. --limit 50") { limit, action, account };
        return command.Runs(globals, async invocation =>
        {
            var terminal = invocation.Terminal;
            var query = $"limit={invocation.Get(limit)}";
            if (invocation.Get(action) is { } word)
                query += $"&action={Uri.EscapeDataString(word)}";
            if (invocation.Get(account) is { } id)
                query += $"&account={Uri.EscapeDataString(id)}";
            var list = await invocation.Server.GetAsync($"api/audit/entries?{query}", invocation.Cancel);
            var verification = await invocation.Server.GetAsync("api/audit/verification", invocation.Cancel);
            Print(terminal, [.. list.Items("entries")]);
            var intact = verification.Flag("intact") ?? false;
            terminal.Markup(intact ? "[green]The audit log is intact.[/]" : "[red]The audit log was CHANGED.[/]");
            terminal.Line($"  {verification.Text("entries")} entries recomputed, {verification.Text("unsealed")} not sealed yet, head {verification.Text("head")} {verification.Text("headHash")}");
            if (!intact)
                terminal.Line($"  entry {verification.Text("brokenEntry")}: {verification.Text("reason")}");
            terminal.DocumentIfJson(new JsonObject { ["entries"] = list.At("entries")?.DeepClone(), ["verification"] = verification.DeepClone() });
            return intact ? ExitCodes.Ok : ExitCodes.Error;
        });
    }

    private static void Print(Terminal terminal, IReadOnlyList<JsonNode> entries)
    {
        if (entries.Count == 0)
        {
            terminal.Line("No entries.");
            return;
        }
        var table = Terminal.NewTable("at", "caller", "account", "action", "subject", "details");
        foreach (var entry in entries)
        {
            string[] cells =
            [
                Humane.Instant(entry.Instant("at")), entry.Text("caller") ?? "", entry.Text("account") ?? "", entry.Text("action") ?? "", entry.Text("subject") ?? "",
                string.Join(", ", entry.At("details")?.Members().Select(d => $"{d.Key} {d.Value.Text()}") ?? []),
            ];
            table.AddRow(cells.Select(JobCommands.Cell));
        }
        terminal.Table(table);
    }
}
