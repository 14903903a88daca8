using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// POST /api/auth/mfa/confirm
// The second factor is on from now; the recovery codes are in this answer and nowhere else.

/// <summary>Turn the second factor on with a code of the app. The recovery codes are shown once, in this answer.</summary>
[RequiresPermission(Permissions.Profile)]
[Audited("identity.mfa_enabled")]
public sealed record ConfirmMfaCommand : ICommand<RecoveryCodesAnswer>
{
    /// <summary>Six digits of the authenticator app.</summary>
    public required string Code { get; init; }
}

/// <param name="RecoveryCodes">Ten; each stands for a code of the app once.</param>
public sealed record RecoveryCodesAnswer([property: JsonPropertyName("recovery_codes")] IReadOnlyList<string> RecoveryCodes);

internal sealed class ConfirmMfaValidator : AbstractValidator<ConfirmMfaCommand>
{
    public ConfirmMfaValidator() => RuleFor(c => c.Code).Length(1, 64);
}

internal sealed class ConfirmMfaHandler(IIdentityDb db, SignedIn signedIn, TimeProvider clock) : ICommandHandler<ConfirmMfaCommand, RecoveryCodesAnswer>
{
    public async Task<RecoveryCodesAnswer> Handle(ConfirmMfaCommand command, CancellationToken cancellationToken)
    {
        var user = await db.FindUserForUpdateAsync(signedIn.Account, cancellationToken) ?? throw new FogException(IdentityErrors.Unauthenticated);
        if (user.HasMfa)
            throw new FogException(IdentityErrors.MfaEnabledAlready);
        if (user.TotpSecret is null)
            throw new FogException(IdentityErrors.MfaNotEnrolled);
        // Guessing gains nothing here: whoever may confirm was shown the secret.
        if (!user.ConfirmMfa(command.Code.Trim(), clock.GetUtcNow()))
            throw IdentityErrors.WrongMfaCode.On("code");
        var codes = Enumerable.Range(0, RecoveryCode.Count).Select(_ => RecoveryCode.New()).ToList();
        db.RecoveryCodes.AddRange(codes.Select(code => RecoveryCode.Of(user.Id, code)));
        return new RecoveryCodesAnswer(codes);
    }
}
