using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Tokenomics;

// Recurring, each second, single-flight.
// Promises: every committed transfer is in the hash chain soon after; settlements never wait for the sealer.

[RequiresPermission(Permissions.Operate)]
public sealed record SealJournalCommand : ICommand<SealedJournal>;

/// <summary>What one run sealed.</summary>
/// <param name="Block">The new block; null when there was nothing to seal, or not yet.</param>
/// <param name="MoreToDo">True when the block was full: run again at once.</param>
public sealed record SealedJournal(long? Block, int Transfers, bool MoreToDo) : IRecurringOutcome;

internal sealed class SealJournalHandler(IJournal journal, LedgerMeter meter, TimeProvider time) : ICommandHandler<SealJournalCommand, SealedJournal>
{
    /// <summary>Bounds time and memory of one run; at 10 000 settlements a second that is five periods' worth.</summary>
    private const int MaxTransfers = 50_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public async Task<SealedJournal> Handle(SealJournalCommand request, CancellationToken cancellationToken)
    {
        var block = await journal.SealAsync(MaxTransfers, Patience, time.GetUtcNow(), cancellationToken);
        meter.Sealed(block?.Transfers ?? 0);
        return new SealedJournal(block?.Number, block?.Transfers ?? 0, block?.Transfers == MaxTransfers);
    }
}
