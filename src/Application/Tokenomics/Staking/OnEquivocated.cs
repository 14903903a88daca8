using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Domain.Tokenomics.Staking;

namespace FogCompute.Application.Tokenomics.Staking;

/// <summary>Two different signed receipts for one attempt cost the stake, whichever of them is true.</summary>
internal sealed class OnEquivocated(SlashCourt court) : IEventHandler<Equivocated>
{
    public Task Handle(Equivocated notification, CancellationToken cancellationToken) =>
        court.SlashAsync(SlashReason.Equivocation, notification.Attempts, notification.At, cancellationToken);
}
