using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using Microsoft.Extensions.Logging;

namespace FogCompute.Application.Audit;

// Recurring, each second, single-flight.
// Promises: every committed entry is in the hash chain soon after; nobody who writes one waits for it.

[RequiresPermission(Permissions.Operate)]
public sealed record SealAuditLogCommand : ICommand<RecurringOutcome>;

internal sealed partial class SealAuditLogHandler(IAuditBook book, TimeProvider time, ILogger<SealAuditLogHandler> log) : ICommandHandler<SealAuditLogCommand, RecurringOutcome>
{
    /// <summary>Bounds time and memory of one run.</summary>
    private const int Most = 5_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public async Task<RecurringOutcome> Handle(SealAuditLogCommand request, CancellationToken cancellationToken)
    {
        var sealing = await book.SealAsync(Most, Patience, time.GetUtcNow(), cancellationToken);
        if (sealing.Sealed > 0)
            // Outside the database, where whoever rewrites that one cannot reach.
            Sealed(log, sealing.Head, Convert.ToHexStringLower(sealing.HeadHash!), sealing.Sealed);
        return new RecurringOutcome(sealing.Sealed == Most);
    }

    [LoggerMessage(1, LogLevel.Information, "audit_sealed {entry} {hash} {entries}")]
    private static partial void Sealed(ILogger logger, long entry, string hash, int entries);
}
