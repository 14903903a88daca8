using FogCompute.Node.Execution.Outputs;
using FogCompute.Protocol;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>The limits of a lease with nothing missing.</summary>
internal sealed record LeaseLimits(TimeSpan Wall, long MemoryBytes, long DiskBytes, long OutputBytes, int Processes)
{
    public static LeaseLimits Of(LeaseMessage lease) => new(
        TimeSpan.FromSeconds(lease.Limits.WallSeconds ?? Defaults.WallSeconds),
        lease.Limits.MemoryBytes ?? lease.MemoryBytes,
        lease.Limits.DiskBytes ?? Defaults.DiskBytes,
        lease.Limits.OutputBytes ?? Defaults.OutputBytes,
        lease.Limits.Processes ?? Defaults.Processes);
}

/// <summary>
/// Holds one running attempt to its limits: kills it when the wall clock, the caller's stop, the output budget or <see cref="LimitWatch"/> says so, and
/// remembers which was first. Afterwards turns what happened into a result.
/// </summary>
internal sealed class Supervisor : IAsyncDisposable
{
    private readonly SandboxProcess _process;
    private readonly LeaseLimits _limits;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly LimitWatch _watch;
    private readonly CancellationTokenSource _expiry;
    private readonly CancellationTokenSource _ended = new();
    private readonly CancellationTokenRegistration _onExpiry;
    private readonly CancellationTokenRegistration _onStop;
    private readonly CancellationTokenRegistration _onNotice;
    private readonly Task _watching;
    private readonly long _baseline;
    private Task _asking = Task.CompletedTask;
    private ExecutionResult? _verdict;

