using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Tokenomics;

// GET /api/tokenomics/reconciliation (operator)
// Promises: what the last run of the reconciler found, and how long ago that was.

[RequiresPermission(Permissions.Operate)]
public sealed record GetReconciliationQuery : IQuery<ReconciliationDto>;

/// <param name="Status">As in <c>/health</c>: healthy | degraded | unknown (none in the last five minutes; the rest is then of the last one, or null).</param>
/// <param name="At">When the last run ended.</param>
/// <param name="DifferenceCount">All of them; <paramref name="Differences"/> has the first 100.</param>
/// <param name="ChainVerifiedTo">Block up to which the current round has checked the chain; 0: the last run reached the head.</param>
public sealed record ReconciliationDto(
    string Status, DateTimeOffset? At, double? AgeSeconds, int? ElapsedMs, int? DifferenceCount, IReadOnlyList<LedgerDifference>? Differences, long? HeadBlock, string? HeadHash, long? ChainVerifiedTo);

internal sealed class GetReconciliationHandler(ILedgerAudit audit, TimeProvider time) : IQueryHandler<GetReconciliationQuery, ReconciliationDto>
{
    public async Task<ReconciliationDto> Handle(GetReconciliationQuery request, CancellationToken cancellationToken)
    {
        if (await audit.LatestAsync(cancellationToken) is not { } last)
            return new ReconciliationDto(LedgerHealthDto.Of(null, time.GetUtcNow()).Status, null, null, null, null, null, null, null, null);
        var now = time.GetUtcNow();
        return new ReconciliationDto(
            LedgerHealthDto.Of(last, now).Status, last.At, (now - last.At).TotalSeconds, last.ElapsedMs, last.DifferenceCount, last.Differences, last.HeadBlock,
            last.HeadHash is null ? null : Convert.ToHexStringLower(last.HeadHash), last.ChainVerifiedTo);
    }
}
