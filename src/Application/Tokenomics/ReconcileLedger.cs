using System.Diagnostics;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using Microsoft.Extensions.Logging;

namespace FogCompute.Application.Tokenomics;

// Recurring, each minute, single-flight.
// Promises: re-derives every balance and hold, walks the chain in rounds, verifies every checkpoint, records the outcome; a difference raises an alarm (log, /health, meter) until it is gone.

[RequiresPermission(Permissions.Operate)]
public sealed record ReconcileLedgerCommand : ICommand<Reconciliation>;

internal sealed partial class ReconcileLedgerHandler(
    ILedgerAudit audit, IJournal journal, ICheckpoints checkpoints, ILedgerSigner signer, LedgerMeter meter, TimeProvider time, ILogger<ReconcileLedgerHandler> log)
    : ICommandHandler<ReconcileLedgerCommand, Reconciliation>
{
    /// <summary>A quarter of a million settlements take about two seconds; a longer chain is walked in rounds.</summary>
    private const long ChainPerRun = 250_000;

    private const int Listed = 100;

    private static readonly TimeSpan Keep = TimeSpan.FromDays(30);

    public async Task<Reconciliation> Handle(ReconcileLedgerCommand request, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var last = await audit.LatestAsync(cancellationToken);
        var found = await audit.InspectAsync(cancellationToken);
        var chain = await journal.VerifyAsync((last?.ChainVerifiedTo ?? 0) + 1, ChainPerRun, last?.Anchor, cancellationToken);
        var differences = found.Differences.Concat(ChainDifference.Of(chain)).Concat(await CheckpointDifferences.FindAsync(checkpoints, signer, cancellationToken)).ToArray();
        // At the head the next round starts at the first block again. At a broken block it stays: the alarm goes on until an operator has answered it.
        var resume = chain.BrokenBlock is null && chain.VerifiedTo >= chain.HeadBlock ? 0 : chain.VerifiedTo;
        // A broken chain does not become the new truth: the anchor stays where the chain was last good.
        var head = chain.HeadHash is null ? null : new ChainAnchor(chain.HeadBlock, chain.HeadHash);
        var anchor = chain.BrokenBlock is null ? head : last?.Anchor;
        var outcome = new Reconciliation(
            time.GetUtcNow(), (int)Stopwatch.GetElapsedTime(started).TotalMilliseconds, differences.Length, differences.Take(Listed).ToArray(),
            found.Supply, anchor?.Block ?? 0, anchor?.Hash, resume);
        await audit.RecordAsync(outcome, Keep, cancellationToken);
        meter.Reconciled(outcome);
        foreach (var difference in outcome.Differences)
            Differs(log, difference.Check, difference.Subject, difference.Expected, difference.Found);
        Done(log, outcome.DifferenceCount, outcome.HeadBlock, outcome.HeadHash is null ? "" : Convert.ToHexStringLower(outcome.HeadHash), outcome.ElapsedMs);
        return outcome;
    }

    [LoggerMessage(1, LogLevel.Critical, "ledger_difference {check} {subject} expected {expected} found {found}")]
    private static partial void Differs(ILogger logger, string check, string subject, string expected, string found);

    // The head hash in the log is an anchor outside the database.
    [LoggerMessage(2, LogLevel.Information, "ledger_reconciled {differences} {head_block} {head_hash} {elapsed_ms}")]
    private static partial void Done(ILogger logger, int differences, long head_block, string head_hash, int elapsed_ms);
}
