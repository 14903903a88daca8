using System.ComponentModel;
using FogCompute.Node.Execution.Builtin;
using FogCompute.Node.Execution.Sandbox;
using FogCompute.Node.Execution.Wasm;
using FogCompute.Protocol;

namespace FogCompute.Node.Execution;

/// <summary>What the owner allows and where things lie.</summary>
public sealed record ExecutorOptions
{
    /// <summary>Folder of the agent; <c>sandbox/</c> in it belongs to the executor and is emptied at start. One live executor per folder.</summary>
    public required string StateFolder { get; init; }

    /// <summary>Whether commands may run without sandbox where the job accepts that too. Default false.</summary>
    public bool AllowProcessIsolation { get; init; }

    /// <summary>Warm WASM runners kept ready once the first WASM lease has come, 0–64. Each holds about 40 MB until it has been idle for a minute. Default 2.</summary>
    public int WarmRunners { get; init; } = 2;

    /// <summary>Whether limits are kept by control groups where possible; false forces sampling. Default true.</summary>
    public bool UseControlGroups { get; init; } = true;

    /// <summary>Path of bwrap; default: looked for on PATH.</summary>
    public string? BubblewrapPath { get; init; }

    /// <summary>Path of a wasmtime ≥ 14; default: looked for on PATH.</summary>
    public string? WasmtimePath { get; init; }

    /// <summary>Path of a Node.js ≥ 20; default: looked for on PATH.</summary>
    public string? NodePath { get; init; }
}

/// <summary>
/// Runs attempts on this device. <see cref="CreateAsync"/> finds out what the device can do by doing it once; what it cannot do is not offered,
/// and a lease that asks for it is declined, never run with less isolation than asked.
/// </summary>
public sealed class AttemptExecutor : IAttemptExecutor
{
    private readonly ExecutorOptions _options;
    private readonly BuiltinRunner _builtin;
    private readonly SandboxHost? _host;
    private readonly CommandRunner? _commands;
    private readonly WasmRunner? _wasm;

