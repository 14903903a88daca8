using System.Text.Json;
using FogCompute.Application.Common.Security;
using FogCompute.Domain.Audit;
using FogCompute.Domain.Identity;
using FogCompute.Infrastructure.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace FogCompute.Infrastructure.Audit;

/// <summary>Entries are tracked like any other change: the unit of work saves them with the rest, or nothing.</summary>
internal sealed class AuditLog(FogDbContext db, CallerContext context, TimeProvider time) : IAuditLog
{
    public void Record(string action, string? subject, IReadOnlyDictionary<string, string>? details = null, Caller? by = null)
    {
        if (db.Database.CurrentTransaction is null)
            throw new InvalidOperationException($"'{action}' was recorded outside a command: there is no change to record it with.");
        var caller = by ?? context.Caller;
        db.Add(AuditEntry.Of(
            time.GetUtcNow(), caller.Account == default(AccountId) ? null : caller.Account.Value, JsonNamingPolicy.SnakeCaseLower.ConvertName(caller.Kind.ToString()),
            caller.DeviceId ?? caller.Key?.ToString(), action, subject, details));
    }
}

internal sealed class AuditEntryTable : IEntityTypeConfiguration<AuditEntry>
{
    public void Configure(EntityTypeBuilder<AuditEntry> builder)
    {
        builder.ToTable("entries", "audit");
        builder.HasKey(e => e.Id);
        builder.Property(e => e.Id).UseIdentityByDefaultColumn();
        builder.Property(e => e.Details).HasColumnType("jsonb");
    }
}
