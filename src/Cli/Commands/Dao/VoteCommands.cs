using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Commands.Dao;

/// <summary><c>fog propose</c>, <c>fog vote</c> and <c>fog delegate</c>: what stakers can do.</summary>
internal static class VoteCommands
{
    public static FogCommand Propose(GlobalOptions globals)
    {
        var title = new Argument<string>("title") { Description = "One line, 10-200 characters" };
        var description = new Option<string?>("--description") { Description = "Why, 50-5000 characters", HelpName = "TEXT" };
        var file = new Option<string?>("--file") { Description = "Read the description from a file, or - for standard input", HelpName = "FILE" };
        var set = new Option<string?>("--set") { Description = "Execute: set a parameter (fog parameters lists them)", HelpName = "NAME=VALUE" };
        var pay = new Option<string?>("--pay") { Description = "Execute: pay credits from the treasury", HelpName = "ADDRESS=AMOUNT" };
        var slash = new Option<string?>("--decide-slash") { Description = "Execute: uphold or reverse a slash", HelpName = "ID=uphold|reverse" };
        var yes = new Option<bool>("--yes", "-y") { Description = "Propose without being asked whether that is what you want" };
        var command = new FogCommand("propose", "Propose something to all stakers; without --set, --pay or --decide-slash it is a resolution that executes nothing.",
            "fog propose 'Cheaper cores for small jobs' --file reasons.md --set pricing.core_hour_micro=80000",
            "fog propose 'Pay the audit of the sandbox' --file audit.md --pay fog1…=2500 --yes")
        {
            title, description, file, set, pay, slash, yes,
        };
        return command.Runs(globals, async invocation =>
        {
            var body = new JsonObject { ["title"] = invocation.Get(title), ["description"] = await DescriptionAsync(invocation, invocation.Get(description), invocation.Get(file)) };
            if (Action(invocation.Get(set), invocation.Get(pay), invocation.Get(slash)) is { } action)
                body["action"] = action;
            var terminal = invocation.Terminal;
            if (!terminal.Json && !invocation.Get(yes))
                await ConfirmAsync(invocation, body);
            var answer = await invocation.Server.PostAsync(Tokenomics.Root + "proposals", body, invocation.Cancel);
            terminal.DocumentIfJson(answer);
            terminal.Line($"Proposed as {answer.Text("proposalId")}.");
            terminal.Note($"next: fog proposals show {answer.Text("proposalId")}    when the vote starts: fog vote {answer.Text("proposalId")} for");
            return ExitCodes.Ok;
        });
    }