    private AttemptExecutor(ExecutorOptions options, SandboxHost? host, WasmRunner? wasm, IReadOnlyList<string> findings, TimeProvider time)
    {
        _options = options;
        _builtin = new BuiltinRunner(time);
        _host = host;
        _commands = host is null ? null : new CommandRunner(host, time);
        _wasm = wasm;
        Findings = findings;
        var processes = host is not null && options.AllowProcessIsolation;
        var sandbox = host?.Bubblewrap is not null;
        Isolation =
        [
            .. processes ? (IEnumerable<string>)[IsolationLevels.Process] : [],
            .. sandbox ? (IEnumerable<string>)[IsolationLevels.Sandbox] : [],
            .. wasm is not null ? (IEnumerable<string>)[IsolationLevels.Wasm] : [],
        ];
        PayloadKinds =
        [
            Protocol.PayloadKinds.Builtin,
            .. processes || sandbox ? (IEnumerable<string>)[Protocol.PayloadKinds.Command] : [],
            .. wasm is not null ? (IEnumerable<string>)[Protocol.PayloadKinds.Wasm] : [],
        ];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Isolation { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> PayloadKinds { get; }

    /// <summary>One sentence for each thing this device does not offer: why, and what would change it.</summary>
    public IReadOnlyList<string> Findings { get; }

    /// <summary>Probes the device (a trial sandbox, the engines' versions); takes well under a second, at most 30 s on a device that hangs.</summary>
    public static async Task<AttemptExecutor> CreateAsync(ExecutorOptions options, TimeProvider time, CancellationToken stop)
    {
        if (options.WarmRunners is < 0 or > 64)
            throw new ArgumentOutOfRangeException(nameof(options), $"WarmRunners is {options.WarmRunners}; allowed are 0 to 64.");
        var findings = new List<string>();
        if (!OperatingSystem.IsLinux())
        {
            findings.Add("Only builtin kernels are offered: sandboxes need Linux.");
            return new AttemptExecutor(options, null, null, findings, time);
        }
        var host = await SandboxHost.OpenAsync(options, time, findings, stop);
        try
        {
            return new AttemptExecutor(options, host, await WasmRunner.FindAsync(options, host, findings, time, stop), findings, time);
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public Task<ExecutionResult> RunAsync(ExecutionRequest request, CancellationToken stop)
    {
        var lease = request.Lease;
        return lease.Payload.Kind switch
        {
            Protocol.PayloadKinds.Builtin => Satisfies(IsolationLevels.Sandbox, lease.Isolation) ? _builtin.RunAsync(request, stop) : TooWeak(lease, IsolationLevels.Sandbox),
            Protocol.PayloadKinds.Command => RunCommandAsync(request, stop),
            Protocol.PayloadKinds.Wasm => RunWasmAsync(request, stop),
            Protocol.PayloadKinds.Container => Task.FromResult(Results.Declined(
                ExecutionReasons.RuntimeMissing, "This agent cannot run containers yet. Use a command or wasm payload.")),
            var kind => Task.FromResult(Results.Declined(ExecutionReasons.RuntimeMissing, $"This agent does not know payloads of kind '{kind}'. A newer agent may.")),
        };
    }

    /// <summary>Ends idle runners and removes control groups. Attempts must have ended; their tokens are the way to end them.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_wasm is not null)
            await _wasm.DisposeAsync();
        if (_host is not null)
            await _host.DisposeAsync();
    }

    private Task<ExecutionResult> RunCommandAsync(ExecutionRequest request, CancellationToken stop)
    {
        var lease = request.Lease;
        if (!Satisfies(IsolationLevels.Sandbox, lease.Isolation))
            return TooWeak(lease, IsolationLevels.Sandbox);
        var sandboxed = _host?.Bubblewrap is not null;
        // The stronger one is used even where the job would accept less.
        if (_commands is null || (!sandboxed && !(_options.AllowProcessIsolation && lease.Isolation == IsolationLevels.Process)))
            return Task.FromResult(Results.Declined(
                ExecutionReasons.IsolationUnavailable, $"The job asks for isolation '{lease.Isolation}', which this device cannot give: {string.Join(' ', Findings)}"));
        return SafelyAsync(_commands.RunAsync(request, lease.Payload.Argv ?? [], new Dictionary<string, string>(), sandboxed, stop));
    }

    private Task<ExecutionResult> RunWasmAsync(ExecutionRequest request, CancellationToken stop) =>
        _wasm is null
            ? Task.FromResult(Results.Declined(ExecutionReasons.RuntimeMissing, $"This device has no WebAssembly engine: {string.Join(' ', Findings)}"))
            : Satisfies(IsolationLevels.Wasm, request.Lease.Isolation)
                ? SafelyAsync(_wasm.RunAsync(request, stop))
                : TooWeak(request.Lease, IsolationLevels.Wasm);

    /// <summary>The promise of <see cref="IAttemptExecutor"/>: whatever the machine does to us (disk full, folder gone) is a result too.</summary>
    private static async Task<ExecutionResult> SafelyAsync(Task<ExecutionResult> run)
    {
        try
        {
            return await run;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or Win32Exception or InvalidOperationException)
        {
            return Results.DeviceError($"The device could not run the attempt: {fault.Message}");
        }
    }

    private static bool Satisfies(string given, string asked)
    {
        var wanted = IndexOf(asked);
        return wanted >= 0 && IndexOf(given) >= wanted;

        static int IndexOf(string level) => IsolationLevels.Ascending.Index().Where(entry => entry.Item == level).Select(entry => entry.Index).FirstOrDefault(-1);
    }

    private static Task<ExecutionResult> TooWeak(LeaseMessage lease, string best) => Task.FromResult(Results.Declined(
        ExecutionReasons.IsolationUnavailable, $"The job asks for isolation '{lease.Isolation}'; a {lease.Payload.Kind} payload gets at most '{best}' here."));
}
