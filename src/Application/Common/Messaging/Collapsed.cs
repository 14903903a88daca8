namespace FogCompute.Application.Common.Messaging;

/// <summary>
/// On a query that many ask at the same time: those that ask the same while one look is under way share the next look, which begins after they asked (ADR 0017). So
/// an answer is as fresh as one asked for alone. The query must be a record, since equal ones are the same question.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class CollapsedAttribute : Attribute
{
    /// <summary>The answer does not depend on who asks; the handler sees no caller then. Otherwise only one caller's own questions are shared.</summary>
    public bool SameForAll { get; init; }
}
