using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.Identity;

/// <summary>The tables of this module.</summary>
public interface IIdentityDb
{
    DbSet<Account> Accounts { get; }
    DbSet<AccessKey> AccessKeys { get; }

    /// <summary>Serialises the creation of accounts until the transaction ends, so that "is the name free" stays true until the commit.</summary>
    Task LockAccountNamesAsync(CancellationToken cancel);

    /// <summary>Reads a key with a row lock until the transaction ends.</summary>
    Task<AccessKey?> FindKeyForUpdateAsync(AccessKeyId id, CancellationToken cancel);
}
