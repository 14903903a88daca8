using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;

namespace FogCompute.Application.Scheduler;

// Recurring, no route. Deletes events of jobs and devices that are a day old, and those above a million: whoever follows from one that is gone is told so.

[RequiresPermission(Permissions.Operate)]
public sealed record ForgetEventsCommand : ICommand<RecurringOutcome>;

internal sealed class ForgetEventsHandler(IEventLog events) : ICommandHandler<ForgetEventsCommand, RecurringOutcome>
{
    private static readonly TimeSpan Kept = TimeSpan.FromDays(1);
    private const long Most = 1_000_000;
    private const int Batch = 5_000;

    public async Task<RecurringOutcome> Handle(ForgetEventsCommand command, CancellationToken cancellationToken) =>
        new(MoreToDo: await events.ForgetAsync(Kept, Most, Batch, cancellationToken) == Batch);
}
