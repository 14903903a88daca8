using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Passwords;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity;

// POST /api/auth/mfa/enrol
// Offers a secret; logins are as before until a code of it has been confirmed.

/// <summary>Begin with a second factor: a secret for an authenticator app. It counts once a code is confirmed.</summary>
[RequiresPermission(Permissions.Profile)]
public sealed record EnrolMfaCommand : ICommand<Verdict<MfaSecretAnswer>>
{
    /// <summary>The current one, again.</summary>
    public required string Password { get; init; }
}

/// <param name="Secret">Base32, to type into an authenticator app.</param>
/// <param name="OtpauthUri">The same as an <c>otpauth://</c> address, for a QR code.</param>
public sealed record MfaSecretAnswer(string Secret, [property: JsonPropertyName("otpauth_uri")] string OtpauthUri);

internal sealed class EnrolMfaValidator : AbstractValidator<EnrolMfaCommand>
{
    public EnrolMfaValidator() => RuleFor(c => c.Password).Length(1, 1024);
}

internal sealed class EnrolMfaPreparation(OwnPassword own) : IPreparation<EnrolMfaCommand>
{
    public async Task PrepareAsync(EnrolMfaCommand command, CancellationToken cancel) => await own.CheckAsync(command.Password, cancel);
}

internal sealed class EnrolMfaHandler(OwnPassword own, SignedIn signedIn) : ICommandHandler<EnrolMfaCommand, Verdict<MfaSecretAnswer>>
{
    public async Task<Verdict<MfaSecretAnswer>> Handle(EnrolMfaCommand command, CancellationToken cancellationToken)
    {
        if (await own.ConfirmAsync(cancellationToken) is not { } user)
            return Verdict<MfaSecretAnswer>.Refused(IdentityErrors.WrongPassword);
        if (user.HasMfa)
            throw new FogException(IdentityErrors.MfaEnabledAlready);
        var secret = Totp.NewSecret();
        user.EnrolMfa(secret);
        var (_, username) = await signedIn.ReadAsync(cancellationToken);
        return Verdict<MfaSecretAnswer>.Of(new MfaSecretAnswer(Totp.Encode(secret), Totp.UriOf(username, secret)));
    }
}
