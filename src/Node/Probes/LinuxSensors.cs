using System.Diagnostics;
using System.Globalization;

namespace FogCompute.Node.Probes;

/// <summary>Reads the machine's sensors.</summary>
public interface ISensors
{
    /// <summary>Never throws for a sensor that is missing or broken: that value is null.</summary>
    Task<SensorReadings> ReadAsync(CancellationToken stop);
}

/// <summary>
/// Sensors of a Linux machine, read from <c>/sys</c>, <c>/proc</c> and the session manager. On other systems every file is missing and so every
/// value is null. Not safe for concurrent calls.
/// </summary>
/// <param name="root">Root of the file tree, "/" outside tests.</param>
public sealed class LinuxSensors(string root, TimeProvider clock) : ISensors
{
    private readonly CpuMeter _cpu = new(root, clock);

    public async Task<SensorReadings> ReadAsync(CancellationToken stop)
    {
        var (battery, charging) = Power();
        return new SensorReadings
        {
            BatteryPercent = battery,
            Charging = charging,
            TemperatureCelsius = Temperature(),
            OtherCpu = _cpu.Sample(Environment.ProcessId),
            UserIdleSeconds = await UserIdleAsync(stop),
            Network = Network(),
        };
    }

    private string At(string path) => Path.Combine(root, path);

    /// <summary>
    /// A machine without battery has neither value: it is on mains by nature. Peripherals (mouse, headset) say scope Device and are skipped.
    /// </summary>
    internal (double? Percent, bool? Charging) Power()
    {
        double? percent = null;
        bool? discharging = null, online = null;
        foreach (var supply in Folders(At("sys/class/power_supply")))
        {
            if (Read(supply, "scope") == "Device")
                continue;
            switch (Read(supply, "type"))
            {
                case "Battery":
                    if (Number(supply, "capacity") is { } capacity)
                        percent = Math.Min(percent ?? 100, Math.Clamp(capacity, 0, 100));
                    if (Read(supply, "status") is { Length: > 0 } status && status != "Unknown")
                        discharging = status == "Discharging" || discharging == true;
                    break;
                case "Mains" or "USB" or "Wireless":
                    if (Number(supply, "online") is { } plug)
                        online = plug > 0 || online == true;
                    break;
            }
        }
        return percent is null && discharging is null ? (null, null) : (percent, online ?? (discharging is { } d ? !d : null));
    }

