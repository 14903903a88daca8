using System.Runtime.CompilerServices;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Audit;

// GET /api/audit/export?account=&action=&from=&to=
// Promises: every entry asked for, oldest first, in constant memory however many: entries are read a thousand at a time while they are sent.

/// <summary>Export the audit log as NDJSON, oldest first, one entry a line with its hash.</summary>
[RequiresPermission(Permissions.AuditRead)]
public sealed record ExportAuditLogQuery : IQuery<AuditExport>, IAuditPeriod
{
    /// <summary>What this account's callers did.</summary>
    public Guid? Account { get; init; }

    /// <summary>A whole action, or all of a module with a trailing dot: <c>identity.</c></summary>
    public string? Action { get; init; }

    /// <summary>First instant.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>First instant no longer included.</summary>
    public DateTimeOffset? To { get; init; }
}

/// <summary>Entries as they are read; to be enumerated once.</summary>
public sealed record AuditExport(IAsyncEnumerable<AuditEntryItem> Entries);

internal sealed class ExportAuditLogValidator : AuditPeriodValidator<ExportAuditLogQuery>;

internal sealed class ExportAuditLogHandler(IAuditBook book) : IQueryHandler<ExportAuditLogQuery, AuditExport>
{
    private const int Page = 1_000;

    public Task<AuditExport> Handle(ExportAuditLogQuery request, CancellationToken cancellationToken) =>
        Task.FromResult(new AuditExport(EntriesAsync(((IAuditPeriod)request).Filter, cancellationToken)));

    private async IAsyncEnumerable<AuditEntryItem> EntriesAsync(AuditFilter filter, [EnumeratorCancellation] CancellationToken cancel)
    {
        var after = long.MinValue;
        while (true)
        {
            var entries = await book.OldestAsync(filter, after, Page, cancel);
            foreach (var entry in entries)
                yield return AuditEntryItem.Of(entry);
            if (entries.Count < Page)
                yield break;
            after = entries[^1].Entry.Id;
        }
    }
}
