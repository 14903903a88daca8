using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Domain.Tokenomics.Staking;

namespace FogCompute.Application.Tokenomics.Staking;

/// <summary>A wrong result costs its owner a part of the stake, in the transaction of the verdict and never instead of it: who has nothing staked loses nothing.</summary>
internal sealed class OnResultsOutvoted(SlashCourt court) : IEventHandler<ResultsOutvoted>
{
    public Task Handle(ResultsOutvoted notification, CancellationToken cancellationToken) =>
        court.SlashAsync(SlashReason.WrongResult, notification.Attempts, notification.At, cancellationToken);
}
