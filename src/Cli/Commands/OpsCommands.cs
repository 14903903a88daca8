using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary><c>fog ops …</c>: the recurring jobs and the task queue, for operators; the page is at /ops/jobs.</summary>
internal static class OpsCommands
{
    public static FogCommand Create(GlobalOptions globals) => new FogCommand("ops", "Look at and steer what the control plane does unasked; the page is SERVER/ops/jobs.", "fog ops jobs", "fog ops queues")
    {
        Jobs(globals), Runs(globals), Trigger(globals), Steer(globals, "pause", "Keep a recurring job from running by itself, on every control plane.", "is paused"),
        Steer(globals, "resume", "Let a paused recurring job run by itself again.", "runs by itself"), Queues(globals),
    };

    private static Argument<string> Job() => new("job") { Description = "Name of the recurring job, as fog ops jobs lists it" };

    private static string Route(string job, string what) => $"api/ops/jobs/{Uri.EscapeDataString(job)}/{what}";

    private static string Millis(JsonNode? node, string name) => node.Number(name) is { } ms ? ms.ToString(ms < 10 ? "0.0" : "0", CultureInfo.InvariantCulture) + " ms" : "–";

    private static FogCommand Jobs(GlobalOptions globals)
    {
        var command = new FogCommand("jobs", "List the recurring jobs of the control plane.", "fog ops jobs");
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.GetAsync("api/ops/jobs", invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            var table = Terminal.NewTable("Job", "Kind", "Schedule", "State", "Last run", "Took", "p95", "Next run", "Runs", "Failures", "Server");
            foreach (var j in answer.Items("jobs"))
            {
                var state = j.Flag("paused") == true ? "PAUSED" : j.Flag("running") == true ? "running" : j.Text("lastRun", "outcome");
                table.AddRow([JobCommands.Cell(j.Text("name")), JobCommands.Cell(j.Text("kind")), JobCommands.Cell(j.Text("schedule")), JobCommands.Cell(state),
                    JobCommands.Cell(Humane.Instant(j.Instant("lastRun", "started"))), JobCommands.Cell(Millis(j.At("lastRun"), "durationMs")), JobCommands.Cell(Millis(j, "p95Ms")),
                    JobCommands.Cell(Humane.Instant(j.Instant("nextRun"))), JobCommands.Cell(j.Text("runs")), JobCommands.Cell(j.Text("failures")), JobCommands.Cell(j.Text("server"))]);
            }
            invocation.Terminal.Table(table);
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Runs(GlobalOptions globals)
    {
        var job = Job();
        var limit = new Option<int?>("--limit") { Description = "How many of the newest (default 20)", HelpName = "N" };
        limit.Validators.Add(JobCommands.Between(1, 200));
        var command = new FogCommand("runs", "Show the history of a recurring job.", "fog ops runs ReconcileLedger") { job, limit };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.GetAsync($"{Route(invocation.Get(job), "runs")}?limit={invocation.Get(limit) ?? 20}", invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            var table = Terminal.NewTable("Started", "Outcome", "Trigger", "Took", "Runs", "Server", "Error");
            foreach (var r in answer.Items("runs"))
            {
                table.AddRow([JobCommands.Cell(Humane.Instant(r.Instant("started"))), JobCommands.Cell(r.Text("outcome")), JobCommands.Cell(r.Text("trigger")), JobCommands.Cell(Millis(r, "durationMs")),
                    JobCommands.Cell(r.Text("runs")), JobCommands.Cell(r.Text("server")), JobCommands.Cell(r.At("error") is { } e ? $"{e.Text("type")}: {e.Text("message")}" : null)]);
            }
            invocation.Terminal.Table(table);
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Trigger(GlobalOptions globals)
    {
        var job = Job();
        var command = new FogCommand("trigger", "Run a recurring job now, also while it is paused.", "fog ops trigger ReconcileLedger") { job };
        return command.Runs(globals, async invocation =>
        {
            var name = invocation.Get(job);
            var answer = await invocation.Server.SendAsync(HttpMethod.Post, Route(name, "trigger"), null, null, invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            invocation.Terminal.Line($"{name} runs now as {answer.Text("runId")}; look at it with: fog ops runs {name}");
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Steer(GlobalOptions globals, string verb, string description, string done)
    {
        var job = Job();
        var command = new FogCommand(verb, description, $"fog ops {verb} ForgetQuotes") { job };
        return command.Runs(globals, async invocation =>
        {
            var answer = await invocation.Server.SendAsync(HttpMethod.Post, Route(invocation.Get(job), verb), null, null, invocation.Cancel);
            invocation.Terminal.DocumentIfJson(answer);
            invocation.Terminal.Line($"{answer.Text("name")} {done}.");
            return ExitCodes.Ok;
        });
    }

    private static FogCommand Queues(GlobalOptions globals)
    {
        var command = new FogCommand("queues", "Count the task queue: what waits and why, what runs, what ended.", "fog ops queues");
        return command.Runs(globals, async invocation =>
        {
            var q = await invocation.Server.GetAsync("api/ops/queues", invocation.Cancel);
            invocation.Terminal.DocumentIfJson(q);
            var oldest = q.Number("oldestWaitingSeconds") is { } seconds ? $", the oldest ready one for {seconds.ToString("0", CultureInfo.InvariantCulture)} s" : "";
            invocation.Terminal.Line($"{q.Text("waiting")} tasks wait{oldest}; {q.Text("retrying")} of them for another try.");
            foreach (var reason in q.Items("waitingBy"))
                invocation.Terminal.Line($"  {reason.Text("tasks")} {reason.Text("reason")?.Replace('_', ' ')}");
            invocation.Terminal.Line($"{q.Text("leased")} leased, {q.Text("executing")} executing, {q.Text("verifying")} verifying.");
            foreach (var (name, of) in new[] { ("Last hour", q.At("lastHour")), ("Last 24 h", q.At("lastDay")) })
                invocation.Terminal.Line($"{name}: {of.Text("succeeded")} succeeded, {of.Text("failed")} failed, {of.Text("retries")} retries.");
            return ExitCodes.Ok;
        });
    }
}
