using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Scheduler.Contracts;

namespace FogCompute.Application.Scheduler;

// Recurring: every second, and when a placement pass came near the last row of a long array.
// Writes the next tasks of long arrays, a chunk of one job in one transaction, so that a submit need not write them all and few rows wait at a time.

[RequiresPermission(Permissions.Operate)]
public sealed record WriteNextTasksCommand : ICommand<RecurringOutcome>;

internal sealed class WriteNextTasksHandler(IJobQueue queue, ITransactionScope transaction, TimeProvider time) : ICommandHandler<WriteNextTasksCommand, RecurringOutcome>
{
    public async Task<RecurringOutcome> Handle(WriteNextTasksCommand command, CancellationToken cancellationToken)
    {
        var (written, more) = await queue.WriteNextTasksAsync(SchedulerOptions.LowWater, time.GetUtcNow(), cancellationToken);
        if (written > 0)
            transaction.SignalAfterCommit(Topics.Place);
        return new RecurringOutcome(more);
    }
}
