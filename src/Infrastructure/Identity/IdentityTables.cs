using FogCompute.Application.Identity;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace FogCompute.Infrastructure.Identity
{
    internal sealed class AccountTable : IEntityTypeConfiguration<Account>
    {
        public void Configure(EntityTypeBuilder<Account> builder)
        {
            builder.ToTable("accounts", "identity");
            builder.HasKey(a => a.Id);
            builder.HasIndex(a => a.Name).IsUnique();
            builder.HasIndex(a => a.Address).IsUnique();
        }
    }

    internal sealed class AccessKeyTable : IEntityTypeConfiguration<AccessKey>
    {
        public void Configure(EntityTypeBuilder<AccessKey> builder)
        {
            builder.ToTable("access_keys", "identity");
            builder.HasKey(k => k.Id);
            builder.HasIndex(k => k.SecretHash).IsUnique();
        }
    }
}

namespace FogCompute.Infrastructure.Persistence
{
    public sealed partial class FogDbContext : IIdentityDb
    {
        // Any fixed number: the key of the advisory lock around account names.
        private const long AccountNamesLock = 0x666F_6701;

        public DbSet<Account> Accounts => Set<Account>();
        public DbSet<AccessKey> AccessKeys => Set<AccessKey>();

        Task IIdentityDb.LockAccountNamesAsync(CancellationToken cancel) =>
            this.ExecuteSqlAsync("SELECT pg_advisory_xact_lock($1)", cancel, AccountNamesLock);

        Task<AccessKey?> IIdentityDb.FindKeyForUpdateAsync(AccessKeyId id, CancellationToken cancel) =>
            AccessKeys.FromSql($"SELECT * FROM identity.access_keys WHERE id = {id.Value} FOR UPDATE").FirstOrDefaultAsync(cancel);
    }
}
