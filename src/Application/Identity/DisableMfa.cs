using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Passwords;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// POST /api/auth/mfa/disable
// Secret and recovery codes are forgotten; harmless when there are none.

/// <summary>Turn the second factor off.</summary>
[RequiresPermission(Permissions.Profile)]
public sealed record DisableMfaCommand : ICommand<Verdict<DoneAnswer>>
{
    /// <summary>The current one, again.</summary>
    public required string Password { get; init; }
}

internal sealed class DisableMfaValidator : AbstractValidator<DisableMfaCommand>
{
    public DisableMfaValidator() => RuleFor(c => c.Password).Length(1, 1024);
}

internal sealed class DisableMfaPreparation(OwnPassword own) : IPreparation<DisableMfaCommand>
{
    public async Task PrepareAsync(DisableMfaCommand command, CancellationToken cancel) => await own.CheckAsync(command.Password, cancel);
}

internal sealed class DisableMfaHandler(IIdentityDb db, OwnPassword own, IAuditLog audit) : ICommandHandler<DisableMfaCommand, Verdict<DoneAnswer>>
{
    public async Task<Verdict<DoneAnswer>> Handle(DisableMfaCommand command, CancellationToken cancellationToken)
    {
        if (await own.ConfirmAsync(cancellationToken) is not { } user)
            return Verdict<DoneAnswer>.Refused(IdentityErrors.WrongPassword);
        user.DisableMfa();
        await db.ForgetRecoveryCodesAsync(user.Id, cancellationToken);
        audit.Record("identity.mfa_disabled", user.Id.ToString());
        return Verdict<DoneAnswer>.Of(new DoneAnswer(true, "The second factor is off."));
    }
}
