using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.IdleCompute;

namespace FogCompute.Application.IdleCompute;

// DELETE /api/idle-compute/devices/{id}
// Drains a device: its key stops working at once and its leases are requeued within a second.

[RequiresPermission(Permissions.DevicesWrite)]
[Audited("idle_compute.device_unregistered", Subject = nameof(DeviceId))]
public sealed record UnregisterDeviceCommand(string DeviceId) : ICommand<UnregisterDeviceResult>;

public sealed record UnregisterDeviceResult(bool Success, string DeviceId, string Status);

internal sealed class UnregisterDeviceHandler(IDeviceDirectory devices, CallerContext context, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<UnregisterDeviceCommand, UnregisterDeviceResult>
{
    public async Task<UnregisterDeviceResult> Handle(UnregisterDeviceCommand command, CancellationToken cancellationToken)
    {
        // Its permission is that of registering: whoever finds the token on one machine must not end the others.
        if (context.Caller.Kind == CallerKind.EnrolmentToken)
            throw new FogException(IdleComputeErrors.EnrolmentOnly);
        var device = (await devices.LockAsync([command.DeviceId], cancellationToken)).SingleOrDefault();
        if (device is null || !context.Caller.MayActFor(device.AccountId))
            throw new FogException(IdleComputeErrors.DeviceNotFound);
        device.Unregister(time.GetUtcNow());
        transaction.SignalAfterCommit(Topics.Device(command.DeviceId));
        transaction.SignalAfterCommit(Topics.Place);
        return new UnregisterDeviceResult(true, command.DeviceId, "unregistered");
    }
}
