using FogCompute.Application.Common.Security;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

internal static class Admins
{
    /// <summary>How many active admins there are, without that one.</summary>
    public static Task<int> CountAsync(IIdentityDb db, AccountId? except, CancellationToken cancel) =>
        db.Users.CountAsync(u => u.IsActive && u.Roles.Contains(Roles.Admin) && u.Id != except, cancel);
}
