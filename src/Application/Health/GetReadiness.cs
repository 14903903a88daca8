using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Health;

// GET /readyz
// 200 when requests may be sent here, 503 with the reasons otherwise.

/// <summary>Whether requests may be sent here; 503 names each reason why not.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record GetReadinessQuery : IQuery<ReadinessAnswer>;

public sealed record ReadinessAnswer(string Status);

internal sealed class GetReadinessHandler(HealthProbes probes, Readiness readiness) : IQueryHandler<GetReadinessQuery, ReadinessAnswer>
{
    public async Task<ReadinessAnswer> Handle(GetReadinessQuery query, CancellationToken cancellationToken)
    {
        var reasons = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (readiness.NotReady is { } why)
            reasons["control_plane"] = [why];
        foreach (var (probe, check) in await probes.RunAsync(p => p.IsVital, cancellationToken))
        {
            if (check.Status == HealthStatus.Unavailable)
                reasons[probe.Name] = [check.Message];
        }
        if (reasons.Count > 0)
            throw new FogException(HealthErrors.NotReady, reasons) { RetryAfter = TimeSpan.FromSeconds(2) };
        return new ReadinessAnswer("ready");
    }
}
