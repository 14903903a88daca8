using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog quote</c>: what a job would cost and when it would be done, for each plan; nothing is submitted.</summary>
internal static class QuoteCommand
{
    public const string Path = "api/scheduler/quotes";

    public static FogCommand Create(GlobalOptions globals)
    {
        var flags = new JobFlags();
        var what = new Argument<string[]>("job") { Description = "Job description (JSON) or - for standard input; or the program and its arguments, after --", Arity = ArgumentArity.OneOrMore };
        var command = new FogCommand("quote", "Ask what a job would cost and when it would be done; nothing is submitted.",
            "fog quote examples/mandelbrot.json",
            "fog quote --count 100 --sla silver --estimate 5 -- ./my-program",
            "fog run --plan fast --max-price 2 -- ./my-program")
        {
            what,
        };
        flags.AddTo(command);
        return command.Runs(globals, async invocation =>
        {
            var quote = await invocation.Server.PostAsync(Path, await JobAsync(invocation, flags, invocation.Get(what)), invocation.Cancel);
            invocation.Terminal.DocumentIfJson(quote);
            return Print(invocation.Terminal, quote, invocation.Host.Time.GetUtcNow()) ? ExitCodes.Ok : ExitCodes.Error;
        });
    }

    private static async Task<JsonObject> JobAsync(Invocation invocation, JobFlags flags, string[] words)
    {
        if (invocation.HasDoubleDash)
            return await flags.BuildAsync(invocation, words);
        if (words.Length > 1)
            throw new CliException(ExitCodes.Usage, $"A quote is for one job; '{words[1]}' is too much.", "A command goes after --: fog quote -- ./my-program");
        if (flags.FirstGiven(invocation) is { } flag)
            throw new CliException(ExitCodes.Usage, $"{flag} describes a command; a job file says that itself.", "Leave it out, or name the command after --: fog quote -- ./my-program");
        var file = await JobFile.LoadAsync(words[0], invocation.Host, invocation.Cancel);
        if (file.Jobs.Count > 1)
            throw new CliException(ExitCodes.Usage, $"A quote is for one job; {words[0]} holds {file.Jobs.Count}.", "Put the job into a file of its own.");
        await JobFile.UploadLocalArtifactsAsync(file.Jobs[0], file.Folder, invocation.Server, invocation.Terminal, invocation.Cancel);
        return file.Jobs[0];
    }

    /// <summary>Prints the quote; whether it offers any plan.</summary>
    private static bool Print(Terminal terminal, JsonNode quote, DateTimeOffset now)
    {
        var plans = quote.Items("plans").ToList();
        if (plans.Count == 0)
        {
            terminal.Line("The pool cannot run this job now:");
            PrintReasons(terminal, quote);
            return false;
        }
        terminal.Line($"{quote.Text("tasks")} tasks, {quote.Text("replicas")} replicas:");
        var table = Terminal.NewTable("", "Plan", "At most", "Expected", "50 % done in", "95 % done in", "Risk", "Energy", "Devices");
        foreach (var plan in plans)
        {
            table.AddRow([JobCommands.Cell(Offers(plan, quote.Text("recommended")) ? "*" : ""), JobCommands.Cell(Names(plan)),
                JobCommands.Cell(Humane.Credits(plan.Credits("price"))), JobCommands.Cell(Humane.Credits(plan.Credits("expectedCharge"))),
                JobCommands.Cell(Finish(plan, "p50", now)), JobCommands.Cell(Finish(plan, "p95", now)),
                JobCommands.Cell(Humane.Percent(plan.Number("failureRisk"))), JobCommands.Cell(Humane.Joules(plan.Number("energyJoules"))), JobCommands.Cell(plan.Text("devices"))]);
        }
        if (terminal.Fits(table))
        {
            terminal.Table(table);
        }
        else
        {
            foreach (var plan in plans)
            {
                terminal.Line($"{(Offers(plan, quote.Text("recommended")) ? "*" : " ")} {Names(plan)}");
                terminal.Line($"    at most {Humane.Credits(plan.Credits("price"))}, expected {Humane.Credits(plan.Credits("expectedCharge"))}");
                terminal.Line($"    50 % done in {Finish(plan, "p50", now)}");
                terminal.Line($"    95 % done in {Finish(plan, "p95", now)}");
                terminal.Line($"    risk {Humane.Percent(plan.Number("failureRisk"))}, {Humane.Joules(plan.Number("energyJoules"))}, {plan.Text("devices")} devices");
            }
        }
        terminal.Line($"Prices in credits. * recommended. Quote {quote.Text("quoteId")} holds until {Humane.Instant(quote.Instant("expiresAt"))}.");
        if (quote.Integer("calibration", "finished") is > 0 and var finished)
            terminal.Line($"Of {finished} quoted jobs that finished, {quote.Text("calibration", "withinP95")} were done by their 95 % time.");
        PrintReasons(terminal, quote);
        terminal.Note("next: fog run --plan PLAN -- …    fog job submit FILE --plan PLAN");
        return true;
    }

