namespace FogCompute.Application.Benchmarks.Contracts;

/// <summary>The machine that this control plane runs on.</summary>
public interface IHostMetrics
{
    /// <summary>Over the last interval of a second; null until there were two looks, and where the machine cannot be measured.</summary>
    HostMetrics? Latest { get; }

    /// <summary>What it is; null for what it does not tell.</summary>
    MachineDescription Machine { get; }
}

/// <param name="CpuPercent">Busy share of all cores, 0–100.</param>
/// <param name="MemoryPercent">Share of memory that is not available to new programs, 0–100.</param>
/// <param name="DiskReadBytesPerSecond">All disks together.</param>
/// <param name="DiskWrittenBytesPerSecond">All disks together.</param>
/// <param name="DiskUsePercent">In use of the disk that FOG_HOME is on; null: not known.</param>
/// <param name="ReceivedBytesPerSecond">All network interfaces but loopback.</param>
/// <param name="SentBytesPerSecond">All network interfaces but loopback.</param>
/// <param name="NetworkPercent">The busier direction, of what <paramref name="NetworkPercentOf"/> says, 0–100.</param>
/// <param name="NetworkPercentOf">link_speed, or largest_rate_seen (since this process started) where no interface tells its speed.</param>
public sealed record HostMetrics(
    DateTimeOffset At, double CpuPercent, double MemoryPercent, double DiskReadBytesPerSecond, double DiskWrittenBytesPerSecond, double? DiskUsePercent,
    double ReceivedBytesPerSecond, double SentBytesPerSecond, double NetworkPercent, string NetworkPercentOf)
{
    /// <summary>Both directions, MB/s.</summary>
    public double NetworkMegabytesPerSecond => Math.Round((ReceivedBytesPerSecond + SentBytesPerSecond) / 1e6, 6);
}

/// <param name="Cores">That this process may use.</param>
/// <param name="Memory">Bytes of the machine.</param>
/// <param name="Disk">Kind of the disk that FOG_HOME is on: solid_state, rotating, or the file system where no disk is behind it.</param>
/// <param name="Version">Of this control plane.</param>
public sealed record MachineDescription(string? Cpu, int Cores, long? Memory, string Kernel, string? Disk, string Version);
