namespace FogCompute.Domain.Scheduler;

/// <summary>How strongly foreign code is kept from the machine, weakest first.</summary>
public enum Isolation { Process, Sandbox, Container, Wasm }

public enum NetworkNeed { None, Full }

/// <summary>What one task of a job needs from a device. Millicores, bytes.</summary>
public sealed record Requirements
{
    public required int CpuMillicores { get; init; }
    public required long MemoryBytes { get; init; }
    public int Gpus { get; init; }
    public long DiskBytes { get; init; }

    /// <summary>The weakest isolation accepted.</summary>
    public Isolation Isolation { get; init; }
    public NetworkNeed Network { get; init; }
    public required string PayloadKind { get; init; }

    /// <summary>Labels a device must all carry.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>Regions accepted; empty: any.</summary>
    public IReadOnlyList<string> Regions { get; init; } = [];

    /// <summary>Device ids never to use.</summary>
    public IReadOnlyList<string> ExcludedDevices { get; init; } = [];

    /// <summary>Lowest acceptable lower bound of reputation, 0–1.</summary>
    public double MinimumTrust { get; init; }
    public bool AttestedOnly { get; init; }

    /// <summary>Equal for equal needs (records compare lists by reference): what is worked out for one holds for the other.</summary>
    public string ToKey() => string.Join('\n',
        [$"{CpuMillicores} {MemoryBytes} {Gpus} {DiskBytes} {Isolation} {Network} {PayloadKind} {MinimumTrust:R} {AttestedOnly}", .. Labels, "", .. Regions, "", .. ExcludedDevices]);
}