    /// <param name="start">Timestamp from which wall time counts.</param>
    /// <param name="memoryBaseline">Memory that was there before the attempt (a warm runner's own), bytes.</param>
    /// <param name="notice">Asks the program to end (SIGTERM); what it makes of that is its own affair.</param>
    public Supervisor(SandboxProcess process, LeaseLimits limits, string workFolder, long start, long memoryBaseline, TimeProvider time, CancellationToken stop,
        CancellationToken notice = default)
    {
        (_process, _limits, _start, _baseline, _time) = (process, limits, start, memoryBaseline, time);
        Budget = new OutputBudget(limits.OutputBytes);
        _watch = new LimitWatch(process, workFolder, new SandboxLimits(limits.MemoryBytes, limits.Processes, limits.DiskBytes), memoryBaseline, process.Disk, time);
        _watching = _watch.RunAsync(_ended.Token);
        var left = limits.Wall - time.GetElapsedTime(start);
        // Timers cut to whole milliseconds and may be one early; nobody gets less than the limit.
        _expiry = new CancellationTokenSource(left > TimeSpan.Zero ? TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds) + 2) : TimeSpan.Zero, time);
        _onExpiry = _expiry.Token.UnsafeRegister(_ => End(Results.TimedOut(limits.Wall)), null);
        _onStop = stop.UnsafeRegister(_ => End(Results.Cancelled()), null);
        _onNotice = notice.UnsafeRegister(_ => _asking = AskToEndAsync(), null);
    }

    public OutputBudget Budget { get; }

    /// <summary>Whether the attempt was ended by us.</summary>
    public bool Stopped => _verdict is not null || _watch.Exceeded is not null;

    public void OutputExceeded() =>
        End(Results.Failed(ExecutionReasons.OutputLimit, $"The attempt wrote more than {_limits.OutputBytes} bytes of output. Raise limits.output_bytes."));

    /// <summary>
    /// The result, once the payload's last process is gone (or a warm runner is idle again): its exit code, what it used, and its outputs if it succeeded.
    /// </summary>
    public async Task<ExecutionResult> ConcludeAsync(SandboxEnd end, string workFolder, string errorFile, LeaseMessage lease)
    {
        var wall = _time.GetElapsedTime(_start);
        await StopWatchingAsync();
        var used = _process.Measure();
        // Before the verdicts on what the payload did itself: did a limit stand behind it?
        if (_verdict is null && !end.SetUpFailed)
            _watch.Conclude(used, end.ExitCode, workFolder);
        var result = _verdict
            ?? (_watch.Exceeded is { } exceeded ? Results.Failed(exceeded.Reason, exceeded.Message) : null)
            ?? (end.SetUpFailed ? Results.DeviceError($"The sandbox could not be set up: {FirstLine(errorFile)}") : null)
            ?? await OwnEndAsync(end, workFolder, errorFile, lease);
        return result with
        {
            ExitCode = Stopped || end.SetUpFailed ? null : end.ExitCode,
            Wall = wall,
            Cpu = used.Cpu,
            PeakMemoryBytes = used.PeakBytes is { } peak ? Math.Max(0, peak - _baseline) : null,
        };
    }

    public async ValueTask DisposeAsync()
    {
        await _onExpiry.DisposeAsync();
        await _onStop.DisposeAsync();
        await _onNotice.DisposeAsync();
        await StopWatchingAsync();
        _expiry.Dispose();
        _ended.Dispose();
    }

    private async Task StopWatchingAsync()
    {
        // Synchronously: the only one who listens is the delay of the watch.
        _ended.Cancel();
        await _watching;
        await _asking;
    }

    /// <summary>The program may not have been started yet: it is looked for until it is there or everything is over.</summary>
    private async Task AskToEndAsync()
    {
        while (!_ended.IsCancellationRequested && !_process.Terminate())
            await Task.Delay(TimeSpan.FromMilliseconds(20), _time, _ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void End(ExecutionResult verdict)
    {
        Interlocked.CompareExchange(ref _verdict, verdict, null);
        _process.Kill();
    }

    private async Task<ExecutionResult> OwnEndAsync(SandboxEnd end, string workFolder, string errorFile, LeaseMessage lease)
    {
        switch (end.ExitCode)
        {
            case 0:
                var collection = await OutputCollector.CollectAsync(workFolder, lease.Outputs, Budget.Left, CancellationToken.None);
                return collection.Reason is { } reason
                    ? Results.Failed(reason, collection.Message!)
                    : new ExecutionResult { Outcome = AttemptOutcomes.Succeeded, Outputs = collection.Files };
            case CheckpointSpec.ExitCode when lease.Checkpoint is not null:
                return Results.Checkpointed();
            case 128 + FileSizeSignal:
                return Results.Failed(ExecutionReasons.DiskLimit, $"The attempt wrote a file of more than its {_limits.DiskBytes} bytes. Raise limits.disk_bytes.");
            case 127 or 126 or 1 when FirstLine(errorFile) is var line && IsStartFailure(line):
                return Results.Failed(ExecutionReasons.ProgramNotFound, $"The program could not be started: {line}");
            case > 128 and <= 128 + LastSignal:
                return Results.Failed(ExecutionReasons.Signal, $"The program ended by signal {end.ExitCode - 128}.");
            default:
                return Results.Failed(ExecutionReasons.ExitCode, $"The program ended with exit code {end.ExitCode}.");
        }
    }

    private const int FileSizeSignal = 25;
    private const int LastSignal = 31;

    // The last step of our chain, failing to become the program.
    private static bool IsStartFailure(string line) =>
        line.StartsWith("setpriv: failed to execute", StringComparison.Ordinal) || line.StartsWith("bwrap: execvp", StringComparison.Ordinal)
        || line.StartsWith(SandboxHost.EnvironmentProgram + ":", StringComparison.Ordinal) || line.StartsWith("fog-limit:", StringComparison.Ordinal) || line.StartsWith("fog-sandbox:", StringComparison.Ordinal);

    private static string FirstLine(string file)
    {
        if (!File.Exists(file))
            return "";
        using var reader = new StreamReader(file);
        var buffer = new char[300];
        var count = reader.ReadBlock(buffer);
        return new string(buffer, 0, count).Split('\n')[0];
    }
}
