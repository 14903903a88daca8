using System.Buffers.Binary;
using System.ComponentModel;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using FogCompute.Node.Execution.Outputs;
using FogCompute.Node.Execution.Sandbox;
using FogCompute.Protocol;

namespace FogCompute.Node.Execution.Wasm;

/// <summary>
/// Runs WASI command modules. Engine: wasmtime where installed, else Node.js's <c>node:wasi</c>, which does not claim to contain hostile modules and is
/// therefore offered only inside bubblewrap, from a pool of warm runners.
/// </summary>
internal sealed partial class WasmRunner : IAsyncDisposable
{
    private const string EngineInside = "/opt/wasmtime";
    private const string ModuleInside = "/opt/module.wasm";

    private readonly SandboxHost _host;
    private readonly TimeProvider _time;
    private readonly CommandRunner _commands;
    private readonly string? _wasmtime;
    private readonly NodeRunnerPool? _pool;

    private WasmRunner(SandboxHost host, string? wasmtime, NodeRunnerPool? pool, TimeProvider time)
    {
        (_host, _wasmtime, _pool, _time) = (host, wasmtime, pool, time);
        _commands = new CommandRunner(host, time);
    }

    /// <summary>Null when the device has no engine that may be used.</summary>
    public static async Task<WasmRunner?> FindAsync(ExecutorOptions options, SandboxHost host, List<string> findings, TimeProvider time, CancellationToken stop)
    {
        var wasmtime = options.WasmtimePath ?? Programs.Find("wasmtime");
        if (wasmtime is not null && await MajorVersionAsync(wasmtime, time, stop) >= 14)
            return new WasmRunner(host, wasmtime, null, time);
        var node = options.NodePath ?? Programs.Find("node");
        if (host.Bubblewrap is null)
            findings.Add("Isolation wasm is not offered: there is no wasmtime ≥ 14, and Node.js may be used only inside a working bubblewrap.");
        else if (node is null || await MajorVersionAsync(node, time, stop) < 20)
            findings.Add("Isolation wasm is not offered: neither wasmtime ≥ 14 nor Node.js ≥ 20 was found. Install one of them.");
        else
            return new WasmRunner(host, null, new NodeRunnerPool(host, node, Path.GetFullPath(options.StateFolder), options.WarmRunners, time), time);
        return null;
    }

    public async Task<ExecutionResult> RunAsync(ExecutionRequest request, CancellationToken stop)
    {
        if (stop.IsCancellationRequested)
            return Results.Cancelled();
        if (request.ModulePath is not { } module || !File.Exists(module))
            return Results.DeviceError("The WebAssembly module was not staged in.");
        return _pool is not null ? await RunWarmAsync(_pool, request, module, stop) : await RunWasmtimeAsync(request, module, stop);
    }

    public async ValueTask DisposeAsync()
    {
        if (_pool is not null)
            await _pool.DisposeAsync();
    }

    private Task<ExecutionResult> RunWasmtimeAsync(ExecutionRequest request, string module, CancellationToken stop)
    {
        var sandboxed = _host.Bubblewrap is not null;
        var (engine, file) = sandboxed ? (EngineInside, ModuleInside) : (_wasmtime!, Path.GetFullPath(module));
        List<string> command = [engine, "run", "--dir", ".", "--dir", ".::/work"];
        foreach (var (name, value) in CommandRunner.PayloadEnvironment(request.Lease, "/work", sandboxed: true))
            command.AddRange(["--env", $"{name}={value}"]);
        command.AddRange([file, .. request.Lease.Payload.Args ?? []]);
        var seen = new Dictionary<string, string>();
        if (sandboxed)
            (seen[EngineInside], seen[ModuleInside]) = (new FileInfo(_wasmtime!).ResolveLinkTarget(true)?.FullName ?? _wasmtime!, Path.GetFullPath(module));
        // A module cannot catch signals: asked to end, the engine would only die earlier.
        return _commands.RunAsync(request with { Notice = CancellationToken.None }, command, seen, sandboxed, stop);
    }

