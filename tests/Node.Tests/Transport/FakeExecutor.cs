using System.Collections.Concurrent;
using System.Security.Cryptography;
using FogCompute.Node.Execution;
using FogCompute.Protocol;

namespace FogCompute.Node.Tests.Transport;

/// <summary>
/// Plays payloads for transport tests. <c>noop</c> and <c>sleep</c> do what their names say; a command's first word says what happens:
/// <c>cat</c> copies the input file named next to <c>out.bin</c>, <c>write N</c> leaves N bytes of output, <c>log TEXT</c> prints and then waits, <c>fail</c> exits with 3.
/// </summary>
internal sealed class FakeExecutor : IAttemptExecutor
{
    public IReadOnlyList<string> Isolation { get; init; } = [IsolationLevels.Sandbox];
    public IReadOnlyList<string> PayloadKinds { get; init; } = ["builtin", "command"];
    public ConcurrentQueue<Guid> Started { get; } = new();
    public ConcurrentDictionary<Guid, string> WorkFolders { get; } = new();
    public int MostAtOnce { get; private set; }
    private int _now;
    private int _ended;

    /// <summary>Runs that are over.</summary>
    public int Ended => Volatile.Read(ref _ended);

    public async Task<ExecutionResult> RunAsync(ExecutionRequest request, CancellationToken stop)
    {
        Started.Enqueue(request.Lease.AttemptId);
        var now = Interlocked.Increment(ref _now);
        lock (Started)
            MostAtOnce = Math.Max(MostAtOnce, now);
        try
        {
            return await PlayAsync(request, stop);
        }
        catch (OperationCanceledException)
        {
            return new ExecutionResult { Outcome = AttemptOutcomes.Cancelled, Reason = "cancelled", Message = "Stopped." };
        }
        finally
        {
            Interlocked.Decrement(ref _now);
            Interlocked.Increment(ref _ended);
        }
    }

    private async Task<ExecutionResult> PlayAsync(ExecutionRequest request, CancellationToken stop)
    {
        WorkFolders[request.Lease.AttemptId] = request.WorkFolder;
        var payload = request.Lease.Payload;
        if (payload.Kernel == BuiltinKernels.Noop)
            return new ExecutionResult { Outcome = AttemptOutcomes.Succeeded, ExitCode = 0 };
        if (payload.Kernel == BuiltinKernels.Sleep)
        {
            await Task.Delay(TimeSpan.FromSeconds(payload.Parameters!["seconds"]), stop);
            return new ExecutionResult { Outcome = AttemptOutcomes.Succeeded, ExitCode = 0 };
        }
        byte[] content;
        switch (payload.Argv![0])
        {
            case "cat":
                content = await File.ReadAllBytesAsync(Path.Combine(request.WorkFolder, payload.Argv[1]), stop);
                break;
            case "write":
                content = new byte[int.Parse(payload.Argv[1])];
                new Random(7).NextBytes(content);
                break;
            case "log":
                await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(request.LogFolder).FullName, "stdout"), payload.Argv[1], stop);
                await Task.Delay(TimeSpan.FromSeconds(double.Parse(payload.Argv[2])), stop);
                return new ExecutionResult { Outcome = AttemptOutcomes.Succeeded, ExitCode = 0 };
            default:
                await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(request.LogFolder).FullName, "stderr"), "it went wrong\n", stop);
                return new ExecutionResult { Outcome = AttemptOutcomes.Failed, ExitCode = 3, Reason = "exit_code", Message = "It exited with 3." };
        }
        var file = Path.Combine(request.WorkFolder, "out.bin");
        await File.WriteAllBytesAsync(file, content, stop);
        return new ExecutionResult
        {
            Outcome = AttemptOutcomes.Succeeded,
            ExitCode = 0,
            Wall = TimeSpan.FromMilliseconds(12),
            Outputs = [new CollectedFile(file, "out.bin", Convert.ToHexStringLower(SHA256.HashData(content)), content.Length)],
        };
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
