using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

/// <summary>The person behind the session of this request. API keys and the local operator have none: they cannot change somebody's login.</summary>
internal sealed class SignedIn(IIdentityDb db, CredentialContext context)
{
    /// <exception cref="FogException">401: the request does not carry the access token of a session.</exception>
    public AccountId Account => context.Credential is { Kind: CallerKind.User } credential ? credential.Account : throw new FogException(IdentityErrors.Unauthenticated);

    public SessionId Session => context.Credential?.Session ?? throw new FogException(IdentityErrors.Unauthenticated);

    /// <summary>User and name, not tracked.</summary>
    public async Task<(User User, string Username)> ReadAsync(CancellationToken cancel)
    {
        var account = Account;
        var found = await db.Users.AsNoTracking().Join(db.Accounts, u => u.Id, a => a.Id, (u, a) => new { User = u, a.Name }).FirstOrDefaultAsync(f => f.User.Id == account, cancel);
        return found is null ? throw new FogException(IdentityErrors.Unauthenticated) : (found.User, found.Name);
    }
}
