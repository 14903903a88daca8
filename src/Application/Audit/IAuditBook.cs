using FogCompute.Domain.Audit;

namespace FogCompute.Application.Audit;

/// <summary>Which entries; null members do not restrict.</summary>
/// <param name="Action">A whole action, or a module's with a trailing dot (<c>identity.</c>).</param>
/// <param name="From">First instant.</param>
/// <param name="To">First instant no longer included.</param>
public sealed record AuditFilter(Guid? Account, string? Action, DateTimeOffset? From, DateTimeOffset? To);

/// <param name="Hash">Of the chain up to here; null: not sealed yet.</param>
public sealed record SealedAuditEntry(StoredAuditEntry Entry, byte[]? Hash);

/// <param name="Head">Last sealed entry; 0 when nothing is sealed.</param>
public sealed record AuditSealing(int Sealed, long Head, byte[]? HeadHash);

/// <summary>The state of the chain.</summary>
/// <param name="Entries">Sealed entries that were recomputed.</param>
/// <param name="Unsealed">Entries younger than the last seal.</param>
/// <param name="Head">Last sealed entry; 0: none.</param>
/// <param name="BrokenEntry">First entry that is not what was sealed; null: all are.</param>
public sealed record AuditChainState(long Entries, long Unsealed, long Head, byte[]? HeadHash, long? BrokenEntry, string? Reason);

/// <param name="Entry">An entry's id.</param>
/// <param name="Hash">The hash it had when somebody looked.</param>
public sealed record AuditAnchor(long Entry, byte[] Hash);

/// <summary>The stored log.</summary>
public interface IAuditBook
{
    /// <summary>Newest first, below <paramref name="before"/>.</summary>
    Task<IReadOnlyList<SealedAuditEntry>> NewestAsync(AuditFilter filter, long? before, int limit, CancellationToken cancel);

    /// <summary>Oldest first, above <paramref name="after"/>.</summary>
    Task<IReadOnlyList<SealedAuditEntry>> OldestAsync(AuditFilter filter, long after, int limit, CancellationToken cancel);

    /// <summary>
    /// Adds committed entries to the chain, at most <paramref name="most"/>. None when another process is sealing or an older transaction is still
    /// open after <paramref name="patience"/>; nothing is lost, the next run takes them.
    /// </summary>
    Task<AuditSealing> SealAsync(int most, TimeSpan patience, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Recomputes the whole chain in bounded memory.</summary>
    Task<AuditChainState> VerifyAsync(AuditAnchor? anchor, CancellationToken cancel);
}