    public static FogCommand Vote(GlobalOptions globals)
    {
        var id = ProposalCommands.Id();
        var vote = new Argument<string>("vote") { Description = "for, against or abstain" };
        vote.AcceptOnlyFromAmong("for", "against", "abstain");
        var reason = new Option<string?>("--reason") { Description = "Why; everybody can read it", HelpName = "TEXT" };
        var command = new FogCommand("vote", "Vote with what you had staked when the vote began; a second vote replaces the first.", "fog vote 3f9a2c1e for --reason 'it is dear enough'") { id, vote, reason };
        return command.Runs(globals, async invocation =>
        {
            var body = new JsonObject { ["proposal_id"] = await ProposalCommands.WholeIdAsync(invocation, invocation.Get(id)), ["vote"] = invocation.Get(vote) };
            if (invocation.Get(reason) is { } why)
                body["reason"] = why;
            var answer = await invocation.Server.PostAsync(Tokenomics.Root + "vote", body, invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            invocation.Terminal.Line($"Voted {answer.Text("vote")} with {Humane.Amount(answer.Credits("power"))} credits of power on proposal {answer.Text("proposalId")}.");
            return ExitCodes.Ok;
        });
    }

    public static FogCommand Delegate(GlobalOptions globals)
    {
        var address = new Argument<string?>("address") { Description = "Who votes with your stake (fog1…); without one: show how it is", Arity = ArgumentArity.ZeroOrOne };
        var none = new Option<bool>("--none") { Description = "Take it back: you vote yourself" };
        var command = new FogCommand("delegate", "Let another account vote with your stake, which stays yours; your own vote overrides theirs.", "fog delegate fog1…", "fog delegate --none", "fog delegate") { address, none };
        return command.Runs(globals, async invocation =>
        {
            var (to, terminal) = (invocation.GetOptional(address), invocation.Terminal);
            if (to is not null && invocation.Get(none))
                throw new CliException(ExitCodes.Usage, "Name an address or --none, not both.", "See: fog delegate --help");
            if (to is null && !invocation.Get(none))
            {
                var delegation = await invocation.Server.GetAsync(Tokenomics.Root + "delegation", invocation.Cancel);
                terminal.DocumentIfJson(delegation);
                PrintDelegation(terminal, delegation);
                return ExitCodes.Ok;
            }
            var answer = await invocation.Server.PostAsync(Tokenomics.Root + "delegate", new JsonObject { ["to"] = to }, invocation.Cancel);
            terminal.DocumentIfJson(answer);
            terminal.Line(answer.Text("delegate") is { } now ? $"{now} votes with your stake on proposals whose vote begins from now on." : "You vote with your stake yourself.");
            return ExitCodes.Ok;
        });
    }

    private static void PrintDelegation(Terminal terminal, JsonNode delegation)
    {
        terminal.Line(delegation.Text("delegate") is { } to ? $"{to} votes with the stake of {delegation.Text("address")}." : $"{delegation.Text("address")} votes itself.");
        foreach (var other in delegation.Items("delegators"))
            terminal.Line($"  {other.Text("address")} has delegated {Humane.Amount(other.Credits("staked"))} credits of stake to it");
        terminal.Line($"Voting power now: {Humane.Amount(delegation.Credits("power"))} credits.");
    }

    private static async Task<string> DescriptionAsync(Invocation invocation, string? text, string? file)
    {
        if ((text is null) == (file is null))
            throw new CliException(ExitCodes.Usage, "A proposal needs a description: either --description or --file.", "See: fog propose --help");
        if (file is null)
            return text!;
        if (file == "-")
            return await invocation.Host.In.ReadToEndAsync(invocation.Cancel);
        var path = Path.GetFullPath(file, invocation.Host.CurrentDirectory);
        return File.Exists(path) ? await File.ReadAllTextAsync(path, invocation.Cancel) : throw new CliException(ExitCodes.Usage, $"There is no file {path}.", "See: fog propose --help");
    }

    private static JsonObject? Action(string? set, string? pay, string? slash)
    {
        if (new[] { set, pay, slash }.Count(a => a is not null) > 1)
            throw new CliException(ExitCodes.Usage, "A proposal executes one thing: --set, --pay or --decide-slash.", "Make a proposal of each.");
        return (Split(set), Split(pay), Split(slash)) switch
        {
            ({ } s, _, _) => long.TryParse(s.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
                ? new JsonObject { ["type"] = "set_parameter", ["name"] = s.Name, ["value"] = value }
                : throw new CliException(ExitCodes.Usage, $"--set: '{s.Value}' is no whole number.", $"Values count in the parameter's unit: fog parameters {s.Name}"),
            (_, { } p, _) => Tokenomics.TryParse(p.Value, out var amount)
                ? new JsonObject { ["type"] = "treasury_transfer", ["to"] = p.Name, ["amount"] = amount }
                : throw new CliException(ExitCodes.Usage, $"--pay: '{p.Value}' is no amount of credits.", "Write it like 12.5: above 0, at most six decimals."),
            (_, _, { } d) => d.Value is "uphold" or "reverse"
                ? new JsonObject { ["type"] = "decide_slash", ["slashId"] = d.Name, ["uphold"] = d.Value == "uphold" }
                : throw new CliException(ExitCodes.Usage, $"--decide-slash: '{d.Value}' is neither uphold nor reverse.", "Write it like --decide-slash ID=reverse"),
            _ when (set ?? pay ?? slash) is { } wrong => throw new CliException(ExitCodes.Usage, $"'{wrong}' has no '=' between a name and a value.", "See: fog propose --help"),
            _ => null,
        };
    }

    private static (string Name, string Value)? Split(string? pair) =>
        pair?.IndexOf('=', StringComparison.Ordinal) is > 0 and var at && at < pair.Length - 1 ? (pair[..at], pair[(at + 1)..]) : null;

    /// <summary>Shows what would be executed and asks. Anything but yes ends the command.</summary>
    private static async Task ConfirmAsync(Invocation invocation, JsonObject proposal)
    {
        var action = proposal.At("action");
        var note = invocation.Terminal.Note;
        note($"If \"{proposal.Text("title")}\" is accepted: {ProposalCommands.ActionText(action)}.");
        if (action.Text("type") == "set_parameter")
        {
            var parameter = await ParametersCommand.OneAsync(invocation, action.Text("name")!);
            note($"  {parameter.Text("meaning")}");
            note($"  {ParametersCommand.Value(parameter, parameter.Text("value"))} → {ParametersCommand.Value(parameter, action.Text("value"))}; allowed are {ParametersCommand.Bounds(parameter)}");
        }
        await invocation.Host.Error.WriteAsync("Propose this? [y/N] ");
        await invocation.Host.Error.FlushAsync(invocation.Cancel);
        var line = await invocation.Host.In.ReadLineAsync(invocation.Cancel);
        if (line?.Trim().ToLowerInvariant() is not ("y" or "yes"))
        {
            await invocation.Host.Error.WriteLineAsync();
            throw new CliException(ExitCodes.Error, "Not confirmed; nothing was proposed.", "Answer y, or add --yes where nobody can answer.");
        }
    }
}
