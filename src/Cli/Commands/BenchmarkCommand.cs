using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog benchmark</c>: let the control plane measure itself, look at earlier runs, compare two.</summary>
internal static class BenchmarkCommand
{
    private const string Root = "api/benchmarks/";
    private static readonly string[] Types = ["latency", "throughput", "stress"];
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    /// <summary>A run writes its figures within moments of its end; one that does not is told of as it is.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static FogCommand Create(GlobalOptions globals)
    {
        var type = new Argument<string>("type") { Description = "latency (round trips to database, cache and a device), throughput (artifacts and dispatch) or stress (the control plane's machine under load)", DefaultValueFactory = _ => "latency" };
        type.AcceptOnlyFromAmong(Types);
        var seconds = new Option<int>("--seconds") { Description = "How long, 1-3600", HelpName = "N", DefaultValueFactory = _ => 30 };
        seconds.Validators.Add(JobCommands.Between(1, 3600));
        var command = new FogCommand("benchmark", "Let the control plane measure itself.", "fog benchmark", "fog benchmark throughput --seconds 10", "fog benchmark list", "fog benchmark compare A B")
        {
            type, seconds, List(globals), Compare(globals),
        };
        return command.Runs(globals, invocation => RunAsync(invocation, invocation.Get(type), invocation.Get(seconds)));
    }

    private static async Task<int> RunAsync(Invocation invocation, string type, int seconds)
    {
        var (server, terminal, cancel) = (invocation.Server, invocation.Terminal, invocation.Cancel);
        var id = (await server.PostAsync(Root + "start", new JsonObject { ["type"] = type, ["duration"] = seconds }, cancel)).Text("benchmarkId")!;
        terminal.Note($"Benchmark {id}: {type}, {seconds} s. Ctrl-C stops it.");
        JsonNode run;
        try
        {
            run = await FollowAsync(invocation, id, seconds);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            try
            {
                await server.PostAsync(Root + "stop", new JsonObject { ["benchmark_id"] = id }, patience.Token);
            }
            catch (CliException over) when (over.Problem?.Text("code") == "benchmarks.not_running")
            {
                // It ended by itself at this very moment.
            }
            throw;
        }
        terminal.DocumentIfJson(run.DeepClone());
        Print(terminal, run);
        return run.Text("status") == "completed" ? ExitCodes.Ok : ExitCodes.Error;
    }

    /// <summary>Shows each new second until the run has ended; gives it back as the history has it.</summary>
    private static async Task<JsonNode> FollowAsync(Invocation invocation, string id, int seconds)
    {
        var time = invocation.Host.Time;
        var shown = 0;
        for (var started = time.GetTimestamp(); ;)
        {
            var data = await invocation.Server.GetAsync(Root + "data", invocation.Cancel);
            var ours = data.Text("benchmark", "benchmarkId") == id;
            foreach (var point in ours ? data.Items("metrics").Skip(shown) : [])
                invocation.Terminal.Note($"{++shown,5} s  latency {Figure(point, "latency", "ms")}  throughput {Figure(point, "throughput", "MB/s")}  cpu {Figure(point, "cpuUsage", "%")}  memory {Figure(point, "memoryUsage", "%")}");
            if ((!ours || data.Text("benchmark", "status") != "running") && await FindAsync(invocation, id) is { } run)
                return run;
            if (time.GetElapsedTime(started) > TimeSpan.FromSeconds(seconds) + Patience)
                throw new CliException(ExitCodes.Timeout, $"Benchmark {id} should have ended by now.", "See: fog benchmark list");
            await Task.Delay(Period, time, invocation.Cancel);
        }
    }

    /// <summary>The ended run; null while it runs or its figures are on their way.</summary>
    private static async Task<JsonNode?> FindAsync(Invocation invocation, string id)
    {
        var history = await invocation.Server.GetAsync(Root + "history?limit=20", invocation.Cancel);
        return history.Items("benchmarks").FirstOrDefault(b => b.Text("benchmarkId") == id && (b.Text("status") is not ("running" or "stopped") || b.Items("summary").Any() || b.At("machine") is null && b.Text("status") == "stopped"));
    }

