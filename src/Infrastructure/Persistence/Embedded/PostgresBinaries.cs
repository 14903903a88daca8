using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace FogCompute.Infrastructure.Persistence.Embedded;

/// <summary>One installation of the PostgreSQL server programs.</summary>
/// <param name="Folder">Where <c>postgres</c>, <c>initdb</c> and <c>pg_ctl</c> lie.</param>
/// <param name="Major">15, 16, …</param>
public sealed partial record PostgresBinaries(string Folder, int Major)
{
    public const int OldestMajor = 15;

    private static readonly string[] Needed = ["postgres", "initdb", "pg_ctl"];

    public string Program(string name) => Path.Combine(Folder, name);

    /// <summary>
    /// The newest installation, or the one that fits an existing cluster: data written by one major version can only be opened by the same.
    /// </summary>
    /// <exception cref="InvalidOperationException">Nothing usable is installed; the message says what to install.</exception>
    public static PostgresBinaries Find(int? clusterMajor = null) => Choose(Installed(Candidates()), clusterMajor);

    internal static PostgresBinaries Choose(IReadOnlyList<PostgresBinaries> installed, int? clusterMajor)
    {
        var usable = installed.Where(b => b.Major >= OldestMajor && (clusterMajor is null || b.Major == clusterMajor)).MaxBy(b => b.Major);
        if (usable is not null)
            return usable;
        if (clusterMajor is { } major)
        {
            throw new InvalidOperationException(
                $"The embedded database was made by PostgreSQL {major}, whose server programs are not installed any more. "
                + $"Install them again ({InstallHint(major)}), or set DATABASE_URL to another PostgreSQL.");
        }
        var found = installed.Count == 0 ? "No PostgreSQL server programs were found" : $"PostgreSQL {installed.Max(b => b.Major)} is too old";
        throw new InvalidOperationException(
            $"{found}; the embedded database needs PostgreSQL {OldestMajor} or newer (postgres, initdb and pg_ctl, looked for in PATH, "
            + $"/usr/lib/postgresql/*/bin and what pg_config names). Install it ({InstallHint(null)}), or set DATABASE_URL to a PostgreSQL that runs already.");
    }

    private static string InstallHint(int? major)
    {
        if (OperatingSystem.IsMacOS())
            return major is null ? "brew install postgresql@17" : $"brew install postgresql@{major}";
        return major is null
            ? "Debian and Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql@17"
            : $"Debian and Ubuntu: apt-get install postgresql-{major}; macOS: brew install postgresql@{major}";
    }

    private static IEnumerable<string> Candidates()
    {
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            yield return folder;
        foreach (var (parent, pattern) in new[]
                 {
                     ("/usr/lib/postgresql", "*"), ("/usr", "pgsql-*"), ("/opt/homebrew/opt", "postgresql*"), ("/usr/local/opt", "postgresql*"),
                 })
        {
            if (!Directory.Exists(parent))
                continue;
            foreach (var home in Directory.GetDirectories(parent, pattern))
                yield return Path.Combine(home, "bin");
        }
        if (OutputOf("pg_config", "--bindir") is { } named)
            yield return named;
    }

    private static List<PostgresBinaries> Installed(IEnumerable<string> folders)
    {
        var found = new List<PostgresBinaries>();
        foreach (var folder in folders.Select(BehindLinks).Distinct(StringComparer.Ordinal))
        {
            if (Needed.All(name => File.Exists(Path.Combine(folder, name)))
                && OutputOf(Path.Combine(folder, "postgres"), "--version") is { } version
                && VersionNumber().Match(version) is { Success: true } match)
                found.Add(new PostgresBinaries(folder, int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)));
        }
        return found;
    }

    /// <summary>The folder that a link to <c>postgres</c> points into, where its companions (pg_dump …) are too; else the folder itself.</summary>
    private static string BehindLinks(string folder)
    {
        var link = new FileInfo(Path.Combine(folder, "postgres"));
        return link.Exists && link.ResolveLinkTarget(returnFinalTarget: true) is FileInfo { Exists: true, Name: "postgres", DirectoryName: { } real } ? real : folder;
    }

    private static string? OutputOf(string program, string argument)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, [argument]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            return process.ExitCode == 0 && output.Length > 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null; // Not installed, or not a program: one candidate less.
        }
    }

    [GeneratedRegex(@" (\d+)", RegexOptions.NonBacktracking)]
    private static partial Regex VersionNumber();
}
