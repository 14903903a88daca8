namespace FogCompute.Protocol;

/// <summary>What a task runs. The same object travels from the submit body to the agent.</summary>
public sealed record PayloadSpec
{
    /// <summary>One of <see cref="PayloadKinds"/>.</summary>
    public required string Kind { get; init; }

    /// <summary><c>builtin</c>: the kernel's name, one of <see cref="BuiltinKernels"/>.</summary>
    public string? Kernel { get; init; }

    /// <summary><c>builtin</c>: numeric parameters of the kernel (for example <c>width</c>, <c>max_iterations</c>, <c>seconds</c>).</summary>
    public IReadOnlyDictionary<string, double>? Parameters { get; init; }

    /// <summary><c>command</c>: program and arguments, never passed through a shell.</summary>
    public IReadOnlyList<string>? Argv { get; init; }

    /// <summary><c>wasm</c>: SHA-256 of the module artifact, 64 lower-case hex digits.</summary>
    public string? Module { get; init; }

    /// <summary><c>wasm</c>: arguments after the program name.</summary>
    public IReadOnlyList<string>? Args { get; init; }

    /// <summary><c>container</c>: OCI image reference.</summary>
    public string? Image { get; init; }

    /// <summary><c>command</c>, <c>wasm</c>, <c>container</c>: extra environment variables.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary><c>command</c>, <c>wasm</c>: text given to standard input; empty when absent.</summary>
    public string? Stdin { get; init; }

    /// <summary><c>wasm</c>: whether one warm runner may serve several tasks of this job one after the other. Default false: one use per task.</summary>
    public bool ReuseRunner { get; init; }
}

/// <summary>Words for <see cref="PayloadSpec.Kind"/>.</summary>
public static class PayloadKinds
{
    public const string Builtin = "builtin";
    public const string Command = "command";
    public const string Wasm = "wasm";
    public const string Container = "container";
    public static readonly IReadOnlyList<string> All = [Builtin, Command, Wasm, Container];
}

/// <summary>Kernels that run inside the agent process; see docs/payloads.md for their parameters and outputs.</summary>
public static class BuiltinKernels
{
    /// <summary>Does nothing. No outputs.</summary>
    public const string Noop = "noop";

    /// <summary>Waits <c>seconds</c> (0–86 400, default 1), cancellable.</summary>
    public const string Sleep = "sleep";

    /// <summary>A fixed amount of integer, floating-point and memory work; the digest covers the checksum only, the measured rates are in the result.</summary>
    public const string DeviceBenchmark = "device-benchmark";

    /// <summary>One tile of the Mandelbrot set as a binary PGM; the tile is chosen by FOG_TASK_INDEX.</summary>
    public const string MandelbrotTile = "mandelbrot-tile";

    public static readonly IReadOnlyList<string> All = [Noop, Sleep, DeviceBenchmark, MandelbrotTile];
}

/// <summary>An input artifact laid into the work folder before the run.</summary>
public sealed record InputSpec
{
    /// <summary>Relative path inside the work folder, forward slashes, no <c>..</c>.</summary>
    public required string Path { get; init; }

    /// <summary>SHA-256 of the content, 64 lower-case hex digits.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Whether the file gets the execute bit.</summary>
    public bool Executable { get; init; }
}

/// <summary>
/// The payload keeps its state in a folder: when it ends with exit code 85, it is started again, here or elsewhere, with that
/// folder as it left it (self-checkpointing as HTCondor defines it, whose default exit code this is).
/// </summary>
public sealed record CheckpointSpec
{
    /// <summary>Ends a run that wants to be started again from what lies in its checkpoint folder.</summary>
    public const int ExitCode = 85;

    /// <summary>Folder, relative to the work folder, forward slashes, without <c>..</c> in it; FOG_CHECKPOINT_DIR tells the payload its whole path.</summary>
    public string Path { get; init; } = "checkpoint";
}

/// <summary>Clocks and sizes of one attempt. Seconds and bytes. Null in a submit body means the default.</summary>
public sealed record LimitsSpec
{
    /// <summary>Longest time from submit to the first start. Default 7 days.</summary>
    public int? QueueSeconds { get; init; }

    /// <summary>Longest time to fetch the inputs. Default 600.</summary>
    public int? StageInSeconds { get; init; }

    /// <summary>Longest run. Default 1.1 × the estimate, at least 10.</summary>
    public int? WallSeconds { get; init; }

    /// <summary>Longest time to upload the outputs. Default 600.</summary>
    public int? StageOutSeconds { get; init; }

    /// <summary>Memory of all processes of the attempt together. Default: memory_required.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Size of the work folder. Default 1 GiB.</summary>
    public long? DiskBytes { get; init; }

    /// <summary>Size of stdout + stderr + collected outputs. Default 64 MiB.</summary>
    public long? OutputBytes { get; init; }

    /// <summary>Processes and threads of the attempt. Default 256.</summary>
    public int? Processes { get; init; }
}

/// <summary>Isolation levels, weakest first; a job names the weakest it accepts.</summary>
public static class IsolationLevels
{
    public const string Process = "process";
    public const string Sandbox = "sandbox";
    public const string Container = "container";
    public const string Wasm = "wasm";

    /// <summary>Ascending strength.</summary>
    public static readonly IReadOnlyList<string> Ascending = [Process, Sandbox, Container, Wasm];
}
