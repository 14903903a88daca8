using FogCompute.Application.Common.Messaging;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Application.Scheduler.Events;

namespace FogCompute.Application.IdleCompute;

// On AttemptsEnded, in its transaction: what results, losses and evictions say about their devices.
internal sealed class OnAttemptsEnded(IDeviceDirectory devices) : IEventHandler<AttemptsEnded>
{
    public async Task Handle(AttemptsEnded notification, CancellationToken cancellationToken)
    {
        var tallies = notification.Devices.ToDictionary(t => t.DeviceId, StringComparer.Ordinal);
        foreach (var device in await devices.LockAsync(tallies.Keys, cancellationToken))
        {
            var tally = tallies[device.Id];
            device.CountCompleted(tally.Completed, tally.WallMs);
            device.CountLosses(tally.Losses);
            device.CountEvictions(tally.Evictions);
            if (tally.Right + tally.Wrong > 0)
                device.CountVerified(tally.Right, tally.Wrong, notification.At);
        }
    }
}
