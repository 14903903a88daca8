using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// One file of a control group, kept open: read and written by the dozen for every attempt, and finding it again would cost several times as much as what it says.
/// </summary>
internal sealed class GroupFile(string path) : IDisposable
{
    private readonly SafeFileHandle _file = File.OpenHandle(path, FileMode.Open, IsWritable(path) ? FileAccess.ReadWrite : FileAccess.Read, FileShare.ReadWrite);

    /// <summary>The number that is the whole content; what is no number (<c>max</c>) is the largest.</summary>
    public long Number()
    {
        Span<byte> buffer = stackalloc byte[64];
        var text = buffer[..RandomAccess.Read(_file, buffer, 0)];
        return Utf8Parser.TryParse(text, out long value, out _) ? value : long.MaxValue;
    }

    /// <summary>A value in a file of lines "key value"; 0 when the key is not there.</summary>
    public long Field(ReadOnlySpan<byte> key)
    {
        Span<byte> buffer = stackalloc byte[2048];
        ReadOnlySpan<byte> text = buffer[..RandomAccess.Read(_file, buffer, 0)];
        foreach (var line in text.Split((byte)'\n'))
            if (text[line] is var words && words.Length > key.Length && words[key.Length] == ' ' && words.StartsWith(key) && Utf8Parser.TryParse(words[(key.Length + 1)..], out long value, out _))
                return value;
        return 0;
    }

    public void Write(ReadOnlySpan<byte> text) => RandomAccess.Write(_file, text, 0);

    public void Dispose() => _file.Dispose();

    private static bool IsWritable(string path) => !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & UnixFileMode.UserWrite) != UnixFileMode.None;
}

/// <summary>What an attempt used so far. Counters count from the start of the attempt.</summary>
internal readonly record struct GroupUsage(long MemoryBytes, long PeakBytes, TimeSpan Cpu, long OutOfMemoryKills, long RefusedForks);

/// <summary>One attempt's control group (in every hierarchy it needs).</summary>
internal abstract class ControlGroup
{
    private GroupUsage _base;

    /// <summary>Files to which a process writes <c>0</c> to enter the group.</summary>
    public abstract IReadOnlyList<string> EntryFiles { get; }

    /// <summary>Sets the limits; processes counts threads too, as the kernel does.</summary>
    public abstract void Limit(long memoryBytes, int processes);

    public abstract IReadOnlyList<int> Processes();

    /// <summary>Whether nothing counts against the limits any more, not even a process that is dead but not yet reaped.</summary>
    public abstract bool IsUnused { get; }

    protected abstract GroupUsage Read();

    /// <summary>Removes the group; false while a process is in it.</summary>
    public abstract bool TryRemove();

    public GroupUsage Usage()
    {
        var now = Read();
        return now with
        {
            Cpu = now.Cpu - _base.Cpu,
            OutOfMemoryKills = now.OutOfMemoryKills - _base.OutOfMemoryKills,
            RefusedForks = now.RefusedForks - _base.RefusedForks,
        };
    }

    /// <summary>Makes this moment the start that <see cref="Usage"/> counts from; returns the memory in use now, bytes.</summary>
    public long Mark() => (_base = Read()).MemoryBytes;

    protected static long Number(string file)
    {
        var text = File.ReadAllText(file).AsSpan().Trim();
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : long.MaxValue;
    }

    /// <summary>A value in a file of lines "key value"; 0 when the key is not there.</summary>
    internal static long Field(string file, string key)
    {
        foreach (var line in File.ReadLines(file))
            if (line.Length > key.Length && line[key.Length] == ' ' && line.StartsWith(key, StringComparison.Ordinal))
                return long.Parse(line.AsSpan(key.Length + 1), CultureInfo.InvariantCulture);
        return 0;
    }

    internal static IEnumerable<int> ProcessesIn(string folder) =>
        File.ReadLines(Path.Combine(folder, "cgroup.procs")).Select(line => int.Parse(line, CultureInfo.InvariantCulture));

