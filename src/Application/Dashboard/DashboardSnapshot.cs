using FogCompute.Application.Benchmarks.Contracts;
using FogCompute.Application.Betanet.Contracts;
using FogCompute.Application.P2P.Contracts;
using FogCompute.Application.Privacy.Contracts;
using FogCompute.Application.Realtime;
using FogCompute.Domain.Tokenomics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FogCompute.Application.Dashboard;

/// <summary>The last snapshot of all parts, for a second. Who comes while one is gathered waits for that one; a caller who leaves does not end it for the others.</summary>
public sealed partial class DashboardSnapshot(IServiceScopeFactory scopes, IHostMetrics host, TimeProvider time, ILogger<DashboardSnapshot> log)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    /// <summary>A part that takes longer counts as down in this snapshot.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private (DashboardStats Stats, long At)? _last;
    private Task<DashboardStats>? _gathering;

    public Task<DashboardStats> GetAsync(CancellationToken cancel)
    {
        lock (_gate)
        {
            if (_last is { } last && time.GetElapsedTime(last.At) < Fresh)
                return Task.FromResult(last.Stats);
            if (_gathering is not { IsCompleted: false })
                _gathering = GatherAsync();
            return _gathering.WaitAsync(cancel);
        }
    }

    private async Task<DashboardStats> GatherAsync()
    {
        await Task.Yield(); // Out of the gate.
        var started = time.GetTimestamp();
        var stats = await LookAsync();
        lock (_gate)
            _last = (stats, started);
        return stats;
    }

    private async Task<DashboardStats> LookAsync()
    {
        var down = new SortedSet<string>(StringComparer.Ordinal);
        var betanet = AskAsync<IBetanet, BetanetStatus?>((part, cancel) => part.StatusAsync(cancel));
        var peers = AskAsync<IPeerNetwork, P2PStats?>((part, cancel) => part.StatsAsync(cancel));
        var privacy = AskAsync<IPrivacyNetwork, PrivacyStats?>((part, cancel) => part.StatsAsync(cancel));
        var pool = AskAsync<IPoolFigures, PoolCounts?>((part, cancel) => part.CountAsync(cancel));
        var more = AskAsync<IDashboardFigures, DashboardCounts?>(async (part, cancel) => await part.CountAsync(cancel));
        await Task.WhenAll(betanet, peers, privacy, pool, more);
        var machine = host.Latest;

        var (counts, figures) = ((await pool).Answer, (await more).Answer);
        if (counts is null || figures is null)
            down.UnionWith(["benchmarks", "idle", "idleCompute", "tokenomics"]);
        if (machine is null)
            down.Add("benchmarks");
        var idle = new IdlePart(counts?.Devices, counts?.HarvestingDevices, figures is null ? null : Math.Round(figures.ComputeMs / 3_600_000.0, 6));
        return new DashboardStats(
            await BetanetAsync(betanet, down), await BitchatAsync(peers, down),
            new BenchmarksPart(
                figures?.BenchmarksRun, figures is null ? null : Math.Round(figures.DeviceScore ?? 0, 3), counts?.OpenSlots, figures is null ? null : Math.Round(figures.RoundTrip.TotalMilliseconds, 3),
                machine?.NetworkMegabytesPerSecond, machine?.NetworkPercent, machine?.CpuPercent, machine?.MemoryPercent),
            idle, idle, new TokenomicsPart(counts is null ? null : Credits.FromMicro(counts.SupplyMicro), counts?.Stakers), await PrivacyAsync(privacy, down),
            machine is null ? null : new HostPart(
                machine.CpuPercent, machine.MemoryPercent, new HostDiskPart(machine.DiskReadBytesPerSecond, machine.DiskWrittenBytesPerSecond, machine.DiskUsePercent),
                new HostNetworkPart(machine.ReceivedBytesPerSecond, machine.SentBytesPerSecond, machine.NetworkPercent, machine.NetworkPercentOf)),
            time.GetUtcNow(), [.. down]);
    }

    private static async Task<BetanetPart> BetanetAsync(Task<(bool Answered, BetanetStatus? Answer)> asked, SortedSet<string> down)
    {
        var (answered, status) = await asked;
        if (!answered)
        {
            down.Add("betanet");
            return new BetanetPart(null, null, null, null, "offline");
        }
        return status is null
            ? new BetanetPart(0, 0, 0, 0, "offline")
            : new BetanetPart(status.Nodes.Total, status.Connections, status.Network.Latency, status.Network.PacketsProcessed, status.Status == "operational" ? "online" : "offline");
    }

    private static async Task<BitchatPart> BitchatAsync(Task<(bool Answered, P2PStats? Answer)> asked, SortedSet<string> down)
    {
        var (answered, stats) = await asked;
        if (!answered)
        {
            down.Add("bitchat");
            return new BitchatPart(null, null, null, false, null, new MeshPart(null, null));
        }
        stats ??= P2PStats.Nothing;
        return new BitchatPart(
            stats.ConnectedPeers, stats.MessagesReceived, stats.MessagesReceived + stats.MessagesSent, stats.ConnectedPeers > 0, stats.NetworkHealth, new MeshPart(stats.Protocols.Ble, stats.Protocols.Htx));
    }

    private static async Task<PrivacyPart> PrivacyAsync(Task<(bool Answered, PrivacyStats? Answer)> asked, SortedSet<string> down)
    {
        var (answered, stats) = await asked;
        if (answered)
            return new PrivacyPart(stats?.ActiveCircuits ?? 0, stats is { ActiveCircuits: > 0 } ? stats.CircuitHealth : null);
        down.Add("privacy");
        return new PrivacyPart(null, null);
    }

    /// <summary>Asks one part in a scope of its own, so that they answer side by side and one that does not even give up in time can be left behind.</summary>
    private async Task<(bool Answered, TAnswer? Answer)> AskAsync<TPart, TAnswer>(Func<TPart, CancellationToken, Task<TAnswer?>> ask) where TPart : notnull
    {
        using var limit = new CancellationTokenSource(Patience, time);
        try
        {
            return (true, await InScopeAsync(limit.Token).WaitAsync(limit.Token));
        }
        catch (Exception failure)
        {
            Down(log, failure, typeof(TPart).Name);
            return (false, default);
        }

        async Task<TAnswer?> InScopeAsync(CancellationToken cancel)
        {
            await using var scope = scopes.CreateAsyncScope();
            return await ask(scope.ServiceProvider.GetRequiredService<TPart>(), cancel);
        }
    }

    [LoggerMessage(45, LogLevel.Warning, "dashboard_part_down {part}")]
    private static partial void Down(ILogger logger, Exception failure, string part);
}
