using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Application.Scheduler.Events;

namespace FogCompute.Application.Scheduler;

// On JobFunded, after the hold was placed: writes the job and its first tasks.
internal sealed class OnJobFunded(IJobQueue queue) : IEventHandler<JobFunded>
{
    public Task Handle(JobFunded notification, CancellationToken cancellationToken) => queue.CreateTasksAsync(notification.Job, notification.At, cancellationToken);
}
