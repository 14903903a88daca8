using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Staking;

// POST /api/tokenomics/stake
// Moves the caller's own credits from available to staked as one lot, locked from now for as long as the parameter says now. Repeatable under an Idempotency-Key.

/// <summary>Stake credits: they are locked for a time, earn interest, give votes, and answer for the results of one's machines.</summary>
[RequiresPermission(Permissions.LedgerWrite)]
[Audited("tokenomics.staked", Subject = nameof(StakeResult.Address), Details = [nameof(StakeResult.StakedAmount)])]
public sealed record StakeCommand : ICommand<StakeResult>, IIdempotentCommand, IAmount
{
    /// <summary>The caller's own ledger address, 1–100 characters; absent: the same.</summary>
    public string? Address { get; init; }

    /// <summary>Credits, 0.000001–1 000 000 with at most six decimals; at least <c>staking.minimum_micro</c>.</summary>
    public required decimal Amount { get; init; }

    [JsonIgnore]
    public string? IdempotencyKey { get; init; }
}

/// <summary>Credits with six places.</summary>
/// <param name="LockedUntil">From when this amount can be unstaked.</param>
public sealed record StakeResult(bool Success, string Address, decimal StakedAmount, decimal TotalStaked, DateTimeOffset LockedUntil);

/// <summary>A request that moves an amount of the caller's own credits.</summary>
internal interface IAmount
{
    string? Address { get; }
    decimal Amount { get; }
}

internal abstract class AmountValidator<T> : AbstractValidator<T> where T : IAmount
{
    protected AmountValidator()
    {
        RuleFor(c => c.Address).Length(1, 100);
        RuleFor(c => c.Amount).InclusiveBetween(0.000001m, 1_000_000m);
        RuleFor(c => c.Amount).Must(a => a == decimal.Round(a, 6)).WithMessage("Credits have at most six decimals (0.000001).");
    }
}

internal sealed class StakeValidator : AmountValidator<StakeCommand>;

internal sealed class StakeHandler(StakeDesk desk, ILedgerBook book, IParameters parameters, CallerContext context) : ICommandHandler<StakeCommand, StakeResult>
{
    public async Task<StakeResult> Handle(StakeCommand request, CancellationToken cancellationToken)
    {
        var owner = await LedgerAccess.OwnAsync(book, context.Caller, request.Address, cancellationToken);
        var micro = (long)(request.Amount * Credits.MicroPerCredit);
        var values = await parameters.CurrentAsync(cancellationToken);
        if (micro < values[ParameterCatalogue.MinimumStake])
            throw TokenomicsErrors.StakeTooSmall(values[ParameterCatalogue.MinimumStake]).On("amount");
        var (stake, now) = await desk.OpenAsync(owner.Owner, cancellationToken);
        var transfer = stake.Stake(Guid.CreateVersion7(now), micro, values.Span(ParameterCatalogue.StakeLock), now);
        await desk.CloseAsync([stake], [transfer], cancellationToken);
        return new StakeResult(true, owner.Address, Credits.FromMicro(micro), Credits.FromMicro(stake.StakedMicro), stake.Lots[^1].LockedUntil);
    }
}
