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

    // The relations below only tell EF in which order to insert.

    internal sealed class UserTable : IEntityTypeConfiguration<User>
    {
        public void Configure(EntityTypeBuilder<User> builder)
        {
            builder.ToTable("users", "identity");
            builder.HasKey(u => u.Id);
            builder.Property(u => u.Id).HasColumnName("account_id");
            builder.HasIndex(u => u.EmailKey).IsUnique();
            builder.Ignore(u => u.HasMfa);
            builder.HasOne<Account>().WithOne().HasForeignKey<User>(u => u.Id);
        }
    }

    internal sealed class RecoveryCodeTable : IEntityTypeConfiguration<RecoveryCode>
    {
        public void Configure(EntityTypeBuilder<RecoveryCode> builder)
        {
            builder.ToTable("recovery_codes", "identity");
            builder.HasKey(c => new { c.AccountId, c.CodeHash });
            builder.HasOne<User>().WithMany().HasForeignKey(c => c.AccountId);
        }
    }

    internal sealed class SessionTable : IEntityTypeConfiguration<Session>
    {
        public void Configure(EntityTypeBuilder<Session> builder)
        {
            builder.ToTable("sessions", "identity");
            builder.HasKey(s => s.Id);
            builder.HasOne<User>().WithMany().HasForeignKey(s => s.AccountId);
        }
    }

    internal sealed class SessionTokenTable : IEntityTypeConfiguration<SessionToken>
    {
        public void Configure(EntityTypeBuilder<SessionToken> builder)
        {
            builder.ToTable("session_tokens", "identity");
            builder.HasKey(t => t.SecretHash);
            builder.HasOne<Session>().WithMany().HasForeignKey(t => t.SessionId);
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
        public DbSet<User> Users => Set<User>();
        public DbSet<RecoveryCode> RecoveryCodes => Set<RecoveryCode>();
        public DbSet<Session> Sessions => Set<Session>();
        public DbSet<SessionToken> SessionTokens => Set<SessionToken>();

        Task IIdentityDb.LockAccountNamesAsync(CancellationToken cancel) =>
            this.ExecuteSqlAsync("SELECT pg_advisory_xact_lock($1)", cancel, AccountNamesLock);

        Task<AccessKey?> IIdentityDb.FindKeyForUpdateAsync(AccessKeyId id, CancellationToken cancel) =>
            AccessKeys.FromSql($"SELECT * FROM identity.access_keys WHERE id = {id.Value} FOR UPDATE").FirstOrDefaultAsync(cancel);

        async Task<IReadOnlyList<AccessKey>> IIdentityDb.LockKeysAsync(IReadOnlyCollection<AccessKeyId> ids, CancellationToken cancel)
        {
            var values = ids.Select(i => i.Value).ToArray();
            return await AccessKeys.FromSql($"SELECT * FROM identity.access_keys WHERE id = ANY ({values}) ORDER BY id FOR UPDATE").ToListAsync(cancel);
        }

        Task<User?> IIdentityDb.FindUserForUpdateAsync(AccountId id, CancellationToken cancel) =>
            Users.FromSql($"SELECT * FROM identity.users WHERE account_id = {id.Value} FOR UPDATE").FirstOrDefaultAsync(cancel);

        Task<Session?> IIdentityDb.FindSessionForUpdateAsync(SessionId id, CancellationToken cancel) =>
            Sessions.FromSql($"SELECT * FROM identity.sessions WHERE id = {id.Value} FOR UPDATE").FirstOrDefaultAsync(cancel);

        async Task<bool> IIdentityDb.BurnRecoveryCodeAsync(AccountId account, byte[] codeHash, CancellationToken cancel) =>
            await this.ExecuteSqlAsync("DELETE FROM identity.recovery_codes WHERE account_id = $1 AND code_hash = $2", cancel, account.Value, codeHash) == 1;

        Task IIdentityDb.ForgetRecoveryCodesAsync(AccountId account, CancellationToken cancel) =>
            this.ExecuteSqlAsync("DELETE FROM identity.recovery_codes WHERE account_id = $1", cancel, account.Value);
    }
}
