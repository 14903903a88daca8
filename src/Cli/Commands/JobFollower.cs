using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FogCompute.Cli.Output;
using Spectre.Console;

namespace FogCompute.Cli.Commands;

/// <summary>Waits for a job while printing its logs (stdout) and its progress (stderr).</summary>
internal static class JobFollower
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(300);

    /// <summary>How long the log stream may trail the end of the job.</summary>
    private static readonly TimeSpan LogGrace = TimeSpan.FromSeconds(3);

    /// <summary>The job as the server showed it last, and what the CLI ends with.</summary>
    public sealed record End(JsonNode Job, int ExitCode);

    /// <summary>Follows a job to its end. Throws with <see cref="ExitCodes.Timeout"/> after <paramref name="limit"/>; the job then goes on.</summary>
    public static async Task<End> FollowAsync(Invocation invocation, string id, TimeSpan? limit, int? task = null, bool quiet = false)
    {
        var terminal = invocation.Terminal;
        var path = JobCommands.JobPath(id);
        var job = await invocation.Server.GetAsync(path, invocation.Cancel);
        var several = job.Integer("tasks", "total") is > 1;
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(invocation.Cancel);
        if (limit is { } span)
            bounded.CancelAfter(span);
        using var logsStop = CancellationTokenSource.CreateLinkedTokenSource(bounded.Token);
        try
        {
            if (several && !quiet && invocation.Host.ErrorIsTerminal && !terminal.Json)
            {
                await terminal.ErrorConsole.Progress().AutoClear(true)
                    .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
                    .StartAsync(async display =>
                    {
                        var bar = display.AddTask(Markup.Escape(job.Text("name") ?? id), maxValue: 100);
                        // On one terminal both streams share the lines, so the log goes through the display that keeps the bar below it.
                        Action<string> write = invocation.Host.OutIsTerminal
                            ? text => terminal.ErrorConsole.Write(new Text(Terminal.Sanitize(text)))
                            : invocation.Host.Out.Write;
                        job = await WaitAsync(invocation, path, job, task, new LogPrinter(several, write),
                            now => bar.Value = now.Number("progress") ?? 0, logsStop, bounded.Token);
                    });
            }
            else
            {
                string? last = null;
                job = await WaitAsync(invocation, path, job, task,
                    terminal.Json ? null : new LogPrinter(several && task is null, text => invocation.Host.Out.Write(terminal.ForPerson(text))),
                    now =>
                    {
                        var line = $"{now.Text("status")}: {now.Text("tasks", "succeeded")}/{now.Text("tasks", "total")} tasks done, "
                            + $"{now.Text("tasks", "running")} running";
                        if (several && !quiet && line != last)
                            terminal.Note(line);
                        last = line;
                    }, logsStop, bounded.Token);
            }
        }
        catch (OperationCanceledException) when (!invocation.Cancel.IsCancellationRequested)
        {
            throw new CliException(ExitCodes.Timeout, $"Job {id} was not done after {limit?.TotalSeconds:0.#} s; it goes on without you.",
                $"See why: fog job why {id}    go on waiting: fog job logs {id} --follow    give up: fog job cancel {id}");
        }
        return Finish(terminal, id, job);
    }

    private static async Task<JsonNode> WaitAsync(Invocation invocation, string path, JsonNode job, int? task, LogPrinter? logs,
        Action<JsonNode> show, CancellationTokenSource logsStop, CancellationToken bounded)
    {
        var pump = logs is null ? Task.CompletedTask : PumpAsync(invocation, path, task, logs, logsStop.Token);
        var sinceWhy = 0;
        while (!IsOver(job))
        {
            show(job);
            await Task.Delay(Period, invocation.Host.Time, bounded);
            job = await invocation.Server.GetAsync(path, bounded);
            // A job that waits long says why, once.
            if (job.Text("status") == "pending" && ++sinceWhy == 10)
            {
                var why = await invocation.Server.GetAsync(path + "/why", bounded);
                invocation.Terminal.Note("waiting: " + (why.Text("summary") ?? "no reason given"));
            }
        }
        show(job);
        logsStop.CancelAfter(LogGrace);
        await pump;
        logs?.Flush();
        return job;
    }

    private static async Task PumpAsync(Invocation invocation, string path, int? task, LogPrinter logs, CancellationToken stop)
    {
        try
        {
            var query = "follow=true" + (task is { } t ? $"&task={t}" : "");
            await foreach (var item in invocation.Server.EventsAsync($"{path}/logs?{query}", stop))
            {
                if (item.EventType == "end")
                    return;
                if (item.EventType == "log" && JsonNode.Parse(item.Data) is { } entry)
                    logs.Write(entry.Integer("task") ?? 0, entry.Text("text") ?? "");
            }
            // Without an "end" the control plane went away in good order, and another one knows the job.
            invocation.Terminal.Note("The control plane stopped, and with it the log stream; the rest is in: fog job logs");
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The job is over and the stream had its grace.
        }
        catch (Exception error) when (error is CliException or IOException or JsonException or HttpRequestException)
        {
            // The job counts, not its log: say it and go on waiting.
            invocation.Terminal.Note($"The log stream broke off ({error.Message}); the rest is in: fog job logs");
        }
    }

    private static End Finish(Terminal terminal, string id, JsonNode job)
    {
        var status = job.Text("status");
        var cost = job.Credits("cost", "charged") is { } charged ? $", {Humane.Credits(charged)} credits" : "";
        var took = job.Instant("completed") - job.Instant("submitted");
        var summary = $"Job {id} {status}{(took is { } t ? " after " + Humane.Seconds(t.TotalSeconds) : "")}{cost}.";
        if (status == "completed")
        {
            terminal.Note(summary);
            return new End(job, ExitCodes.Ok);
        }
        terminal.Note(summary);
        foreach (var attempt in job.Items("attempts").Where(a => a.Text("message") is not null && a.Text("state") is not "accepted").Take(5))
        {
            terminal.Note($"  task {attempt.Text("taskIndex")} on {attempt.Text("device")}: "
                + $"{attempt.Text("reason")}: {Terminal.Sanitize(attempt.Text("message")!)}");
        }
        if (job.Text("why", "summary") is { } why)
            terminal.Note("  " + why);
        terminal.Note($"next: fog job show {id}    fog job logs {id}");
        return new End(job, ExitCodes.JobFailed);
    }

    private static bool IsOver(JsonNode job) => job.Text("status") is "completed" or "failed" or "cancelled";
}

/// <summary>Prints log text; with several tasks only whole lines, each with its task's index in front.</summary>
internal sealed class LogPrinter(bool prefix, Action<string> write)
{
    private readonly Dictionary<int, StringBuilder> _partial = [];

    public void Write(int task, string text)
    {
        if (!prefix)
        {
            write(text);
            return;
        }
        var buffer = _partial.TryGetValue(task, out var b) ? b : _partial[task] = new StringBuilder();
        buffer.Append(text);
        var all = buffer.ToString();
        var end = all.LastIndexOf('\n');
        if (end < 0)
            return;
        foreach (var line in all[..end].Split('\n'))
            write($"[{task}] {line}\n");
        buffer.Clear().Append(all.AsSpan(end + 1));
    }

    /// <summary>Prints what did not end with a newline.</summary>
    public void Flush()
    {
        foreach (var (task, buffer) in _partial.Where(p => p.Value.Length > 0))
            write($"[{task}] {buffer}\n");
        _partial.Clear();
    }
}
