namespace FogCompute.Protocol;

/// <summary>
/// <c>POST /api/idle-compute/devices</c>: registers a device, or registers it again after a change. The first six members are the contract's;
/// the rest is what our agent measured. Sent with an enrolment token or by the local operator.
/// </summary>
public sealed record DeviceRegistration
{
    public required string DeviceId { get; init; }

    /// <summary>android, ios, desktop, laptop, tablet or edge.</summary>
    public required string DeviceType { get; init; }

    /// <summary>Cores offered, 1–1024.</summary>
    public required double CpuCores { get; init; }

    /// <summary>Memory offered, MiB.</summary>
    public required long MemoryMb { get; init; }

    public double? BatteryPercent { get; init; }
    public bool? IsCharging { get; init; }

    public string? Name { get; init; }
    public string? Platform { get; init; }
    public long? DiskMb { get; init; }
    public int? GpuCount { get; init; }

    /// <summary>Attempts the device takes at once, 1–1024; default: its cores.</summary>
    public int? Slots { get; init; }

    /// <summary>Isolation levels the device really offers.</summary>
    public IReadOnlyList<string>? Isolation { get; init; }

    /// <summary>Payload kinds the device really runs.</summary>
    public IReadOnlyList<string>? PayloadKinds { get; init; }

    /// <summary>Whether the owner lets jobs use the network.</summary>
    public bool? NetworkAllowed { get; init; }

    /// <summary>Free words such as <c>gpu=a100</c> or <c>lab</c>; at most 32 of at most 64 characters.</summary>
    public IReadOnlyList<string>? Labels { get; init; }
    public string? Region { get; init; }

    /// <summary>Measured single-core score, operations per second of the reference kernel.</summary>
    public double? BenchmarkScore { get; init; }

    /// <summary>Clock of the CPU in GHz where the system tells.</summary>
    public double? CpuGhz { get; init; }

    /// <summary>ECDSA P-256 public key (SubjectPublicKeyInfo, base64) that signs receipts. A device without one cannot report results.</summary>
    public string? PublicKey { get; init; }

    /// <summary>How long the machine may be offline before its leases count as lost, 0–86 400 s; never less than the pool's silence limit.</summary>
    public int? OfflineGraceSeconds { get; init; }
}