    private async Task<ExecutionResult> RunWarmAsync(NodeRunnerPool pool, ExecutionRequest request, string module, CancellationToken stop)
    {
        var (lease, limits) = (request.Lease, LeaseLimits.Of(request.Lease));
        var environment = CommandRunner.PayloadEnvironment(lease, "/work", sandboxed: true);
        environment.Remove("PATH");
        if (CommandRunner.Malformed(["module", .. lease.Payload.Args ?? []], environment) is { } fault)
            return Results.Failed(ExecutionReasons.ParameterInvalid, fault);

        var start = _time.GetTimestamp();
        NodeRunner runner;
        try
        {
            Directory.CreateDirectory(request.WorkFolder);
            runner = await pool.TakeAsync(lease.Payload.ReuseRunner ? lease.JobId : null);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or Win32Exception)
        {
            return Results.DeviceError($"The WebAssembly runner could not be started: {refused.Message}");
        }

        var keep = false;
        try
        {
            WorkFolders.MoveContents(request.WorkFolder, runner.Folder);
            if (runner.Process.User is { } user)
                WorkFolders.GiveTo(runner.Folder, user);
            // The engine's own memory is not the requester's: the limit is for what comes on top.
            var baseline = runner.Process.Mark();
            runner.Process.Limit(baseline + limits.MemoryBytes, NodeRunnerPool.EngineThreads);

            RunnerEnd? said;
            await using (var supervisor = new Supervisor(
                runner.Process, limits with { Processes = NodeRunnerPool.EngineThreads }, runner.Folder, start, baseline, _time, stop))
            {
                var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
                var ending = Encoding.ASCII.GetBytes(token);
                var errorFile = Path.Combine(request.LogFolder, "stderr");
                var pumps = Task.WhenAll(
                    OutputPump.CopyAsync(runner.Process.Output, Path.Combine(request.LogFolder, "stdout"), supervisor.Budget, supervisor.OutputExceeded, ending),
                    OutputPump.CopyAsync(runner.Process.Error, errorFile, supervisor.Budget, supervisor.OutputExceeded, ending));
                var feed = FeedAsync(runner.Process.Input, token, lease.Payload, environment, module);
                said = (await pumps)[0];
                await feed;

                // Without the runner's word the engine itself is gone: killed by us or by a limit, or it never got up.
                var end = said is null ? await runner.Process.EndAsync(CancellationToken.None) : new SandboxEnd(said.Exit, SetUpFailed: false);
                keep = said is not null && lease.Payload.ReuseRunner && !supervisor.Stopped;
                if (!keep)
                {
                    runner.Process.Kill();
                    await runner.Process.EndAsync(CancellationToken.None);
                }
                WorkFolders.MoveContents(runner.Folder, request.WorkFolder);
                var result = await supervisor.ConcludeAsync(end, request.WorkFolder, errorFile, lease);
                keep &= !supervisor.Stopped;
                if (said is null && result.Reason == ExecutionReasons.ProgramNotFound)
                    return Results.DeviceError($"The WebAssembly engine could not be started. {result.Message}");
                return said?.Error is { } error && result.Reason is ExecutionReasons.ExitCode or ExecutionReasons.Signal
                    ? result with { Reason = ExecutionReasons.ExitCode, Message = $"The module did not run to its end: {error}" }
                    : result;
            }
        }
        finally
        {
            await pool.ReturnAsync(runner, keep ? lease.JobId : null);
        }
    }

    private static async Task FeedAsync(Stream input, string token, PayloadSpec payload, IReadOnlyDictionary<string, string> environment, string modulePath)
    {
        try
        {
            await using var module = File.OpenRead(modulePath);
            var stdin = Encoding.UTF8.GetBytes(payload.Stdin ?? "");
            var header = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object>
            {
                ["token"] = token,
                ["module_bytes"] = module.Length,
                ["stdin_bytes"] = stdin.Length,
                ["args"] = payload.Args ?? [],
                ["env"] = environment,
            });
            var length = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(length, header.Length);
            await input.WriteAsync(length);
            await input.WriteAsync(header);
            await module.CopyToAsync(input);
            await input.WriteAsync(stdin);
            await input.FlushAsync();
        }
        catch (IOException)
        {
            // The runner is gone; the pumps notice and its end says why.
            return;
        }
    }

    /// <summary>First number that <c>program --version</c> prints; 0 when it does not answer within 5 s.</summary>
    private static async Task<int> MajorVersionAsync(string program, TimeProvider time, CancellationToken stop)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, patience.Token);
        System.Diagnostics.Process? process = null;
        try
        {
            process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(program, ["--version"]) { RedirectStandardOutput = true, UseShellExecute = false });
            if (process is null)
                return 0;
            var text = await process.StandardOutput.ReadToEndAsync(either.Token);
            await process.WaitForExitAsync(either.Token);
            return VersionNumber().Match(text) is { Success: true } match ? int.Parse(match.ValueSpan, CultureInfo.InvariantCulture) : 0;
        }
        catch (Win32Exception)
        {
            return 0;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            process?.Kill();
            return 0;
        }
        finally
        {
            process?.Dispose();
        }
    }

    [GeneratedRegex("[0-9]+", RegexOptions.NonBacktracking)]
    private static partial Regex VersionNumber();
}
