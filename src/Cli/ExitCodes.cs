namespace FogCompute.Cli;

/// <summary>What the process tells its caller; scripts rely on these numbers.</summary>
public static class ExitCodes
{
    public const int Ok = 0;
    public const int Error = 1;

    /// <summary>The command line itself is wrong; nothing was sent.</summary>
    public const int Usage = 2;
    public const int NotFound = 3;
    public const int Auth = 4;
    public const int Conflict = 5;

    /// <summary>The command worked, the job it waited for did not.</summary>
    public const int JobFailed = 6;
    public const int Timeout = 7;

    /// <summary>No control plane answers.</summary>
    public const int Unreachable = 8;

    /// <summary>Stopped by Ctrl-C (128 + SIGINT, as shells count).</summary>
    public const int Interrupted = 130;
}

/// <summary>
/// A command that could not do its work: what happened, what to do next, and the exit code. <paramref name="Detail"/> holds further lines
/// (fields of a problem document, log tails); <paramref name="Problem"/> is the server's own document where there is one.
/// </summary>
public sealed class CliException(int exitCode, string message, string? next = null, IReadOnlyList<string>? detail = null,
    System.Text.Json.Nodes.JsonNode? problem = null) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
    public string? Next { get; } = next;
    public IReadOnlyList<string> Detail { get; } = detail ?? [];
    public System.Text.Json.Nodes.JsonNode? Problem { get; } = problem;
}
