using System.Text.Json.Serialization;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// GET /api/auth/me
// The person who is logged in. Who else may be calling is for GET /api/identity/whoami to say.

/// <summary>Show the user who is logged in.</summary>
[RequiresPermission(Permissions.Profile)]
public sealed record GetMeQuery : IQuery<MeAnswer>;

/// <param name="MfaEnabled">Whether a login needs a code.</param>
/// <param name="RecoveryCodesLeft">How many recovery codes are unused.</param>
public sealed record MeAnswer(
    string Username, string Email,
    [property: JsonPropertyName("is_active")] bool IsActive,
    IReadOnlyList<string> Roles,
    [property: JsonPropertyName("account_id")] Guid AccountId,
    [property: JsonPropertyName("mfa_enabled")] bool MfaEnabled,
    [property: JsonPropertyName("recovery_codes_left")] int RecoveryCodesLeft,
    [property: JsonPropertyName("created_at")] DateTimeOffset CreatedAt);

internal sealed class GetMeHandler(SignedIn signedIn, IIdentityDb db) : IQueryHandler<GetMeQuery, MeAnswer>
{
    public async Task<MeAnswer> Handle(GetMeQuery query, CancellationToken cancellationToken)
    {
        var (user, username) = await signedIn.ReadAsync(cancellationToken);
        var codes = await db.RecoveryCodes.CountAsync(c => c.AccountId == user.Id, cancellationToken);
        return new MeAnswer(username, user.Email, user.IsActive, user.Roles, user.Id.Value, user.HasMfa, codes, user.CreatedAt);
    }
}
