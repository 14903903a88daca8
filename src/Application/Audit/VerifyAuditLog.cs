using System.Diagnostics;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;

namespace FogCompute.Application.Audit;

// GET /api/audit/verification?entry=&hash=
// Promises: the whole chain recomputed just now, and the first entry named that is not what was sealed.

/// <summary>Recompute the audit log's hash chain; names the first entry that differs.</summary>
[RequiresPermission(Permissions.AuditRead)]
public sealed record VerifyAuditLogQuery : IQuery<AuditVerification>
{
    /// <summary>An entry whose hash was noted elsewhere: shows a log that was cut off or rewritten with hashes that fit.</summary>
    public long? Entry { get; init; }

    /// <summary>The hash it had, 64 hexadecimal digits.</summary>
    public string? Hash { get; init; }
}

/// <param name="Intact">True when nothing differs.</param>
/// <param name="Entries">Sealed entries that were recomputed.</param>
/// <param name="Unsealed">Younger entries that the chain does not cover yet.</param>
/// <param name="Head">Last sealed entry; 0: none.</param>
/// <param name="HeadHash">Its hash, hex. Keep both elsewhere and send them as entry and hash to notice a rewritten log.</param>
/// <param name="BrokenEntry">First entry that is not what was sealed; null: all are.</param>
public sealed record AuditVerification(bool Intact, long Entries, long Unsealed, long Head, string? HeadHash, long? BrokenEntry, string? Reason, double ElapsedMs);

internal sealed class VerifyAuditLogValidator : AbstractValidator<VerifyAuditLogQuery>
{
    public VerifyAuditLogValidator()
    {
        RuleFor(q => q.Entry).GreaterThan(0).WithMessage("entry must be at least 1.");
        RuleFor(q => q.Hash).Matches("^[0-9a-fA-F]{64}$").WithMessage("hash must be 64 hexadecimal digits.");
        RuleFor(q => q.Hash).NotNull().When(q => q.Entry is not null).WithMessage("entry and hash go together.");
        RuleFor(q => q.Entry).NotNull().When(q => q.Hash is not null).WithMessage("entry and hash go together.");
    }
}

internal sealed class VerifyAuditLogHandler(IAuditBook book) : IQueryHandler<VerifyAuditLogQuery, AuditVerification>
{
    public async Task<AuditVerification> Handle(VerifyAuditLogQuery request, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var anchor = request is { Entry: { } entry, Hash: { } hash } ? new AuditAnchor(entry, Convert.FromHexString(hash)) : null;
        var state = await book.VerifyAsync(anchor, cancellationToken);
        return new AuditVerification(
            state.BrokenEntry is null, state.Entries, state.Unsealed, state.Head, state.HeadHash is null ? null : Convert.ToHexStringLower(state.HeadHash), state.BrokenEntry, state.Reason,
            Stopwatch.GetElapsedTime(started).TotalMilliseconds);
    }
}
