using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Scheduler.Events;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Application.Tokenomics;

/// <summary>Gives back what is left of the job's hold. A job that never had one (refused before admission), or closed before, changes nothing.</summary>
internal sealed class OnJobClosed(ILedger ledger, IHolds holds) : IEventHandler<JobClosed>
{
    public async Task Handle(JobClosed notification, CancellationToken cancellationToken)
    {
        var held = await holds.LockAsync([notification.Job], cancellationToken);
        if (!held.TryGetValue(notification.Job, out var hold) || hold.State == HoldState.Closed)
            return;
        if (hold.Close(notification.At) is { } release)
            await ledger.PostAsync([release], [], cancellationToken);
        await holds.SaveAsync([hold], cancellationToken);
    }
}
