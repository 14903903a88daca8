using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// GET /api/identity/accounts/{id}
// One's own account, or any for an operator; everything else does not exist.

/// <summary>Show an account: one's own, or any for an operator.</summary>
[RequiresPermission(Permissions.KeysManage)]
public sealed record GetAccountQuery : IQuery<AccountAnswer>
{
    [JsonIgnore] public required AccountId Id { get; init; }
}

internal sealed class GetAccountHandler(IIdentityDb db, CallerContext context) : IQueryHandler<GetAccountQuery, AccountAnswer>
{
    public async Task<AccountAnswer> Handle(GetAccountQuery query, CancellationToken cancellationToken)
    {
        if (!context.Caller.MayActFor(query.Id))
            throw new FogException(IdentityErrors.AccountNotFound);
        var account = await db.Accounts.AsNoTracking().FirstOrDefaultAsync(a => a.Id == query.Id, cancellationToken);
        return account is null ? throw new FogException(IdentityErrors.AccountNotFound) : AccountAnswer.Of(account);
    }
}
