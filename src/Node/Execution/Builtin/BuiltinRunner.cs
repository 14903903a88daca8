using System.Security.Cryptography;
using System.Text;
using FogCompute.Protocol;

namespace FogCompute.Node.Execution.Builtin;

/// <summary>
/// Runs our own kernels inside the agent process. They execute no foreign code and touch nothing but their own work folder, so they satisfy
/// any isolation a job may ask for up to <see cref="IsolationLevels.Sandbox"/>: there is nothing to be isolated from.
/// </summary>
internal sealed class BuiltinRunner(TimeProvider time)
{
    private static readonly Task<ExecutionResult> _nothingDone = Task.FromResult(
        new ExecutionResult { Outcome = AttemptOutcomes.Succeeded, ExitCode = 0 });

    public Task<ExecutionResult> RunAsync(ExecutionRequest request, CancellationToken stop)
    {
        if (stop.IsCancellationRequested)
            return Task.FromResult(Results.Cancelled());
        return request.Lease.Payload.Kernel switch
        {
            BuiltinKernels.Noop => _nothingDone,
            BuiltinKernels.Sleep => GuardedAsync(request, SleepAsync, stop),
            BuiltinKernels.MandelbrotTile => GuardedAsync(request, MandelbrotAsync, stop),
            BuiltinKernels.DeviceBenchmark => GuardedAsync(request, BenchmarkAsync, stop),
            var kernel => Task.FromResult(Results.Declined(
                ExecutionReasons.KernelUnknown,
                $"This agent has no kernel named '{kernel}'; it knows {string.Join(", ", BuiltinKernels.All)}. A newer agent may know it.")),
        };
    }

    private async Task<ExecutionResult> GuardedAsync(
        ExecutionRequest request, Func<ExecutionRequest, CancellationToken, Task<ExecutionResult>> kernel, CancellationToken stop)
    {
        var start = time.GetTimestamp();
        var wall = TimeSpan.FromSeconds(request.Lease.Limits.WallSeconds ?? Defaults.WallSeconds);
        using var expiry = new CancellationTokenSource(wall, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, expiry.Token);
        ExecutionResult result;
        try
        {
            result = await kernel(request, either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            result = stop.IsCancellationRequested ? Results.Cancelled() : Results.TimedOut(wall);
        }
        catch (KernelParameterException bad)
        {
            result = Results.Failed(ExecutionReasons.ParameterInvalid, bad.Message);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            result = Results.DeviceError($"The kernel could not write its output: {fault.Message}");
        }
        return result with { Wall = time.GetElapsedTime(start) };
    }

    private async Task<ExecutionResult> SleepAsync(ExecutionRequest request, CancellationToken stop)
    {
        await Task.Delay(TimeSpan.FromSeconds(request.Lease.Payload.Number("seconds", 1, 0, 86_400)), time, stop);
        return new ExecutionResult { Outcome = AttemptOutcomes.Succeeded, ExitCode = 0 };
    }

    private static async Task<ExecutionResult> MandelbrotAsync(ExecutionRequest request, CancellationToken stop)
    {
        var tile = MandelbrotTile.From(request.Lease.Payload, request.Lease.TaskIndex);
        if (TooLarge(request, tile.FileBytes) is { } refusal)
            return refusal;
        var path = Path.Combine(request.WorkFolder, MandelbrotTile.FileName);
        var cpu = await OnOwnThread(() =>
        {
            Directory.CreateDirectory(request.WorkFolder);
            using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, 1 << 16);
            tile.Write(file, stop);
            return Native.ThreadCpu();
        });
        return await DoneAsync(path, MandelbrotTile.FileName, cpu, null, stop);
    }

    private static async Task<ExecutionResult> BenchmarkAsync(ExecutionRequest request, CancellationToken stop)
    {
        var work = DeviceBenchmark.For(request.Lease.CpuMillicores, request.Lease.MemoryBytes);
        var memory = request.Lease.Limits.MemoryBytes ?? request.Lease.MemoryBytes;
        if (work.MemoryBytes > memory)
            return Results.Failed(ExecutionReasons.MemoryLimit, $"The benchmark needs {work.MemoryBytes} bytes for {work.Threads} threads; the limit is {memory}.");

        var parts = await Task.WhenAll(Enumerable.Range(0, work.Threads).Select(thread => OnOwnThread(() => (Part: work.Run(thread, stop), Cpu: Native.ThreadCpu()))));
        var checksum = parts.Aggregate(0xCBF29CE484222325UL, (sum, part) => (sum ^ part.Part.Checksum) * 0x100000001B3);
        var text = Encoding.ASCII.GetBytes($"{checksum:x16}\n");
        if (TooLarge(request, text.Length) is { } refusal)
            return refusal;
        Directory.CreateDirectory(request.WorkFolder);
        var path = Path.Combine(request.WorkFolder, DeviceBenchmark.FileName);
        await File.WriteAllBytesAsync(path, text, stop);
        var measurements = new Dictionary<string, double>
        {
            ["threads"] = work.Threads,
            ["integer_ops_per_second"] = parts.Sum(part => part.Part.IntegerPerSecond),
            ["flops"] = parts.Sum(part => part.Part.FloatPerSecond),
            ["memory_mb_per_second"] = parts.Sum(part => part.Part.BytesPerSecond) / 1e6,
        };
        var cpu = parts.Aggregate(TimeSpan.Zero, (sum, part) => sum + part.Cpu);
        return await DoneAsync(path, DeviceBenchmark.FileName, cpu, measurements, stop);
    }

    private static ExecutionResult? TooLarge(ExecutionRequest request, long bytes)
    {
        var limits = request.Lease.Limits;
        if (bytes > (limits.OutputBytes ?? Defaults.OutputBytes))
            return Results.Failed(ExecutionReasons.OutputLimit, $"The output has {bytes} bytes; the limit is {limits.OutputBytes}.");
        return bytes > (limits.DiskBytes ?? Defaults.DiskBytes)
            ? Results.Failed(ExecutionReasons.DiskLimit, $"The output has {bytes} bytes; the work folder may hold {limits.DiskBytes}.")
            : null;
    }

    private static async Task<ExecutionResult> DoneAsync(
        string path, string name, TimeSpan cpu, IReadOnlyDictionary<string, double>? measurements, CancellationToken stop)
    {
        await using var file = File.OpenRead(path);
        var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, stop));
        return new ExecutionResult
        {
            Outcome = AttemptOutcomes.Succeeded,
            ExitCode = 0,
            Cpu = cpu,
            Outputs = [new CollectedFile(path, name, hash, file.Length)],
            Measurements = measurements,
        };
    }

    /// <summary>Computes on a thread of its own at low priority: pool threads keep serving leases, and the owner's programs go first.</summary>
    private static Task<T> OnOwnThread<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (OperationCanceledException cancelled)
            {
                done.SetCanceled(cancelled.CancellationToken);
            }
            catch (Exception fault)
            {
                done.SetException(fault);
            }
        })
        { IsBackground = true, Priority = ThreadPriority.BelowNormal, Name = "fog-kernel" }.Start();
        return done.Task;
    }
}
