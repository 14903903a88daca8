using FogCompute.Application.Artifacts;
using FogCompute.Application.Artifacts.Contracts;
using FogCompute.Domain.Artifacts;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace FogCompute.Infrastructure.Artifacts;

internal sealed class BlobTable : IEntityTypeConfiguration<Blob>
{
    public void Configure(EntityTypeBuilder<Blob> builder)
    {
        builder.ToTable("blobs", "artifacts");
        builder.HasKey(b => b.Sha256);
    }
}

internal sealed class GrantTable : IEntityTypeConfiguration<Grant>
{
    public void Configure(EntityTypeBuilder<Grant> builder)
    {
        builder.ToTable("grants", "artifacts");
        builder.HasKey(g => new { g.Sha256, g.AccountId });
    }
}

internal sealed class ArtifactDb(FogDbContext db) : IArtifactDb, IArtifactCatalog
{
    private const int QuotaLock = 0x666F_6702; // First half of the advisory lock around one account's total.

    public async Task<bool?> RecordAsync(ArtifactDigest digest, long size, AccountId account, long? most, DateTimeOffset now, Action appear, CancellationToken cancel)
    {
        if (most is null)
        {
            appear();
            return await RecordAsync(digest, size, account, now, cancel);
        }
        // Uploads of one account record one after the other, so that none counts on room that another takes. Locked first, summed afterwards: a statement sees what was there when it began.
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await db.ExecuteSqlAsync("SELECT pg_advisory_xact_lock($1, hashtext($2))", cancel, QuotaLock, account.ToString());
        if (await SizeForAsync(digest, account, cancel) is null && await BytesOfAsync(account, cancel) + size > most)
            return null;
        appear();
        var created = await RecordAsync(digest, size, account, now, cancel);
        await transaction.CommitAsync(cancel);
        return created;
    }

    public Task<long> BytesOfAsync(AccountId account, CancellationToken cancel) => db.ScalarSqlAsync<long>(
        "SELECT coalesce(sum(b.size_bytes), 0)::bigint FROM artifacts.grants g JOIN artifacts.blobs b USING (sha256) WHERE g.account_id = $1", cancel, account.Value);

    private async Task<bool> RecordAsync(ArtifactDigest digest, long size, AccountId account, DateTimeOffset now, CancellationToken cancel)
    {
        // One statement, one transaction. The foreign key is checked at its end, when the blob is there either way.
        const string sql = """
            WITH blob AS (INSERT INTO artifacts.blobs (sha256, size_bytes, created_at) VALUES ($1, $2, $4) ON CONFLICT DO NOTHING)
            INSERT INTO artifacts.grants (sha256, account_id, created_at) VALUES ($1, $3, $4) ON CONFLICT DO NOTHING
            """;
        return await db.ExecuteSqlAsync(sql, cancel, digest.Bytes, size, account.Value, now) > 0;
    }

    public async Task<long?> SizeForAsync(ArtifactDigest digest, AccountId account, CancellationToken cancel)
    {
        const string sql = "SELECT b.size_bytes FROM artifacts.grants g JOIN artifacts.blobs b USING (sha256) WHERE g.sha256 = $1 AND g.account_id = $2";
        return (await db.QuerySqlAsync(sql, r => (long?)r.GetInt64(0), cancel, digest.Bytes, account.Value)).SingleOrDefault();
    }

    public async Task<long?> SizeAsync(ArtifactDigest digest, CancellationToken cancel) =>
        (await db.QuerySqlAsync("SELECT size_bytes FROM artifacts.blobs WHERE sha256 = $1", r => (long?)r.GetInt64(0), cancel, digest.Bytes)).SingleOrDefault();

    public async Task<IReadOnlySet<ArtifactDigest>> MissingAsync(AccountId account, IReadOnlyCollection<ArtifactDigest> digests, CancellationToken cancel)
    {
        if (digests.Count == 0)
            return new HashSet<ArtifactDigest>();
        var there = await db.QuerySqlAsync(
            "SELECT sha256 FROM artifacts.grants WHERE account_id = $1 AND sha256 = ANY ($2)",
            r => ArtifactDigest.FromBytes(r.GetFieldValue<byte[]>(0)), cancel, account.Value, digests.Select(d => d.Bytes).ToArray());
        return digests.Except(there).ToHashSet();
    }
}
