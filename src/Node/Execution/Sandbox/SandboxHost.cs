using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using FogCompute.Node.Execution.Outputs;
using Microsoft.Win32.SafeHandles;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// Starts programs under bubblewrap (or, where the owner allows it, directly) with limits. Holds what the attempts of a device share: the spawner,
/// the control groups, the small <c>/etc</c> they see, the system call filter and the user ids they run as.
/// </summary>
/// <remarks>
/// The chain is <c>sh</c> (constant script: enters the control groups, sets limits, opens descriptors) → <c>bwrap</c> → as root: <c>setpriv</c>
/// (drops to a user id of this attempt alone, no capabilities) → the program. Each step replaces itself, so bwrap is our direct child and
/// its death takes the whole pid namespace along. As an ordinary user a user namespace does what setpriv does as root. Commands come by the
/// thousand, so their chain begins at a <see cref="Launcher"/> that has done the slow first steps already; as root that is all but namespaces, <c>/proc</c>, three mounts and the user.
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

    /// <summary>The way to a launcher. Parameters: options, status and input file, filter or empty, number of group files, the group files, the command.</summary>
    private const string LauncherEntry = """
        exec 7< "$1" 8> "$2" 9< "$3" || exit 125
        [ -z "$4" ] || exec 5< "$4" || exit 125
        groups=$5
        shift 5
        while [ "$groups" -gt 0 ]; do echo 0 > "$1" || exit 125; shift; groups=$((groups - 1)); done
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

    // bwrap twice (outside and as init inside) and the launcher: they count in the group but are not the payload's.
    private const int OwnProcesses = 2;
    private static readonly int MostIdleLaunchers = 4 * Environment.ProcessorCount;
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan _launcherIdle = TimeSpan.FromMinutes(1);
    private const long OwnMemory = 6 << 20;

    private readonly string _home;
    private readonly TimeProvider _time;
    private readonly ProcessSpawner _spawner = new();
    private readonly ConcurrentQueue<uint> _users = new(Enumerable.Range(0, (int)UserCount).Select(i => FirstUser + (uint)i));
    private readonly ConcurrentBag<SandboxNotes> _notes = [];
    private readonly List<Launcher> _launchers = [];
    private readonly ITimer _idleLook;
    private readonly string? _filter;
    private readonly string? _launcherFilter;
    private readonly string? _setpriv;
    private readonly string _etc;

    // Null where the agent is not root or the trial failed: then bubblewrap builds the root of each command.
    private PreparedRoots? _roots;
    private string? _unshare;

    private SandboxHost(string home, ControlGroups? groups, string? bubblewrap, TimeProvider time)
    {
        (_home, _etc, Groups, Bubblewrap, _time, Disk) = (home, Path.Combine(home, "etc"), groups, bubblewrap, time, new DiskSpace(time));
        _idleLook = time.CreateTimer(_ => DropIdleLaunchers(), null, _launcherIdle / 2, _launcherIdle / 2);
        _setpriv = Native.IsRoot ? Programs.Find("setpriv") : null;
        if (SystemCallFilter.Build(procMounts: false) is { } program && SystemCallFilter.Build(procMounts: true) is { } launcherProgram)
        {
            (_filter, _launcherFilter) = (Path.Combine(home, "filter.bpf"), Path.Combine(home, "launcher-filter.bpf"));
            File.WriteAllBytes(_filter, program);
            File.WriteAllBytes(_launcherFilter, launcherProgram);
        }
    }

    /// <summary>Null where limits are watched by sampling.</summary>
    public ControlGroups? Groups { get; }

    /// <summary>Path of bwrap; null when it is missing or does not work here.</summary>
    public string? Bubblewrap { get; private set; }

    public TimeProvider Time => _time;

    public DiskSpace Disk { get; }

    /// <summary>
    /// Prepares the device and finds out by a real run whether bubblewrap works. <paramref name="findings"/> gets one sentence for everything that
    /// is not available and why.
    /// </summary>
    public static async Task<SandboxHost> OpenAsync(ExecutorOptions options, TimeProvider time, List<string> findings, CancellationToken stop)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("Sandboxes need Linux.");
        Native.KeepDescriptors();
        var home = Path.Combine(Path.GetFullPath(options.StateFolder), "sandbox");
        // What an earlier, killed agent left: nothing in here outlives a process.
        if (Directory.Exists(home))
            WorkFolders.Remove(home);
        Directory.CreateDirectory(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        WriteEtc(Path.Combine(home, "etc"));

        string? whyNot = "switched off";
        var groups = options.UseControlGroups ? ControlGroups.TryOpen(options.StateFolder, out whyNot) : null;
        if (groups is null)
            findings.Add($"Limits are watched by sampling, not by control groups: {whyNot}.");
        var host = new SandboxHost(home, groups, options.BubblewrapPath is { } given ? File.Exists(given) ? given : null : Programs.Find("bwrap"), time);
        try
        {
            if (host.Bubblewrap is null)
                findings.Add("Isolation sandbox is not offered: bubblewrap (bwrap) is not installed. Install the package 'bubblewrap'.");
            else if (Native.IsRoot && host._setpriv is null)
            {
                host.Bubblewrap = null;
                findings.Add("Isolation sandbox is not offered: the agent runs as root and setpriv is missing. Install the package 'util-linux'.");
            }
            else if (!await host.TryPreparedAsync(findings, stop) && await host.TryOutAsync(stop) is { } fault)
            {
                host.Bubblewrap = null;
                findings.Add($"Isolation sandbox is not offered: a trial run of bubblewrap failed: {fault}");
            }
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the program in a sandbox. Throws <see cref="IOException"/> or <see cref="System.ComponentModel.Win32Exception"/> when the device cannot.</summary>
    public Task<SandboxProcess> StartAsync(SandboxSpec spec) => StartAsync(spec, sandboxed: true, mark: null);

    /// <summary>Starts the program as the agent's own user, without sandbox (isolation <c>process</c>); <paramref name="mark"/> is a NAME=value that finds its strays.</summary>
    public Task<SandboxProcess> StartUnsandboxedAsync(SandboxSpec spec, string mark) => StartAsync(spec, sandboxed: false, mark);

    private async Task<SandboxProcess> StartAsync(SandboxSpec spec, bool sandboxed, string? mark)
    {
        uint? user = null;
        ControlGroup? group = null;
        SandboxNotes? notes = null;
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
                notes = _notes.TryTake(out var used) ? used : new SandboxNotes();
                notes.Write(Options(spec, ownNetwork: !spec.Network), null);
                command.AddRange(SandboxCommand(user, spec));
            }
            command.AddRange(spec.Command);

            // As root the user id is this attempt's alone, so the limit counts only its processes.
            var processes = group is null && user is not null ? (spec.Limits.Processes + OwnProcesses).ToString(CultureInfo.InvariantCulture) : "";
            var entries = group?.EntryFiles ?? [];
            var environment = sandboxed ? _plainEnvironment : spec.Environment;
            var begun = _time.GetTimestamp();
            var process = await _spawner.StartAsync(
                "/bin/sh",
                [
                    "-c", Script, "fog-sandbox", notes?.Paths.Status ?? "", notes?.Paths.Options ?? "", sandboxed ? _filter ?? "" : "",
                    Blocks(spec).ToString(CultureInfo.InvariantCulture), processes,
                    entries.Count.ToString(CultureInfo.InvariantCulture), .. entries, .. command,
                ],
                environment, sandboxed ? "/" : spec.WorkFolder);
            return new SandboxProcess(this, process, begun, group, user, notes, mark);
        }
        catch
        {
            TakeBack(group, user, notes);
            throw;
        }
    }

    /// <summary>
    /// A launcher that waits for a command: one that is warm, else a new one. Throws as <see cref="StartAsync(SandboxSpec)"/> does.
    /// </summary>
    public async Task<Launcher> TakeLauncherAsync(SandboxSpec spec)
    {
        var (network, prepared) = (spec.Network, FitsPreparedRoot(spec));
        // A prepared root shows the folders it was made of; where one was removed it would show nothing, and a new launcher says so.
        var whole = !prepared || File.Exists(Path.Combine(_etc, "passwd"));
        lock (_launchers)
        {
            var index = whole ? _launchers.FindLastIndex(idle => idle.Network == network && idle.Root is not null == prepared && !idle.Process.HasExited) : -1;
            if (index >= 0)
            {
                var warm = _launchers[index];
                _launchers.RemoveAt(index);
                return warm;
            }
        }
        uint? user = null;
        ControlGroup? group = null;
        SandboxNotes? notes = null;
        try
        {
            if (Native.IsRoot)
                user = _users.TryDequeue(out var free) ? free : throw new IOException($"All {UserCount} user ids of the sandbox are in use.");
            group = Groups?.Rent();
            notes = _notes.TryTake(out var used) ? used : new SandboxNotes();
            var entries = group?.EntryFiles ?? [];
            var userText = user?.ToString(CultureInfo.InvariantCulture) ?? "";
            List<string> command = [Bubblewrap!];
            if (prepared)
                command.AddRange(
                [
                    .. PreparedOptions(network), "--", _setpriv!, "--inh-caps=-all", "--", "/bin/sh", "-c", Launcher.Script, "fog-sandbox", "", _unshare!, userText, Launcher.FirstScript,
                ]);
            else
            {
                command.AddRange(["--dev-bind", "/", "/", "--die-with-parent"]);
                if (!network)
                    command.Add("--unshare-net");
                command.AddRange(Native.IsRoot ? ["--cap-add", "ALL"] : ["--unshare-user"]);
                command.AddRange(["--", "/bin/sh", "-c", Launcher.Script, "fog-sandbox", _filter ?? "", "", "", ""]);
            }
            var begun = _time.GetTimestamp();
            var process = await _spawner.StartAsync(
                "/bin/sh",
                ["-c", LauncherEntry, "fog-sandbox", notes.Paths.Options, notes.Paths.Status, notes.Paths.Input, prepared ? _launcherFilter ?? "" : "", entries.Count.ToString(CultureInfo.InvariantCulture), .. entries, .. command],
                _plainEnvironment, "/");
            var launcher = new SandboxProcess(this, process, begun, group, user, notes, mark: null, Launcher.OwnProcesses);
            // From here on its end gives back what it has.
            var given = notes;
            (group, user, notes) = (null, null, null);
            return new Launcher(launcher, given, network, await ReadyAsync(launcher, prepared));
        }
        catch
        {
            TakeBack(group, user, notes);
            throw;
        }
    }

    /// <summary>Waits until the launcher's shell is there; returns its mount namespace if its root is prepared. Throws <see cref="IOException"/> with what it said instead.</summary>
    private async Task<SafeFileHandle?> ReadyAsync(SandboxProcess launcher, bool prepared)
    {
        try
        {
            var word = new byte["ready\n".Length];
            if (await launcher.Output.ReadAtLeastAsync(word, word.Length, throwOnEndOfStream: false).AsTask().WaitAsync(_patience, _time) < word.Length)
            {
                using var errors = new StreamReader(launcher.Error);
                throw new IOException(await errors.ReadLineAsync().WaitAsync(_patience, _time) ?? "the launcher ended at its start.");
            }
            if (!prepared)
                return null;
            launcher.Shell = ProcessTree.Children(launcher.Id) is [var shell, ..] ? shell : throw new IOException("the launcher ended after its start.");
            return PreparedRoots.Of(launcher.Shell.Value);
        }
        catch (Exception fault)
        {
            await launcher.DisposeAsync();
            if (fault is TimeoutException)
                throw new IOException($"the launcher was not ready within {_patience.TotalSeconds} s.", fault);
            throw;
        }
    }

    /// <summary>Starts the program of <paramref name="spec"/> in a sandbox below the launcher.</summary>
    public async Task<Launcher.Marks> StartAsync(Launcher launcher, SandboxSpec spec, string? input)
    {
        if (launcher.Process.User is { } user)
            WorkFolders.GiveTo(spec.WorkFolder, user);
        var baseline = launcher.Process.Mark();
        launcher.Process.Limit(spec.Limits.MemoryBytes + OwnMemory, spec.Limits.Processes + OwnProcesses + Launcher.OwnProcesses);
        int? processes = !launcher.Process.HasGroup && launcher.Process.User is not null ? spec.Limits.Processes + OwnProcesses : null;
        if (launcher.Root is null)
            return await launcher.StartAsync(Options(spec, ownNetwork: false), input, [.. SandboxCommand(launcher.Process.User, spec), .. spec.Command], Blocks(spec), processes, baseline);
        await _roots!.FurnishAsync(launcher.Root, spec.WorkFolder, MemoryFiles(spec));
        return await launcher.StartAsync([], input, PreparedCommand(spec), Blocks(spec), processes, baseline);
    }

    /// <summary>Takes back a launcher whose command has ended. It is used again only when nothing of that command is left and nothing had to be killed.</summary>
    public async Task ReturnAsync(Launcher launcher, bool clean)
    {
        Launcher? surplus = launcher;
        if (clean && launcher.Root is { } root)
            try
            {
                await _roots!.ClearAsync(root);
            }
            catch (IOException)
            {
                // Nobody gets what is left in it: the launcher goes, and its mounts with it.
                clean = false;
            }
        if (clean && launcher.Process is { HasExited: false, CountsAfresh: true })
            lock (_launchers)
            {
                launcher.LastUse = _time.GetTimestamp();
                _launchers.Add(launcher);
                surplus = null;
                if (_launchers.Count > MostIdleLaunchers)
                {
                    surplus = _launchers[0];
                    _launchers.RemoveAt(0);
                }
            }
        if (surplus is not null)
            await surplus.DisposeAsync();
    }

    private void DropIdleLaunchers()
    {
        List<Launcher> idle;
        lock (_launchers)
        {
            idle = _launchers.FindAll(launcher => _time.GetElapsedTime(launcher.LastUse) > _launcherIdle);
            _launchers.RemoveAll(idle.Contains);
        }
        foreach (var launcher in idle)
            launcher.Process.Kill();
        _ = Task.WhenAll(idle.Select(launcher => launcher.DisposeAsync().AsTask()));
    }

    /// <summary>
    /// Whether a prepared root can give the command what it asks for: no further host files, and a program's name that <c>sh</c> and <c>env</c> take for one.
    /// </summary>
    private bool FitsPreparedRoot(SandboxSpec spec) =>
        _roots is not null && spec.ReadOnly.Count == 0 && !spec.Command[0].StartsWith('-') && !spec.Command[0].Contains('=');

    /// <summary>The words for <see cref="Launcher.FirstScript"/>. Names that are the requester's do not become variables of the shell, where they could mean something.</summary>
    private static List<string> PreparedCommand(SandboxSpec spec)
    {
        var variables = spec.Environment.Select(pair => $"{pair.Key}={pair.Value}");
        return spec.Environment.Keys.All(_ownVariables.Contains)
            ? [spec.Environment.Count.ToString(CultureInfo.InvariantCulture), .. variables, .. spec.Command]
            : ["0", EnvironmentProgram, "-i", .. variables, .. spec.Command];
    }

    // The odd path tells its complaints from those of a payload that calls it too.
    internal const string EnvironmentProgram = "/usr/bin/./env";

    private static readonly HashSet<string> _ownVariables = ["PATH", "HOME", "TMPDIR", "LANG", "FOG_TASK_INDEX", "FOG_TASK_COUNT", "FOG_JOB_ID", "FOG_CHECKPOINT_DIR"];

    /// <summary>The root that all commands of a launcher see, and nothing more than the launcher needs to give each its own namespaces and user in it.</summary>
    private List<string> PreparedOptions(bool network)
    {
        List<string> options =
        [
            "--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session", "--hostname", "fog",
            "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID",
        ];
        if (!network)
            options.Add("--unshare-net");
        if (_launcherFilter is not null)
            options.AddRange(["--seccomp", "5"]);
        options.AddRange(SystemOptions(network));
        options.AddRange(["--dir", "/tmp", "--dir", "/dev/shm", "--dir", "/work", "--remount-ro", "/dev", "--remount-ro", "/", "--clearenv", "--setenv", "PATH", _plainEnvironment["PATH"]]);
        return options;
    }

    private string[] SandboxCommand(uint? user, SandboxSpec spec)
    {
        string[] bubblewrap = [Bubblewrap!, "--args", "4", "--"];
        if (user is { } id)
        {
            var text = id.ToString(CultureInfo.InvariantCulture);
            return [.. bubblewrap, _setpriv!, "--reuid", text, "--regid", text, "--clear-groups", "--inh-caps=-all", "--"];
        }
        return Groups is null && CountsProcessesPerNamespace
            ? [.. bubblewrap, "/bin/sh", "-c", InnerScript, "fog-limit", (spec.Limits.Processes + OwnProcesses).ToString(CultureInfo.InvariantCulture)]
            : bubblewrap;
    }

    private static long Blocks(SandboxSpec spec) => Math.Max(1, (spec.Limits.DiskBytes + 511) / 512);

    internal void TakeBack(ControlGroup? group, uint? user, SandboxNotes? notes)
    {
        if (notes is not null)
            _notes.Add(notes);
        if (group is not null)
            Groups!.Return(group);
        if (user is { } id)
            _users.Enqueue(id);
    }

    public async ValueTask DisposeAsync()
    {
        await _idleLook.DisposeAsync();
        foreach (var launcher in _launchers)
            await launcher.DisposeAsync();
        _spawner.Dispose();
        _roots?.Dispose();
        Groups?.Dispose();
        foreach (var notes in _notes)
            notes.Dispose();
        WorkFolders.Remove(_home);
    }

    private static readonly Dictionary<string, string> _plainEnvironment = new() { ["PATH"] = "/usr/bin:/bin" };

    // Since 5.14 RLIMIT_NPROC counts per user *and user namespace*; before, it would count everything the agent's user runs.
    private static bool CountsProcessesPerNamespace => Environment.OSVersion.Version >= new Version(5, 14);

    /// <param name="ownNetwork">Whether this sandbox makes a network namespace; else it has the one it is started in.</param>
    private List<string> Options(SandboxSpec spec, bool ownNetwork)
    {
        List<string> options =
        [
            "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session",
            "--hostname", "fog", "--json-status-fd", "3",
        ];
        if (ownNetwork)
            options.Add("--unshare-net");
        if (_filter is not null)
            options.AddRange(["--seccomp", "5"]);
        if (Native.IsRoot)
            // What setpriv needs to become somebody else; it keeps none of them.
            options.AddRange(["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]);
        else
            options.AddRange(["--unshare-user", "--uid", $"{UnprivilegedUser}", "--gid", $"{UnprivilegedUser}"]);

        options.AddRange(SystemOptions(spec.Network));
        foreach (var place in (ReadOnlySpan<string>)["/tmp", "/dev/shm"])
            options.AddRange(["--perms", "1777", "--size", MemoryFiles(spec).ToString(CultureInfo.InvariantCulture), "--tmpfs", place]);
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

    /// <summary>Files in memory: charged to the group where there is one, else only their size (bytes) can bound them.</summary>
    private long MemoryFiles(SandboxSpec spec) =>
        Math.Max(1 << 20, Math.Min(spec.Limits.DiskBytes, Groups is null ? Math.Min(64 << 20, spec.Limits.MemoryBytes / 4) : spec.Limits.MemoryBytes));

    /// <summary>What every sandbox shows of the system.</summary>
    private List<string> SystemOptions(bool network)
    {
        List<string> options = ["--ro-bind", "/usr", "/usr"];
        foreach (var folder in (ReadOnlySpan<string>)["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"])
            if (Directory.Exists(folder))
                options.AddRange(new DirectoryInfo(folder).LinkTarget is { } target ? ["--symlink", target, folder] : ["--ro-bind", folder, folder]);
        options.AddRange(["--ro-bind", _etc, "/etc"]);
        if (network)
            options.AddRange(
            [
                "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf",
                "--ro-bind-try", "/etc/ssl/certs", "/etc/ssl/certs",
                "--ro-bind-try", "/etc/pki/tls/certs", "/etc/pki/tls/certs",
            ]);
        options.AddRange(["--proc", "/proc", "--dev", "/dev"]);
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

    /// <summary>Whether launchers with a prepared root work here.</summary>
    private async Task<bool> TryPreparedAsync(List<string> findings, CancellationToken stop)
    {
        if (!Native.IsRoot || (_unshare = Programs.Find("unshare")) is null)
            return false;
        _roots = new PreparedRoots();
        if (await TryOutAsync(stop) is not { } fault)
            return true;
        _roots.Dispose();
        _roots = null;
        findings.Add($"Commands start more slowly, each from a bubblewrap of its own: a trial run with a prepared root failed: {fault}");
        return false;
    }

    private async Task<string?> TryOutAsync(CancellationToken stop)
    {
        var work = Directory.CreateDirectory(Path.Combine(_home, "trial")).FullName;
        try
        {
            var spec = new SandboxSpec
            {
                Command = ["/usr/bin/env", "true"],
                WorkFolder = work,
                Environment = new Dictionary<string, string> { ["PATH"] = Programs.Path },
                Limits = new SandboxLimits(256 << 20, 32, 1 << 20),
            };
            var launcher = await TakeLauncherAsync(spec);
            var clean = false;
            using var patience = new CancellationTokenSource(_patience, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, patience.Token);
            try
            {
                var marks = await StartAsync(launcher, spec, input: null);
                var (budget, errors) = (new OutputBudget(1 << 16), Path.Combine(_home, "trial-stderr"));
                var said = await Task.WhenAll(
                    OutputPump.CopyAsync(launcher.Process.Output, Path.Combine(_home, "trial-stdout"), budget, () => { }, marks.End, marks.Begin),
                    OutputPump.CopyAsync(launcher.Process.Error, errors, budget, () => { }, marks.End, marks.Begin)).WaitAsync(either.Token);
                clean = said[0] is { Exit: 0 } && launcher.SetUp;
                return clean ? null : $"exit code {said[0]?.Exit}: {(File.Exists(errors) ? (await File.ReadAllTextAsync(errors, stop)).Trim() : "")}";
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                return $"it did not end within {_patience.TotalSeconds} s.";
            }
            finally
            {
                await ReturnAsync(launcher, clean && await launcher.Process.QuietAsync());
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
        {
            return fault.Message;
        }
    }
}
