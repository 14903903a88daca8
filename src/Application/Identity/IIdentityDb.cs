using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

/// <summary>The tables of this module.</summary>
public interface IIdentityDb
{
    DbSet<Account> Accounts { get; }
    DbSet<AccessKey> AccessKeys { get; }
    DbSet<User> Users { get; }
    DbSet<RecoveryCode> RecoveryCodes { get; }
    DbSet<Session> Sessions { get; }
    DbSet<SessionToken> SessionTokens { get; }

    /// <summary>Serialises the creation of accounts until the transaction ends, so that "is the name free" stays true until the commit.</summary>
    Task LockAccountNamesAsync(CancellationToken cancel);

    /// <summary>Reads a key with a row lock until the transaction ends.</summary>
    Task<AccessKey?> FindKeyForUpdateAsync(AccessKeyId id, CancellationToken cancel);

    /// <summary>Those that exist, locked in id order and tracked.</summary>
    Task<IReadOnlyList<AccessKey>> LockKeysAsync(IReadOnlyCollection<AccessKeyId> ids, CancellationToken cancel);

    /// <summary>Reads a user with a row lock until the transaction ends.</summary>
    Task<User?> FindUserForUpdateAsync(AccountId id, CancellationToken cancel);

    /// <summary>Reads a session with a row lock until the transaction ends.</summary>
    Task<Session?> FindSessionForUpdateAsync(SessionId id, CancellationToken cancel);

    /// <summary>Uses a recovery code up; false: there is no such code (any more).</summary>
    Task<bool> BurnRecoveryCodeAsync(AccountId account, byte[] codeHash, CancellationToken cancel);

    Task ForgetRecoveryCodesAsync(AccountId account, CancellationToken cancel);
}
