using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Staking;

// GET /api/tokenomics/rewards?address=
// Promises: what the stake has earned up to this instant and was not paid, rounded down; 404 for an unknown address, 403 for someone else's.

/// <summary>What the stake has earned, up to this instant.</summary>
[RequiresPermission(Permissions.LedgerRead)]
public sealed record GetRewardsQuery : IQuery<RewardsDto>
{
    /// <summary>Ledger address, <c>fog1…</c>; absent: the caller's own account. Another's only for operators.</summary>
    public string? Address { get; init; }
}

/// <summary>Credits with six places.</summary>
/// <param name="PendingRewards">Earned and not paid yet; paid once a day, while the pool lasts.</param>
/// <param name="RewardsRate">Yearly, as a fraction of the stake; 0 while the pool is empty.</param>
/// <param name="PaidRewards">Everything that stakes of this account were ever paid.</param>
/// <param name="AccruedTo">Up to when the pending rewards count.</param>
/// <param name="PoolBalance">What the rewards pool still has for everybody.</param>
public sealed record RewardsDto(string Address, decimal PendingRewards, decimal RewardsRate, decimal PaidRewards, DateTimeOffset AccruedTo, decimal PoolBalance);

internal sealed class GetRewardsValidator : AbstractValidator<GetRewardsQuery>
{
    public GetRewardsValidator() =>
        RuleFor(q => q.Address).MaximumLength(100).WithMessage("A ledger address has at most 100 characters.");
}

internal sealed class GetRewardsHandler(StakeDesk desk, IStakes stakes, ILedgerBook book, IParameters parameters, CallerContext context, TimeProvider time)
    : IQueryHandler<GetRewardsQuery, RewardsDto>
{
    public async Task<RewardsDto> Handle(GetRewardsQuery request, CancellationToken cancellationToken)
    {
        var owner = await LedgerAccess.FindAsync(book, context.Caller, request.Address, cancellationToken);
        var now = time.GetUtcNow();
        var pool = await stakes.RewardsPoolAsync(cancellationToken);
        var stake = (await stakes.LoadAsync([owner.Owner], cancellationToken))[owner.Owner];
        stake.Accrue(await desk.YieldAsync(cancellationToken), pool == 0, now);
        var rate = pool == 0 ? 0 : (await parameters.CurrentAsync(cancellationToken))[ParameterCatalogue.StakeYield] / 10_000m;
        return new RewardsDto(
            owner.Address, Credits.FromMicro(stake.Accrual?.DueMicro ?? 0), rate, Credits.FromMicro(stake.Accrual?.PaidMicro ?? 0), stake.Accrual?.AccruedTo ?? now, Credits.FromMicro(pool));
    }
}
