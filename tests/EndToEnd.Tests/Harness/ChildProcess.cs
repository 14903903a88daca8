using System.Diagnostics;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>One of our programs as a real process; its last lines are kept for the report of a failed test.</summary>
internal sealed class ChildProcess : IDisposable
{
    private const int LinesKept = 400;
    private readonly Process _process;
    private readonly Queue<string> _lines = new();

    /// <param name="name">For people.</param>
    /// <param name="project">Folder under src.</param>
    /// <param name="assembly">File name of its program.</param>
    public ChildProcess(string name, string project, string assembly, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> settings)
    {
        Name = name;
        var start = new ProcessStartInfo(Dotnet, [ProgramOf(project, assembly), .. arguments])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        // What the developer has set for their own control plane must not reach these.
        foreach (var key in start.Environment.Keys.Where(k => k.StartsWith("FOG_", StringComparison.Ordinal) || k.StartsWith("API_", StringComparison.Ordinal) || k is "DATABASE_URL" or "REDIS_URL" or "CORS_ORIGINS").ToList())
            start.Environment.Remove(key);
        start.Environment["FOG_PARENT_PID"] = Environment.ProcessId.ToString();
        foreach (var (key, value) in settings)
            start.Environment[key] = value;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        _process.StandardInput.Close();
    }

    public string Name { get; }
    public int Id => _process.Id;
    public bool HasExited => _process.HasExited;
    public int ExitCode => _process.ExitCode;

    private static string Dotnet => Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet";

    /// <summary>kill -9; returns when the process is gone.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await GoneAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>SIGTERM; whether it ended in time.</summary>
    public async Task<bool> TerminateAsync(TimeSpan patience)
    {
        if (_process.HasExited)
            return true;
        using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString()]);
        await kill.WaitForExitAsync();
        return await GoneAsync(patience);
    }

    /// <summary>The last line it wrote, whole; null before any.</summary>
    public string? LastLine
    {
        get
        {
            lock (_lines)
                return _lines.LastOrDefault();
        }
    }

    public string Tail(int lines)
    {
        lock (_lines)
            return string.Join('\n', _lines.TakeLast(lines).Select(line => "    " + (line.Length > 600 ? line[..600] + "…" : line)));
    }

    public void Dispose() => _process.Dispose();

    /// <summary>Not WaitForExitAsync: that also waits for whoever inherited the output.</summary>
    private async Task<bool> GoneAsync(TimeSpan patience)
    {
        var started = Stopwatch.GetTimestamp();
        while (!_process.HasExited)
        {
            if (Stopwatch.GetElapsedTime(started) > patience)
                return false;
            await Task.Delay(TimeSpan.FromMilliseconds(10));
        }
        return true;
    }

    private void Keep(string? line)
    {
        if (line is null)
            return;
        lock (_lines)
        {
            _lines.Enqueue(line);
            if (_lines.Count > LinesKept)
                _lines.Dequeue();
        }
    }

    /// <summary>The program as it was built together with this assembly: same configuration, same target.</summary>
    public static string ProgramOf(string project, string assembly)
    {
        var target = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        var configuration = target.Parent!;
        var repository = configuration.Parent!.Parent!.Parent!.Parent!;
        var path = Path.Combine(repository.FullName, "src", project, "bin", configuration.Name, target.Name, assembly);
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing; build the solution in the {configuration.Name} configuration.");
    }
}
