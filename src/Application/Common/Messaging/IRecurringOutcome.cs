namespace FogCompute.Application.Common.Messaging;

/// <summary>Result of a recurring command that may want to run again at once.</summary>
public interface IRecurringOutcome
{
    bool MoreToDo { get; }
}

/// <summary>For recurring commands with nothing else to say.</summary>
public sealed record RecurringOutcome(bool MoreToDo) : IRecurringOutcome;
