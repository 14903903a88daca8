using FogCompute.Domain.Identity;

namespace FogCompute.Application.Tokenomics.Staking;

/// <summary>A reason why a part of a stake must stay where it is, beside the lock of each stake; any number may be registered.</summary>
public interface IStakeLock
{
    /// <summary>What must stay staked now; null: nothing. Asked with the owner's staked account locked, and without a lock where it is only shown.</summary>
    Task<StakeLocked?> OfAsync(AccountId owner, CancellationToken cancel);
}

/// <param name="AmountMicro">Micro-credits that must stay.</param>
/// <param name="Until">When it may end at the earliest.</param>
/// <param name="Why">One sentence for the owner.</param>
public sealed record StakeLocked(long AmountMicro, DateTimeOffset Until, string Why);
