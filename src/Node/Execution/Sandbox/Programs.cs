namespace FogCompute.Node.Execution.Sandbox;

/// <summary>Finding programs on the host and as a sandboxed payload will see them.</summary>
internal static class Programs
{
    /// <summary>Default search path of a payload.</summary>
    public const string Path = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

    /// <summary>Full path of a program on the agent's own search path, else null.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") + ":" + Path).Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => System.IO.Path.Combine(folder, name))
            .FirstOrDefault(IsExecutable);

    /// <summary>
    /// Whether a payload's program can be started, seen from the host: the sandbox shows the host's <c>/usr</c> and its links, and <c>/work</c> is the work
    /// folder. Null when it can, else a sentence.
    /// </summary>
    public static string? WhyNotRunnable(string program, string workFolder, string searchPath, bool sandboxed)
    {
        if (program.Length == 0)
            return "The program name is empty.";
        var candidates = program.Contains('/') ? [program] : searchPath.Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => folder + "/" + program).ToList();
        foreach (var candidate in candidates)
        {
            var path = candidate.StartsWith('/') ? candidate : "/work/" + candidate;
            var host = path.StartsWith("/work/", StringComparison.Ordinal) && (sandboxed || !candidate.StartsWith('/'))
                ? System.IO.Path.Combine(workFolder, path["/work/".Length..]) : path;
            if (IsExecutable(host))
                return null;
            if (program.Contains('/') && File.Exists(host))
                return $"'{program}' is not executable. Mark the input as executable.";
        }
        return $"'{program}' was not found on this device or among the inputs.";
    }

    private static bool IsExecutable(string path) =>
        File.Exists(path) && !OperatingSystem.IsWindows()
        && (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != UnixFileMode.None;
}
