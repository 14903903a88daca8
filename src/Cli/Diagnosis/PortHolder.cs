using System.Globalization;

namespace FogCompute.Cli.Diagnosis;

/// <summary>Who listens on a port of this machine.</summary>
internal static class PortHolder
{
    private const string Listening = "0A";

    /// <summary><c>name (process 123)</c>; null: nobody listens, or it cannot be told (another user's process, no Linux).</summary>
    public static string? Find(int port)
    {
        var sockets = new[] { "/proc/net/tcp", "/proc/net/tcp6" }.Where(File.Exists).SelectMany(File.ReadLines).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(p => p.Length > 9 && p[3] == Listening && p[1].EndsWith(":" + port.ToString("X4", CultureInfo.InvariantCulture), StringComparison.Ordinal))
            .Select(p => $"socket:[{p[9]}]").ToHashSet(StringComparer.Ordinal);
        if (sockets.Count == 0 || !Directory.Exists("/proc"))
            return null;
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            try
            {
                if (Directory.EnumerateFileSystemEntries(Path.Combine(process, "fd")).Any(fd => new FileInfo(fd).LinkTarget is { } target && sockets.Contains(target)))
                    return $"{File.ReadAllText(Path.Combine(process, "comm")).Trim()} (process {Path.GetFileName(process)})";
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
                // Ended meanwhile, or somebody else's.
            }
        }
        return null;
    }
}
