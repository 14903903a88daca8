using System.Diagnostics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

// GET /api/tokenomics/audit (operator)
// Promises: every figure re-derived from the journal just now, the whole chain recomputed, every checkpoint verified, and each difference named.

[RequiresPermission(Permissions.Operate)]
public sealed record AuditLedgerQuery : IQuery<LedgerAuditDto>;

/// <summary>Credits with six places.</summary>
/// <param name="Balanced">True when nothing differs.</param>
/// <param name="Circulating">Neither burned nor in the treasury, the sovereign fund, the rewards pool or the faucet; as in the stats.</param>
/// <param name="Unsealed">Transfers that no block covers yet.</param>
/// <param name="HeadHash">SHA-256 of the last block, hex; keep it elsewhere to notice a rewritten history.</param>
/// <param name="BrokenBlock">First block that is not what was sealed.</param>
public sealed record LedgerAuditDto(
    bool Balanced, decimal Cap, decimal Supply, decimal Circulating, decimal Burned, decimal Fees, decimal Held, long OpenHolds, long Accounts, long Transfers, long Postings,
    long Unsealed, long Blocks, string? HeadHash, long? BrokenBlock, double ElapsedMs, IReadOnlyList<LedgerDifference> Differences);

internal sealed class AuditLedgerHandler(ILedgerAudit audit, IJournal journal, ICheckpoints checkpoints, ILedgerSigner signer) : IQueryHandler<AuditLedgerQuery, LedgerAuditDto>
{
    public async Task<LedgerAuditDto> Handle(AuditLedgerQuery request, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var found = await audit.InspectAsync(cancellationToken);
        var last = await audit.LatestAsync(cancellationToken);
        var chain = await journal.VerifyAsync(1, long.MaxValue, last?.Anchor, cancellationToken);
        var differences = found.Differences.Concat(ChainDifference.Of(chain)).Concat(await CheckpointDifferences.FindAsync(checkpoints, signer, cancellationToken)).ToArray();
        return new LedgerAuditDto(
            differences.Length == 0, Credits.FromMicro(Genesis.CapMicro), Credits.FromMicro(found.Supply), Credits.FromMicro(found.Supply - found.Burned - found.Reserved),
            Credits.FromMicro(found.Burned), Credits.FromMicro(found.Fees), Credits.FromMicro(found.Held), found.OpenHolds, found.Accounts, found.Transfers, found.Postings,
            found.Unsealed, chain.HeadBlock, chain.HeadHash is null ? null : Convert.ToHexStringLower(chain.HeadHash), chain.BrokenBlock,
            Stopwatch.GetElapsedTime(started).TotalMilliseconds, differences);
    }
}

internal static class ChainDifference
{
    public static IEnumerable<LedgerDifference> Of(ChainVerification chain)
    {
        if (chain.BrokenBlock is { } block)
            yield return new LedgerDifference("chain", $"block {block}", "the journal as it was sealed", chain.Reason ?? "something else");
    }
}
