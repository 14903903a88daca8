using System.Diagnostics;
using System.Runtime.InteropServices;
using FogCompute.Protocol;

namespace FogCompute.Cli.Processes;

/// <summary>
/// A part of the product that this command started. It runs in a session of its own (Ctrl-C reaches only the command, which then stops its
/// children in order), reads nothing, writes to its log, and is told our process id so that it ends by itself should we be killed.
/// </summary>
public sealed class ChildProcess : IDisposable
{
    private const int SigTerm = 15;
    private const int SigKill = 9;
    private const int LogLineShown = 400;
    private const long LogRotationBytes = 16 << 20;
    private readonly Process _process;
    private readonly bool _ownGroup;

    private ChildProcess(string name, Process process, string? log, bool ownGroup)
    {
        Name = name;
        Log = log;
        _process = process;
        _ownGroup = ownGroup;
        ProcessId = process.Id;
    }

    public string Name { get; }
    public int ProcessId { get; }

    /// <summary>File with everything it wrote; null when it writes to our own streams.</summary>
    public string? Log { get; }

    public bool HasExited => _process.HasExited;
    public int ExitCode => _process.ExitCode;

    /// <summary>Starts <c>dotnet dll args…</c>.</summary>
    /// <param name="log">File to append to, or null to share our stdout and stderr.</param>
    /// <param name="environment">Changes to our environment; a null value removes the variable.</param>
    public static ChildProcess Start(string name, string dotnet, string dll, IEnumerable<string> args, string? log,
        IReadOnlyDictionary<string, string?> environment)
    {
        if (log is not null)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(log)!);
            if (File.Exists(log) && new FileInfo(log).Length > LogRotationBytes)
                File.Move(log, log + ".1", overwrite: true);
        }
        var setsid = FindTool("setsid");
        var start = new ProcessStartInfo { FileName = setsid ?? "/bin/sh", UseShellExecute = false };
        if (setsid is not null)
            start.ArgumentList.Add("/bin/sh");
        start.ArgumentList.Add("-c");
        // exec keeps the process id: what we signal is the program itself, not a shell.
        start.ArgumentList.Add(log is null ? "exec \"$@\" </dev/null" : "exec \"$@\" >>\"$0\" 2>&1 </dev/null");
        start.ArgumentList.Add(log ?? name);
        start.ArgumentList.Add(dotnet);
        start.ArgumentList.Add(dll);
        foreach (var arg in args)
            start.ArgumentList.Add(arg);
        foreach (var (key, value) in environment)
        {
            if (value is null)
                start.Environment.Remove(key);
            else
                start.Environment[key] = value;
        }
        start.Environment[ParentWatch.Variable] = Environment.ProcessId.ToString();
        var process = Process.Start(start) ?? throw new CliException(ExitCodes.Error, $"{name} could not be started.", "Run: fog doctor");
        return new ChildProcess(name, process, log, setsid is not null);
    }

    /// <summary>
    /// Asks it to end (SIGTERM) and waits; after <paramref name="grace"/> it is killed together with whatever it started in its session.
    /// </summary>
    /// <returns>Whether it ended by itself.</returns>
    public async Task<bool> StopAsync(TimeSpan grace)
    {
        if (_process.HasExited)
            return true;
        Signal(SigTerm, group: false);
        using var limit = new CancellationTokenSource(grace);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            await KillAsync();
            return false;
        }
    }

    /// <summary>SIGKILL to it and its group, as if its machine lost power.</summary>
    public async Task KillAsync()
    {
        if (_process.HasExited)
            return;
        Signal(SigKill, _ownGroup);
        await _process.WaitForExitAsync();
    }

    public Task WaitForExitAsync(CancellationToken cancel) => _process.WaitForExitAsync(cancel);

    /// <summary>The last lines of its log, each cut after 400 characters; empty when it has none. The whole log is in <see cref="Log"/>.</summary>
    public IReadOnlyList<string> LogTail(int lines)
    {
        if (Log is null || !File.Exists(Log))
            return [];
        using var file = new FileStream(Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Seek(-Math.Min(file.Length, 64 * 1024), SeekOrigin.End);
        using var reader = new StreamReader(file);
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(lines)
            .Select(line => line.Length <= LogLineShown ? line : line[..LogLineShown] + " …")];
    }

    public void Dispose() => _process.Dispose();

    /// <summary>A program on PATH or in the folders that PATH of a plain user lacks; null when it is not installed.</summary>
    public static string? FindTool(string name)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Concat(["/usr/bin", "/bin", "/usr/sbin", "/sbin"]);
        return folders.Select(f => Path.Combine(f, name)).FirstOrDefault(File.Exists);
    }

    private void Signal(int signal, bool group)
    {
        // ESRCH: it ended between the check and the signal, which is what we wanted.
        const int noSuchProcess = 3;
        if (Kill(group ? -ProcessId : ProcessId, signal) != 0 && Marshal.GetLastPInvokeError() is var error and not noSuchProcess)
            throw new CliException(ExitCodes.Error, $"{Name} (process {ProcessId}) cannot be signalled: {Marshal.GetPInvokeErrorMessage(error)}.",
                $"Stop it by hand: kill {ProcessId}");
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int processId, int signal);
}

/// <summary>Finds processes that belong to a folder: it is their working directory, or it is named in their arguments or environment.</summary>
public static class Leftovers
{
    public sealed record Found(int ProcessId, string CommandLine);

    /// <summary>Living processes of the folder, ourselves excepted. Linux only; elsewhere the list is empty.</summary>
    public static IReadOnlyList<Found> Of(string folder)
    {
        var found = new List<Found>();
        if (!Directory.Exists("/proc/self"))
            return found;
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry), out var id) || id == Environment.ProcessId)
                continue;
            var commandLine = Read(entry + "/cmdline");
            // A zombie has neither arguments nor a working directory: it holds nothing any more.
            if (commandLine.Contains(folder, StringComparison.Ordinal) || Read(entry + "/environ").Contains(folder, StringComparison.Ordinal)
                || WorkingDirectory(entry) is { } cwd && (cwd == folder || cwd.StartsWith(folder + "/", StringComparison.Ordinal)))
                found.Add(new Found(id, commandLine.Replace('\0', ' ').Trim()));
        }
        return found;
    }

    /// <summary>SIGKILL by process id.</summary>
    public static void Kill(Found process)
    {
        try
        {
            using var target = Process.GetProcessById(process.ProcessId);
            target.Kill();
        }
        catch (ArgumentException)
        {
            // It ended meanwhile.
        }
    }

    // Processes of other users and those that end while we look cannot be read: they are not ours, or no more.
    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string? WorkingDirectory(string entry)
    {
        try
        {
            return new FileInfo(entry + "/cwd").LinkTarget;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
