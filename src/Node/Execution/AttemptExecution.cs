using FogCompute.Protocol;

namespace FogCompute.Node.Execution;

/// <summary>
/// Runs one attempt whose inputs already lie in <paramref name="WorkFolder"/> and leaves its outputs there. Never throws for anything the
/// payload did: every end is an <see cref="ExecutionResult"/>.
/// </summary>
/// <param name="WorkFolder">Private folder of this attempt; created and removed by the caller.</param>
/// <param name="LogFolder">Where <c>stdout</c> and <c>stderr</c> are written as files, outside the work folder. Folder and files come into being with their first byte.</param>
/// <param name="ModulePath">Local path of the WASM module for <c>wasm</c> payloads, else null.</param>
/// <param name="Notice">Cancelled when the attempt will soon be stopped: the program of a <c>command</c> gets SIGTERM. A WASI module cannot be signalled.</param>
public sealed record ExecutionRequest(LeaseMessage Lease, string WorkFolder, string LogFolder, string? ModulePath, CancellationToken Notice = default);

/// <summary>How a run ended, in the words of <see cref="AttemptOutcomes"/>.</summary>
public sealed record ExecutionResult
{
    /// <summary>One of <see cref="AttemptOutcomes"/>.</summary>
    public required string Outcome { get; init; }

    /// <summary>Typed reason, null on success.</summary>
    public string? Reason { get; init; }

    /// <summary>One sentence for a person, null on success.</summary>
    public string? Message { get; init; }
    public int? ExitCode { get; init; }
    public TimeSpan Wall { get; init; }
    public TimeSpan Cpu { get; init; }
    public long? PeakMemoryBytes { get; init; }

    /// <summary>Collected files (absolute path on disk, relative path in the work folder), hashed; empty unless succeeded.</summary>
    public IReadOnlyList<CollectedFile> Outputs { get; init; } = [];
    public IReadOnlyDictionary<string, double>? Measurements { get; init; }
}

/// <summary>A file to upload.</summary>
public sealed record CollectedFile(string AbsolutePath, string Path, string Sha256, long Size);

/// <summary>Runs payloads of some kinds on this device.</summary>
public interface IAttemptExecutor : IAsyncDisposable
{
    /// <summary>Isolation levels this device really offers (found by trying them), weakest first.</summary>
    IReadOnlyList<string> Isolation { get; }

    /// <summary>Payload kinds this device really runs.</summary>
    IReadOnlyList<string> PayloadKinds { get; }

    /// <summary>
    /// Runs the attempt. <paramref name="stop"/> ends it within 2 s and leaves no process behind; the result is then
    /// <see cref="AttemptOutcomes.Cancelled"/>, which the caller may turn into evicted.
    /// </summary>
    Task<ExecutionResult> RunAsync(ExecutionRequest request, CancellationToken stop);
}
