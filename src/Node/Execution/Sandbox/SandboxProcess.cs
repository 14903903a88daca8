using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>How a sandboxed process ended. <see cref="SetUpFailed"/>: bubblewrap never got to start the program, which is the device's fault.</summary>
internal readonly record struct SandboxEnd(int ExitCode, bool SetUpFailed);

/// <summary>What an attempt used; the peak is null until something was measured.</summary>
internal readonly record struct Usage(long MemoryBytes, long? PeakBytes, TimeSpan Cpu, int Threads, long OutOfMemoryKills, long RefusedForks);

/// <summary>A running sandbox and everything in it. Disposing kills it, waits until its last process is gone and gives its resources back.</summary>
internal sealed partial class SandboxProcess(
    SandboxHost host, Process process, long begun, ControlGroup? group, uint? user, SandboxNotes? notes, string? mark, int ownProcesses = 0) : IAsyncDisposable
{
    /// <summary>Processes that stand by while no payload runs.</summary>
    public int OwnProcesses => ownProcesses;

    /// <summary>The shell of a launcher with a prepared root: first process of a pid namespace that holds those of all its commands.</summary>
    public int? Shell { get; set; }

    private TimeSpan _cpuBefore;
    private TimeSpan _sampledCpu;
    private long? _sampledPeak;
    private bool _disposed;

    /// <summary>Timestamp of its start; waiting for a turn is not in it.</summary>
    public long Begun => begun;

    public Stream Input => process.StandardInput.BaseStream;

    public Stream Output => process.StandardOutput.BaseStream;

    public Stream Error => process.StandardError.BaseStream;

    /// <summary>Whether the kernel keeps the limits; else they are watched.</summary>
    public bool HasGroup => group is not null;

    /// <summary>Whether <see cref="Mark"/> makes the peak start afresh, so that one attempt's does not become the next one's.</summary>
    public bool CountsAfresh => group is null || host.Groups!.Reusable;

    public DiskSpace Disk => host.Disk;

    public bool HasExited => process.HasExited;

    public int Id => process.Id;

    /// <summary>User id the payload runs as when the agent is root.</summary>
    public uint? User => user;

    public void Limit(long memoryBytes, int processes) => group?.Limit(memoryBytes, processes);

    /// <summary>Counts from now on: a warm runner's own start is not the attempt's. Returns the memory that is in use already, bytes.</summary>
    public long Mark()
    {
        if (group is not null)
            return group.Mark();
        var seen = ProcessTree.Look(Members());
        // A launcher's sum has the commands that it waited for before.
        (_cpuBefore, _sampledCpu, _sampledPeak) = (seen.Cpu, TimeSpan.Zero, null);
        return seen.ResidentBytes;
    }

    /// <summary>Measures now.</summary>
    public Usage Measure()
    {
        if (group is not null)
        {
            var used = group.Usage();
            return new Usage(used.MemoryBytes, used.PeakBytes, used.Cpu, 0, used.OutOfMemoryKills, used.RefusedForks);
        }
        var seen = ProcessTree.Look(Members());
        // CPU of processes that ended between two looks is in their parent's sum; a sum that shrinks is a torn look.
        var cpu = seen.Cpu - _cpuBefore;
        _sampledCpu = cpu > _sampledCpu ? cpu : _sampledCpu;
        if (seen.Processes > 0)
            _sampledPeak = Math.Max(_sampledPeak ?? 0, seen.ResidentBytes);
        return new Usage(seen.ResidentBytes, _sampledPeak, _sampledCpu, seen.Threads, 0, 0);
    }

    public IReadOnlyList<int> Members() => group is not null ? group.Processes() : ProcessTree.Members(process.Id);

    /// <summary>Ends everything. Returns at once; <see cref="EndAsync"/> tells when it has happened.</summary>
    public void Kill()
    {
        if (mark is not null)
            KillStrays();
        if (!process.HasExited)
            Native.Kill(process.Id);
    }

    /// <summary>SIGTERM to the program itself, which may pass it on to what it has started; false while there is no program yet.</summary>
    public bool Terminate()
    {
        if (notes is null)
            return Native.Terminate(process.Id);
        // Below the shell: unshare, the first process of the command, the program.
        if (Shell is { } shell)
            return ProcessTree.Children(shell) is [var unshare, ..] && ProcessTree.Children(unshare) is [var first, ..] && ProcessTree.Children(first) is [var own, ..] && Native.Terminate(own);
        // The first child of the namespace's first process; later ones were orphaned to it.
        return InitProcess() is { } init && ProcessTree.Children(init) is [var program, ..] && Native.Terminate(program);
    }

    /// <summary>Waits until the program has ended and no process of the sandbox is left.</summary>
    public async Task<SandboxEnd> EndAsync(CancellationToken stop)
    {
        await process.WaitForExitAsync(stop);
        // bwrap ends as soon as the program does; the kernel then ends the rest of the pid namespace, a moment later.
        var init = group is null ? Shell ?? InitProcess() : null;
        for (var wait = 0; wait < 5000 && StillThere(init); wait++)
        {
            if (mark is not null || wait > 500)
                foreach (var stray in group?.Processes() ?? [])
                    Native.Kill(stray);
            await Task.Delay(TimeSpan.FromMilliseconds(1), host.Time, CancellationToken.None);
        }
        return new SandboxEnd(process.ExitCode, notes?.ReadStatus().Contains("\"exit-code\"", StringComparison.Ordinal) == false);
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        Kill();
        await EndAsync(CancellationToken.None);
        process.Dispose();
        host.TakeBack(group, user, notes);
    }

    /// <summary>Waits until of a launcher nothing but itself is left; false when that takes longer than it may.</summary>
    public async Task<bool> QuietAsync()
    {
        // Without a group the tree does not show what was orphaned; it ends with the first process of its pid namespace. unshare has waited for that already.
        var init = group is null && Shell is null ? InitProcess() : null;
        for (var wait = 0; Members().Count > ownProcesses || (init is { } first && ProcessTree.IsAlive(first)); wait++)
        {
            if (wait == 1000)
                return false;
            await Task.Delay(TimeSpan.FromMilliseconds(1), host.Time, CancellationToken.None);
        }
        return true;
    }

    private bool StillThere(int? init)
    {
        if (group is not null)
            return group.Processes().Count > 0;
        if (mark is not null)
            return KillStrays();
        return init is { } process && ProcessTree.IsAlive(process);
    }

    private bool KillStrays()
    {
        var any = false;
        foreach (var stray in ProcessTree.Marked(mark!).Where(ProcessTree.IsAlive).ToList())
        {
            Native.Kill(stray);
            any = true;
        }
        return any;
    }

    // bwrap writes {"child-pid": n, …} once the namespaces exist and {"exit-code": n} when a program that was really started has ended.
    private int? InitProcess() =>
        notes is not null && ChildPid().Match(notes.ReadStatus()) is { Success: true } match
            ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)
            : null;

    [GeneratedRegex("\"child-pid\": ([0-9]+)", RegexOptions.NonBacktracking)]
    private static partial Regex ChildPid();
}
