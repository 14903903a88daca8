using FogCompute.Domain.Common;

namespace FogCompute.Domain.Identity;

public static class IdentityErrors
{
    public static readonly FogError Unauthenticated = new("identity.unauthenticated", ErrorKind.Unauthenticated, "This needs an identity: send 'Authorization: Bearer <token>' with the access token of POST /api/auth/login or an API key.");
    public static readonly FogError InvalidToken = new("identity.invalid_token", ErrorKind.Unauthenticated, "The bearer token is unknown, expired or revoked.");
    public static readonly FogError AccountNotFound = new("identity.account_not_found", ErrorKind.NotFound, "There is no such account.");
    public static readonly FogError AccountNameTaken = new("identity.account_name_taken", ErrorKind.Conflict, "An account of that name exists already.");

    public static readonly FogError KeyNotFound = new("identity.key_not_found", ErrorKind.NotFound, "There is no such key, or it belongs to another account.");
    public static readonly FogError EnrolmentTokenSpent = new("identity.enrolment_token_spent", ErrorKind.Unauthenticated, "This enrolment token has been used as often as it may. Make a new one with POST /api/identity/enrolment-tokens.");
    public static readonly FogError NotGrantable = new("identity.not_grantable", ErrorKind.Forbidden, "A key cannot be given permissions that its maker lacks, nor a longer life.");

    public static FogError Forbidden(string permission) =>
        new("identity.forbidden", ErrorKind.Forbidden, $"The caller lacks the permission '{permission}'.");

    public static readonly FogError NotYours = new("identity.not_yours", ErrorKind.Forbidden, "Acting for another account is not allowed.");

    public static readonly FogError InvalidCredentials = new("identity.invalid_credentials", ErrorKind.Unauthenticated, "User name or password is wrong, or the account is not active.");
    public static readonly FogError MfaRequired = new("identity.mfa_required", ErrorKind.Unauthenticated, "This account has a second factor: send 'code' with six digits of the authenticator app or a recovery code.");
    public static readonly FogError InvalidCode = new("identity.invalid_code", ErrorKind.Unauthenticated, "The code is wrong, too old or has been used. Wait for the next one; check the clock of the device.");
    public static readonly FogError TooManyLogins = new("identity.too_many_logins", ErrorKind.LimitExceeded, "Too many wrong logins. Wait as long as Retry-After says; each further failure doubles the wait.");
    public static readonly FogError HashingBusy = new("identity.busy", ErrorKind.Unavailable, "Too many passwords are being checked just now. Try again in a moment.");
    public static readonly FogError RefreshInvalid = new("identity.refresh_invalid", ErrorKind.Unauthenticated, "The refresh token is unknown, expired, used or of a session that has ended. Log in again.");
    public static readonly FogError RefreshRaced = new("identity.refresh_raced", ErrorKind.Conflict, "Another request is exchanging this refresh token just now and gets the next pair. Use what it got.");
    public static readonly FogError WrongPassword = new("identity.wrong_password", ErrorKind.Forbidden, "The current password is wrong.");
    public static readonly FogError PasswordTooCommon = new("identity.password_too_common", ErrorKind.Invalid, "This is one of the passwords that everybody tries first. Choose another; a few words that have nothing to do with each other are good.");
    public static readonly FogError PasswordIsName = new("identity.password_is_name", ErrorKind.Invalid, "The password must not be the user name or the e-mail address.");
    public static readonly FogError EmailTaken = new("identity.email_taken", ErrorKind.Conflict, "A user with that e-mail address exists already.");
    public static readonly FogError RegistrationClosed = new("identity.registration_closed", ErrorKind.Forbidden, "This control plane lets nobody register. Ask its admin for an account.");
    public static readonly FogError ResetInvalid = new("identity.reset_invalid", ErrorKind.Unauthenticated, "The link is unknown, used or older than 30 minutes. Ask for another with POST /api/auth/reset-password.");
    public static readonly FogError SetupInvalid = new("identity.setup_invalid", ErrorKind.Unauthenticated, "The set-up link is unknown, used, older than 24 hours or of an earlier start. Start the control plane again for a new one.");
    public static readonly FogError MfaEnabledAlready = new("identity.mfa_enabled", ErrorKind.Conflict, "A second factor is on already; disable it first.");
    public static readonly FogError MfaNotEnrolled = new("identity.mfa_not_enrolled", ErrorKind.Conflict, "There is no second factor to confirm; enrol one with POST /api/auth/mfa/enrol.");
    public static readonly FogError WrongMfaCode = new("identity.wrong_mfa_code", ErrorKind.Invalid, "The code does not belong to the secret, or is too old. Check the clock of the device and send the next one.");
    public static readonly FogError SessionNotFound = new("identity.session_not_found", ErrorKind.NotFound, "There is no such session of yours, or it has ended.");
    public static readonly FogError UserNotFound = new("identity.user_not_found", ErrorKind.NotFound, "There is no such user.");
    public static readonly FogError UsernameTaken = new("identity.username_taken", ErrorKind.Conflict, "An account of that name exists already.");
    public static readonly FogError LastAdmin = new("identity.last_admin", ErrorKind.Conflict, "This is the last active admin. Make another user an admin first.");
}
