using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Scheduler.Events;

namespace FogCompute.Application.Scheduler;

// On TasksEnded, last in its transaction: counts the ends on their jobs and closes the jobs that have none left.
internal sealed class OnTasksEnded(IJobQueue queue, ITransactionScope transaction) : IEventHandler<TasksEnded>
{
    public async Task Handle(TasksEnded notification, CancellationToken cancellationToken)
    {
        foreach (var job in await queue.CountEndsAsync(notification.Jobs, cancellationToken))
        {
            job.Finish(notification.At);
            transaction.Raise(new JobClosed(job.Id, notification.At));
            await JobClosing.ReleaseOrFailDependentsAsync(job, queue, transaction, notification.At, cancellationToken);
        }
    }
}
