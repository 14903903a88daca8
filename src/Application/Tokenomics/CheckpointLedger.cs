using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

// Recurring, each minute, single-flight.
// Promises: one signed checkpoint for every day (UTC) on which the control plane runs, made at the first occasion of the day.

[RequiresPermission(Permissions.Operate)]
public sealed record CheckpointLedgerCommand : ICommand<CheckpointOutcome>;

/// <param name="Day">The day that got its checkpoint; null: it has one, or nothing is sealed yet.</param>
public sealed record CheckpointOutcome(DateOnly? Day);

internal sealed class CheckpointLedgerHandler(ICheckpoints checkpoints, ILedgerSigner signer, TimeProvider time) : ICommandHandler<CheckpointLedgerCommand, CheckpointOutcome>
{
    public async Task<CheckpointOutcome> Handle(CheckpointLedgerCommand request, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var day = DateOnly.FromDateTime(now.UtcDateTime);
        if (await checkpoints.FindAsync(day, cancellationToken) is not null || await checkpoints.StateAsync(cancellationToken) is not { } state)
            return new CheckpointOutcome(null);
        // Microseconds are what the column keeps.
        var at = new DateTimeOffset(now.UtcTicks / TimeSpan.TicksPerMicrosecond * TimeSpan.TicksPerMicrosecond, TimeSpan.Zero);
        var checkpoint = new LedgerCheckpoint(day, state.Block, state.HeadHash, state.SupplyMicro, state.BalancesHash, at, LedgerCheckpoint.KeyIdOf(signer.PublicKey));
        var signed = checkpoint.Canonical();
        var added = await checkpoints.AddAsync(new SignedCheckpoint(checkpoint, signed, signer.Sign(signed), signer.PublicKey), cancellationToken);
        return new CheckpointOutcome(added ? day : null);
    }
}
