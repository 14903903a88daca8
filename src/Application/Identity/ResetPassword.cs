using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Passwords;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// POST /api/auth/reset-password/confirm
// The link is good once. Every session ends; a second factor stays on.

/// <summary>Choose a new password with the token of the mail; all sessions end.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record ResetPasswordCommand : ICommand<DoneAnswer>
{
    public required string Token { get; init; }

    /// <summary>8–128 characters of any script; not one of the most common, not the name or the address.</summary>
    public required string NewPassword { get; init; }
}

internal sealed class ResetPasswordValidator : AbstractValidator<ResetPasswordCommand>
{
    public ResetPasswordValidator()
    {
        RuleFor(c => c.Token).Length(1, 128);
        RuleFor(c => c.NewPassword).NewPassword();
    }
}

internal sealed class ResetPasswordPreparation(IIdentityDb db, IPasswordResets resets, PasswordWork work, TimeProvider clock) : IPreparation<ResetPasswordCommand>
{
    public async Task PrepareAsync(ResetPasswordCommand command, CancellationToken cancel)
    {
        // First, so that nobody without a link makes us hash.
        var email = await resets.FindAsync(AccessSecret.HashOf(command.Token), clock.GetUtcNow(), cancel) ?? throw new FogException(IdentityErrors.ResetInvalid);
        var username = await db.Users.Where(u => u.EmailKey == email).Join(db.Accounts, u => u.Id, a => a.Id, (_, a) => a.Name).FirstOrDefaultAsync(cancel)
            ?? throw new FogException(IdentityErrors.ResetInvalid);
        PasswordRules.Check(command.NewPassword, username, email, "new_password");
        await work.HashAsync(command.NewPassword, cancel);
    }
}

internal sealed class ResetPasswordHandler(
    IIdentityDb db, IPasswordResets resets, ILoginFailures failures, PasswordWork work, SessionDesk sessions, IAuditLog audit, TimeProvider clock)
    : ICommandHandler<ResetPasswordCommand, DoneAnswer>
{
    public async Task<DoneAnswer> Handle(ResetPasswordCommand command, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var hash = AccessSecret.HashOf(command.Token);
        var email = await resets.FindAsync(hash, now, cancellationToken) ?? throw new FogException(IdentityErrors.ResetInvalid);
        var id = await db.Users.Where(u => u.EmailKey == email && u.IsActive).Select(u => (AccountId?)u.Id).FirstOrDefaultAsync(cancellationToken) ?? throw new FogException(IdentityErrors.ResetInvalid);
        // Two who hold the link come here one after the other, and the second finds it used.
        var user = await db.FindUserForUpdateAsync(id, cancellationToken) ?? throw new FogException(IdentityErrors.ResetInvalid);
        if (await resets.FindAsync(hash, now, cancellationToken) is null)
            throw new FogException(IdentityErrors.ResetInvalid);
        await resets.DropAsync(email, cancellationToken);
        user.ChangePassword(work.NewHash!, now);
        await sessions.EndAllAsync(user.Id, except: null, "password_changed", now, cancellationToken);
        var name = await db.Accounts.Where(a => a.Id == id).Select(a => a.Name).FirstAsync(cancellationToken);
        await failures.ForgetNameAsync(LoginKeys.Of(name, null), cancellationToken);
        await failures.ForgetNameAsync(LoginKeys.Of(email, null), cancellationToken);
        audit.Record("identity.password_reset", user.Id.ToString());
        return new DoneAnswer(true, "Password changed. Log in with it.");
    }
}
