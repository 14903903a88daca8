using System.ComponentModel;
using System.Globalization;
using System.Text;
using FogCompute.Protocol;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>Runs one program to its end: <c>command</c> payloads, and <c>wasm</c> payloads where the engine is a program of its own.</summary>
internal sealed class CommandRunner(SandboxHost host, TimeProvider time)
{
    /// <param name="command">Program and arguments as seen by the payload.</param>
    /// <param name="readOnly">Host files to be seen in the sandbox, by path inside.</param>
    /// <param name="sandboxed">False only where job and owner both accept isolation <c>process</c>.</param>
    public async Task<ExecutionResult> RunAsync(
        ExecutionRequest request, IReadOnlyList<string> command, IReadOnlyDictionary<string, string> readOnly, bool sandboxed, CancellationToken stop)
    {
        if (stop.IsCancellationRequested)
            return Results.Cancelled();
        var (lease, limits) = (request.Lease, LeaseLimits.Of(request.Lease));
        var environment = PayloadEnvironment(lease, sandboxed ? "/work" : request.WorkFolder, sandboxed);
        if (Malformed(command, environment) is { } fault)
            return Results.Failed(ExecutionReasons.ParameterInvalid, fault);
        if (!readOnly.ContainsKey(command[0]) && Programs.WhyNotRunnable(command[0], request.WorkFolder, environment["PATH"], sandboxed) is { } missing)
            return Results.Failed(ExecutionReasons.ProgramNotFound, missing);

        try
        {
            Directory.CreateDirectory(request.WorkFolder);
            var spec = new SandboxSpec
            {
                Command = command,
                WorkFolder = Path.GetFullPath(request.WorkFolder),
                Environment = environment,
                Network = lease.Network == "full",
                ReadOnly = readOnly,
                Limits = new SandboxLimits(limits.MemoryBytes, limits.Processes, limits.DiskBytes),
            };
            return sandboxed
                ? await LaunchAsync(request, spec, limits, stop)
                : await RunBareAsync(request, spec, limits, AttemptMark + "=" + environment[AttemptMark], stop);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or Win32Exception)
        {
            return Results.DeviceError($"The sandbox could not be started: {refused.Message}");
        }
    }

    private async Task<ExecutionResult> LaunchAsync(ExecutionRequest request, SandboxSpec spec, LeaseLimits limits, CancellationToken stop)
    {
        var launcher = await host.TakeLauncherAsync(spec);
        var clean = false;
        ExecutionResult result;
        try
        {
            var process = launcher.Process;
            var marks = await host.StartAsync(launcher, spec, request.Lease.Payload.Stdin);
            var supervisor = new Supervisor(process, limits, request.WorkFolder, time.GetTimestamp(), marks.Baseline, time, stop, request.Notice);
            await using (supervisor)
            {
                var errorFile = Path.Combine(request.LogFolder, "stderr");
                var said = (await Task.WhenAll(
                    OutputPump.CopyAsync(process.Output, Path.Combine(request.LogFolder, "stdout"), supervisor.Budget, supervisor.OutputExceeded, marks.End, marks.Begin),
                    OutputPump.CopyAsync(process.Error, errorFile, supervisor.Budget, supervisor.OutputExceeded, marks.End, marks.Begin)))[0];
                // Without its word the launcher is gone: killed by us, or by somebody else.
                var end = said is null ? await process.EndAsync(CancellationToken.None) : new SandboxEnd(said.Exit, SetUpFailed: !launcher.SetUp);
                clean = said is not null && await process.QuietAsync();
                result = await supervisor.ConcludeAsync(end, request.WorkFolder, errorFile, request.Lease);
            }
            // Only now nobody can kill it any more.
            clean &= !supervisor.Stopped;
            return result;
        }
        finally
        {
            await host.ReturnAsync(launcher, clean);
        }
    }

    private async Task<ExecutionResult> RunBareAsync(ExecutionRequest request, SandboxSpec spec, LeaseLimits limits, string mark, CancellationToken stop)
    {
        await using var process = await host.StartUnsandboxedAsync(spec, mark);
        await using var supervisor = new Supervisor(process, limits, request.WorkFolder, process.Begun, 0, time, stop, request.Notice);
        var errorFile = Path.Combine(request.LogFolder, "stderr");
        var pumps = Task.WhenAll(
            OutputPump.CopyAsync(process.Output, Path.Combine(request.LogFolder, "stdout"), supervisor.Budget, supervisor.OutputExceeded, null),
            OutputPump.CopyAsync(process.Error, errorFile, supervisor.Budget, supervisor.OutputExceeded, null));
        var feed = FeedAsync(process.Input, request.Lease.Payload.Stdin);
        var end = await process.EndAsync(CancellationToken.None);
        await pumps;
        await feed;
        return await supervisor.ConcludeAsync(end, request.WorkFolder, errorFile, request.Lease);
    }

    /// <summary>Name of the variable that marks every process of an unsandboxed attempt.</summary>
    private const string AttemptMark = "FOG_ATTEMPT_ID";

    /// <summary>The whole environment of a payload: nothing of the agent's own.</summary>
    internal static Dictionary<string, string> PayloadEnvironment(LeaseMessage lease, string home, bool sandboxed)
    {
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = Programs.Path,
            ["HOME"] = home,
            ["TMPDIR"] = sandboxed ? "/tmp" : home,
            ["LANG"] = "C.UTF-8",
        };
        foreach (var (name, value) in lease.Payload.Env ?? new Dictionary<string, string>())
            environment[name] = value;
        // Last, so that a payload can rely on them.
        environment["FOG_TASK_INDEX"] = lease.TaskIndex.ToString(CultureInfo.InvariantCulture);
        environment["FOG_TASK_COUNT"] = lease.TaskCount.ToString(CultureInfo.InvariantCulture);
        environment["FOG_JOB_ID"] = lease.JobId.ToString("D");
        if (lease.Checkpoint is { } checkpoint)
            environment["FOG_CHECKPOINT_DIR"] = $"{home}/{checkpoint.Path}";
        if (!sandboxed)
            environment[AttemptMark] = lease.AttemptId.ToString("D");
        return environment;
    }

    internal static string? Malformed(IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment)
    {
        if (command.Count == 0)
            return "payload.argv is empty: name a program.";
        if (command.Any(part => part.Contains('\0')))
            return "payload.argv contains a NUL character.";
        var bad = environment.FirstOrDefault(pair => pair.Key.Length == 0 || pair.Key.AsSpan().ContainsAny('=', '\0') || pair.Value.Contains('\0'));
        return bad.Key is null ? null : $"payload.env has a variable that no process can have: '{bad.Key.Replace("\0", "\\0", StringComparison.Ordinal)}'.";
    }

    private static async Task FeedAsync(Stream input, string? text)
    {
        try
        {
            if (!string.IsNullOrEmpty(text))
                await input.WriteAsync(Encoding.UTF8.GetBytes(text));
            input.Close();
        }
        catch (IOException)
        {
            // The payload ended or closed its input without reading all of it, as it may.
            return;
        }
    }
}
