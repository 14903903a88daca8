namespace FogCompute.Node.Execution.Sandbox;

/// <summary>One program to be run in isolation.</summary>
internal sealed record SandboxSpec
{
    /// <summary>Program and arguments as seen inside; never read by a shell.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>Host folder that is <c>/work</c> inside, the only writable one that lasts.</summary>
    public required string WorkFolder { get; init; }

    /// <summary>The whole environment of the program.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }
    public bool Network { get; init; }

    /// <summary>Further host files to be seen read-only, by path inside.</summary>
    public IReadOnlyDictionary<string, string> ReadOnly { get; init; } = new Dictionary<string, string>();
    public required SandboxLimits Limits { get; init; }
}

/// <summary>Bytes; processes counts threads too.</summary>
internal sealed record SandboxLimits(long MemoryBytes, int Processes, long DiskBytes);
