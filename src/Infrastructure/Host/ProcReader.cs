using System.Globalization;
using FogCompute.Application.Benchmarks.Contracts;

namespace FogCompute.Infrastructure.Host;

/// <summary>Counters of the kernel at one instant; rates come from two of them.</summary>
/// <param name="CpuBusy">Clock ticks, all cores.</param>
/// <param name="CpuTotal">Clock ticks, all cores, idle ones too.</param>
/// <param name="Received">Bytes, all interfaces but loopback.</param>
/// <param name="Sent">Bytes, all interfaces but loopback.</param>
/// <param name="LinkBytesPerSecond">Speed of the interfaces that tell one; null: none does.</param>
internal sealed record HostCounters(
    long CpuBusy, long CpuTotal, double MemoryPercent, long DiskRead, long DiskWritten, long Received, long Sent, double? LinkBytesPerSecond);

/// <summary>Reads <c>/proc</c> and <c>/sys</c> below a root, which a test makes up.</summary>
/// <param name="root">Normally <c>/</c>.</param>
/// <param name="folder">Whose disk is described: FOG_HOME.</param>
internal sealed class ProcReader(string root, string folder)
{
    private const int SectorBytes = 512; // The unit of /proc/diskstats, whatever the disk's own.
    private static readonly string[] NotDisks = ["loop", "ram", "zram", "dm-", "md", "sr", "fd"];

    /// <summary>Null: this is no Linux, or /proc is not mounted.</summary>
    public HostCounters? Read()
    {
        if (!File.Exists(At("proc/stat")) || !File.Exists(At("proc/meminfo")))
            return null;
        var (busy, total) = Cpu(File.ReadLines(At("proc/stat")).First());
        var (read, written) = Disks();
        var (received, sent, speed) = Network();
        return new HostCounters(busy, total, Memory().Percent, read, written, received, sent, speed);
    }

    /// <summary>Percent in use of the disk that the folder is on; null: it cannot be told.</summary>
    public double? DiskUsePercent()
    {
        try
        {
            var drive = new DriveInfo(Existing(folder));
            // As df counts: what only root may still write is neither used nor free.
            var used = drive.TotalSize - drive.TotalFreeSpace;
            return drive.TotalSize <= 0 ? null : Math.Round(100.0 * used / (used + drive.AvailableFreeSpace), 2);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    public MachineDescription Describe(string version)
    {
        var cpu = Lines("proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal) || l.StartsWith("Model", StringComparison.Ordinal));
        var memory = File.Exists(At("proc/meminfo")) ? Memory().Total : (long?)null;
        return new MachineDescription(
            cpu?[(cpu.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim(), Environment.ProcessorCount, memory, First("proc/sys/kernel/osrelease") ?? Environment.OSVersion.VersionString, DiskKind(), version);
    }

    internal static (long Busy, long Total) Cpu(string line)
    {
        // cpu user nice system idle iowait irq softirq steal [guest guest_nice: already in user and nice]
        var ticks = line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(Number).ToArray();
        var total = ticks.Sum();
        return (total - ticks[3] - ticks.ElementAtOrDefault(4), total);
    }

    private (double Percent, long Total) Memory()
    {
        var facts = Lines("proc/meminfo").Select(l => l.Split([':', ' '], StringSplitOptions.RemoveEmptyEntries)).Where(p => p.Length >= 2).ToDictionary(p => p[0], p => Number(p[1]) * 1024, StringComparer.Ordinal);
        var total = facts["MemTotal"];
        // Kernels before 3.14 do not estimate what is available.
        var available = facts.TryGetValue("MemAvailable", out var known) ? known : facts["MemFree"] + facts.GetValueOrDefault("Cached") + facts.GetValueOrDefault("Buffers");
        return (total == 0 ? 0 : Math.Round(Math.Clamp(100.0 * (total - available) / total, 0, 100), 2), total);
    }

    /// <summary>Whole disks only: partitions and what is layered on top would count the same bytes twice.</summary>
    private (long Read, long Written) Disks()
    {
        var (read, written) = (0L, 0L);
        foreach (var parts in Lines("proc/diskstats").Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(p => p.Length >= 10))
        {
            if (NotDisks.Any(n => parts[2].StartsWith(n, StringComparison.Ordinal)) || !Directory.Exists(At("sys/block/" + parts[2])))
                continue;
            read += Number(parts[5]) * SectorBytes;
            written += Number(parts[9]) * SectorBytes;
        }
        return (read, written);
    }

    private (long Received, long Sent, double? Speed) Network()
    {
        var interfaces = Lines("proc/net/dev").Skip(2).Select(l => l.Split(':', 2)).Where(p => p.Length == 2)
            .Select(p => (Name: p[0].Trim(), Counts: p[1].Split(' ', StringSplitOptions.RemoveEmptyEntries))).Where(i => i.Name != "lo" && i.Counts.Length >= 9).ToList();
        // Bridges and tunnels carry what a real interface carries again; where there is none (a container), they are what there is.
        var real = interfaces.Where(i => Directory.Exists(At($"sys/class/net/{i.Name}/device"))).ToList();
        var counted = real.Count > 0 ? real : interfaces;
        var speed = counted.Sum(i => long.TryParse(First($"sys/class/net/{i.Name}/speed"), NumberStyles.Integer, CultureInfo.InvariantCulture, out var megabits) && megabits > 0 ? megabits * 1e6 / 8 : 0);
        return (counted.Sum(i => Number(i.Counts[0])), counted.Sum(i => Number(i.Counts[8])), speed > 0 && real.Count > 0 ? speed : null);
    }

    /// <summary>The device behind the mount point that is nearest above the folder, then what its queue says.</summary>
    private string? DiskKind()
    {
        var path = Existing(folder);
        var mount = Lines("proc/self/mountinfo").Select(l => l.Split(' ')).Where(p => p.Length >= 7)
            .Select(p => (Device: p[2], Point: p[4].Replace("\\040", " ", StringComparison.Ordinal), Type: p[Array.IndexOf(p, "-") + 1]))
            .Where(m => m.Point == "/" || path == m.Point || path.StartsWith(m.Point + "/", StringComparison.Ordinal)).OrderByDescending(m => m.Point.Length).FirstOrDefault();
        if (mount.Device is null)
            return null;
        var block = At("sys/dev/block/" + mount.Device);
        // A partition has no queue of its own; its disk is the folder above.
        foreach (var queue in new[] { Path.Combine(block, "queue", "rotational"), Path.Combine(Resolved(block), "..", "queue", "rotational") })
        {
            if (File.Exists(queue))
                return File.ReadAllText(queue).Trim() == "1" ? "rotating" : "solid_state";
        }
        return mount.Type;
    }

    private static string Resolved(string link) => Directory.Exists(link) ? new DirectoryInfo(link).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? link : link;

    private static string Existing(string path)
    {
        while (!Directory.Exists(path) && Path.GetDirectoryName(path) is { } above)
            path = above;
        return path;
    }

    private string At(string path) => Path.Combine(root, path);

    private IEnumerable<string> Lines(string path) => File.Exists(At(path)) ? File.ReadLines(At(path)) : [];

    /// <summary>Some of these files exist and cannot be read: the speed of a link that is down.</summary>
    private string? First(string path)
    {
        try
        {
            return Lines(path).FirstOrDefault()?.Trim();
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
