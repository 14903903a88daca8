namespace FogCompute.Node.Execution;

/// <summary>Typed reasons of <see cref="ExecutionResult.Reason"/>; the README of this folder says which outcome each belongs to.</summary>
public static class ExecutionReasons
{
    /// <summary>The payload ended by itself with a code other than 0.</summary>
    public const string ExitCode = "exit_code";

    /// <summary>The payload ended with exit code 85 and has declared a checkpoint: it wants to be started again.</summary>
    public const string Checkpointed = "checkpointed";

    /// <summary>The checkpoint folder cannot be packed, or an archive not restored.</summary>
    public const string CheckpointInvalid = "checkpoint_invalid";

    /// <summary>The payload was ended by a signal that was not ours (exit code 128 + signal).</summary>
    public const string Signal = "signal";
    public const string WallLimit = "wall_limit";
    public const string MemoryLimit = "memory_limit";
    public const string ProcessLimit = "process_limit";
    public const string DiskLimit = "disk_limit";
    public const string OutputLimit = "output_limit";

    /// <summary>An output named without wildcard does not exist.</summary>
    public const string OutputMissing = "output_missing";

    /// <summary>An output is a link, device, pipe or socket, or its pattern leaves the work folder.</summary>
    public const string OutputUnsafe = "output_unsafe";
    public const string ProgramNotFound = "program_not_found";

    /// <summary>A parameter of a builtin kernel is out of range.</summary>
    public const string ParameterInvalid = "parameter_invalid";

    /// <summary>The device could not set the sandbox up, or could not keep the files of the run.</summary>
    public const string SandboxFailed = "sandbox_failed";

    /// <summary>This device has no engine for the payload's kind.</summary>
    public const string RuntimeMissing = "runtime_missing";

    /// <summary>The device cannot give the isolation asked, and never gives less.</summary>
    public const string IsolationUnavailable = "isolation_unavailable";
    public const string KernelUnknown = "kernel_unknown";

    /// <summary>The caller's stop token fired.</summary>
    public const string Cancelled = "cancelled";
}