    private static FogCommand List(GlobalOptions globals)
    {
        var limit = new Option<int>("--limit") { Description = "How many, 1-500", HelpName = "N", DefaultValueFactory = _ => 20 };
        limit.Validators.Add(JobCommands.Between(1, 500));
        var command = new FogCommand("list", "Show benchmarks that ran, newest first.", "fog benchmark list") { limit };
        return command.Runs(globals, async invocation =>
        {
            var history = await invocation.Server.GetAsync($"{Root}history?limit={invocation.Get(limit)}", invocation.Cancel);
            var terminal = invocation.Terminal;
            terminal.DocumentIfJson(history.DeepClone());
            var table = Terminal.NewTable("id", "type", "status", "started", "ran", "p50", "machine");
            foreach (var run in history.Items("benchmarks"))
            {
                var first = run.Items("summary").FirstOrDefault(m => m.Number("p50") is not null);
                table.AddRow(
                    JobCommands.Cell(run.Text("benchmarkId")), JobCommands.Cell(run.Text("type")), JobCommands.StatusCell(run.Text("status")), JobCommands.Cell(Humane.Instant(run.Instant("started"))),
                    JobCommands.Cell(Humane.Seconds(run.Number("ran"))), JobCommands.Cell(first is null ? null : $"{first.Text("name")} {Humane.Significant(first.Number("p50"))} {first.Text("unit")}"), JobCommands.Cell(run.Text("machine", "cpu")));
            }
            if (table.Rows.Count == 0)
                terminal.Line("No benchmark ran yet. Start one: fog benchmark");
            else
                terminal.Table(table);
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Compare(GlobalOptions globals)
    {
        var a = new Argument<string?>("a") { Description = "Id of what is compared with (default: the one before)", Arity = ArgumentArity.ZeroOrOne };
        var b = new Argument<string?>("b") { Description = "Id of what is compared (default: the newest)", Arity = ArgumentArity.ZeroOrOne };
        var command = new FogCommand("compare", "Compare two benchmarks of the same type.", "fog benchmark compare", "fog benchmark compare A B") { a, b };
        return command.Runs(globals, async invocation =>
        {
            var query = string.Join('&', new[] { ("a", invocation.GetOptional(a)), ("b", invocation.GetOptional(b)) }.Where(f => f.Item2 is not null).Select(f => $"{f.Item1}={Uri.EscapeDataString(f.Item2!)}"));
            var answer = await invocation.Server.GetAsync(Root + "compare" + (query.Length > 0 ? "?" + query : ""), invocation.Cancel);
            var terminal = invocation.Terminal;
            terminal.DocumentIfJson(answer.DeepClone());
            foreach (var side in new[] { "a", "b" })
                terminal.Line($"{side}: {answer.Text(side, "benchmarkId")} {answer.Text(side, "type")}, {Humane.Instant(answer.Instant(side, "started"))}");
            var table = Terminal.NewTable("b ÷ a", "p50", "p95", "p99", "mean", "rate");
            foreach (var measure in answer.Items("measures"))
                table.AddRow([JobCommands.Cell(measure.Text("name")), .. new[] { "p50", "p95", "p99", "mean", "rate" }.Select(f => JobCommands.Cell(measure.Number(f) is { } ratio ? ratio.ToString("0.00 ×", CultureInfo.InvariantCulture) : null))]);
            terminal.Table(table);
            if (answer.Flag("sameMachine") == true)
                terminal.Line("Same machine.");
            foreach (var difference in answer.Items("machineDifferences"))
                terminal.Line($"The machines differ in {difference.Text("field")}: {difference.Text("a") ?? "unknown"} and {difference.Text("b") ?? "unknown"}.");
            return ExitCodes.Ok;
        });
    }

    private static void Print(Terminal terminal, JsonNode run)
    {
        var table = Terminal.NewTable(run.Text("type") ?? "", "samples", "p50", "p95", "p99", "mean", "rate", "unit");
        foreach (var measure in run.Items("summary"))
            table.AddRow([JobCommands.Cell(measure.Text("name")), JobCommands.Cell(measure.Text("count")), .. new[] { "p50", "p95", "p99", "mean", "rate" }.Select(f => JobCommands.Cell(Humane.Significant(measure.Number(f)))), JobCommands.Cell(measure.Text("unit"))]);
        terminal.Table(table);
        foreach (var measure in run.Items("summary").Where(m => m.Text("note") is not null))
            terminal.Line($"{measure.Text("name")}: {measure.Text("note")}");
        terminal.Line($"{run.Text("status")} after {Humane.Seconds(run.Number("ran"))} on {run.Text("machine", "cpu") ?? "an unknown processor"}, {run.Text("machine", "cores")} cores, kernel {run.Text("machine", "kernel")}.");
        if (run.Text("why") is { } why)
            terminal.Line(why);
    }

    private static string Figure(JsonNode point, string name, string unit) => point.Number(name) is { } figure ? $"{Humane.Significant(figure)} {unit}" : "–";
}
