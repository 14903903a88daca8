using System.Globalization;

namespace FogCompute.Cli.Diagnosis;

/// <summary>The embedded database of FOG_HOME as it left things: running, stopped, or ended by an error that its log names.</summary>
internal static class EmbeddedDatabaseCheck
{
    private const string Check = "Embedded database";
    private const int TailBytes = 64 * 1024;

    /// <summary>Null: it was never started here.</summary>
    public static Finding? Run(string home)
    {
        try
        {
            if (!File.Exists(Record(home)))
                return null;
            var place = File.ReadAllText(Record(home)).Trim();
            if (RunningServer(Path.Combine(place, "data", "postmaster.pid")) is { } process)
                return Finding.Ok(Check, $"runs as process {process}, in {place}");
            var log = Path.Combine(place, "log", "postgresql.log");
            return File.Exists(log) && LastError(Tail(log)) is { } error
                ? Finding.Fail(Check, $"did not start: {error}", $"Remove that cause and start again: fog up    The whole log: {log}")
                : Finding.Ok(Check, $"stopped, in {place}; it starts with the control plane");
        }
        catch (Exception unreadable) when (unreadable is UnauthorizedAccessException or IOException)
        {
            return Finding.Warn(Check, unreadable.Message, "Run fog doctor as the user who runs the control plane.");
        }
    }

    /// <summary>Folder of its files; null: there are none, or it cannot be read (<see cref="Run"/> says so).</summary>
    public static string? Place(string home)
    {
        try
        {
            return File.Exists(Record(home)) ? File.ReadAllText(Record(home)).Trim() : null;
        }
        catch (Exception unreadable) when (unreadable is UnauthorizedAccessException or IOException)
        {
            return null;
        }
    }

    private static string Record(string home) => Path.Combine(home, "postgres", "location");

    /// <summary>The last FATAL or PANIC of the server itself after it was last up or stopped in order; null: none.</summary>
    internal static string? LastError(IEnumerable<string> log)
    {
        string? error = null;
        foreach (var line in log)
        {
            if (line.Contains("ready to accept connections", StringComparison.Ordinal) || line.Contains("database system is shut down", StringComparison.Ordinal) && error is null)
                error = null;
            foreach (var level in new[] { "FATAL:", "PANIC:" })
            {
                // Sessions that came too early or too late, or were ended, are no failure of the server.
                if (line.IndexOf(level, StringComparison.Ordinal) is var at and >= 0 && !line.Contains("the database system is", StringComparison.Ordinal) && !line.Contains("terminating connection", StringComparison.Ordinal))
                    error = line[(at + level.Length)..].Trim();
            }
        }
        return error;
    }

    private static int? RunningServer(string pidFile)
    {
        if (!File.Exists(pidFile) || !int.TryParse(File.ReadLines(pidFile).FirstOrDefault(), CultureInfo.InvariantCulture, out var id))
            return null;
        var name = $"/proc/{id}/comm";
        return File.Exists(name) && File.ReadAllText(name).StartsWith("postgres", StringComparison.Ordinal) ? id : null;
    }

    private static string[] Tail(string path)
    {
        using var file = File.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Seek(-Math.Min(file.Length, TailBytes), SeekOrigin.End);
        using var reader = new StreamReader(file);
        return reader.ReadToEnd().Split('\n');
    }
}
