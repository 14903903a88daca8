namespace FogCompute.Application.Common.Messaging;

/// <summary>An answer of a recurring command that can say it stopped before the end; it then runs again at once.</summary>
public interface IRecurringOutcome
{
    bool MoreToDo { get; }
}

/// <summary>The plain form.</summary>
public sealed record RecurringOutcome(bool MoreToDo) : IRecurringOutcome;
