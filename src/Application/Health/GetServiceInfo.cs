using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Health;

// GET /
// What this is and where to go on.

/// <summary>Name, version and links of this control plane.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record GetServiceInfoQuery : IQuery<ServiceInfoAnswer>;

/// <param name="Status">ready, or not_ready while starting and stopping.</param>
public sealed record ServiceInfoAnswer(string Name, string Version, string Status, IReadOnlyDictionary<string, string> Links);

internal sealed class GetServiceInfoHandler(Readiness readiness) : IQueryHandler<GetServiceInfoQuery, ServiceInfoAnswer>
{
    private static readonly Dictionary<string, string> Links = new(StringComparer.Ordinal)
    {
        ["docs"] = "/docs", ["redoc"] = "/redoc", ["openapi"] = "/openapi.json", ["health"] = "/health", ["operations"] = "/ops/jobs", ["ready"] = "/readyz", ["live"] = "/livez",
    };

    public Task<ServiceInfoAnswer> Handle(GetServiceInfoQuery query, CancellationToken cancellationToken) =>
        Task.FromResult(new ServiceInfoAnswer("FogCompute", ProductVersion.Text, readiness.NotReady is null ? "ready" : "not_ready", Links));
}
