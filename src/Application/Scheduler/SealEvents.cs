using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;

namespace FogCompute.Application.Scheduler;

// Recurring, no route. Gives ids to the events that were committed since. Those who follow them do so too, more often; this keeps it short for the first of them.

[RequiresPermission(Permissions.Operate)]
public sealed record SealEventsCommand : ICommand<RecurringOutcome>;

internal sealed class SealEventsHandler(IEventLog events) : ICommandHandler<SealEventsCommand, RecurringOutcome>
{
    private const int Batch = 5_000;

    public async Task<RecurringOutcome> Handle(SealEventsCommand command, CancellationToken cancellationToken) => new(MoreToDo: await events.SealAsync(Batch, cancellationToken) == Batch);
}
