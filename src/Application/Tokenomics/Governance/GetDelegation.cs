using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics.Governance;

// GET /api/tokenomics/delegation?address=
// Promises: who votes for this account, whom it votes for, and what a ballot of its own would carry at a snapshot taken now.

[RequiresPermission(Permissions.LedgerRead)]
public sealed record GetDelegationQuery : IQuery<DelegationDto>
{
    /// <summary>Ledger address; absent: the caller's own account. Another's only for operators.</summary>
    public string? Address { get; init; }
}

/// <param name="Delegate">Ledger address; null: the account votes itself.</param>
/// <param name="Delegators">Who delegated to this account, largest stake first.</param>
/// <param name="Power">Credits: its own stake and its delegators'.</param>
public sealed record DelegationDto(string Address, string? Delegate, IReadOnlyList<DelegatorDto> Delegators, decimal Power);

/// <param name="Staked">Credits.</param>
public sealed record DelegatorDto(string Address, decimal Staked);

internal sealed class GetDelegationValidator : AbstractValidator<GetDelegationQuery>
{
    public GetDelegationValidator() => RuleFor(q => q.Address).MaximumLength(100).WithMessage("A ledger address has at most 100 characters.");
}

internal sealed class GetDelegationHandler(IDelegations delegations, ILedgerBook book, CallerContext context) : IQueryHandler<GetDelegationQuery, DelegationDto>
{
    public async Task<DelegationDto> Handle(GetDelegationQuery query, CancellationToken cancellationToken)
    {
        var owner = await LedgerAccess.FindAsync(book, context.Caller, query.Address, cancellationToken);
        var view = await delegations.ViewAsync(owner.Owner, cancellationToken);
        return new DelegationDto(
            owner.Address, view.Delegate, [.. view.Delegators.Select(d => new DelegatorDto(d.Address, Credits.FromMicro(d.StakedMicro)))],
            Credits.FromMicro(view.StakedMicro + view.Delegators.Sum(d => d.StakedMicro)));
    }
}
