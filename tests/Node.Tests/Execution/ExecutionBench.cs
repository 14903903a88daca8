using System.Text;
using FogCompute.Node.Execution;
using FogCompute.Node.Execution.Outputs;
using FogCompute.Node.Execution.Sandbox;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Execution;

/// <summary>An executor on a private state folder, and short ways to run payloads on it.</summary>
internal sealed class ExecutionBench : IAsyncDisposable
{
    private readonly string _root;
    private int _attempts;

    private ExecutionBench(string root, AttemptExecutor executor) => (_root, Executor) = (root, executor);

    public AttemptExecutor Executor { get; }

    public string Root => _root;

    /// <summary>Folder of the attempt that ran last.</summary>
    public string LastWork { get; private set; } = "";

    public string LastLog { get; private set; } = "";

    public string Stdout => Log("stdout");

    public string Stderr => Log("stderr");

    public static async Task<ExecutionBench> OpenAsync(Func<ExecutorOptions, ExecutorOptions>? change = null)
    {
        var root = Directory.CreateTempSubdirectory("fog-exec-").FullName;
        var options = new ExecutorOptions { StateFolder = Path.Combine(root, "state") };
        return new ExecutionBench(root, await AttemptExecutor.CreateAsync(change?.Invoke(options) ?? options, TimeProvider.System, CancellationToken.None));
    }

    public Task<ExecutionResult> Sh(string script, Func<LeaseMessage, LeaseMessage>? change = null, CancellationToken stop = default) =>
        Run(["sh", "-c", script], change, stop);

    public Task<ExecutionResult> Run(IReadOnlyList<string> argv, Func<LeaseMessage, LeaseMessage>? change = null, CancellationToken stop = default)
    {
        var lease = Lease(new PayloadSpec { Kind = PayloadKinds.Command, Argv = argv });
        return Run(change?.Invoke(lease) ?? lease, stop: stop);
    }

    public Task<ExecutionResult> Run(LeaseMessage lease, string? module = null, Action<string>? stage = null, CancellationToken stop = default, CancellationToken notice = default)
    {
        var number = Interlocked.Increment(ref _attempts);
        LastWork = Path.Combine(_root, "attempts", $"{number}");
        LastLog = Path.Combine(_root, "logs", $"{number}");
        if (stage is not null)
        {
            Directory.CreateDirectory(LastWork);
            stage(LastWork);
        }
        return Executor.RunAsync(new ExecutionRequest(lease, LastWork, LastLog, module, notice), stop);
    }

    public static LeaseMessage Lease(PayloadSpec payload) => new()
    {
        AttemptId = Guid.CreateVersion7(),
        JobId = Guid.CreateVersion7(),
        TaskIndex = 3,
        TaskCount = 64,
        Replica = 0,
        Epoch = 1,
        ExpiresInSeconds = 600,
        Payload = payload,
        Limits = new LimitsSpec
        {
            WallSeconds = 20,
            MemoryBytes = 128L << 20,
            DiskBytes = 32L << 20,
            OutputBytes = 8L << 20,
            Processes = 64,
            QueueSeconds = 60,
            StageInSeconds = 60,
            StageOutSeconds = 60,
        },
        CpuMillicores = 1000,
        MemoryBytes = 128L << 20,
        Isolation = IsolationLevels.Sandbox,
        Network = "none",
    };

    public static LeaseMessage Builtin(string kernel, params (string Name, double Value)[] parameters) => Lease(new PayloadSpec
    {
        Kind = PayloadKinds.Builtin,
        Kernel = kernel,
        Parameters = parameters.ToDictionary(p => p.Name, p => p.Value),
    });

    public static void WriteProgram(string path, string text)
    {
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
    }

    /// <summary>Processes of this machine whose command line contains the text.</summary>
    public static IReadOnlyList<int> ProcessesNaming(string text)
    {
        var found = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(folder), out var process))
            {
                try
                {
                    if (Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(folder, "cmdline"))).Contains(text, StringComparison.Ordinal))
                        found.Add(process);
                }
                catch (IOException)
                {
                    continue;
                }
            }
        return found;
    }

    /// <summary>Folders of this executor's control groups, in each hierarchy.</summary>
    public IReadOnlyList<string> ControlGroupFolders() =>
        [.. File.ReadLines("/proc/self/mountinfo").Select(line => line.Split(' '))
            .Where(fields => fields.Contains("cgroup") || fields.Contains("cgroup2")).Select(fields => fields[4])
            .SelectMany(mount => Directory.EnumerateDirectories(mount, ControlGroups.OwnedBy(Path.Combine(_root, "state")) + "*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 4, IgnoreInaccessible = true }))];

    public async ValueTask DisposeAsync()
    {
        await Executor.DisposeAsync();
        WorkFolders.Remove(_root);
    }

    /// <summary>A stream that stayed empty has no file.</summary>
    private string Log(string stream) => File.Exists(Path.Combine(LastLog, stream)) ? File.ReadAllText(Path.Combine(LastLog, stream)) : "";
}

/// <summary>Changes to a lease, for tests that need one limit to be special.</summary>
internal static class LeaseChanges
{
    public static LeaseMessage With(this LeaseMessage lease, Func<LimitsSpec, LimitsSpec> change) => lease with { Limits = change(lease.Limits) };

    public static LeaseMessage Collecting(this LeaseMessage lease, params string[] outputs) => lease with { Outputs = outputs };
}
