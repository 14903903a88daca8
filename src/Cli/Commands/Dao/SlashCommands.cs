using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Commands.Dao;

/// <summary><c>fog slashes</c>: stakes that were cut for wrong results, and what can be done about it.</summary>
internal static class SlashCommands
{
    public static FogCommand Create(GlobalOptions globals)
    {
        var address = Tokenomics.Address();
        address.Description += "; '*': everybody's";
        var command = new FogCommand("slashes", "Show what was cut from your stake, why, and until when you may appeal.", "fog slashes", "fog slashes appeal 0198c7a2-5d5e-7c1e-9d0a-00000000c001 'my memory was faulty, here is the log'")
        {
            address, Appeal(globals), Decide(globals),
        };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.GetAsync(Tokenomics.Path("slashes", ("address", invocation.Get(address))), invocation.Cancel);
            var terminal = invocation.Terminal;
            terminal.DocumentIfJson(answer);
            var slashes = answer.Items("slashes").ToList();
            if (slashes.Count == 0)
                terminal.Line("Nothing was slashed.");
            foreach (var slash in slashes)
                Print(terminal, slash, invocation.Host.Time.GetUtcNow());
            if (answer.Integer("total") is { } total && total > slashes.Count)
                terminal.Line($"{slashes.Count} of {total} shown.");
            return ExitCodes.Ok;
        });
    }

    private static Argument<string> Id() => new Argument<string>("id") { Description = "The slash's id" }.OfIds("fog slashes");
    private static Argument<string> Reason() => new("reason") { Description = "Why, 10-2000 characters; everybody can read it" };

    private static FogCommand Appeal(GlobalOptions globals)
    {
        var (id, reason) = (Id(), Reason());
        var command = new FogCommand("appeal", "Appeal against a slash, while its time for that runs.", "fog slashes appeal 0198c7a2-5d5e-7c1e-9d0a-00000000c001 'my memory was faulty, here is the log'") { id, reason };
        return command.Runs(globals, invocation => ChangeAsync(invocation, invocation.Get(id), "appeal", new JsonObject { ["reason"] = invocation.Get(reason) }));
    }

    private static FogCommand Decide(GlobalOptions globals)
    {
        var (id, reason) = (Id(), Reason());
        var uphold = new Option<bool>("--uphold") { Description = "The slash is right: half goes to the harmed requester, the rest is burned" };
        var reverse = new Option<bool>("--reverse") { Description = "The slash is wrong: its owner gets it back" };
        var command = new FogCommand("decide", "Decide about a slash (operators).", "fog slashes decide 0198c7a2-5d5e-7c1e-9d0a-00000000c001 --reverse 'the log shows a faulty memory module'")
        {
            id, uphold, reverse, reason,
        };
        return command.Runs(globals, invocation => invocation.Get(uphold) == invocation.Get(reverse)
            ? throw new CliException(ExitCodes.Usage, "Say either --uphold or --reverse.", "See: fog slashes decide --help")
            : ChangeAsync(invocation, invocation.Get(id), "decision", new JsonObject { ["uphold"] = invocation.Get(uphold), ["reason"] = invocation.Get(reason) }));
    }

    private static async Task<int> ChangeAsync(Invocation invocation, string id, string what, JsonObject body)
    {
        var answer = await invocation.Server.PostAsync($"{Tokenomics.Root}slashes/{Uri.EscapeDataString(id)}/{what}", body, invocation.Cancel);
        invocation.Terminal.DocumentIfJson(answer);
        Print(invocation.Terminal, answer, invocation.Host.Time.GetUtcNow());
        return ExitCodes.Ok;
    }

    private static void Print(Terminal terminal, JsonNode slash, DateTimeOffset now)
    {
        terminal.Line($"{slash.Text("id")}: {Humane.Amount(slash.Credits("amount"))} credits of {slash.Text("address")} for a {Tokenomics.Words(slash.Text("reason"))}, {slash.Text("state")}");
        var where = slash.Text("jobId") is { } job ? $"task {slash.Text("taskIndex")} of job {job} on {slash.Text("deviceId")}, attempt {slash.Text("attemptId")}" : $"device {slash.Text("deviceId") ?? "–"}";
        terminal.Line($"  {Humane.Instant(slash.Instant("createdAt"))}, {where}; harmed: {slash.Text("harmed") ?? "nobody"}");
        if (slash.Text("state") == "escrowed" && slash.Instant("appealUntil") is { } until)
        {
            terminal.Line(until > now
                ? $"  may be appealed until {Humane.Until(until, now)}: fog slashes appeal {slash.Text("id")} REASON"
                : $"  could be appealed until {Humane.Instant(until)}");
        }
        if (slash.Text("appeal") is { } appeal)
            terminal.Line($"  appeal: {appeal}");
        if (slash.Text("decision") is { } decision)
            terminal.Line($"  decided {Humane.Instant(slash.Instant("decidedAt"))}{(slash.Text("decidedBy") is { } by ? $" by {by}" : "")}: {decision}");
        if (slash.Text("evidence") is { } evidence)
            terminal.Line($"  evidence: {evidence}");
    }
}
