using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Passwords;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// POST /api/auth/change-password
// The other sessions end: whoever knew the old password is out.

/// <summary>Change one's password; all other sessions end.</summary>
[RequiresPermission(Permissions.Profile)]
public sealed record ChangePasswordCommand : ICommand<Verdict<DoneAnswer>>
{
    public required string CurrentPassword { get; init; }

    /// <summary>8–128 characters of any script; not one of the most common, not the name or the address.</summary>
    public required string NewPassword { get; init; }
}

internal sealed class ChangePasswordValidator : AbstractValidator<ChangePasswordCommand>
{
    public ChangePasswordValidator()
    {
        RuleFor(c => c.CurrentPassword).Length(1, 1024);
        RuleFor(c => c.NewPassword).NewPassword();
    }
}

internal sealed class ChangePasswordPreparation(OwnPassword own, PasswordWork work) : IPreparation<ChangePasswordCommand>
{
    public async Task PrepareAsync(ChangePasswordCommand command, CancellationToken cancel)
    {
        var (user, username) = await own.CheckAsync(command.CurrentPassword, cancel);
        PasswordRules.Check(command.NewPassword, username, user.Email, "new_password");
        await work.HashAsync(command.NewPassword, cancel);
    }
}

internal sealed class ChangePasswordHandler(OwnPassword own, SignedIn signedIn, PasswordWork work, SessionDesk sessions, IPasswordResets resets, IAuditLog audit, TimeProvider clock)
    : ICommandHandler<ChangePasswordCommand, Verdict<DoneAnswer>>
{
    public async Task<Verdict<DoneAnswer>> Handle(ChangePasswordCommand command, CancellationToken cancellationToken)
    {
        if (await own.ConfirmAsync(cancellationToken) is not { } user)
            return Verdict<DoneAnswer>.Refused(IdentityErrors.WrongPassword);
        var now = clock.GetUtcNow();
        user.ChangePassword(work.NewHash!, now);
        // A link that is on its way was asked for with the old password in mind, perhaps by whoever reads the mailbox.
        await resets.DropAsync(user.EmailKey, cancellationToken);
        var ended = await sessions.EndAllAsync(user.Id, signedIn.Session, "password_changed", now, cancellationToken);
        audit.Record("identity.password_changed", user.Id.ToString());
        return Verdict<DoneAnswer>.Of(new DoneAnswer(true, $"Password changed; other sessions ended: {ended}."));
    }
}
