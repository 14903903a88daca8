using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Health;

// GET /livez
// The process answers; looks at nothing else, so that an outage elsewhere never gets it restarted.

/// <summary>Whether the process answers at all.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record GetLivenessQuery : IQuery<LivenessAnswer>;

public sealed record LivenessAnswer(string Status);

internal sealed class GetLivenessHandler : IQueryHandler<GetLivenessQuery, LivenessAnswer>
{
    public Task<LivenessAnswer> Handle(GetLivenessQuery query, CancellationToken cancellationToken) => Task.FromResult(new LivenessAnswer("alive"));
}
