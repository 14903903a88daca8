using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands.Dao;

/// <summary><c>fog proposals …</c>: what stakers vote on, what became of it, and what it would change.</summary>
internal static class ProposalCommands
{
    private const int BarWidth = 16, LeastShortId = 8;

    /// <summary>A whole id: SHA-256 in hex. Anything else may be the beginning of one.</summary>
    private const int WholeId = 64;

    private static readonly string[] Statuses = ["pending", "active", "defeated", "succeeded", "queued", "executed", "execution_failed", "expired", "cancelled"];

    public static FogCommand Create(GlobalOptions globals)
    {
        var status = new Option<string?>("--status") { Description = "Only those in this state: " + string.Join(", ", Statuses) };
        status.AcceptOnlyFromAmong(Statuses);
        var limit = new Option<int>("--limit") { Description = "At most so many, 1-100", DefaultValueFactory = _ => 20, HelpName = "N" };
        limit.Validators.Add(JobCommands.Between(1, 100));
        var command = new FogCommand("proposals", "List what is voted on, newest first.", "fog proposals", "fog proposals --status active", "fog proposals show 3f9a2c1e")
        {
            status, limit, Show(globals), Ballots(globals), Cancel(globals), Rehearse(globals),
        };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.GetAsync(
                Tokenomics.Path("proposals", ("status", invocation.Get(status)), ("limit", invocation.Get(limit).ToString(CultureInfo.InvariantCulture))), invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            PrintList(invocation, answer);
            return ExitCodes.Ok;
        });
    }

    /// <summary>An id, or its beginning where that names one proposal only.</summary>
    public static Argument<string> Id() => new("id") { Description = "The proposal's id, or the beginning of it where that is enough to tell" };

    /// <summary>The whole id. Asks the server only when a part was given.</summary>
    public static async Task<string> WholeIdAsync(Invocation invocation, string given)
    {
        if (given.Length == WholeId)
            return given.ToLowerInvariant();
        var found = (await invocation.Server.PagesAsync(Tokenomics.Path("proposals", ("limit", "100")), invocation.Cancel)).SelectMany(p => p.Items("proposals"))
            .Where(p => p.Text("id")?.StartsWith(given, StringComparison.OrdinalIgnoreCase) == true).ToList();
        return found switch
        {
            [var one] => one.Text("id")!,
            [] => throw new CliException(ExitCodes.NotFound, $"There is no proposal whose id begins with '{given}'.", "See what there is: fog proposals"),
            _ => throw new CliException(ExitCodes.Error, $"'{given}' may be any of {found.Count} proposals; nothing was changed.", "Give more of the id.",
                [.. found.Take(10).Select(p => $"{p.Text("id")} {p.Text("title")}")]),
        };
    }

    public static string Route(string id) => $"{Tokenomics.Root}proposals/{Uri.EscapeDataString(id)}";

    /// <summary>What a proposal will do, in words.</summary>
    public static string ActionText(JsonNode? action) => action.Text("type") switch
    {
        null => "nothing is executed: a resolution",
        "set_parameter" => $"set {action.Text("name")} to {action.Text("value")}",
        "treasury_transfer" => $"pay {Humane.Amount(action.Credits("amount"))} credits from the treasury to {action.Text("to")}",
        "decide_slash" => $"{(action.Flag("uphold") == true ? "uphold" : "reverse")} the slash {action.Text("slashId")}",
        _ => action!.ToJsonString(),
    };

    private static FogCommand Show(GlobalOptions globals)
    {
        var id = Id();
        var command = new FogCommand("show", "Show all of a proposal: text, votes, clocks, the very text that will run, history.", "fog proposals show 3f9a2c1e") { id };
        return command.Runs(globals, async invocation =>
        {
            var proposal = await invocation.Server.GetAsync(Route(await WholeIdAsync(invocation, invocation.Get(id))), invocation.Cancel);
            invocation.Terminal.DocumentIfJson(proposal);
            PrintOne(invocation.Terminal, proposal, invocation.Host.Time.GetUtcNow());
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Ballots(GlobalOptions globals)
    {
        var id = Id();
        var command = new FogCommand("ballots", "List who voted how, with what power and why.", "fog proposals ballots 3f9a2c1e") { id };
        return command.Runs(globals, async invocation =>
        {
            var pages = await invocation.Server.PagesAsync($"{Route(await WholeIdAsync(invocation, invocation.Get(id)))}/ballots?limit=100", invocation.Cancel);
            var ballots = pages.SelectMany(p => p.Items("ballots")).ToList();
            invocation.Terminal.DocumentIfJson(new JsonObject { ["ballots"] = new JsonArray([.. ballots.Select(b => b.DeepClone())]) });
            if (ballots.Count == 0)
                invocation.Terminal.Line("Nobody has voted (yet).");
            else
                PrintBallots(invocation.Terminal, ballots);
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Cancel(GlobalOptions globals)
    {
        var id = Id();
        var reason = new Argument<string>("reason") { Description = "Why; everybody can read it" };
        var command = new FogCommand("cancel", "Cancel a proposal: your own while it is pending, any as a guardian until it is executed.", "fog proposals cancel 3f9a2c1e 'superseded by the next one'") { id, reason };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.PostAsync($"{Route(await WholeIdAsync(invocation, invocation.Get(id)))}/cancel", new JsonObject { ["reason"] = invocation.Get(reason) }, invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            invocation.Terminal.Line($"Proposal {answer.Text("id")} is {Tokenomics.Words(answer.Text("status"))}{(Reason(answer) is { } why ? $": {why}" : "")}");
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Rehearse(GlobalOptions globals)
    {
        var id = Id();
        var days = new Option<int?>("--days") { Description = "Replay so many of the last days, 1-30 (default: 7)", HelpName = "N" };
        days.Validators.Add(JobCommands.Between(1, 30));
        var command = new FogCommand("rehearse", "Replay what the pool has done with the proposed value and show the difference.", "fog proposals rehearse 3f9a2c1e --days 14") { id, days };
        return command.Runs(globals, async invocation =>
        {
            var asked = invocation.Get(days) is { } n ? $"?days={n}" : "";
            var answer = await invocation.Server.PostAsync($"{Route(await WholeIdAsync(invocation, invocation.Get(id)))}/rehearsal{asked}", new JsonObject(), invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            RehearsalTable.Print(invocation.Terminal, answer);
            return ExitCodes.Ok;
        });
    }

    private static void PrintList(Invocation invocation, JsonNode answer)
    {
        var (terminal, now) = (invocation.Terminal, invocation.Host.Time.GetUtcNow());
        var proposals = answer.Items("proposals").ToList();
        if (proposals.Count == 0)
        {
            terminal.Line("No proposals. Make one: fog propose TITLE --description TEXT --set NAME=VALUE");
            return;
        }
        var length = ShortLength([.. proposals.Select(p => p.Text("id") ?? "")]);
        var table = Terminal.NewTable("Id", "Title", "State", "For / against", "Quorum", "Time left");
        foreach (var p in proposals)
        {
            table.AddRow(JobCommands.Cell(Short(p, length)), JobCommands.Cell(p.Text("title")), StateCell(p), new Markup(BarMarkup(p)), JobCommands.Cell(Quorum(p)), JobCommands.Cell(TimeLeft(p, now)));
        }
        if (terminal.Fits(table))
        {
            terminal.Table(table);
        }
        else
        {
            foreach (var p in proposals)
            {
                terminal.Line($"{Short(p, length)} {Tokenomics.Words(p.Text("status"))}, {TimeLeft(p, now)}");
                terminal.Line($"  {p.Text("title")}");
                terminal.Markup($"  {BarMarkup(p)}");
                terminal.Line($"  quorum {Quorum(p)}");
            }
        }
        if (answer.Integer("total") is { } total && total > proposals.Count)
            terminal.Line($"{proposals.Count} of {total} shown; more with --limit.");
    }

    private static void PrintOne(Terminal terminal, JsonNode p, DateTimeOffset now)
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = false };
        table.AddColumn("").AddColumn("");
        void Row(string label, string? value)
        {
            if (value is not null)
                table.AddRow(new Text(label), JobCommands.Cell(value));
        }

        Row("Proposal", p.Text("id"));
        Row("Title", p.Text("title"));
        table.AddRow(new Text("State"), StateCell(p));
        Row("Why", Reason(p));
        Row("Proposer", p.Text("proposer"));
        Row("Created", Humane.Instant(p.Instant("createdAt")));
        Row("Snapshot", p.Instant("snapshotAt") is { } snapshot ? Humane.Until(snapshot, now) : null);
        Row("Vote ends", p.Instant("votingEndsAt") is { } ends ? Humane.Until(ends, now) : null);
        Row("Executable", p.Instant("eta") is { } eta ? "from " + Humane.Until(eta, now) : null);
        table.AddRow(new Text("Votes"), new Markup(BarMarkup(p)));
        Row("", $"for {Humane.Amount(p.Credits("votesFor"))}, against {Humane.Amount(p.Credits("votesAgainst"))}, abstained {Humane.Amount(p.Credits("votesAbstain"))}"
            + (p.Integer("ballots") is { } ballots ? $"; {Humane.Plural(ballots, "ballot")}" : ""));
        Row("Quorum", Quorum(p));
        Row("Approval", p.Number("approval") is { } share ? $"{Humane.Percent(share)} of for + against needed" : null);
        Row("Does", ActionText(p.At("action")));
        Row("Actions' hash", p.Text("actionsHash"));
        terminal.Table(table);
        terminal.Line();
        foreach (var line in (p.Text("description") ?? "").ReplaceLineEndings("\n").Split('\n'))
            terminal.Line("  " + line);
        terminal.Line();
        if ((p.Text("payload") ?? p.At("payload")?.ToJsonString()) is { } payload)
        {
            terminal.Line("What will run, to the letter:");
            terminal.Line("  " + payload);
        }
        if (p.Items("ballots").ToList() is { Count: > 0 } list)
            PrintBallots(terminal, list);
        if (p.Items("history").ToList() is { Count: > 0 } history)
        {
            terminal.Line("History:");
            foreach (var step in history)
                terminal.Line($"  {Humane.Instant(step.Instant("at"))}  {Tokenomics.Words(step.Text("state"))}{(step.Text("why") is { } why ? $": {why}" : "")}");
        }
        if (p.At("rehearsal") is { } rehearsal)
        {
            terminal.Line("Rehearsal:");
            RehearsalTable.Print(terminal, rehearsal);
        }
    }

    private static void PrintBallots(Terminal terminal, IReadOnlyList<JsonNode> ballots)
    {
        var table = Terminal.NewTable("Voter", "Vote", "Power", "At", "Reason");
        foreach (var b in ballots)
        {
            table.AddRow(JobCommands.Cell(b.Text("voter")), JobCommands.Cell(b.Text("vote")), JobCommands.Cell(Humane.Amount(b.Credits("power"))), JobCommands.Cell(Humane.Instant(b.Instant("at"))),
                JobCommands.Cell(b.Text("reason")));
        }
        if (terminal.Fits(table))
        {
            terminal.Table(table);
            return;
        }
        foreach (var b in ballots)
            terminal.Line($"{b.Text("voter")}\n  {b.Text("vote")} with {Humane.Amount(b.Credits("power"))}, {Humane.Instant(b.Instant("at"))}{(b.Text("reason") is { } why ? $"\n  {why}" : "")}");
    }

    /// <summary><c>████████████░░░░ 75 %</c>: the share of for in for + against, cut to hundredths of a percent so that it never looks better than it is.</summary>
    public static (string For, string Against, string Text) Bar(decimal votesFor, decimal votesAgainst)
    {
        var sum = votesFor + votesAgainst;
        if (sum <= 0)
            return ("", new string('·', BarWidth), "no votes");
        var cells = (int)Math.Round(votesFor / sum * BarWidth);
        // However few they are, they are to be seen.
        cells = Math.Clamp(cells, votesFor > 0 ? 1 : 0, votesAgainst > 0 ? BarWidth - 1 : BarWidth);
        var percent = Math.Floor(votesFor * 10_000 / sum) / 100;
        return (new string('█', cells), new string('░', BarWidth - cells), string.Create(CultureInfo.InvariantCulture, $"{percent:0.##} %"));
    }

    private static string BarMarkup(JsonNode p)
    {
        var (inFavour, against, text) = Bar(p.Credits("votesFor") ?? 0, p.Credits("votesAgainst") ?? 0);
        return $"[green]{inFavour}[/][red]{against}[/] {text}";
    }

    private static string Quorum(JsonNode p)
    {
        if (p.Flag("quorumReached") == true)
            return "reached";
        return p.Credits("quorum") is { } needed ? $"{Humane.Amount((p.Credits("votesFor") ?? 0) + (p.Credits("votesAbstain") ?? 0))} of {Humane.Amount(needed)}" : "–";
    }

    /// <summary>Why it ended without being executed: the sentence where there is one, else the code.</summary>
    private static string? Reason(JsonNode p) => p.Text("why") ?? p.Text("reason");

    private static Text StateCell(JsonNode p) => new(Tokenomics.Words(p.Text("status")), new Style(foreground: p.Text("status") switch
    {
        "active" or "pending" => Color.Aqua,
        "executed" or "succeeded" or "queued" => Color.Green,
        "defeated" or "execution_failed" or "cancelled" or "expired" => Color.Red,
        _ => Color.Yellow,
    }));

    private static string TimeLeft(JsonNode p, DateTimeOffset now)
    {
        var (what, at) = p.Text("status") switch
        {
            "pending" => ("vote starts in ", p.Instant("snapshotAt")),
            "active" => ("", p.Instant("votingEndsAt")),
            "succeeded" or "queued" => ("runs in ", p.Instant("eta")),
            _ => ("", null),
        };
        return at is { } instant ? what + Humane.Span(instant > now ? instant - now : TimeSpan.Zero) : "–";
    }

    private static int ShortLength(IReadOnlyList<string> ids)
    {
        var length = LeastShortId;
        while (length < WholeId && ids.Select(i => i[..Math.Min(length, i.Length)]).Distinct(StringComparer.Ordinal).Count() < ids.Count)
            length++;
        return length;
    }

    private static string? Short(JsonNode p, int length) => p.Text("id") is { } id ? id[..Math.Min(length, id.Length)] : null;
}
