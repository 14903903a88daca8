using System.Text.Json;

namespace FogCompute.Domain.Audit;

/// <summary>Who did what to what; written once, in the transaction of what it tells.</summary>
public sealed class AuditEntry
{
    public const int LongestAction = 100;
    public const int LongestSubject = 300;

    /// <summary>Longest value of one detail, characters; what is longer is cut.</summary>
    public const int LongestDetail = 500;

    private AuditEntry()
    {
        Caller = "";
        Action = "";
        Details = "";
    }

    /// <summary>Drawn from a sequence: entries that commit together may have any order, and numbers of rolled-back transactions stay unused.</summary>
    public long Id { get; private set; }
    public DateTimeOffset At { get; private set; }

    /// <summary>Null: nobody was identified, or the control plane itself.</summary>
    public Guid? Account { get; private set; }

    /// <summary>Kind of caller, snake_case.</summary>
    public string Caller { get; private set; }

    /// <summary>Device id or id of the key; null: neither.</summary>
    public string? Actor { get; private set; }
    public string Action { get; private set; }

    /// <summary>Id of what it was done to; null: the caller itself.</summary>
    public string? Subject { get; private set; }

    /// <summary>A flat JSON object of strings.</summary>
    public string Details { get; private set; }

    public static AuditEntry Of(DateTimeOffset at, Guid? account, string caller, string? actor, string action, string? subject, IReadOnlyDictionary<string, string>? details) => new()
    {
        // Microseconds are what the column keeps; hashing more would not verify.
        At = new DateTimeOffset(at.UtcTicks / TimeSpan.TicksPerMicrosecond * TimeSpan.TicksPerMicrosecond, TimeSpan.Zero),
        Account = account,
        Caller = caller,
        Actor = actor,
        Action = action.Length is > 0 and <= LongestAction ? action : throw new ArgumentException($"An action has 1–{LongestAction} characters.", nameof(action)),
        Subject = Storable(subject, LongestSubject),
        Details = details is null ? "{}" : JsonSerializer.Serialize(details.ToDictionary(d => d.Key, d => Storable(d.Value, LongestDetail))),
    };

    /// <summary>PostgreSQL text has no NUL and no half of a surrogate pair; neither may make the change itself fail.</summary>
    private static string? Storable(string? text, int longest)
    {
        if (text is null)
            return null;
        var cut = text.Length <= longest ? text : text[..(longest - 1)] + "…";
        return string.Concat(cut.Replace('\0', '\uFFFD').EnumerateRunes());
    }
}
