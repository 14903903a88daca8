using System.Diagnostics;

namespace FogCompute.Protocol;

/// <summary>
/// Lets a process notice that the one that started it is gone, even after <c>kill -9</c>, so that no orphan keeps a port or a lease.
/// The starter passes its own process id in the environment variable <see cref="Variable"/>.
/// </summary>
public sealed class ParentWatch
{
    /// <summary>Environment variable that carries the process id of the starter.</summary>
    public const string Variable = "FOG_PARENT_PID";

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private readonly TimeProvider _time;
    private readonly string? _birth;

    /// <summary>Watches <paramref name="processId"/>. Its start time is remembered, so a later process with the same id is not mistaken for it.</summary>
    public ParentWatch(int processId, TimeProvider time)
    {
        ProcessId = processId;
        _time = time;
        _birth = Birth(processId);
    }

    /// <summary>The watched process.</summary>
    public int ProcessId { get; }

    /// <summary>Whether the watched process still runs. A zombie counts as gone.</summary>
    public bool IsAlive => _birth is not null && Birth(ProcessId) == _birth;

    /// <summary>The watch the starter asked for, or null when it did not. A value that is no process id throws, it is never ignored.</summary>
    public static ParentWatch? FromEnvironment(TimeProvider time)
    {
        var text = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(text))
            return null;
        return int.TryParse(text, out var id) && id > 0
            ? new ParentWatch(id, time)
            : throw new InvalidOperationException($"{Variable} is '{text}', which is no process id: set it to the id of the starting process or unset it.");
    }

    /// <summary>Completes within about a second after the watched process has ended; throws <see cref="OperationCanceledException"/> on cancel.</summary>
    public async Task WaitForExitAsync(CancellationToken cancel)
    {
        while (IsAlive)
            await Task.Delay(Period, _time, cancel);
    }

    /// <summary>Start time in the system's own unit, null when there is no such living process.</summary>
    private static string? Birth(int processId)
    {
        if (OperatingSystem.IsLinux())
        {
            try
            {
                // "pid (name) state ppid … starttime …": the name may hold blanks and brackets, so the fields are counted after the last one.
                var stat = File.ReadAllText($"/proc/{processId}/stat");
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                return fields[0] is "Z" or "X" ? null : fields[19];
            }
            catch (IOException)
            {
                return null;
            }
        }
        try
        {
            using var process = Process.GetProcessById(processId);
            return process.HasExited ? null : process.StartTime.Ticks.ToString();
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }
}
