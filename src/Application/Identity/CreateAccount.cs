using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Events;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// POST /api/identity/accounts
// Opens an account with its ledger address; the faucet greets it in the same transaction.

/// <summary>Open an account. Only operators may.</summary>
[RequiresPermission(Permissions.Operate)]
[Audited("identity.account_created", Subject = nameof(AccountAnswer.Id), Details = [nameof(AccountAnswer.Name)])]
public sealed record CreateAccountCommand : ICommand<AccountAnswer>
{
    /// <summary>1–64 of a–z, 0–9, dash, underscore and dot; unique.</summary>
    public required string Name { get; init; }
}

/// <summary>An account as the API shows it.</summary>
public sealed record AccountAnswer(Guid Id, string Name, string Address, DateTimeOffset CreatedAt)
{
    internal static AccountAnswer Of(Account account) => new(account.Id.Value, account.Name, account.Address, account.CreatedAt);
}

internal sealed class CreateAccountValidator : AbstractValidator<CreateAccountCommand>
{
    public CreateAccountValidator() => RuleFor(c => c.Name).Length(1, 64)
        .Matches("^[a-z0-9_.-]*$").WithMessage("May contain only a–z, 0–9, '-', '_' and '.'.");
}

internal sealed class CreateAccountHandler(IIdentityDb db, ITransactionScope scope, TimeProvider clock) : ICommandHandler<CreateAccountCommand, AccountAnswer>
{
    public async Task<AccountAnswer> Handle(CreateAccountCommand command, CancellationToken cancellationToken)
    {
        await db.LockAccountNamesAsync(cancellationToken);
        if (await db.Accounts.AnyAsync(a => a.Name == command.Name, cancellationToken))
            throw IdentityErrors.AccountNameTaken.On("name");
        var account = Account.Open(command.Name, clock.GetUtcNow());
        db.Accounts.Add(account);
        scope.Raise(new AccountOpened(account.Id, account.Address, account.CreatedAt));
        return AccountAnswer.Of(account);
    }
}
