namespace FogCompute.Application.P2P.Contracts;

/// <summary>Peers without a control plane between them. What does not exist answers null; what exists and is down throws.</summary>
public interface IPeerNetwork
{
    /// <summary>Figures of now; null: this installation has none.</summary>
    Task<P2PStats?> StatsAsync(CancellationToken cancel);
}

/// <summary>Measured figures; 0 when there is nothing to measure.</summary>
/// <param name="NetworkHealth">good, fair or poor; null: there is no network whose health could be told.</param>
public sealed record P2PStats(
    int ConnectedPeers, long MessagesSent, long MessagesReceived, PeerProtocols Protocols, string? NetworkHealth, BitchatFigures Bitchat, PeerBetanetFigures Betanet, UnifiedFigures Unified)
{
    /// <summary>No peer exists.</summary>
    public static readonly P2PStats Nothing = new(
        0, 0, 0, new PeerProtocols(0, 0, 0), null, new BitchatFigures(0, 0, null), new PeerBetanetFigures(0, 0, 0), new UnifiedFigures(0, new PeerProtocols(0, 0, 0), 0, 0));
}

/// <summary>Peers by protocol.</summary>
public sealed record PeerProtocols(int Ble, int Htx, int Mesh);

/// <param name="MeshTopology">star, mesh or hybrid; null: there is no mesh.</param>
public sealed record BitchatFigures(int BleConnections, int OfflinePeers, string? MeshTopology);

/// <param name="Throughput">MB/s.</param>
public sealed record PeerBetanetFigures(int HtxCircuits, int OnlineNodes, double Throughput);

public sealed record UnifiedFigures(int TotalPeers, PeerProtocols ProtocolDistribution, int MessageQueue, int ActiveRoutes);
