using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

/// <summary>Seals the journal into its hash chain and checks it. Why blocks and not a chain of transfers: docs/adr/0006-journal-sealed-in-blocks.md.</summary>
public interface IJournal
{
    /// <summary>
    /// Appends one block over the committed transfers that no block covers yet, at most <paramref name="maxTransfers"/>. Null when there are none,
    /// another process is sealing, or an older transaction is still open after <paramref name="patience"/>; nothing is lost, the next run takes them.
    /// </summary>
    Task<JournalBlock?> SealAsync(int maxTransfers, TimeSpan patience, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Recomputes blocks from <paramref name="fromBlock"/> on until about <paramref name="maxTransfers"/> transfers are checked.</summary>
    /// <param name="fromBlock">First block to recompute; its link to the block before is checked too.</param>
    /// <param name="maxTransfers">Stops after the block that reaches this number.</param>
    /// <param name="anchor">A head noted earlier: a history rewritten with consistent hashes differs from it. Null: none is known.</param>
    /// <param name="cancel">Ends the reading.</param>
    Task<ChainVerification> VerifyAsync(long fromBlock, long maxTransfers, ChainAnchor? anchor, CancellationToken cancel);
}

/// <summary>The hash that a block had when it was looked at before.</summary>
public sealed record ChainAnchor(long Block, byte[] Hash);

/// <summary>What recomputing a part of the chain found.</summary>
/// <param name="VerifiedTo">Last block found good; <paramref name="FromBlock"/> − 1 when none.</param>
/// <param name="HeadBlock">Last block there is; 0 when nothing is sealed.</param>
/// <param name="BrokenBlock">First block whose content, hash or link is not what was sealed; null when all checked ones are good.</param>
public sealed record ChainVerification(long FromBlock, long VerifiedTo, long HeadBlock, byte[]? HeadHash, long Transfers, long? BrokenBlock, string? Reason);
