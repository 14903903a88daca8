using FogCompute.Domain.Common;

namespace FogCompute.Domain.Identity;

public static class IdentityErrors
{
    public static readonly FogError Unauthenticated = new("identity.unauthenticated", ErrorKind.Unauthenticated, "This needs an identity: send 'Authorization: Bearer <api key>'. An operator makes keys with POST /api/identity/api-keys.");
    public static readonly FogError InvalidToken = new("identity.invalid_token", ErrorKind.Unauthenticated, "The bearer token is unknown, expired or revoked.");
    public static readonly FogError AccountNotFound = new("identity.account_not_found", ErrorKind.NotFound, "There is no such account.");
    public static readonly FogError AccountNameTaken = new("identity.account_name_taken", ErrorKind.Conflict, "An account of that name exists already.");

    public static FogError Forbidden(string permission) =>
        new("identity.forbidden", ErrorKind.Forbidden, $"The caller lacks the permission '{permission}'.");

    public static readonly FogError NotYours = new("identity.not_yours", ErrorKind.Forbidden, "Acting for another account is not allowed.");
}
