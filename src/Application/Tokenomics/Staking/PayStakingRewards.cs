using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Tokenomics.Staking;

// Recurring, every 10 min: the first run after midnight UTC pays.
// Promises: each owner is paid at most once a day (key reward:{owner}:{day}) the whole micro-credits earned up to then; the rest is carried. Stops when the pool is empty.

[RequiresPermission(Permissions.Operate)]
public sealed record PayStakingRewardsCommand : ICommand<PaidRewards>;

/// <param name="Owners">How many were paid.</param>
public sealed record PaidRewards(int Owners, bool MoreToDo) : IRecurringOutcome;

internal sealed class PayStakingRewardsHandler(StakeDesk desk, IStakes stakes, TimeProvider time) : ICommandHandler<PayStakingRewardsCommand, PaidRewards>
{
    /// <summary>Bounds how long stakes are locked: some tens of milliseconds.</summary>
    private const int Batch = 500;

    public async Task<PaidRewards> Handle(PayStakingRewardsCommand request, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var day = DateOnly.FromDateTime(now.UtcDateTime);
        var owners = await stakes.UnpaidAsync(day, Batch, cancellationToken);
        return owners.Count == 0 ? new PaidRewards(0, false) : new PaidRewards(await desk.PayAsync(owners, day, now, cancellationToken), owners.Count == Batch);
    }
}
