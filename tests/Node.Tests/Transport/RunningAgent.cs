using System.Text;
using FogCompute.Node.Execution;
using FogCompute.Node.Probes;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Transport;

/// <summary>An agent in this process with its own state folder, and the small things its tests need.</summary>
internal sealed class RunningAgent : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly StringWriter _log = new();

    private RunningAgent(string folder, FakeExecutor executor)
    {
        Folder = folder;
        Executor = executor;
    }

    public string Folder { get; }
    public FakeExecutor Executor { get; }
    public Task<int> Ended { get; private set; } = null!;

    public string Log
    {
        get
        {
            lock (_log)
                return _log.ToString();
        }
    }

    public static RunningAgent Start(FakeControlPlane plane, string folder, Func<NodeOptions, NodeOptions>? with = null, FakeExecutor? executor = null, ExecutorFactory? real = null)
    {
        var agent = new RunningAgent(folder, executor ?? new FakeExecutor());
        var options = new NodeOptions
        {
            Server = plane.Address, DeviceId = "device-1", StateFolder = folder, Slots = 8, Cpu = 8, MemoryMb = 8192, Policy = "dedicated",
        };
        var log = new NodeLog(TextWriter.Synchronized(agent._log), json: false, debug: true, TimeProvider.System);
        var factory = real ?? ((_, _, _, _) => Task.FromResult<IAttemptExecutor>(agent.Executor));
        agent.Ended = Task.Run(() => new AgentHost(with is null ? options : with(options), factory, new NoSensors(), TimeProvider.System, log).RunAsync(agent._stop.Token));
        return agent;
    }

    public async Task<int> StopAsync()
    {
        await _stop.CancelAsync();
        return await Ended.WaitAsync(TimeSpan.FromSeconds(60));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await Ended.WaitAsync(TimeSpan.FromSeconds(60));
        }
        catch (AgentException)
        {
            // Tests that expect it await Ended themselves.
        }
        _stop.Dispose();
        if (TestContext.CurrentContext.Result.Outcome.Status == NUnit.Framework.Interfaces.TestStatus.Failed)
            await TestContext.Out.WriteLineAsync(Log);
    }

    private sealed class NoSensors : ISensors
    {
        public Task<SensorReadings> ReadAsync(CancellationToken stop) => Task.FromResult(new SensorReadings());
    }
}

/// <summary>Builders and waiting.</summary>
internal static class Make
{
    private static int _epochs;

    public static LeaseMessage Lease(PayloadSpec payload, Func<LeaseMessage, LeaseMessage>? with = null)
    {
        var lease = new LeaseMessage
        {
            AttemptId = Guid.CreateVersion7(), JobId = Guid.CreateVersion7(), TaskIndex = 0, TaskCount = 1, Replica = 0,
            Epoch = Interlocked.Increment(ref _epochs), ExpiresInSeconds = 600, Payload = payload,
            Limits = new LimitsSpec
            {
                QueueSeconds = 600, StageInSeconds = 30, WallSeconds = 60, StageOutSeconds = 30, MemoryBytes = 1 << 20, DiskBytes = 1 << 20,
                OutputBytes = 1 << 20, Processes = 16,
            },
            CpuMillicores = 1000, MemoryBytes = 1 << 20, Isolation = IsolationLevels.Process, Network = "none",
        };
        return with is null ? lease : with(lease);
    }

    public static LeaseMessage Noop() => Lease(new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.Noop });

    public static LeaseMessage Sleep(double seconds) =>
        Lease(new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.Sleep, Parameters = new Dictionary<string, double> { ["seconds"] = seconds } });

    public static LeaseMessage Command(params string[] argv) => Lease(new PayloadSpec { Kind = PayloadKinds.Command, Argv = argv });

    public static async Task UntilAsync(Func<bool> condition, string what, double seconds = 60)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            if (TimeProvider.System.GetElapsedTime(start).TotalSeconds > seconds)
                Assert.Fail($"Did not happen within {seconds} s: {what}");
            await Task.Delay(10);
        }
    }

    public static UnixFileMode Mode(string path) => OperatingSystem.IsWindows() ? UnixFileMode.None : File.GetUnixFileMode(path);
    public static string Sha256(byte[] content) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content));
    public static string Sha256(string content) => Sha256(Encoding.UTF8.GetBytes(content));

    /// <summary>What kill -9 would leave: the files as they are now, without any goodbye.</summary>
    public static void CopyFolder(string from, string to)
    {
        foreach (var folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
            if (Path.GetFileName(file) is not ("agent.lock" or "agent.sock"))
                File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)), overwrite: true);
    }
}
