using System.Globalization;

namespace FogCompute.ApiSpeed;

/// <summary>Processor time of other processes, from /proc: what a request costs, however busy the machine is with other things.</summary>
internal static class Processors
{
    private const double TicksPerSecond = 100;

    /// <summary>User and system seconds of a process.</summary>
    public static double Of(int process) => Read(process) is { } stat ? (stat.Own) / TicksPerSecond : 0;

    /// <summary>Seconds of a process, of its children and of those of its children that have ended.</summary>
    public static double OfFamily(int parent)
    {
        var ticks = 0L;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), CultureInfo.InvariantCulture, out var id) && Read(id) is { } stat && (id == parent || stat.Parent == parent))
                ticks += stat.Own + (id == parent ? stat.Ended : 0);
        }
        return ticks / TicksPerSecond;
    }

    private static (int Parent, long Own, long Ended)? Read(int process)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{process}/stat");
            // The name, in parentheses, may hold anything.
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (Number(fields[1]), Number(fields[11]) + Number(fields[12]), Number(fields[13]) + Number(fields[14]));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        static int Number(string field) => int.Parse(field, CultureInfo.InvariantCulture);
    }
}
