using System.Globalization;
using FogCompute.Domain.Common;

namespace FogCompute.Domain.Identity;

public static class IdentityErrors
{
    public static readonly FogError Unauthenticated = new("identity.unauthenticated", ErrorKind.Unauthenticated, "This needs an identity: send 'Authorization: Bearer <api key>'. An operator makes keys with POST /api/identity/api-keys.");
    public static readonly FogError InvalidToken = new("identity.invalid_token", ErrorKind.Unauthenticated, "The bearer token is unknown, expired or revoked.");
    public static readonly FogError AccountNotFound = new("identity.account_not_found", ErrorKind.NotFound, "There is no such account.");
    public static readonly FogError AccountNameTaken = new("identity.account_name_taken", ErrorKind.Conflict, "An account of that name exists already.");

    public static readonly FogError KeyNotFound = new("identity.key_not_found", ErrorKind.NotFound, "There is no such key, or it belongs to another account.");
    public static readonly FogError EnrolmentTokenSpent = new("identity.enrolment_token_spent", ErrorKind.Unauthenticated, "This enrolment token has been used as often as it may. Make a new one with POST /api/identity/enrolment-tokens.");
    public static readonly FogError NotGrantable = new("identity.not_grantable", ErrorKind.Forbidden, "A key cannot be given permissions that its maker lacks.");

    public static FogError Forbidden(string permission) =>
        new("identity.forbidden", ErrorKind.Forbidden, $"The caller lacks the permission '{permission}'.");

    public static FogError ComputeQuota(double limit, double used, double asked, Plan plan) => new("identity.compute_quota_exceeded", ErrorKind.LimitExceeded, string.Create(
        CultureInfo.InvariantCulture, $"The {PlanLimits.Word(plan)} plan allows {limit} compute hours a day; {used} are used or reserved and this needs {asked}. Ask for less, wait for the next UTC day, or ask an operator for another plan."));

    public static FogError CallQuota(long limit, long used, Plan plan) => new("identity.api_quota_exceeded", ErrorKind.LimitExceeded,
        $"The {PlanLimits.Word(plan)} plan allows {limit} API calls a day; {used} are used. Wait for the next UTC day, or ask an operator for another plan.");

    public static FogError ArtifactQuota(double limit, double used, double asked, Plan plan) => new("identity.artifact_quota_exceeded", ErrorKind.LimitExceeded, string.Create(
        CultureInfo.InvariantCulture, $"The {PlanLimits.Word(plan)} plan allows {limit} GiB of artifacts; {used} are used and this has {asked}. Ask an operator for another plan."));

    public static readonly FogError NotYours = new("identity.not_yours", ErrorKind.Forbidden, "Acting for another account is not allowed.");
}
