using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Identity.Passwords;

/// <summary>What the preparation of a command found out about a password, for its handler.</summary>
internal sealed class PasswordWork(IPasswordHashing hashing)
{
    private string? _checkedHash;
    private PasswordMatch _match;

    /// <summary>Whose password was checked; null: there is no such user.</summary>
    public AccountId? Account { get; private set; }

    /// <summary>Hash of the new password, or of the same one where the old hash is weak; null: there is none to store.</summary>
    public string? NewHash { get; private set; }

    public async Task CheckAsync(User? user, string password, CancellationToken cancel)
    {
        (Account, _checkedHash) = (user?.Id, user?.PasswordHash);
        _match = await hashing.MatchAsync(_checkedHash, password, cancel);
        if (_match == PasswordMatch.RightButWeak)
            await HashAsync(password, cancel);
    }

    public async Task HashAsync(string password, CancellationToken cancel) => NewHash = await hashing.HashAsync(password, cancel);

    /// <summary>Whether the password was right and is still the user's: it may have been changed since.</summary>
    public bool IsRightFor(User user) => _match != PasswordMatch.Wrong && user.Id == Account && user.PasswordHash == _checkedHash;
}

/// <summary>The current password, asked again before something serious; wrong ones count like wrong logins.</summary>
internal sealed class OwnPassword(
    SignedIn signedIn, PasswordWork work, IIdentityDb db, ILoginFailures failures, ClientContext client, IAuditLog audit, TimeProvider clock)
{
    /// <summary>Before the transaction.</summary>
    /// <exception cref="FogException">401 without a session, 429 while locked.</exception>
    public async Task<(User User, string Username)> CheckAsync(string password, CancellationToken cancel)
    {
        var (user, username) = await signedIn.ReadAsync(cancel);
        if (await failures.LockedForAsync(LoginKeys.Of(username, client.Peer), clock.GetUtcNow(), cancel) is { Ticks: > 0 } wait)
            throw new FogException(IdentityErrors.TooManyLogins) { RetryAfter = wait };
        await work.CheckAsync(user, password, cancel);
        return (user, username);
    }

    /// <summary>In the transaction: the user, locked; null with a failure counted when the password was wrong.</summary>
    public async Task<User?> ConfirmAsync(CancellationToken cancel)
    {
        var (_, username) = await signedIn.ReadAsync(cancel);
        var keys = LoginKeys.Of(username, client.Peer);
        await failures.HoldNameAsync(keys, cancel);
        if (await failures.LockedForAsync(keys, clock.GetUtcNow(), cancel) is { Ticks: > 0 } wait)
            throw new FogException(IdentityErrors.TooManyLogins) { RetryAfter = wait };
        var user = await db.FindUserForUpdateAsync(signedIn.Account, cancel) ?? throw new FogException(IdentityErrors.Unauthenticated);
        if (work.IsRightFor(user))
            return user;
        await failures.CountAsync(keys, clock.GetUtcNow(), cancel);
        audit.Record("identity.password_check_failed", user.Id.ToString());
        return null;
    }
}
