using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Events;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// At start, when the server is bound to loopback.
// The account of the local operator exists afterwards, however many processes start at once.

/// <summary>Make sure that the local operator's account exists; answers its id.</summary>
[RequiresPermission(Permissions.Operate)]
public sealed record EnsureLocalOperatorCommand : ICommand<AccountId>;

internal sealed class EnsureLocalOperatorHandler(IIdentityDb db, ITransactionScope scope, IAuditLog audit, TimeProvider clock) : ICommandHandler<EnsureLocalOperatorCommand, AccountId>
{
    public async Task<AccountId> Handle(EnsureLocalOperatorCommand command, CancellationToken cancellationToken)
    {
        await db.LockAccountNamesAsync(cancellationToken);
        var existing = await db.Accounts.AsNoTracking().FirstOrDefaultAsync(a => a.Name == Account.LocalName, cancellationToken);
        if (existing is not null)
            return existing.Id;
        var account = Account.Open(Account.LocalName, clock.GetUtcNow());
        db.Accounts.Add(account);
        scope.Raise(new AccountOpened(account.Id, account.Address, account.CreatedAt));
        audit.Record("identity.account_created", account.Id.ToString(), new Dictionary<string, string> { ["name"] = account.Name });
        return account.Id;
    }
}
