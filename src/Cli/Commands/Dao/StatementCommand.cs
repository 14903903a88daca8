using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands.Dao;

/// <summary><c>fog statement</c>: every movement of an account with its cause in words, between two balances.</summary>
internal static class StatementCommand
{
    public static FogCommand Create(GlobalOptions globals)
    {
        var from = Tokenomics.Instant("--from", "Begin with this day, or at this instant (UTC; default: the account's first)", throughDay: false);
        var to = Tokenomics.Instant("--to", "End with this day (all of it), or before this instant (UTC; default: now)", throughDay: true);
        var csv = new Option<string?>("--csv") { Description = "Write the postings into a CSV file instead", HelpName = "FILE" };
        var address = Tokenomics.Address();
        var command = new FogCommand("statement", "Show what came and went, why, and what that left.",
            "fog statement --from 2026-01-01 --to 2026-01-31", "fog statement --csv january.csv --from 2026-01-01 --to 2026-01-31", "fog statement --json")
        {
            from, to, csv, address,
        };
        return command.Runs(globals, async invocation =>
        {
            var (begin, end, terminal) = (invocation.Get(from), invocation.Get(to), invocation.Terminal);
            if (begin >= end)
                throw new CliException(ExitCodes.Usage, "--from must be before --to.", "See: fog statement --help");
            var fields = new (string, string?)[] { ("address", invocation.Get(address)), ("from", Tokenomics.Iso(begin)), ("to", Tokenomics.Iso(end)) };
            if (invocation.Get(csv) is { } file)
            {
                var bytes = await invocation.Server.SaveAsync(Tokenomics.Path("ledger/export", [.. fields, ("format", "csv")]), "text/csv", Path.GetFullPath(file, invocation.Host.CurrentDirectory), invocation.Cancel);
                terminal.DocumentIfJson(new JsonObject { ["file"] = file, ["bytes"] = bytes });
                terminal.Line($"Wrote {file} ({Humane.Bytes(bytes)}).");
                return ExitCodes.Ok;
            }
            var statement = await WholeAsync(invocation, [.. fields, ("limit", "1000")]);
            terminal.DocumentIfJson(statement);
            var differences = Differences(statement).ToList();
            Print(terminal, statement, differences);
            return differences.Count == 0 ? ExitCodes.Ok : ExitCodes.Error;
        });
    }

    /// <summary>All pages as one answer: from the first one's opening to its closing. The first one says where it ends, so that the others end there too.</summary>
    private static async Task<JsonNode> WholeAsync(Invocation invocation, IReadOnlyList<(string Name, string? Value)> fields)
    {
        var whole = await invocation.Server.GetAsync(Tokenomics.Path("statement", fields), invocation.Cancel);
        if (whole.Text("next") is not { } next)
            return whole;
        var rest = await invocation.Server.PagesAsync(Tokenomics.Path("statement", [.. fields.Where(f => f.Name != "to"), ("to", whole.Text("to"))]), invocation.Cancel, first: next);
        whole["lines"] = new JsonArray([.. rest.Prepend(whole).SelectMany(p => p.Items("lines")).Select(l => l.DeepClone())]);
        whole["next"] = null;
        return whole;
    }

    /// <summary>Accounts whose closing balance is not opening plus lines; none where balances are not given by account.</summary>
    private static IEnumerable<string> Differences(JsonNode statement) =>
        from opening in statement.Members("opening")
        where opening.Key != "total"
        let made = (opening.Value.Credits() ?? 0) + statement.Items("lines").Where(l => l.Text("account") == opening.Key).Sum(l => l.Credits("amount") ?? 0)
        let said = statement.Credits("closing", opening.Key)
        where made != said
        select $"{opening.Key}: opening and lines make {Humane.Amount(made)}, the closing balance says {Humane.Amount(said)}";

