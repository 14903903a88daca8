namespace FogCompute.Domain.Common;

/// <summary>What a refusal means to the caller; the API maps each kind to one HTTP status.</summary>
public enum ErrorKind
{
    /// <summary>The message cannot be read at all (400).</summary>
    Malformed,
    /// <summary>Who is asking is not known (401).</summary>
    Unauthenticated,
    /// <summary>The caller may not do this (403).</summary>
    Forbidden,
    /// <summary>It does not exist, or not for this caller (404).</summary>
    NotFound,
    /// <summary>It exists but is in a state that does not allow this now (409).</summary>
    Conflict,
    /// <summary>More bytes than the limit (413).</summary>
    TooLarge,
    /// <summary>A field has a value outside its allowed range (422).</summary>
    Invalid,
    /// <summary>A rate or quota is used up (429).</summary>
    LimitExceeded,
    /// <summary>A part this depends on is down; trying again later may work (503).</summary>
    Unavailable,
}

/// <summary>A refusal: stable code (<c>module.what</c>), kind, and one sentence that says what happened and what to do.</summary>
public sealed record FogError(string Code, ErrorKind Kind, string Message)
{
    /// <summary>The same refusal, naming the field it is about (wire name, snake_case).</summary>
    public FogException On(string field) => new(this, new Dictionary<string, string[]>(StringComparer.Ordinal) { [field] = [Message] });
}

/// <summary>Thrown for every refusal; one handler in the API turns it into a problem document.</summary>
public sealed class FogException(FogError error, IReadOnlyDictionary<string, string[]>? fields = null, Exception? inner = null)
    : Exception(error.Message, inner)
{
    public FogError Error { get; } = error;

    /// <summary>Violations by wire field name; empty when the refusal is not about a field.</summary>
    public IReadOnlyDictionary<string, string[]> Fields { get; } = fields ?? new Dictionary<string, string[]>(StringComparer.Ordinal);

    /// <summary>When to try again, where that is known (429, 503).</summary>
    public TimeSpan? RetryAfter { get; init; }
}
