using FogCompute.Application.Common.Security;
using FogCompute.Domain.Common;

namespace FogCompute.Application.Common.Messaging;

/// <summary>A command of which many, of whatever callers, share one transaction when they come at the same time (ADR 0017). Each is authorised, validated and answered by itself.</summary>
public interface IGroupedCommand<out TResult> : ICommand<TResult>
{
    /// <summary>How much work it is beside others: a group ends before <see cref="GroupItem.MostWeight"/> is exceeded, and one that weighs more runs alone.</summary>
    int Weight => 1;
}

/// <summary>Handles a group in one transaction, set-based. Saves and sends as little as any handler: events and signals go to <see cref="ITransactionScope"/>.</summary>
public interface IGroupHandler<TCommand, TResult> where TCommand : IGroupedCommand<TResult>
{
    /// <summary>
    /// Answers or refuses each item. A refused item has had no effect: refuse before writing anything for it. Throwing rolls the whole group back; its halves are then
    /// tried by themselves, so that in the end only the item whose fault it is fails.
    /// </summary>
    Task HandleAsync(IReadOnlyList<GroupItem<TCommand, TResult>> items, CancellationToken cancel);
}

public abstract class GroupItem
{
    /// <summary>Most commands in one transaction.</summary>
    public const int Most = 128;

    /// <summary>Most weight of the commands in one transaction.</summary>
    public const int MostWeight = 10_000;
}

/// <summary>One command of a group. There is no caller of the group: <see cref="Caller"/> takes the place of <see cref="CallerContext"/>.</summary>
public sealed class GroupItem<TCommand, TResult>(TCommand command, Caller caller) : GroupItem where TCommand : IGroupedCommand<TResult>
{
    public TCommand Command { get; } = command;
    public Caller Caller { get; } = caller;
    public TResult? Result { get; private set; }
    public FogException? Refusal { get; private set; }
    public bool IsSettled { get; private set; }

    public void Answer(TResult result) => Settle(result, null);

    public void Refuse(FogException refusal) => Settle(default, refusal);

    private void Settle(TResult? result, FogException? refusal)
    {
        if (IsSettled)
            throw new InvalidOperationException($"An item of {typeof(TCommand).Name} was answered twice.");
        (Result, Refusal, IsSettled) = (result, refusal, true);
    }
}
