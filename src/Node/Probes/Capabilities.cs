using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace FogCompute.Node.Probes;

/// <summary>What the machine is, measured.</summary>
/// <param name="Cores">Logical processors this process may use.</param>
/// <param name="MemoryMb">Physical memory, or the limit of our control group when lower, MiB.</param>
/// <param name="DiskMb">Free space of the state folder's file system, MiB, rounded down to 10 GiB so that it does not change all the time.</param>
/// <param name="CpuGhz">Nominal clock, null where the system does not tell.</param>
/// <param name="BenchmarkScore">Operations per second of the reference kernel on one core.</param>
public sealed record Capabilities(int Cores, long MemoryMb, long DiskMb, double? CpuGhz, double BenchmarkScore, string Platform);

/// <summary>Measures <see cref="Capabilities"/>; the benchmark once per machine, cached in the state folder.</summary>
public static class CapabilityProbe
{
    private static readonly TimeSpan BenchmarkTime = TimeSpan.FromMilliseconds(200);

    private sealed record CachedBenchmark(string Cpu, double Score);

    public static Capabilities Measure(string stateFolder, string root)
    {
        var info = LinuxSensors.Lines(Path.Combine(root, "proc/cpuinfo"));
        var model = Field(info, "model name") ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? "unknown";
        var memory = Math.Min(PhysicalMemory(root) ?? long.MaxValue, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        var free = new DriveInfo(Path.GetFullPath(stateFolder)).AvailableFreeSpace / (1 << 20);
        return new Capabilities(
            Environment.ProcessorCount,
            memory / (1 << 20),
            free >= 10_240 ? free / 10_240 * 10_240 : free / 1_024 * 1_024,
            Ghz(root, info),
            Benchmark(Path.Combine(stateFolder, "benchmark.json"), model),
            $"{(OperatingSystem.IsLinux() ? "linux" : OperatingSystem.IsWindows() ? "windows" : "macos")}-{System.Runtime.InteropServices.RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}");
    }

    private static long? PhysicalMemory(string root) =>
        Field(LinuxSensors.Lines(Path.Combine(root, "proc/meminfo")), "MemTotal") is { } text
            && long.TryParse(text.Split(' ')[0], out var kib) ? kib * 1024 : null;

    private static double? Ghz(string root, string[] info)
    {
        if (double.TryParse(LinuxSensors.Read(Path.Combine(root, "sys/devices/system/cpu/cpu0/cpufreq"), "cpuinfo_max_freq"), CultureInfo.InvariantCulture, out var khz))
            return Math.Round(khz / 1e6, 2);
        return double.TryParse(Field(info, "cpu MHz"), CultureInfo.InvariantCulture, out var mhz) ? Math.Round(mhz / 1e3, 2) : null;
    }

    private static string? Field(string[] lines, string name) =>
        lines.FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal) && l.Contains(':'))?.Split(':', 2)[1].Trim();

    private static double Benchmark(string cache, string cpu)
    {
        try
        {
            if (File.Exists(cache) && JsonSerializer.Deserialize<CachedBenchmark>(File.ReadAllText(cache)) is { Score: > 0 } known && known.Cpu == cpu)
                return known.Score;
        }
        catch (JsonException)
        {
            // A torn cache file is measured again and overwritten below.
        }
        var score = RunReferenceKernel(BenchmarkTime);
        File.WriteAllText(cache, JsonSerializer.Serialize(new CachedBenchmark(cpu, score)));
        return score;
    }

    /// <summary>
    /// The reference kernel: xorshift64* steps (Vigna 2016) mixed into a 4 KiB table, best of the slices of 200 000 steps that fit into the time. One
    /// operation is one step. The best slice, because a slice in which the system ran something else measures the something else.
    /// </summary>
    internal static double RunReferenceKernel(TimeSpan time)
    {
        var table = new ulong[512];
        var x = 0x9E3779B97F4A7C15UL;
        const int Steps = 200_000;
        var best = 0.0;
        var begin = Stopwatch.GetTimestamp();
        do
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < Steps; i++)
            {
                x ^= x >> 12;
                x ^= x << 25;
                x ^= x >> 27;
                table[x & 511] += x * 0x2545F4914F6CDD1DUL;
            }
            best = Math.Max(best, Steps / Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        while (Stopwatch.GetElapsedTime(begin) < time);
        return table[0] == 1 && x == 0 ? 0 : Math.Round(best);
    }
}
