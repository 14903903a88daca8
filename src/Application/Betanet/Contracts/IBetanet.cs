using System.Text.Json.Serialization;

namespace FogCompute.Application.Betanet.Contracts;

/// <summary>The mix network. What does not exist answers null; what exists and is down throws.</summary>
public interface IBetanet
{
    /// <summary>Its state now; null: this installation has none.</summary>
    Task<BetanetStatus?> StatusAsync(CancellationToken cancel);

    /// <summary>Starts a node; null: this installation has none.</summary>
    Task<BetanetDeployment?> DeployAsync(string nodeType, string region, CancellationToken cancel);
}

/// <param name="Status">operational (nodes forward packets), idle (none does) or unavailable (there is no betanet).</param>
/// <param name="Health">Share of nodes that are active, 0–100; 0 without nodes.</param>
public sealed record BetanetStatus(string Status, BetanetNodes Nodes, BetanetTraffic Network, DateTimeOffset LastUpdated, double Health, IReadOnlyList<Mixnode> Mixnodes)
{
    /// <summary>Open connections over all nodes; the dashboard and the live metrics show it.</summary>
    [JsonIgnore]
    public int Connections { get; init; }
}

public sealed record BetanetNodes(int Total, int Active, int Inactive);

/// <summary>Measured over all nodes; 0 when there is none to measure.</summary>
/// <param name="Latency">Milliseconds.</param>
/// <param name="Bandwidth">MB/s that the nodes offer.</param>
/// <param name="Throughput">MB/s that they move.</param>
public sealed record BetanetTraffic(double Latency, double Bandwidth, double Throughput, long PacketsProcessed);

/// <param name="Status">active, inactive or degraded.</param>
/// <param name="Uptime">Seconds.</param>
/// <param name="Latency">Milliseconds.</param>
/// <param name="Reputation">0–1.</param>
public sealed record Mixnode(string Id, string Address, string Status, long PacketsProcessed, double Uptime, double Latency, double Reputation, MixnodePosition Position);

public sealed record MixnodePosition(double X, double Y, double Z);

/// <param name="Status">deploying or deployed.</param>
public sealed record BetanetDeployment(bool Success, string NodeId, string Status);
