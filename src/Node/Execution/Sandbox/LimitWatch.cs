using FogCompute.Node.Execution.Outputs;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// Looks after the limits that the kernel does not keep for us (disk; without control groups also memory and processes) and notices where it did (its out-of-memory
/// killer, refused forks). Free space of the disk is looked at every 25 ms, since that is cheap and a flood shows there first; the rest every 100 ms.
/// </summary>
internal sealed class LimitWatch(SandboxProcess process, string workFolder, SandboxLimits limits, long memoryBaseline, DiskSpace disk, TimeProvider time)
{
    private const int QuickLook = 25;
    private const int LooksPerRound = 4;

    // This many rounds in a row with refused forks is a bomb, not a program that copes with a full house.
    private const int RefusedRounds = 5;

    private long _freeAtStart;
    private long _freeAtWalk;
    private int _refusedRounds;
    private long _refused;
    private TimeSpan _walkTook;
    private long _lastWalk;

    /// <summary>Reason and sentence of the limit that was exceeded first.</summary>
    public (string Reason, string Message)? Exceeded { get; private set; }

    /// <summary>Watches until a limit is exceeded (then kills) or the process is no longer to be watched.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        _freeAtStart = _freeAtWalk = FreeBytes();
        _lastWalk = time.GetTimestamp();
        for (var look = 1; ; look++)
        {
            // Most attempts end before the first look: that is no exception.
            await Task.Delay(TimeSpan.FromMilliseconds(QuickLook), time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stop.IsCancellationRequested)
                return;
            try
            {
                Exceeded = Disk(look % LooksPerRound == 0, stop) ?? (!process.HasGroup || look % LooksPerRound == 0 ? Processes(process.Measure(), running: true) : null);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            if (Exceeded is not null)
            {
                process.Kill();
                return;
            }
        }
    }

    /// <summary>The last look, after the end: what happened since the one before it. The folder's content may have been moved meanwhile.</summary>
    public void Conclude(Usage used, int exitCode, string folder)
    {
        Exceeded ??= Processes(used, running: false)
            ?? (used.RefusedForks > 0 && exitCode != 0 ? TooManyProcesses() : default((string, string)?))
            ?? (WorkFolders.AllocatedBytes(folder, CancellationToken.None) > limits.DiskBytes ? DiskFull() : default((string, string)?));
    }

    private (string, string)? Processes(Usage used, bool running)
    {
        if (used.OutOfMemoryKills > 0)
            return MemoryFull();
        if (!process.HasGroup && running)
        {
            // The resident sum counts shared pages several times: take the exact one before ending somebody's work.
            if (used.MemoryBytes - memoryBaseline > limits.MemoryBytes && ProcessTree.ProportionalBytes(process.Members()) - memoryBaseline > limits.MemoryBytes)
                return MemoryFull();
            if (used.Threads > limits.Processes + 2 + process.OwnProcesses)
                return TooManyProcesses();
        }
        _refusedRounds = used.RefusedForks > _refused ? _refusedRounds + 1 : 0;
        _refused = used.RefusedForks;
        return _refusedRounds >= RefusedRounds ? TooManyProcesses() : null;
    }

    private (string, string)? Disk(bool round, CancellationToken stop)
    {
        var free = FreeBytes();
        // A walk may be long when there are many files; it then gets a tenth of the time, unless space is vanishing.
        var due = round && time.GetElapsedTime(_lastWalk) > _walkTook * 10;
        if (!due && _freeAtWalk - free < Math.Max(limits.DiskBytes / 4, 4 << 20))
            return null;
        _freeAtWalk = free;
        var before = time.GetTimestamp();
        var used = WorkFolders.AllocatedBytes(workFolder, stop);
        if (used <= limits.DiskBytes && _freeAtStart - free > limits.DiskBytes)
            used += ProcessTree.DeletedFileBytes(process.Members(), workFolder);
        _lastWalk = time.GetTimestamp();
        _walkTook = time.GetElapsedTime(before, _lastWalk);
        return used > limits.DiskBytes ? DiskFull() : null;
    }

    private long FreeBytes() => disk.FreeBytes(workFolder);

    private (string, string) MemoryFull() =>
        (ExecutionReasons.MemoryLimit, $"The attempt used more than its {limits.MemoryBytes} bytes of memory. Raise limits.memory_bytes.");

    private (string, string) TooManyProcesses() =>
        (ExecutionReasons.ProcessLimit, $"The attempt wanted more than its {limits.Processes} processes and threads. Raise limits.processes.");

    private (string, string) DiskFull() =>
        (ExecutionReasons.DiskLimit, $"The attempt wrote more than its {limits.DiskBytes} bytes to its work folder. Raise limits.disk_bytes.");
}
