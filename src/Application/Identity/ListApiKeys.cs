using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// GET /api/identity/api-keys
// Keys and enrolment tokens of the caller's account that are still good; never a secret.

/// <summary>List the caller's API keys and enrolment tokens that are neither revoked nor expired.</summary>
[RequiresPermission(Permissions.KeysManage)]
public sealed record ListApiKeysQuery : IQuery<ApiKeysAnswer>;

public sealed record ApiKeysAnswer(IReadOnlyList<ApiKeyAnswer> Keys, int Total);

public sealed record ApiKeyAnswer(Guid Id, AccessKeyKind Kind, string Name, IReadOnlyList<string> Permissions, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, int? UsesLeft);

internal sealed class ListApiKeysHandler(IIdentityDb db, CallerContext context, TimeProvider clock) : IQueryHandler<ListApiKeysQuery, ApiKeysAnswer>
{
    public async Task<ApiKeysAnswer> Handle(ListApiKeysQuery query, CancellationToken cancellationToken)
    {
        var account = context.Caller.Account;
        var now = clock.GetUtcNow();
        var keys = await db.AccessKeys.AsNoTracking()
            .Where(k => k.AccountId == account && k.RevokedAt == null && (k.ExpiresAt == null || k.ExpiresAt > now))
            .OrderBy(k => k.CreatedAt)
            .Select(k => new ApiKeyAnswer(k.Id.Value, k.Kind, k.Name, k.Permissions, k.CreatedAt, k.ExpiresAt, k.UsesLeft))
            .ToListAsync(cancellationToken);
        return new ApiKeysAnswer(keys, keys.Count);
    }
}
