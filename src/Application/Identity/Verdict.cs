using FogCompute.Domain.Common;

namespace FogCompute.Application.Identity;

/// <summary>
/// An answer, or a refusal whose traces are kept (a counted failure, an ended session, an audit entry): an exception would roll them back.
/// </summary>
public sealed record Verdict<T>(T? Answer, FogError? Refusal, TimeSpan? RetryAfter) where T : class
{
    public static Verdict<T> Of(T answer) => new(answer, null, null);

    public static Verdict<T> Refused(FogError error) => new(null, error, null);

    /// <exception cref="FogException">It is a refusal.</exception>
    public T AnswerOrThrow() => Answer ?? throw new FogException(Refusal!) { RetryAfter = RetryAfter };
}
