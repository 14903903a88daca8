namespace FogCompute.Application.Tokenomics;

/// <summary>Re-derives the ledger's figures from the journal; keeps what the checks found.</summary>
public interface ILedgerAudit
{
    /// <summary>Every check except the chain. Each check is one statement, so it sees one moment even while settlements go on.</summary>
    Task<LedgerFindings> InspectAsync(CancellationToken cancel);

    /// <summary>The outcome of the last reconciliation; null when none has run.</summary>
    Task<Reconciliation?> LatestAsync(CancellationToken cancel);

    /// <summary>Records an outcome; clean ones older than <paramref name="keep"/> are dropped.</summary>
    Task RecordAsync(Reconciliation outcome, TimeSpan keep, CancellationToken cancel);
}

/// <summary>Figures in micro-credits and counts. <c>Supply</c>: sum of all accounts but issuance; <c>Reserved</c>: treasury, sovereign fund, rewards pool, faucet.</summary>
public sealed record LedgerFindings(
    long Supply, long Issued, long Burned, long Reserved, long Fees, long Held, long OpenHolds, long Accounts, long Transfers, long Postings, long Unsealed,
    IReadOnlyList<LedgerDifference> Differences);

/// <summary>One thing that does not add up.</summary>
/// <param name="Check">supply | transfer_balance | orphan_posting | account_balance | earned | running_balance | below_zero | held | hold_without_open_job | hold_overdue | staked | unbonding | slashed | staking_rewards | checkpoint | chain</param>
/// <param name="Subject">What it is about, e.g. <c>account 104 (Held)</c>.</param>
/// <param name="Expected">Micro-credits (or a hash) as re-derived.</param>
/// <param name="Found">Micro-credits (or a hash) as stored.</param>
public sealed record LedgerDifference(string Check, string Subject, string Expected, string Found);

/// <summary>The outcome of one reconciliation.</summary>
/// <param name="ChainVerifiedTo">Where the next run goes on with the chain.</param>
public sealed record Reconciliation(
    DateTimeOffset At, int ElapsedMs, int DifferenceCount, IReadOnlyList<LedgerDifference> Differences, long Supply, long HeadBlock, byte[]? HeadHash, long ChainVerifiedTo)
{
    /// <summary>The chain's head as it was then.</summary>
    public ChainAnchor? Anchor => HeadHash is null ? null : new ChainAnchor(HeadBlock, HeadHash);
}