    private static void PrintReasons(Terminal terminal, JsonNode quote)
    {
        foreach (var reason in Reasons(quote))
            terminal.Line("  " + reason);
    }

    /// <summary>Why a quote has no plans, or what to know about those it has, a line each.</summary>
    public static IEnumerable<string> Reasons(JsonNode quote) =>
        quote.Items("reasons").Select(r => $"{r.Text("code")}{(r.Text("count") is { } n ? $" ({n})" : "")}: {r.Text("message")}");

    /// <summary>Whether the plan goes by this name; plans that came out the same are one with several names.</summary>
    public static bool Offers(JsonNode plan, string? name) => name is not null && (plan.Text("plan") == name || plan.Items("names").Any(n => n.Text() == name));

    /// <summary>What the plan is called: its own name and those of the other plans that came out the same.</summary>
    private static string Names(JsonNode plan) =>
        string.Join(", ", plan.Items("names").Select(n => n.Text()).Prepend(plan.Text("plan")).OfType<string>().Distinct(StringComparer.Ordinal));

    /// <summary><c>12.0 min (10:42:05Z)</c>, with the date where it is not today's.</summary>
    public static string Finish(JsonNode plan, string quantile, DateTimeOffset now)
    {
        var clock = plan.Instant("finish", quantile)?.ToUniversalTime();
        var format = clock?.Date == now.UtcDateTime.Date ? "HH:mm:ss'Z'" : "yyyy-MM-dd HH:mm'Z'";
        return Humane.Seconds(plan.Number("finish", quantile + "Seconds")) + (clock is { } c ? $" ({c.ToString(format, System.Globalization.CultureInfo.InvariantCulture)})" : "");
    }
}

/// <summary><c>--plan</c> and <c>--max-price</c> of the commands that submit.</summary>
internal sealed class PlanFlags
{
    private static readonly string[] Plans = ["knee", "fast", "cheap", "safe", "green"];

    private readonly Option<string?> _plan = new("--plan") { Description = "Get a quote first and submit at its price by this plan: " + string.Join(", ", Plans), HelpName = "PLAN" };
    private readonly Option<decimal?> _maxPrice = new("--max-price") { Description = "Do not submit what may cost more", HelpName = "CREDITS" };

    public PlanFlags()
    {
        _plan.AcceptOnlyFromAmong(Plans);
        _maxPrice.Validators.Add(JobCommands.Positive);
    }

    public void AddTo(Command command)
    {
        command.Add(_plan);
        command.Add(_maxPrice);
    }

    public bool AsksForPlan(Invocation invocation) => invocation.Get(_plan) is not null;

    /// <summary>
    /// Puts the highest price and, with <c>--plan</c>, the plan of a fresh quote into the job. Throws when the quote has no such plan or it costs more
    /// than the job's highest price.
    /// </summary>
    public async Task ApplyAsync(Invocation invocation, JsonObject job)
    {
        if (invocation.Get(_maxPrice) is { } most)
            job["max_price"] = most;
        if (invocation.Get(_plan) is not { } wanted)
            return;
        var quote = await invocation.Server.PostAsync(QuoteCommand.Path, job, invocation.Cancel);
        var plan = quote.Items("plans").FirstOrDefault(p => QuoteCommand.Offers(p, wanted))
            ?? throw new CliException(ExitCodes.Error, $"The quote has no plan '{wanted}'; nothing was submitted.",
                "See what there is: fog quote    or submit without --plan: the job waits until the pool suits it", [.. QuoteCommand.Reasons(quote)]);
        if (plan.Credits("price") is not { } price)
            throw new CliException(ExitCodes.Error, $"The quote names no price for the plan '{wanted}'; nothing was submitted.", "Check the server's version: fog doctor");
        if (job.Credits("max_price") is { } cap && price > cap)
        {
            throw new CliException(ExitCodes.Error, $"The plan '{wanted}' costs up to {Humane.Credits(price)} credits, above the highest price {Humane.Credits(cap)}; nothing was submitted.",
                "Raise --max-price, or take a cheaper plan: fog quote");
        }
        var now = invocation.Host.Time.GetUtcNow();
        invocation.Terminal.Note($"Plan {wanted}: at most {Humane.Credits(price)} credits, {Humane.Credits(plan.Credits("expectedCharge"))} expected; done in {QuoteCommand.Finish(plan, "p50", now)}, "
            + $"with 95 % in {QuoteCommand.Finish(plan, "p95", now)}; risk {Humane.Percent(plan.Number("failureRisk"))}.");
        job["quote_id"] = quote.Text("quoteId");
        job["plan"] = wanted;
    }
}
