using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using FogCompute.Node.Execution.Outputs;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// Starts programs under bubblewrap (or, where the owner allows it, directly) with limits. Holds what the attempts of a device share: the spawner,
/// the control groups, the small <c>/etc</c> they see, the system call filter and the user ids they run as.
/// </summary>
/// <remarks>
/// The chain is <c>sh</c> (constant script: enters the control groups, sets limits, opens descriptors) → <c>bwrap</c> → as root: <c>setpriv</c>
/// (drops to a user id of this attempt alone, no capabilities) → the program. Each step replaces itself, so bwrap is our direct child and
/// its death takes the whole pid namespace along. As an ordinary user a user namespace does what setpriv does as root.
/// </remarks>
internal sealed class SandboxHost : IAsyncDisposable
{
    /// <summary>
    /// Positional parameters: status file, options file, filter file or empty, largest file in 512-byte blocks, most processes or empty, number of group files,
    /// the group files, the command. Nothing of a requester is ever text of the script. Descriptor 3 gets bwrap's status, 4 its options, 5 the filter.
    /// A file system or group that refuses ends the script before bwrap reports a start, which reads as a failed set-up.
    /// </summary>
    private const string Script = """
        status=$1 options=$2 filter=$3 blocks=$4 processes=$5 groups=$6
        shift 6
        while [ "$groups" -gt 0 ]; do echo 0 > "$1" || exit 125; shift; groups=$((groups - 1)); done
        ulimit -c 0
        ulimit -f "$blocks" || exit 125
        if [ -n "$processes" ]; then ulimit -p "$processes" 2>/dev/null || ulimit -u "$processes" || exit 125; fi
        echo 1000 > /proc/self/oom_score_adj
        [ -z "$status" ] || exec 3> "$status"
        [ -z "$options" ] || exec 4< "$options"
        [ -z "$filter" ] || exec 5< "$filter"
        exec "$@"
        """;

    /// <summary>Same for the step inside the sandbox of an ordinary user: the process limit must be set in the new user namespace to count only there.</summary>
    private const string InnerScript = """
        ulimit -p "$1" 2>/dev/null || ulimit -u "$1" || exit 125
        shift
        exec "$@"
        """;

    // Above the ranges that distributions, systemd and container engines hand out, below the 2^31 that some tools refuse.
    private const uint FirstUser = 1_990_000_000;
    private const uint UserCount = 256;
    private const int UnprivilegedUser = 1000;

    // bwrap twice (outside and as init inside): they count in the group but are not the payload's.
    private const int OwnProcesses = 2;
    private const long OwnMemory = 4 << 20;

    private readonly string _home;
    private readonly TimeProvider _time;
    private readonly ProcessSpawner _spawner = new();
    private readonly ConcurrentQueue<uint> _users = new(Enumerable.Range(0, (int)UserCount).Select(i => FirstUser + (uint)i));
    private readonly string? _filter;
    private readonly string? _setpriv;
    private long _sequence;

    private SandboxHost(string home, ControlGroups? groups, string? bubblewrap, TimeProvider time)
    {
        (_home, Groups, Bubblewrap, _time) = (home, groups, bubblewrap, time);
        _setpriv = Native.IsRoot ? Programs.Find("setpriv") : null;
        if (SystemCallFilter.Build() is { } program)
        {
            _filter = Path.Combine(home, "filter.bpf");
            File.WriteAllBytes(_filter, program);
        }
    }

    /// <summary>Null where limits are watched by sampling.</summary>
    public ControlGroups? Groups { get; }

    /// <summary>Path of bwrap; null when it is missing or does not work here.</summary>
    public string? Bubblewrap { get; private set; }

    public TimeProvider Time => _time;

    /// <summary>
    /// Prepares the device and finds out by a real run whether bubblewrap works. <paramref name="findings"/> gets one sentence for everything that
    /// is not available and why.
    /// </summary>
    public static async Task<SandboxHost> OpenAsync(ExecutorOptions options, TimeProvider time, List<string> findings, CancellationToken stop)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("Sandboxes need Linux.");
        var home = Path.Combine(Path.GetFullPath(options.StateFolder), "sandbox");
        // What an earlier, killed agent left: nothing in here outlives a process.
        if (Directory.Exists(home))
            WorkFolders.Remove(home);
        Directory.CreateDirectory(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.CreateDirectory(Path.Combine(home, "run"));
        WriteEtc(Path.Combine(home, "etc"));

        string? whyNot = "switched off";
        var groups = options.UseControlGroups ? ControlGroups.TryOpen(options.StateFolder, out whyNot) : null;
        if (groups is null)
            findings.Add($"Limits are watched by sampling, not by control groups: {whyNot}.");
        var host = new SandboxHost(home, groups, options.BubblewrapPath is { } given ? File.Exists(given) ? given : null : Programs.Find("bwrap"), time);
        if (host.Bubblewrap is null)
            findings.Add("Isolation sandbox is not offered: bubblewrap (bwrap) is not installed. Install the package 'bubblewrap'.");
        else if (Native.IsRoot && host._setpriv is null)
        {
            host.Bubblewrap = null;
            findings.Add("Isolation sandbox is not offered: the agent runs as root and setpriv is missing. Install the package 'util-linux'.");
        }
        else if (await host.TryOutAsync(stop) is { } fault)
        {
            host.Bubblewrap = null;
            findings.Add($"Isolation sandbox is not offered: a trial run of bubblewrap failed: {fault}");
        }
        return host;
    }

