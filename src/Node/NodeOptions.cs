namespace FogCompute.Node;

/// <summary>What <c>fog-node run</c> was told.</summary>
public sealed record NodeOptions
{
    /// <summary>Base address of the control plane, ends with a slash.</summary>
    public required Uri Server { get; init; }
    public required string DeviceId { get; init; }
    public required string StateFolder { get; init; }

    /// <summary>Enrolment token; null when the device is enrolled already or the control plane runs on this machine.</summary>
    public string? Token { get; init; }
    public string? Name { get; init; }
    public string DeviceType { get; init; } = "desktop";

    /// <summary>Attempts at once, 1–1024; null: one per offered core.</summary>
    public int? Slots { get; init; }

    /// <summary>Cores offered, 1–1024; null: the policy's share of the machine.</summary>
    public double? Cpu { get; init; }

    /// <summary>Memory offered, MiB; null: the policy's share of the machine.</summary>
    public long? MemoryMb { get; init; }
    public IReadOnlyList<string> Labels { get; init; } = [];
    public string? Region { get; init; }

    /// <summary>Whether jobs may use the network.</summary>
    public bool Network { get; init; }

    /// <summary>Preset name or policy file.</summary>
    public string? Policy { get; init; }
    public string? SensorsFile { get; init; }
    public bool AllowProcessIsolation { get; init; }

    /// <summary>Bound of the cache for inputs, MiB.</summary>
    public long CacheMb { get; init; } = 10_240;
}