    private static void Print(Terminal terminal, JsonNode statement, List<string> differences)
    {
        terminal.Line($"Statement of {statement.Text("address")}, {(statement.Instant("from") is { } from ? Humane.Instant(from) : "the beginning")} to {Humane.Instant(statement.Instant("to"))}");
        terminal.Line($"Opening: {Balance(statement.At("opening"))}");
        var lines = statement.Items("lines").ToList();
        if (lines.Count > 0)
        {
            var table = Terminal.NewTable("At", "Account", "Amount", "Balance", "Why");
            foreach (var line in lines)
            {
                table.AddRow(JobCommands.Cell(Humane.Instant(line.Instant("at"))), JobCommands.Cell(line.Text("account")), JobCommands.Cell(Signed(line)),
                    JobCommands.Cell(Humane.Amount(line.Credits("balanceAfter"))), JobCommands.Cell(Why(line)));
            }
            if (terminal.Fits(table))
            {
                terminal.Table(table);
            }
            else
            {
                foreach (var line in lines)
                {
                    terminal.Line($"{Humane.Instant(line.Instant("at"))}  {Signed(line)} {line.Text("account")}, now {Humane.Amount(line.Credits("balanceAfter"))}");
                    terminal.Line($"  {Why(line)}");
                }
            }
        }
        terminal.Line($"Closing: {Balance(statement.At("closing"))}, after {Humane.Plural(lines.Count, "line")}");
        if (statement.At("opening") is JsonObject)
            terminal.Markup(differences.Count == 0 ? "[green]It adds up, account by account.[/]" : "[red]It does NOT add up.[/]");
        foreach (var difference in differences)
            terminal.Line("  " + difference);
    }

    private static string Balance(JsonNode? balance) => balance is JsonObject parts
        ? string.Join(", ", parts.Select(p => $"{Humane.Amount(p.Value.Credits())} {Tokenomics.Words(p.Key)}"))
        : $"{Humane.Amount(balance.Credits())} credits";

    private static string Signed(JsonNode line) => line.Credits("amount") is { } amount ? amount.ToString("+0.000000;-0.000000;0.000000", CultureInfo.InvariantCulture) : "–";

    /// <summary>
    /// The line's kind and cause in words: <c>settlement: task 3 of job … on ada, 1.92 s × (2 cores + 0.5 GiB) at silver × 2.5, 2 of 2 agreed</c>.
    /// </summary>
    public static string Why(JsonNode line)
    {
        var cause = line.At("cause");
        var parts = new List<string>();
        if (cause.Text("jobId") is { } job)
        {
            var task = cause.Text("taskIndex") is { } index ? $"task {index} of job {job}" : $"job {job}";
            var device = cause.Text("deviceId") is { } id ? $" on {id}{(cause.Text("deviceScore") is { } score ? $" (score {score})" : "")}"
                : cause.Items("replicas").Select(r => r.Text("deviceId")).ToList() is { Count: > 0 } devices ? $" on {string.Join(", ", devices)}" : "";
            parts.Add(task + device);
        }
        if (cause.Number("seconds") is { } seconds)
        {
            var memory = cause.Text("memoryGib") is { } gib ? $" + {gib} GiB" : "";
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{seconds:0.###} s × ({cause.Text("cores")} {(cause.Text("cores") == "1" ? "core" : "cores")}{memory})")
                + (cause.Text("tier") is { } tier ? $" at {tier} × {cause.Text("multiplier")}" : ""));
        }
        if (cause.Text("verification") is { } verification)
            parts.Add(Tokenomics.Words(verification));
        if (cause.Credits("cost") is { } cost)
            parts.Add($"cost {Humane.Amount(cost)}{(cause.Credits("shortfall") is > 0 and var missing ? $", of which the hold did not cover {Humane.Amount(missing)}" : "")}");
        if (cause.Text("formulaVersion") is { } version)
            parts.Add($"prices of version {version}");
        if (cause.Text("reason") is { } reason)
            parts.Add(Tokenomics.Words(reason));
        if (cause.Text("proposalId") is { } proposal)
            parts.Add($"proposal {proposal}");
        if (cause.Text("slashId") is { } slash)
            parts.Add($"slash {slash}");
        var kind = Tokenomics.Words(line.Text("kind"));
        return parts.Count == 0 ? kind : $"{kind}: {string.Join(", ", parts)}";
    }
}
