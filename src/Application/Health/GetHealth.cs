using System.Text.Json;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Health;

// GET /health
// Always 200: what each part said when it was asked just now.

/// <summary>Health of the system and each of its parts, measured now. Always 200.</summary>
[RequiresPermission(Permissions.Public)]
[Collapsed(SameForAll = true)]
public sealed record GetHealthQuery : IQuery<HealthAnswer>;

/// <param name="Status">healthy, degraded or unhealthy.</param>
/// <param name="Services">Part → healthy, degraded, unknown or unavailable.</param>
/// <param name="Checks">The same parts with the time the check took and a sentence.</param>
public sealed record HealthAnswer(string Status, IReadOnlyDictionary<string, string> Services, string Version, IReadOnlyDictionary<string, HealthCheck> Checks);

internal sealed class GetHealthHandler(HealthProbes probes) : IQueryHandler<GetHealthQuery, HealthAnswer>
{
    /// <summary>Parts of the contract that this installation does not have; they are named, and do not make it unwell.</summary>
    private static readonly string[] Absent = ["fog_coordinator", "onion", "vpn_coordinator", "p2p", "betanet"];

    public async Task<HealthAnswer> Handle(GetHealthQuery query, CancellationToken cancellationToken)
    {
        var looked = await probes.RunAsync(_ => true, cancellationToken);
        var checks = new SortedDictionary<string, HealthCheck>(StringComparer.Ordinal);
        foreach (var name in Absent)
            checks[name] = new HealthCheck(HealthStatus.Unavailable, 0, "Not part of this installation.");
        foreach (var (probe, check) in looked)
            checks[probe.Name] = check;
        var status = looked switch
        {
            _ when looked.Any(l => l.Probe.IsVital && l.Check.Status == HealthStatus.Unavailable) => "unhealthy",
            _ when looked.Any(l => l.Check.Status is HealthStatus.Degraded or HealthStatus.Unavailable) => "degraded",
            _ => "healthy",
        };
        var services = checks.ToDictionary(c => c.Key, c => JsonNamingPolicy.SnakeCaseLower.ConvertName(c.Value.Status.ToString()), StringComparer.Ordinal);
        return new HealthAnswer(status, services, ProductVersion.Text, checks);
    }
}

/// <summary>The version of this build.</summary>
internal static class ProductVersion
{
    public static readonly string Text = typeof(ProductVersion).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
