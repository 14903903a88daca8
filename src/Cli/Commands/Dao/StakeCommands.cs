using System.CommandLine;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands.Dao;

/// <summary><c>fog stake</c>, <c>unstake</c>, <c>claim</c>, <c>stakes</c> and <c>rewards</c>: credits that are locked up, earn interest and vote.</summary>
internal static class StakeCommands
{
    public static FogCommand Stake(GlobalOptions globals)
    {
        var (amount, key) = (Tokenomics.Amount("Credits to stake"), Tokenomics.Key());
        var command = new FogCommand("stake", "Stake credits: they earn interest and vote, and are locked for a time.", "fog stake 12.5") { amount, key };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.PostAsync(Tokenomics.Root + "stake", new JsonObject { ["amount"] = invocation.Get(amount) }, invocation.Cancel, KeyOf(invocation, key));
            var terminal = invocation.Terminal;
            terminal.DocumentIfJson(answer);
            terminal.Line($"Staked {Humane.Amount(answer.Credits("stakedAmount"))} credits, locked until {Humane.Until(answer.Instant("lockedUntil"), invocation.Host.Time.GetUtcNow())}; "
                + $"{Humane.Amount(answer.Credits("totalStaked"))} are staked in all.");
            terminal.Note("next: fog stakes    fog proposals");
            return ExitCodes.Ok;
        });
    }

    public static FogCommand Unstake(GlobalOptions globals)
    {
        var (amount, key) = (Tokenomics.Amount("Credits to take out of the stake"), Tokenomics.Key());
        var command = new FogCommand("unstake", "Take credits out of the stake; they can be claimed when the unbonding time is over.", "fog unstake 12.5") { amount, key };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.PostAsync(Tokenomics.Root + "unstake", new JsonObject { ["amount"] = invocation.Get(amount) }, invocation.Cancel, KeyOf(invocation, key));
            var terminal = invocation.Terminal;
            terminal.DocumentIfJson(answer);
            terminal.Line($"Unstaked {Humane.Amount(answer.Credits("unstakedAmount"))} credits, which can be claimed from {Humane.Until(answer.Instant("availableAt"), invocation.Host.Time.GetUtcNow())}; "
                + $"{Humane.Amount(answer.Credits("totalStaked"))} remain staked.");
            terminal.Note("next, from then on: fog claim");
            return ExitCodes.Ok;
        });
    }

    public static FogCommand Claim(GlobalOptions globals)
    {
        var key = Tokenomics.Key();
        var command = new FogCommand("claim", "Get back what was unstaked and has waited long enough.", "fog claim") { key };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.PostAsync(Tokenomics.Root + "claim", new JsonObject(), invocation.Cancel, KeyOf(invocation, key));
            invocation.Terminal.DocumentIfJson(answer);
            invocation.Terminal.Line($"Claimed {Humane.Amount(answer.Credits("claimedAmount"))} credits; {Humane.Amount(answer.Credits("balance"))} are available.");
            return ExitCodes.Ok;
        });
    }

    public static FogCommand Stakes(GlobalOptions globals)
    {
        var address = Tokenomics.Address();
        var command = new FogCommand("stakes", "Show what is staked, until when it is locked, and what comes back when.", "fog stakes", "fog stakes --json") { address };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.GetAsync(Tokenomics.Path("stakes", ("address", invocation.Get(address))), invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            Print(invocation.Terminal, answer, invocation.Host.Time.GetUtcNow());
            return ExitCodes.Ok;
        });
    }

    public static FogCommand Rewards(GlobalOptions globals)
    {
        var address = Tokenomics.Address();
        var command = new FogCommand("rewards", "Show the interest on your stake: what has accrued, what was paid, what the pool still has.", "fog rewards") { address };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.GetAsync(Tokenomics.Path("rewards", ("address", invocation.Get(address))), invocation.Cancel);
            var terminal = invocation.Terminal;
            terminal.DocumentIfJson(answer);
            terminal.Line($"{answer.Text("address")}: {Humane.Amount(answer.Credits("pendingRewards"))} credits of interest pending"
                + (answer.Instant("accruedTo") is { } to ? $" (accrued to {Humane.Instant(to)})" : "") + $", {Humane.Amount(answer.Credits("paidRewards"))} paid so far.");
            terminal.Line($"The rate is {Humane.Percent(answer.Number("rewardsRate"))} a year, from a rewards pool of {Humane.Amount(answer.Credits("poolBalance"))} credits.");
            if (answer.Credits("poolBalance") == 0)
                terminal.Line("The pool is empty, so no interest is paid.");
            return ExitCodes.Ok;
        });
    }

    private static string KeyOf(Invocation invocation, Option<string?> key) => invocation.Get(key) ?? Guid.NewGuid().ToString("N");

    private static void Print(Terminal terminal, JsonNode stakes, DateTimeOffset now)
    {
        terminal.Line($"{stakes.Text("address")}: {Humane.Amount(stakes.Credits("staked"))} credits staked, {Humane.Amount(stakes.Credits("unlocked"))} of them free to unstake now.");
        if (stakes.At("voteLock") is { } held)
            terminal.Line($"{Humane.Amount(held.Credits("amount"))} must stay until {Humane.Until(held.Instant("until"), now)}: {held.Text("why")}");
        var lots = stakes.Items("lots").ToList();
        if (lots.Count > 0)
        {
            var table = Terminal.NewTable("Staked", "On", "Locked until");
            foreach (var lot in lots)
            {
                var until = lot.Instant("lockedUntil");
                table.AddRow(JobCommands.Cell(Humane.Amount(lot.Credits("amount"))), JobCommands.Cell(Humane.Instant(lot.Instant("stakedAt"))),
                    JobCommands.Cell(until <= now ? $"{Humane.Instant(until)}, over" : Humane.Until(until, now)));
            }
            terminal.Table(table);
        }
        var unbonding = stakes.Items("unbonding").ToList();
        if (unbonding.Count == 0)
        {
            terminal.Line("Nothing is on its way back.");
            return;
        }
        var returns = Terminal.NewTable("Unstaked", "On", "Claimable from");
        foreach (var item in unbonding)
        {
            returns.AddRow(JobCommands.Cell(Humane.Amount(item.Credits("amount"))), JobCommands.Cell(Humane.Instant(item.Instant("startedAt"))),
                JobCommands.Cell(item.Flag("claimable") == true ? "now" : Humane.Until(item.Instant("availableAt"), now)));
        }
        terminal.Table(returns);
        var claimable = unbonding.Where(i => i.Flag("claimable") == true).Sum(i => i.Credits("amount") ?? 0);
        terminal.Line($"Claimable now: {Humane.Amount(claimable)} credits{(claimable > 0 ? ", with: fog claim" : "")}.");
    }
}
