using System.Collections.Concurrent;
using System.Diagnostics;

namespace FogCompute.Node.Execution.Sandbox;

/// <summary>
/// Starts every process from one thread that lives as long as the agent. The kernel sends a child its parent-death signal when the *thread* that
/// forked it ends, and pool threads end when idle: started from there, a quiet hour would kill running payloads.
/// </summary>
internal sealed class ProcessSpawner : IDisposable
{
    private readonly BlockingCollection<(ProcessStartInfo Info, TaskCompletionSource<Process> Started)> _orders = [];

    public ProcessSpawner() => new Thread(Serve) { IsBackground = true, Name = "fog-spawner" }.Start();

    /// <summary>Starts with all three streams redirected and an environment of exactly <paramref name="environment"/>. Throws what <see cref="Process.Start()"/> throws.</summary>
    public Task<Process> StartAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, string folder)
    {
        var info = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        info.Environment.Clear();
        foreach (var (name, value) in environment)
            info.Environment[name] = value;
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _orders.Add((info, started));
        return started.Task;
    }

    /// <summary>Ends the thread, and with it whatever it started.</summary>
    public void Dispose() => _orders.CompleteAdding();

    private void Serve()
    {
        foreach (var (info, started) in _orders.GetConsumingEnumerable())
        {
            try
            {
                started.SetResult(Process.Start(info) ?? throw new InvalidOperationException($"{info.FileName} did not start."));
            }
            catch (Exception fault)
            {
                started.SetException(fault);
            }
        }
    }
}