    /// <summary>Starts the program in a sandbox. Throws <see cref="IOException"/> or <see cref="System.ComponentModel.Win32Exception"/> when the device cannot.</summary>
    public Task<SandboxProcess> StartAsync(SandboxSpec spec) => StartAsync(spec, sandboxed: true, mark: null);

    /// <summary>Starts the program as the agent's own user, without sandbox (isolation <c>process</c>); <paramref name="mark"/> is a NAME=value that finds its strays.</summary>
    public Task<SandboxProcess> StartUnsandboxedAsync(SandboxSpec spec, string mark) => StartAsync(spec, sandboxed: false, mark);

    private async Task<SandboxProcess> StartAsync(SandboxSpec spec, bool sandboxed, string? mark)
    {
        var run = Path.Combine(_home, "run", Interlocked.Increment(ref _sequence).ToString(CultureInfo.InvariantCulture));
        string status = sandboxed ? run + ".status" : "", options = sandboxed ? run + ".options" : "";
        uint? user = null;
        ControlGroup? group = null;
        try
        {
            if (sandboxed && Native.IsRoot)
            {
                user = _users.TryDequeue(out var free) ? free : throw new IOException($"All {UserCount} user ids of the sandbox are in use.");
                WorkFolders.GiveTo(spec.WorkFolder, free);
            }
            group = Groups?.Rent();
            group?.Limit(spec.Limits.MemoryBytes + OwnMemory, spec.Limits.Processes + OwnProcesses);

            List<string> command = [];
            if (sandboxed)
            {
                await File.WriteAllTextAsync(options, string.Join('\0', Options(spec)) + '\0', new UTF8Encoding(false));
                command.AddRange([Bubblewrap!, "--args", "4", "--"]);
                if (user is { } id)
                {
                    var text = id.ToString(CultureInfo.InvariantCulture);
                    command.AddRange([_setpriv!, "--reuid", text, "--regid", text, "--clear-groups", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"]);
                }
                else if (group is null && CountsProcessesPerNamespace)
                    command.AddRange(["/bin/sh", "-c", InnerScript, "fog-limit", (spec.Limits.Processes + OwnProcesses).ToString(CultureInfo.InvariantCulture)]);
            }
            command.AddRange(spec.Command);

            // As root the user id is this attempt's alone, so the limit counts only its processes.
            var processes = group is null && user is not null ? (spec.Limits.Processes + OwnProcesses).ToString(CultureInfo.InvariantCulture) : "";
            var entries = group?.EntryFiles ?? [];
            var environment = sandboxed ? _plainEnvironment : spec.Environment;
            var process = await _spawner.StartAsync(
                "/bin/sh",
                [
                    "-c", Script, "fog-sandbox", status, options, sandboxed ? _filter ?? "" : "",
                    Math.Max(1, (spec.Limits.DiskBytes + 511) / 512).ToString(CultureInfo.InvariantCulture), processes,
                    entries.Count.ToString(CultureInfo.InvariantCulture), .. entries, .. command,
                ],
                environment, sandboxed ? "/" : spec.WorkFolder);
            return new SandboxProcess(this, process, group, user, sandboxed ? status : null, sandboxed ? options : null, mark);
        }
        catch
        {
            if (group is not null)
                Groups!.Return(group);
            if (user is { } id)
                _users.Enqueue(id);
            File.Delete(run + ".options");
            throw;
        }
    }

    internal void TakeBack(ControlGroup? group, uint? user)
    {
        if (group is not null)
            Groups!.Return(group);
        if (user is { } id)
            _users.Enqueue(id);
    }

    public ValueTask DisposeAsync()
    {
        _spawner.Dispose();
        Groups?.Dispose();
        WorkFolders.Remove(_home);
        return ValueTask.CompletedTask;
    }

    private static readonly Dictionary<string, string> _plainEnvironment = new() { ["PATH"] = "/usr/bin:/bin" };

    // Since 5.14 RLIMIT_NPROC counts per user *and user namespace*; before, it would count everything the agent's user runs.
    private static bool CountsProcessesPerNamespace => Environment.OSVersion.Version >= new Version(5, 14);

    private List<string> Options(SandboxSpec spec)
    {
        List<string> options =
        [
            "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session",
            "--hostname", "fog", "--json-status-fd", "3",
        ];
        if (!spec.Network)
            options.Add("--unshare-net");
        if (_filter is not null)
            options.AddRange(["--seccomp", "5"]);
        if (Native.IsRoot)
            // What setpriv needs to become somebody else; it keeps none of them.
            options.AddRange(["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]);
        else
            options.AddRange(["--unshare-user", "--uid", $"{UnprivilegedUser}", "--gid", $"{UnprivilegedUser}"]);

        options.AddRange(["--ro-bind", "/usr", "/usr"]);
        foreach (var folder in (ReadOnlySpan<string>)["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"])
            if (Directory.Exists(folder))
                options.AddRange(new DirectoryInfo(folder).LinkTarget is { } target ? ["--symlink", target, folder] : ["--ro-bind", folder, folder]);
        options.AddRange(["--ro-bind", Path.Combine(_home, "etc"), "/etc"]);
        if (spec.Network)
            options.AddRange(
            [
                "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf",
                "--ro-bind-try", "/etc/ssl/certs", "/etc/ssl/certs",
                "--ro-bind-try", "/etc/pki/tls/certs", "/etc/pki/tls/certs",
            ]);
        options.AddRange(["--proc", "/proc", "--dev", "/dev"]);
        // Files in memory: charged to the group where there is one, else only their size can bound them.
        var memoryFiles = Math.Max(1 << 20, Math.Min(spec.Limits.DiskBytes, Groups is null ? Math.Min(64 << 20, spec.Limits.MemoryBytes / 4) : spec.Limits.MemoryBytes));
        foreach (var place in (ReadOnlySpan<string>)["/tmp", "/dev/shm"])
            options.AddRange(["--perms", "1777", "--size", memoryFiles.ToString(CultureInfo.InvariantCulture), "--tmpfs", place]);
        // A folder that bwrap makes on the way to a mount point belongs to root alone; this one must be open to the payload's user.
        if (spec.ReadOnly.Count > 0)
            options.AddRange(["--dir", "/opt"]);
        foreach (var (inside, outside) in spec.ReadOnly)
            options.AddRange(["--ro-bind", outside, inside]);
        options.AddRange(["--bind", spec.WorkFolder, "/work", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/work", "--clearenv"]);
        foreach (var (name, value) in spec.Environment)
            options.AddRange(["--setenv", name, value]);
        return options;
    }

    /// <summary>The little of <c>/etc</c> that programs need, as copies: no names of the host's people, no keys, no configuration.</summary>
    private static void WriteEtc(string folder)
    {
        Directory.CreateDirectory(folder);
        var users = new StringBuilder("root:x:0:0:root:/:/usr/sbin/nologin\nfog:x:1000:1000:fog:/work:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n");
        var groups = new StringBuilder("root:x:0:\nfog:x:1000:\nnogroup:x:65534:\n");
        for (uint i = 0; i < UserCount; i++)
        {
            users.Append(CultureInfo.InvariantCulture, $"fog{i}:x:{FirstUser + i}:{FirstUser + i}:fog:/work:/bin/sh\n");
            groups.Append(CultureInfo.InvariantCulture, $"fog{i}:x:{FirstUser + i}:\n");
        }
        File.WriteAllText(Path.Combine(folder, "passwd"), users.ToString());
        File.WriteAllText(Path.Combine(folder, "group"), groups.ToString());
        File.WriteAllText(Path.Combine(folder, "hosts"), "127.0.0.1 localhost fog\n::1 localhost\n");
        File.WriteAllText(Path.Combine(folder, "nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n");
        // Mount points for what a job with network sees.
        File.WriteAllText(Path.Combine(folder, "resolv.conf"), "");
        Directory.CreateDirectory(Path.Combine(folder, "ssl/certs"));
        Directory.CreateDirectory(Path.Combine(folder, "pki/tls/certs"));
        foreach (var name in (ReadOnlySpan<string>)["ld.so.cache", "ld.so.conf", "localtime", "protocols", "services"])
            if (File.Exists("/etc/" + name))
                File.Copy("/etc/" + name, Path.Combine(folder, name));
        // Debian's names for programs: /usr/bin/awk → /etc/alternatives/awk → /usr/bin/mawk.
        if (!Directory.Exists("/etc/alternatives"))
            return;
        var alternatives = Directory.CreateDirectory(Path.Combine(folder, "alternatives")).FullName;
        foreach (var entry in new DirectoryInfo("/etc/alternatives").EnumerateFileSystemInfos())
            if (entry.LinkTarget is { } target)
                File.CreateSymbolicLink(Path.Combine(alternatives, entry.Name), target);
    }

    private async Task<string?> TryOutAsync(CancellationToken stop)
    {
        var work = Directory.CreateDirectory(Path.Combine(_home, "trial")).FullName;
        try
        {
            await using var process = await StartAsync(new SandboxSpec
            {
                Command = ["/usr/bin/env", "true"],
                WorkFolder = work,
                Environment = new Dictionary<string, string> { ["PATH"] = Programs.Path },
                Limits = new SandboxLimits(256 << 20, 32, 1 << 20),
            });
            process.Input.Close();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15), _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, patience.Token);
            using var reader = new StreamReader(process.Error);
            var said = reader.ReadToEndAsync(either.Token);
            try
            {
                var end = await process.EndAsync(either.Token);
                return end is { SetUpFailed: false, ExitCode: 0 } ? null : $"exit code {end.ExitCode}: {(await said).Trim()}";
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                return "it did not end within 15 s.";
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
        {
            return fault.Message;
        }
    }
}
