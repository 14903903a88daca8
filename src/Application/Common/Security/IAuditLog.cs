namespace FogCompute.Application.Common.Security;

/// <summary>The audit log: who did what to what. Entries are written in the running transaction: no change without its entry, no entry without its change.</summary>
public interface IAuditLog
{
    /// <param name="action">Stable dotted word, <c>module.what_happened</c>, e.g. <c>identity.password_changed</c>.</param>
    /// <param name="subject">Id of what it was done to; null: the caller itself.</param>
    /// <param name="details">Flat facts for auditors; never a secret.</param>
    /// <param name="by">Who did it; null: the caller of the scope.</param>
    void Record(string action, string? subject, IReadOnlyDictionary<string, string>? details = null, Caller? by = null);
}
