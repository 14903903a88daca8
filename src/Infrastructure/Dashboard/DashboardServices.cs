using FogCompute.Application.Benchmarks.Contracts;
using FogCompute.Application.Betanet.Contracts;
using FogCompute.Application.Dashboard;
using FogCompute.Application.P2P.Contracts;
using FogCompute.Application.Privacy.Contracts;
using FogCompute.Infrastructure.Host;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FogCompute.Infrastructure.Dashboard;

public static class DashboardServices
{
    /// <summary>The dashboard's snapshot, the machine's figures, and the networks that this installation does not have.</summary>
    /// <param name="home">FOG_HOME, whose disk is described.</param>
    public static IServiceCollection AddDashboard(this IServiceCollection services, string home)
    {
        services.AddSingleton(provider => new HostSampler(new ProcReader("/", home), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<HostSampler>>()));
        services.AddSingleton<IHostMetrics>(provider => provider.GetRequiredService<HostSampler>());
        services.AddHostedService(provider => provider.GetRequiredService<HostSampler>());
        services.AddSingleton<DashboardSnapshot>();
        services.AddScoped<IDashboardFigures, DashboardFigures>();
        services.AddSingleton<IBetanet, NoBetanet>();
        services.AddSingleton<IPrivacyNetwork, NoPrivacyNetwork>();
        services.AddSingleton<IPeerNetwork, NoPeerNetwork>();
        return services;
    }
}

// Each is replaced by the module that brings the real thing.

internal sealed class NoBetanet : IBetanet
{
    public Task<BetanetStatus?> StatusAsync(CancellationToken cancel) => Task.FromResult<BetanetStatus?>(null);

    public Task<BetanetDeployment?> DeployAsync(string nodeType, string region, CancellationToken cancel) => Task.FromResult<BetanetDeployment?>(null);
}

internal sealed class NoPrivacyNetwork : IPrivacyNetwork
{
    public Task<PrivacyStats?> StatsAsync(CancellationToken cancel) => Task.FromResult<PrivacyStats?>(null);

    public Task<IReadOnlyList<PrivacyCircuit>?> CircuitsAsync(CancellationToken cancel) => Task.FromResult<IReadOnlyList<PrivacyCircuit>?>(null);
}

internal sealed class NoPeerNetwork : IPeerNetwork
{
    public Task<P2PStats?> StatsAsync(CancellationToken cancel) => Task.FromResult<P2PStats?>(null);
}
