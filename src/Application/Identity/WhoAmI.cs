using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

// GET /api/identity/whoami
// How the control plane sees the caller; without an identity it says so.

/// <summary>Show how the control plane sees the caller: kind, account, permissions.</summary>
[RequiresPermission(Permissions.Public)]
public sealed record WhoAmIQuery : IQuery<WhoAmIAnswer>;

/// <param name="Kind">anonymous, local_operator, user, api_key, enrolment_token or device.</param>
public sealed record WhoAmIAnswer(CallerKind Kind, Guid? AccountId, string? Name, string? Address, string? DeviceId, IReadOnlyList<string> Permissions);

internal sealed class WhoAmIHandler(IIdentityDb db, CallerContext context) : IQueryHandler<WhoAmIQuery, WhoAmIAnswer>
{
    public async Task<WhoAmIAnswer> Handle(WhoAmIQuery query, CancellationToken cancellationToken)
    {
        var caller = context.Caller;
        if (caller.Kind == CallerKind.Anonymous)
            return new WhoAmIAnswer(caller.Kind, null, null, null, null, [Permissions.Public]);
        var account = await db.Accounts.AsNoTracking().FirstOrDefaultAsync(a => a.Id == caller.Account, cancellationToken);
        return new WhoAmIAnswer(caller.Kind, caller.Account.Value, account?.Name, account?.Address, caller.DeviceId, [.. caller.Permissions.Order(StringComparer.Ordinal)]);
    }
}
