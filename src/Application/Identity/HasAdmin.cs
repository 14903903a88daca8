using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Identity;

// At start, no route: a control plane that others can reach does not run without an admin.

/// <summary>Whether there is an active admin.</summary>
[RequiresPermission(Permissions.UsersManage)]
public sealed record HasAdminQuery : IQuery<bool>;

internal sealed class HasAdminHandler(IIdentityDb db) : IQueryHandler<HasAdminQuery, bool>
{
    public async Task<bool> Handle(HasAdminQuery query, CancellationToken cancellationToken) => await Admins.CountAsync(db, except: null, cancellationToken) > 0;
}
