using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

// GET /api/tokenomics/checkpoints/{day}
// Promises: the checkpoint of that day (UTC), or 404.

[RequiresPermission(Permissions.Public)]
public sealed record GetCheckpointQuery(DateOnly Day) : IQuery<CheckpointDto>;

internal sealed class GetCheckpointHandler(ICheckpoints checkpoints) : IQueryHandler<GetCheckpointQuery, CheckpointDto>
{
    public async Task<CheckpointDto> Handle(GetCheckpointQuery request, CancellationToken cancellationToken) =>
        CheckpointDto.Of(await checkpoints.FindAsync(request.Day, cancellationToken) ?? throw new FogException(TokenomicsErrors.CheckpointNotFound));
}
