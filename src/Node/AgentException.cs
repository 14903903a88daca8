namespace FogCompute.Node;

/// <summary>Exit codes of fog-node.</summary>
public static class ExitCodes
{
    public const int Ok = 0;
    public const int Error = 1;
    public const int Usage = 2;

    /// <summary>The control plane refuses the enrolment token or the device key.</summary>
    public const int Auth = 4;

    /// <summary>No agent runs in that state folder.</summary>
    public const int Unreachable = 8;
}

/// <summary>The agent cannot go on; the message tells a person what happened, why, and what to do next.</summary>
public sealed class AgentException(int exitCode, string message) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
