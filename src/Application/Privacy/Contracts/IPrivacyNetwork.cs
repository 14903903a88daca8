namespace FogCompute.Application.Privacy.Contracts;

/// <summary>Onion circuits and tunnels. What does not exist answers null; what exists and is down throws.</summary>
public interface IPrivacyNetwork
{
    /// <summary>Figures of now; null: this installation has none.</summary>
    Task<PrivacyStats?> StatsAsync(CancellationToken cancel);

    /// <summary>Circuits that are open now; null: this installation has none.</summary>
    Task<IReadOnlyList<PrivacyCircuit>?> CircuitsAsync(CancellationToken cancel);
}

/// <summary>Measured figures; 0 when there is nothing to measure.</summary>
/// <param name="TotalBandwidth">MB/s.</param>
/// <param name="AvgLatency">Milliseconds.</param>
/// <param name="CircuitHealth">0–1, mean of the circuits.</param>
public sealed record PrivacyStats(
    int ActiveCircuits, double TotalBandwidth, double AvgLatency, double CircuitHealth, OnionLayers OnionLayers, int HiddenServices, int VpnConnections,
    CircuitFigures Circuits, OnionFigures Onion, VpnFigures Vpn, PrivacyScores Privacy)
{
    /// <summary>No circuit, service or tunnel exists.</summary>
    public static readonly PrivacyStats Nothing = new(
        0, 0, 0, 0, new OnionLayers(0, 0, 0), 0, 0, new CircuitFigures(0, 0, 0, 0), new OnionFigures(0, 0, null, 0), new VpnFigures(0, 0, 0, []), new PrivacyScores(0, 0, 0));
}

public sealed record OnionLayers(double Average, int Min, int Max);

/// <param name="AvgLatency">Milliseconds.</param>
/// <param name="Throughput">MB/s.</param>
public sealed record CircuitFigures(int Active, int Total, double AvgLatency, double Throughput);

/// <param name="Encryption">Name of the cipher; null: nothing is encrypted.</param>
public sealed record OnionFigures(int Layers, int Nodes, string? Encryption, int Mixnets);

/// <param name="Bandwidth">MB/s.</param>
public sealed record VpnFigures(int Tunnels, double Bandwidth, int ConnectedUsers, IReadOnlyList<string> Protocols);

/// <summary>0–100 each; 0 where nothing protects.</summary>
public sealed record PrivacyScores(double AnonymityScore, double FingerprintResistance, double TrafficObfuscation);

/// <param name="Hops">Node ids in order.</param>
/// <param name="Bandwidth">MB/s.</param>
/// <param name="Latency">Milliseconds.</param>
/// <param name="Health">0–1.</param>
public sealed record PrivacyCircuit(string Id, IReadOnlyList<string> Hops, double Bandwidth, double Latency, double Health, DateTimeOffset Created);
