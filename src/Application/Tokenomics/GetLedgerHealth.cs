using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Tokenomics;

// Part of GET /health.
// Promises: what the last reconciliation found; 'unknown' when none has run lately, never 'healthy' by default.

[RequiresPermission(Permissions.Public)]
public sealed record GetLedgerHealthQuery : IQuery<LedgerHealthDto>;

/// <summary>Whether the books are right, as far as is known.</summary>
/// <param name="Status">healthy | degraded (the last reconciliation found differences) | unknown (none in the last five minutes).</param>
public sealed record LedgerHealthDto(string Status, DateTimeOffset? ReconciledAt, int Differences, string Message)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);

    internal static LedgerHealthDto Of(Reconciliation? last, DateTimeOffset now)
    {
        if (last is null)
            return new LedgerHealthDto("unknown", null, 0, "The ledger has not been reconciled yet.");
        if (last.DifferenceCount > 0)
        {
            return new LedgerHealthDto("degraded", last.At, last.DifferenceCount,
                $"The ledger does not add up in {last.DifferenceCount} place(s), first in '{last.Differences[0].Check}'. An operator finds all of them in the ledger audit.");
        }
        return now - last.At > Fresh
            ? new LedgerHealthDto("unknown", last.At, 0, "The ledger was last reconciled more than five minutes ago.")
            : new LedgerHealthDto("healthy", last.At, 0, "The ledger adds up.");
    }
}

internal sealed class GetLedgerHealthHandler(ILedgerAudit audit, LedgerMeter meter, TimeProvider time) : IQueryHandler<GetLedgerHealthQuery, LedgerHealthDto>
{
    public async Task<LedgerHealthDto> Handle(GetLedgerHealthQuery request, CancellationToken cancellationToken)
    {
        var last = await audit.LatestAsync(cancellationToken);
        if (last is not null)
            meter.Saw(last);
        return LedgerHealthDto.Of(last, time.GetUtcNow());
    }
}
