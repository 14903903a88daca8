using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

// GET /api/tokenomics/balance?address=&at=
// Promises: as of now or of any past instant, at the cost of one look-up; the caller's own balance, or any account's for an operator; 404 for an unknown address, 403 for someone else's.

[RequiresPermission(Permissions.LedgerRead)]
public sealed record GetBalanceQuery : IQuery<BalanceDto>
{
    /// <summary>Ledger address, <c>fog1…</c>; absent: the caller's own account.</summary>
    public string? Address { get; init; }

    /// <summary>A past instant: what the account had then. Absent: now.</summary>
    public DateTimeOffset? At { get; init; }
}

/// <summary>Credits with six places.</summary>
/// <param name="Balance">What can be spent.</param>
/// <param name="Total">Balance + held for jobs + staked + unbonding.</param>
/// <param name="Rewards">Everything verified work has ever paid this account; null for a past instant (the statement has each payment).</param>
/// <param name="UpdatedAt">When the account last moved; for a past instant, until then (the instant itself where it never had).</param>
public sealed record BalanceDto(string Address, decimal Balance, decimal Held, decimal Staked, decimal Unbonding, decimal Total, decimal? Rewards, DateTimeOffset UpdatedAt)
{
    /// <summary>The same instant under the name that earlier clients read.</summary>
    [JsonPropertyName("updated_at")]
    public DateTimeOffset UpdatedAtSnake => UpdatedAt;
}

internal sealed class GetBalanceValidator : AbstractValidator<GetBalanceQuery>
{
    public GetBalanceValidator() =>
        RuleFor(q => q.Address).MaximumLength(100).WithMessage("A ledger address has at most 100 characters.");
}

internal sealed class GetBalanceHandler(ILedgerBook book, CallerContext context, TimeProvider time) : IQueryHandler<GetBalanceQuery, BalanceDto>
{
    public async Task<BalanceDto> Handle(GetBalanceQuery request, CancellationToken cancellationToken)
    {
        var owner = await LedgerAccess.FindAsync(book, context.Caller, request.Address, cancellationToken);
        if (request.At is { } at)
        {
            var now = time.GetUtcNow();
            if (at > now)
                throw TokenomicsErrors.FutureInstant(now).On("at");
            var then = await book.AtAsync(owner.Owner, at, cancellationToken);
            return new BalanceDto(
                owner.Address, Credits.FromMicro(then.Available), Credits.FromMicro(then.Held), Credits.FromMicro(then.Staked), Credits.FromMicro(then.Unbonding),
                Credits.FromMicro(then.Total), null, then.UpdatedAt ?? at);
        }
        return new BalanceDto(
            owner.Address, Credits.FromMicro(owner.Available), Credits.FromMicro(owner.Held), Credits.FromMicro(owner.Staked), Credits.FromMicro(owner.Unbonding),
            Credits.FromMicro(checked(owner.Available + owner.Held + owner.Staked + owner.Unbonding)), Credits.FromMicro(owner.Earned), owner.UpdatedAt);
    }
}

/// <summary>Whose account a ledger question is about, and whether this caller may ask it.</summary>
internal static class LedgerAccess
{
    public static async Task<OwnerBalances> FindAsync(ILedgerBook book, Caller caller, string? address, CancellationToken cancel)
    {
        if (string.IsNullOrEmpty(address))
            return await book.FindAsync(caller.Account, cancel) ?? throw new FogException(TokenomicsErrors.NoLedgerAccount);
        var owner = await book.FindAsync(address, cancel) ?? throw TokenomicsErrors.AddressNotFound.On("address");
        return caller.MayActFor(owner.Owner) ? owner : throw new FogException(IdentityErrors.NotYours);
    }

    /// <summary>For moving credits: nobody does that for another account, operators neither.</summary>
    public static async Task<OwnerBalances> OwnAsync(ILedgerBook book, Caller caller, string? address, CancellationToken cancel)
    {
        var owner = await FindAsync(book, caller, address, cancel);
        return owner.Owner == caller.Account ? owner : throw new FogException(IdentityErrors.NotYours);
    }
}
