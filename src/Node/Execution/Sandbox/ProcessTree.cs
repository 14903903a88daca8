using System.Globalization;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// A process and everything below it, read from <c>/proc</c>: how limits are watched where the agent may not make control groups. A snapshot
/// races with the processes it looks at; what vanished meanwhile is left out.
/// </summary>
internal static class ProcessTree
{
    private const int TicksPerSecond = 100;

    /// <summary>Sums over the tree. <see cref="Cpu"/> includes children that were already waited for.</summary>
    public readonly record struct Sample(int Processes, int Threads, long ResidentBytes, TimeSpan Cpu);

    /// <summary>The root first, then its descendants. Processes in a pid namespace cannot leave the tree: orphans go to the namespace's init, which is in it.</summary>
    public static List<int> Members(int root)
    {
        List<int> members = [root];
        for (var i = 0; i < members.Count; i++)
            members.AddRange(Children(members[i]));
        return members;
    }

    /// <summary>In the order in which the process got them; none when it is gone.</summary>
    public static List<int> Children(int process)
    {
        List<int> children = [];
        try
        {
            foreach (var task in Directory.EnumerateDirectories($"/proc/{process}/task"))
                foreach (var child in File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries))
                    children.Add(int.Parse(child, CultureInfo.InvariantCulture));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            // What was read before it went is answered.
            return children;
        }
        return children;
    }

    public static Sample Look(IReadOnlyList<int> members)
    {
        int processes = 0, threads = 0;
        long pages = 0, ticks = 0;
        foreach (var process in members)
        {
            if (Fields(process) is not { } field)
                continue;
            processes++;
            threads += int.Parse(field[17], CultureInfo.InvariantCulture);
            pages += long.Parse(field[21], CultureInfo.InvariantCulture);
            ticks += field[11..15].Sum(text => long.Parse(text, CultureInfo.InvariantCulture));
        }
        return new Sample(processes, threads, pages * Environment.SystemPageSize, TimeSpan.FromSeconds((double)ticks / TicksPerSecond));
    }

    /// <summary>Memory with shared pages divided among those who share them: exact but slower than the resident sum, which counts them several times.</summary>
    public static long ProportionalBytes(IEnumerable<int> members)
    {
        long sum = 0;
        foreach (var process in members)
        {
            try
            {
                foreach (var line in File.ReadLines($"/proc/{process}/smaps_rollup"))
                    if (line.StartsWith("Pss:", StringComparison.Ordinal))
                        sum += long.Parse(line.AsSpan(4, line.Length - 7), CultureInfo.InvariantCulture) * 1024;
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
                continue;
            }
        }
        return sum;
    }

    /// <summary>Disk that deleted but still open (or mapped) files take on the device that holds the folder; no walk of the folder can see them.</summary>
    public static long DeletedFileBytes(IEnumerable<int> members, string folder)
    {
        if (Native.Stat(folder) is not { } home)
            return 0;
        long sum = 0;
        HashSet<ulong> seen = [];
        foreach (var process in members)
            foreach (var place in (ReadOnlySpan<string>)["fd", "map_files"])
            {
                try
                {
                    foreach (var entry in Directory.EnumerateFileSystemEntries($"/proc/{process}/{place}"))
                        if (Native.Stat(entry, follow: true) is { Kind: FileKind.Regular, Links: 0 } facts && facts.Device == home.Device && seen.Add(facts.Inode))
                            sum += facts.AllocatedBytes;
                }
                catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
                {
                    continue;
                }
            }
        return sum;
    }

    public static bool IsAlive(int process) => Fields(process) is { } fields && fields[0] is not ("Z" or "X");

    /// <summary>Processes whose environment carries the mark; finds those that left the tree (isolation <c>process</c> has no pid namespace).</summary>
    public static IEnumerable<int> Marked(string mark)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var process))
                continue;
            string environment;
            try
            {
                environment = File.ReadAllText(Path.Combine(folder, "environ"));
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
                continue;
            }
            if (environment.Split('\0').Contains(mark))
                yield return process;
        }
    }

    // Fields of /proc/<pid>/stat from the state on: the name before them may contain anything, also ')'.
    private static string[]? Fields(int process)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{process}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }
}
