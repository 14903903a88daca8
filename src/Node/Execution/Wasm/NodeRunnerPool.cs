using System.Globalization;
using System.Reflection;
using FogCompute.Node.Execution.Outputs;
using FogCompute.Node.Execution.Sandbox;

namespace FogCompute.Node.Execution.Wasm;

/// <summary>One sandboxed Node.js with the runner script, and the host folder that is its <c>/work</c>.</summary>
internal sealed record NodeRunner(SandboxProcess Process, string Folder)
{
    /// <summary>The one job that may use it again; null while unused.</summary>
    public Guid? Job { get; init; }
}

/// <summary>
/// Keeps a few Node.js engines started, because a fresh one costs about 100 ms. Starts with the first lease, refills in the background, and lets go of
/// idle ones after a minute. A runner serves one task, or, if the job asked for it, tasks of that one job only.
/// </summary>
internal sealed class NodeRunnerPool : IAsyncDisposable
{
    /// <summary>Threads of the engine itself (garbage collector, compiler, I/O); a module cannot start any.</summary>
    public const int EngineThreads = 64;

    // Room for the engine until a task is handed over, which sets the real limit.
    private const long StartMemory = 512L << 20;
    private const long StartDisk = 1L << 40;
    private const string NodeInside = "/opt/node";
    private const string ScriptInside = "/opt/wasi-runner.mjs";
    private static readonly TimeSpan _idleLimit = TimeSpan.FromMinutes(1);

    private readonly SandboxHost _host;
    private readonly string _node;
    private readonly string _home;
    private readonly string _script;
    private readonly int _warm;
    private readonly TimeProvider _time;
    private readonly ITimer _idle;
    private readonly Lock _lock = new();
    private readonly List<NodeRunner> _ready = [];
    private readonly HashSet<Task> _background = [];
    private int _starting;
    private long _lastUse;
    private long _sequence;
    private bool _closed;

    public NodeRunnerPool(SandboxHost host, string node, string stateFolder, int warm, TimeProvider time)
    {
        (_host, _warm, _time) = (host, warm, time);
        _node = new FileInfo(node).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? node;
        _home = Directory.CreateDirectory(Path.Combine(stateFolder, "sandbox", "wasm")).FullName;
        _script = Path.Combine(_home, "wasi-runner.mjs");
        using (var embedded = Assembly.GetExecutingAssembly().GetManifestResourceStream("wasi-runner.mjs")
            ?? throw new InvalidOperationException("The WASI runner script is missing from the agent's binary."))
        using (var file = File.Create(_script))
            embedded.CopyTo(file);
        _lastUse = time.GetTimestamp();
        _idle = time.CreateTimer(_ => InBackground(DropIdleAsync), null, _idleLimit / 2, _idleLimit / 2);
    }

    /// <summary>A runner for one task; for a job that allows it, preferably one that the job already used. Throws when the device cannot start one.</summary>
    public async Task<NodeRunner> TakeAsync(Guid? job)
    {
        NodeRunner? found;
        lock (_lock)
        {
            _lastUse = _time.GetTimestamp();
            found = _ready.Find(runner => job is not null && runner.Job == job) ?? _ready.Find(runner => runner.Job is null);
            if (found is not null)
                _ready.Remove(found);
        }
        // A job that uses its runners again needs no further warm ones.
        if (found?.Job is null)
            InBackground(RefillAsync);
        if (found is { Process.HasExited: false })
            return found;
        if (found is not null)
            await DropAsync(found);
        return await StartAsync();
    }

    /// <summary>Takes a runner back: kept for this job, or ended when <paramref name="job"/> is null.</summary>
    public async Task ReturnAsync(NodeRunner runner, Guid? job)
    {
        NodeRunner? surplus = null;
        lock (_lock)
        {
            if (job is null || _closed || runner.Process.HasExited)
                surplus = runner;
            else
            {
                _ready.Add(runner with { Job = job });
                // Used runners of one job may not pile up: the longest idle of them goes.
                if (_ready.Count(other => other.Job is not null) > Math.Max(_warm, Environment.ProcessorCount))
                {
                    surplus = _ready.Find(other => other.Job is not null)!;
                    _ready.Remove(surplus);
                }
            }
        }
        if (surplus is not null)
            await DropAsync(surplus);
    }

    public async ValueTask DisposeAsync()
    {
        await _idle.DisposeAsync();
        Task[] working;
        lock (_lock)
        {
            _closed = true;
            working = [.. _background];
        }
        await Task.WhenAll(working);
        foreach (var runner in TakeAll())
            await DropAsync(runner);
    }

    private async Task<NodeRunner> StartAsync()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_home, Interlocked.Increment(ref _sequence).ToString(CultureInfo.InvariantCulture))).FullName;
        var process = await _host.StartAsync(new SandboxSpec
        {
            Command = [NodeInside, "--no-warnings", ScriptInside],
            WorkFolder = folder,
            Environment = new Dictionary<string, string> { ["PATH"] = Programs.Path, ["HOME"] = "/tmp" },
            ReadOnly = new Dictionary<string, string> { [NodeInside] = _node, [ScriptInside] = _script },
            Limits = new SandboxLimits(StartMemory, EngineThreads, StartDisk),
        });
        return new NodeRunner(process, folder);
    }

    private async Task RefillAsync()
    {
        while (true)
        {
            lock (_lock)
            {
                if (_closed || _ready.Count(runner => runner.Job is null) + _starting >= _warm)
                    return;
                _starting++;
            }
            NodeRunner? fresh = null;
            try
            {
                fresh = await StartAsync();
            }
            finally
            {
                lock (_lock)
                {
                    _starting--;
                    if (fresh is not null && !_closed)
                    {
                        _ready.Add(fresh);
                        fresh = null;
                    }
                }
                if (fresh is not null)
                    await DropAsync(fresh);
            }
        }
    }

    private async Task DropIdleAsync()
    {
        lock (_lock)
            if (_time.GetElapsedTime(_lastUse) < _idleLimit)
                return;
        foreach (var runner in TakeAll())
            await DropAsync(runner);
    }

    private List<NodeRunner> TakeAll()
    {
        lock (_lock)
        {
            List<NodeRunner> all = [.. _ready];
            _ready.Clear();
            return all;
        }
    }

    private static async Task DropAsync(NodeRunner runner)
    {
        await runner.Process.DisposeAsync();
        WorkFolders.Remove(runner.Folder);
    }

    /// <summary>Runs beside the leases. A refill that fails is not lost: the next lease starts its own runner and reports the same fault.</summary>
    private void InBackground(Func<Task> work)
    {
        lock (_lock)
        {
            if (_closed)
                return;
            var task = Task.Run(async () =>
            {
                try
                {
                    await work();
                }
                catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
                {
                    return;
                }
            });
            _background.Add(task);
            _ = task.ContinueWith(
                done =>
                {
                    lock (_lock)
                        _background.Remove(done);
                },
                CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }
}