    /// <summary>The hottest CPU sensor; when none is called so, the hottest thermal zone. Values outside −20…125 °C are sensor faults.</summary>
    internal double? Temperature()
    {
        var zones = Folders(At("sys/class/thermal"))
            .Where(f => Path.GetFileName(f).StartsWith("thermal_zone", StringComparison.Ordinal))
            .Select(f => (Name: Read(f, "type") ?? "", Value: Number(f, "temp") / 1000)).ToList();
        var chips = Folders(At("sys/class/hwmon"))
            .Where(f => Read(f, "name") is "coretemp" or "k10temp" or "zenpower" or "cpu_thermal")
            .SelectMany(f => Files(f, "temp*_input").Select(file => ReadNumber(file) / 1000));
        var cpu = zones.Where(z => IsCpu(z.Name)).Select(z => z.Value).Concat(chips).Where(Plausible).ToList();
        return cpu.Count > 0 ? cpu.Max() : zones.Select(z => z.Value).Where(Plausible).DefaultIfEmpty(null).Max();

        static bool Plausible(double? value) => value is > -20 and < 125;
        static bool IsCpu(string name) => name.Contains("cpu", StringComparison.OrdinalIgnoreCase) || name.Contains("pkg_temp", StringComparison.Ordinal)
            || name.Contains("soc", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Kind of the interface that holds the default route. Linux does not say whether a network is metered.</summary>
    internal string? Network()
    {
        foreach (var line in Lines(At("proc/net/route")).Skip(1))
        {
            var fields = line.Split('\t', StringSplitOptions.TrimEntries);
            if (fields.Length < 8 || fields[1] != "00000000" || fields[7] != "00000000")
                continue;
            var link = At(Path.Combine("sys/class/net", fields[0]));
            return Directory.Exists(Path.Combine(link, "wireless")) || Directory.Exists(Path.Combine(link, "phy80211")) ? "wifi" : "ethernet";
        }
        return null;
    }

    /// <summary>X first (it sees every key), then logind's idle hint, then the last read of an input device. Null on a headless machine.</summary>
    private async Task<double?> UserIdleAsync(CancellationToken stop)
    {
        if (Environment.GetEnvironmentVariable("DISPLAY") is { Length: > 0 }
            && await RunAsync("xprintidle", [], stop) is { } idle
            && double.TryParse(idle.Trim(), CultureInfo.InvariantCulture, out var milliseconds))
            return milliseconds / 1000;
        if (Folders(At("run/systemd/seats")).Count + Files(At("run/systemd/seats"), "seat*").Count > 0
            && await RunAsync("loginctl", ["show-session", "-p", "IdleHint", "-p", "IdleSinceHint"], stop) is { } hint
            && ParseIdleHint(hint, clock.GetUtcNow()) is { } seconds)
            return seconds;
        return InputDeviceIdle();
    }

    /// <summary>Reads logind's manager properties: <c>IdleHint=yes|no</c> and <c>IdleSinceHint=</c> microseconds since 1970.</summary>
    internal static double? ParseIdleHint(string properties, DateTimeOffset now)
    {
        bool? idle = null;
        double? since = null;
        foreach (var line in properties.Split('\n', StringSplitOptions.TrimEntries))
        {
            if (line.StartsWith("IdleHint=", StringComparison.Ordinal))
                idle = line.EndsWith("yes", StringComparison.Ordinal);
            else if (line.StartsWith("IdleSinceHint=", StringComparison.Ordinal) && long.TryParse(line["IdleSinceHint=".Length..], out var micros) && micros > 0)
                since = (now - DateTimeOffset.UnixEpoch).TotalSeconds - (micros / 1e6);
        }
        return idle switch { false => 0, true when since is { } s => Math.Max(0, s), _ => null };
    }

    private double? InputDeviceIdle()
    {
        double? idle = null;
        foreach (var device in Files(At("dev/input"), "event*"))
        {
            var age = (clock.GetUtcNow().UtcDateTime - File.GetLastAccessTimeUtc(device)).TotalSeconds;
            idle = Math.Min(idle ?? double.MaxValue, Math.Max(0, age));
        }
        return idle;
    }

    private static async Task<string?> RunAsync(string program, string[] arguments, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(TimeSpan.FromSeconds(2));
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            });
            if (process is null)
                return null;
            try
            {
                var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
                await process.WaitForExitAsync(limit.Token);
                return process.ExitCode == 0 ? output : null;
            }
            catch (OperationCanceledException)
            {
                process.Kill();
                return null;
            }
        }
        catch (Exception error) when (error is System.ComponentModel.Win32Exception or InvalidOperationException or IOException)
        {
            // The program is not installed: this sensor does not exist here.
            return null;
        }
    }

    internal static string? Read(string folder, string name) => Lines(Path.Combine(folder, name)).FirstOrDefault()?.Trim();

    private static double? Number(string folder, string name) => ReadNumber(Path.Combine(folder, name));

    private static double? ReadNumber(string path) =>
        double.TryParse(Lines(path).FirstOrDefault(), CultureInfo.InvariantCulture, out var value) ? value : null;

    internal static string[] Lines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Kernel files vanish and refuse (a battery that is pulled out answers ENODEV): no value.
            return [];
        }
    }

    private static List<string> Folders(string path) => List(path, p => Directory.EnumerateDirectories(p));
    private static List<string> Files(string path, string pattern) => List(path, p => Directory.EnumerateFiles(p, pattern));

    private static List<string> List(string path, Func<string, IEnumerable<string>> entries)
    {
        try
        {
            return Directory.Exists(path) ? [.. entries(path).Order(StringComparer.Ordinal)] : [];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

/// <summary>
/// CPU used by everything but our own process tree: busy ticks of <c>/proc/stat</c> minus user+system ticks (own and of reaped children) of the
/// agent and its descendants, over a sliding minute. Null until five seconds have been seen.
/// </summary>
internal sealed class CpuMeter(string root, TimeProvider clock)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(5);
    private readonly Queue<(long At, double Total, double Other)> _samples = new();

    /// <summary>Takes a sample and answers the mean over the window, 0–1 of all cores.</summary>
    public double? Sample(int agent)
    {
        if (Totals() is not { } totals)
            return null;
        var now = (At: clock.GetTimestamp(), totals.Total, Other: totals.Busy - OwnTicks(agent));
        _samples.Enqueue(now);
        while (_samples.Count > 2 && clock.GetElapsedTime(_samples.ElementAt(1).At, now.At) >= Window)
            _samples.Dequeue();
        var first = _samples.Peek();
        var ticks = now.Total - first.Total;
        return clock.GetElapsedTime(first.At, now.At) < Least || ticks <= 0 ? null : Math.Clamp((now.Other - first.Other) / ticks, 0, 1);
    }

    private (double Total, double Busy)? Totals()
    {
        var fields = LinuxSensors.Lines(Path.Combine(root, "proc/stat")).FirstOrDefault()?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (fields is not ["cpu", _, _, _, _, _, ..])
            return null;
        // user nice system idle iowait irq softirq steal; guest time is already inside user.
        var ticks = fields.Skip(1).Take(8).Select(f => double.TryParse(f, CultureInfo.InvariantCulture, out var v) ? v : 0).ToArray();
        var total = ticks.Sum();
        return (total, total - ticks[3] - ticks[4]);
    }

    private double OwnTicks(int agent)
    {
        var parents = new Dictionary<int, (int Parent, double Ticks)>();
        var proc = Path.Combine(root, "proc");
        if (!Directory.Exists(proc))
            return 0;
        foreach (var folder in Directory.EnumerateDirectories(proc))
            if (int.TryParse(Path.GetFileName(folder), out var pid) && LinuxSensors.Read(folder, "stat") is { } line)
            {
                // The program name in parentheses may hold spaces; fields count from the last one.
                var fields = line[(line.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length > 14 && int.TryParse(fields[1], out var parent))
                    parents[pid] = (parent, fields[11..15].Sum(f => double.TryParse(f, CultureInfo.InvariantCulture, out var v) ? v : 0));
            }
        var sum = 0.0;
        foreach (var pid in parents.Keys)
            if (Descends(pid, agent, parents))
                sum += parents[pid].Ticks;
        return sum;
    }

    private static bool Descends(int pid, int agent, Dictionary<int, (int Parent, double Ticks)> parents)
    {
        for (var depth = 0; depth < 64 && pid > 0; depth++)
        {
            if (pid == agent)
                return true;
            if (!parents.TryGetValue(pid, out var entry))
                return false;
            pid = entry.Parent;
        }
        return false;
    }
}