    internal static bool TryRemove(string folder)
    {
        try
        {
            Directory.Delete(folder);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}

/// <summary>
/// Makes control groups below the agent's own, in version 1 (memory, pids and, if there, cpuacct hierarchies) or version 2 (a delegated
/// subtree with memory and pids). Names carry the agent's state folder and process, so that a new agent removes what a killed one left.
/// Null from <see cref="TryOpen"/> when this process may not make groups: then limits are kept by <see cref="ProcessTree"/> sampling.
/// </summary>
internal abstract class ControlGroups : IDisposable
{
    private readonly ConcurrentQueue<ControlGroup> _free = [];
    private readonly ConcurrentBag<ControlGroup> _stuck = [];
    private int _count;

    /// <summary>Groups of others that one start removes from a hierarchy; the kernel takes up to ten milliseconds for each.</summary>
    private const int MostOfOthers = 50;

    protected string Prefix { get; private init; } = "";

    /// <summary>Version 1 groups are used again (making and removing one costs milliseconds of kernel grace periods); version 2 cannot reset its peak.</summary>
    public abstract bool Reusable { get; }

    protected abstract ControlGroup Create(string name);

    /// <summary>Folders in which our groups lie.</summary>
    protected abstract IReadOnlyList<string> Parents { get; }

    /// <summary>What names of groups begin with that belong to agents of this state folder; then come the agent's process and a number.</summary>
    public static string OwnedBy(string stateFolder) => $"fog-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(stateFolder))))[..8]}-";

    public static ControlGroups? TryOpen(string stateFolder, out string? whyNot)
    {
        var prefix = $"{OwnedBy(stateFolder)}{Environment.ProcessId}-";
        var mounts = ReadMounts();
        try
        {
            ControlGroups? groups = GroupsV1.Open(mounts) is { } first ? new GroupsV1(first) { Prefix = prefix }
                : GroupsV2.Open(mounts) is { } second ? new GroupsV2(second) { Prefix = prefix }
                : null;
            if (groups is null)
            {
                whyNot = "no writable control group hierarchy with memory and pids";
                return null;
            }
            groups.Sweep(OwnedBy(stateFolder));
            var trial = groups.Rent();
            trial.Limit(64 << 20, 8);
            _ = trial.Usage();
            groups.Return(trial);
            whyNot = null;
            return groups;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            whyNot = refused.Message;
            return null;
        }
    }

    /// <summary>A group without limits and without processes.</summary>
    public ControlGroup Rent()
    {
        // Oldest first; one whose dead are still to be reaped counts them as processes and must wait.
        ControlGroup? group = null;
        for (var tries = _free.Count; tries > 0 && group is null && _free.TryDequeue(out var candidate); tries--)
            if (candidate.IsUnused)
                group = candidate;
            else
                _free.Enqueue(candidate);
        group ??= Create($"{Prefix}{Interlocked.Increment(ref _count)}");
        group.Mark();
        return group;
    }

    /// <summary>Takes back a group whose processes are gone.</summary>
    public void Return(ControlGroup group)
    {
        if (group.Processes().Count > 0)
            _stuck.Add(group);
        else if (Reusable)
            _free.Enqueue(group);
        else if (!group.TryRemove())
            _stuck.Add(group);
    }

    public void Dispose()
    {
        foreach (var group in _free.Concat(_stuck))
        {
            foreach (var process in group.Processes())
                Native.Kill(process);
            // A killed process leaves its group a moment later.
            var tries = 0;
            while (!group.TryRemove() && tries++ < 200)
                Thread.Yield();
        }
        _free.Clear();
        _stuck.Clear();
        Closed();
    }

    protected virtual void Closed()
    {
    }

    /// <summary>
    /// Removes what agents left that were killed: the process id in the name is of none that runs. Of an earlier agent of the same state folder what still runs is ended, too;
    /// of others only empty groups go (their state folder may be gone, and nobody else would remove them).
    /// </summary>
    private void Sweep(string mine)
    {
        foreach (var parent in Parents)
        {
            var left = Directory.EnumerateDirectories(parent, "fog-*-*-*").Where(IsAbandoned).ToLookup(folder => Path.GetFileName(folder).StartsWith(mine, StringComparison.Ordinal));
            foreach (var process in left[true].SelectMany(ProcessesIn))
                Native.Kill(process);
            // Where a process is still dying (or, in another's group, alive) it stays for a later start.
            foreach (var folder in left[true].Concat(left[false].Take(MostOfOthers)))
                ControlGroup.TryRemove(folder);
        }
    }

    private static bool IsAbandoned(string folder) =>
        int.TryParse(Path.GetFileName(folder).Split('-')[2], NumberStyles.None, CultureInfo.InvariantCulture, out var owner) && !Directory.Exists($"/proc/{owner}");

    private static IReadOnlyList<int> ProcessesIn(string folder)
    {
        try
        {
            return [.. ControlGroup.ProcessesIn(folder)];
        }
        catch (DirectoryNotFoundException)
        {
            // Another agent that starts has removed it.
            return [];
        }
    }

    private sealed record Mount(string Type, string Root, string Point, string[] Controllers);

    private static List<Mount> ReadMounts()
    {
        // "36 35 98:0 /root /point options - type source superoptions"
        var mounts = new List<Mount>();
        foreach (var line in File.ReadLines("/proc/self/mountinfo"))
        {
            var fields = line.Split(' ');
            var dash = Array.IndexOf(fields, "-");
            if (dash > 0 && fields.Length > dash + 3 && fields[dash + 1] is "cgroup" or "cgroup2")
                mounts.Add(new Mount(fields[dash + 1], fields[3], fields[4], fields[dash + 3].Split(',')));
        }
        return mounts;
    }

    /// <summary>This process's own folder in a hierarchy; controller is empty for version 2.</summary>
    private static string? OwnFolder(List<Mount> mounts, string controller)
    {
        var mount = mounts.Find(m => controller.Length == 0 ? m.Type == "cgroup2" : m.Type == "cgroup" && m.Controllers.Contains(controller));
        if (mount is null)
            return null;
        foreach (var line in File.ReadLines("/proc/self/cgroup"))
        {
            var fields = line.Split(':', 3);
            if (controller.Length == 0 ? fields[1].Length > 0 : !fields[1].Split(',').Contains(controller))
                continue;
            var path = mount.Root != "/" && fields[2].StartsWith(mount.Root, StringComparison.Ordinal) ? fields[2][mount.Root.Length..] : fields[2];
            var folder = Path.Combine(mount.Point, path.TrimStart('/'));
            return Directory.Exists(folder) ? folder : mount.Point;
        }
        return null;
    }

    private sealed class GroupsV1(IReadOnlyDictionary<string, string> own) : ControlGroups
    {
        public override bool Reusable => true;

        protected override IReadOnlyList<string> Parents => [.. own.Values];

        public static Dictionary<string, string>? Open(List<Mount> mounts)
        {
            var own = new Dictionary<string, string>();
            foreach (var controller in (ReadOnlySpan<string>)["memory", "pids", "cpuacct"])
                if (OwnFolder(mounts, controller) is { } folder)
                    own[controller] = folder;
            return own.ContainsKey("memory") && own.ContainsKey("pids") ? own : null;
        }

        protected override ControlGroup Create(string name) =>
            new GroupV1(own.ToDictionary(pair => pair.Key, pair => Directory.CreateDirectory(Path.Combine(pair.Value, name)).FullName));
    }

    private sealed class GroupV1(Dictionary<string, string> folders) : ControlGroup, IDisposable
    {
        private readonly string _memory = folders["memory"];
        private readonly string _pids = folders["pids"];
        private readonly GroupFile _usage = new(Path.Combine(folders["memory"], "memory.usage_in_bytes"));
        private readonly GroupFile _peak = new(Path.Combine(folders["memory"], "memory.max_usage_in_bytes"));
        private readonly GroupFile _outOfMemory = new(Path.Combine(folders["memory"], "memory.oom_control"));
        private readonly GroupFile _events = new(Path.Combine(folders["pids"], "pids.events"));
        private readonly GroupFile? _cpu = folders.TryGetValue("cpuacct", out var accounts) ? new GroupFile(Path.Combine(accounts, "cpuacct.usage")) : null;

        public override IReadOnlyList<string> EntryFiles { get; } =
            [.. folders.OrderBy(pair => pair.Key == "memory" ? 0 : 1).Select(pair => Path.Combine(pair.Value, "cgroup.procs"))];

        private (long Memory, int Processes) _limits;

        public override void Limit(long memoryBytes, int processes)
        {
            // A group is mostly used again under the same limits; then only the peak has to be forgotten.
            if (_limits == (memoryBytes, processes))
            {
                _peak.Write("0"u8);
                return;
            }
            string plain = Path.Combine(_memory, "memory.limit_in_bytes"), withSwap = Path.Combine(_memory, "memory.memsw.limit_in_bytes");
            var value = memoryBytes.ToString(CultureInfo.InvariantCulture);
            // The limit with swap may never be below the plain one, so it is lifted first and lowered last.
            if (File.Exists(withSwap))
                File.WriteAllText(withSwap, "-1");
            File.WriteAllText(plain, value);
            if (File.Exists(withSwap))
                File.WriteAllText(withSwap, value);
            _peak.Write("0"u8);
            File.WriteAllText(Path.Combine(_pids, "pids.max"), processes.ToString(CultureInfo.InvariantCulture));
            _limits = (memoryBytes, processes);
        }

        // A process enters the memory hierarchy first and leaves all of them at once, so this one knows of all.
        public override IReadOnlyList<int> Processes() => [.. ProcessesIn(_memory)];

        public override bool IsUnused => Number(Path.Combine(_pids, "pids.current")) == 0;

        protected override GroupUsage Read() => new(
            _usage.Number(),
            _peak.Number(),
            _cpu is null ? TimeSpan.Zero : TimeSpan.FromTicks(_cpu.Number() / 100),
            _outOfMemory.Field("oom_kill"u8),
            _events.Field("max"u8));

        public override bool TryRemove()
        {
            if (!folders.Values.Aggregate(true, (all, folder) => TryRemove(folder) && all))
                return false;
            Dispose();
            return true;
        }

        public void Dispose()
        {
            foreach (var file in (ReadOnlySpan<GroupFile?>)[_usage, _peak, _outOfMemory, _events, _cpu])
                file?.Dispose();
        }
    }

    private sealed class GroupsV2(string own) : ControlGroups
    {
        public override bool Reusable => false;

        protected override IReadOnlyList<string> Parents => [own];

        /// <summary>
        /// A version 2 group with controllers enabled for its children may hold no processes itself. So the agent moves into a leaf of its own,
        /// which it may do only when the group is its alone (a service with <c>Delegate=yes</c>): other people's processes are not moved.
        /// </summary>
        public static string? Open(List<Mount> mounts)
        {
            if (OwnFolder(mounts, "") is not { } own)
                return null;
            // After a restart within the service the group is still the leaf's parent.
            if (Path.GetFileName(own) == "fog-agent")
                own = Path.GetDirectoryName(own)!;
            var offered = File.ReadAllText(Path.Combine(own, "cgroup.controllers")).Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
            if (!offered.Contains("memory") || !offered.Contains("pids"))
                return null;
            var isRoot = !File.Exists(Path.Combine(own, "cgroup.type"));
            var inside = File.ReadLines(Path.Combine(own, "cgroup.procs")).ToList();
            if (!isRoot && inside.Count > 0)
            {
                if (inside is not [var only] || only != Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
                    return null;
                var leaf = Directory.CreateDirectory(Path.Combine(own, "fog-agent")).FullName;
                File.WriteAllText(Path.Combine(leaf, "cgroup.procs"), "0");
            }
            File.WriteAllText(Path.Combine(own, "cgroup.subtree_control"), "+memory +pids");
            return own;
        }

        protected override ControlGroup Create(string name) => new GroupV2(Directory.CreateDirectory(Path.Combine(own, name)).FullName);
    }

    private sealed class GroupV2(string folder) : ControlGroup
    {
        public override IReadOnlyList<string> EntryFiles { get; } = [Path.Combine(folder, "cgroup.procs")];

        public override void Limit(long memoryBytes, int processes)
        {
            Set("memory.max", memoryBytes.ToString(CultureInfo.InvariantCulture));
            Set("memory.swap.max", "0");
            Set("memory.oom.group", "1");
            Set("pids.max", processes.ToString(CultureInfo.InvariantCulture));
        }

        public override IReadOnlyList<int> Processes() => [.. ProcessesIn(folder)];

        public override bool IsUnused => Number(Path.Combine(folder, "pids.current")) == 0;

        protected override GroupUsage Read()
        {
            var current = Number(Path.Combine(folder, "memory.current"));
            var peak = Path.Combine(folder, "memory.peak");
            return new GroupUsage(
                current,
                File.Exists(peak) ? Number(peak) : current,
                TimeSpan.FromMicroseconds(Field(Path.Combine(folder, "cpu.stat"), "usage_usec")),
                Field(Path.Combine(folder, "memory.events"), "oom_kill"),
                Field(Path.Combine(folder, "pids.events"), "max"));
        }

        public override bool TryRemove() => TryRemove(folder);

        // Kernels without swap accounting or before 4.19 lack one or the other.
        private void Set(string file, string value)
        {
            var path = Path.Combine(folder, file);
            if (File.Exists(path))
                File.WriteAllText(path, value);
        }
    }
}
