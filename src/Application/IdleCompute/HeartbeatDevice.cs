using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.IdleCompute;

namespace FogCompute.Application.IdleCompute;

// POST /api/idle-compute/devices/{id}/heartbeat?battery=&is_charging=
// A sign of life with sensors, for devices whose software does not poll for leases.

[RequiresPermission(Permissions.DevicesRead)]
public sealed record HeartbeatDeviceCommand : ICommand<HeartbeatResult>
{
    /// <summary>Percent, 0–100.</summary>
    public double? Battery { get; init; }
    public bool? IsCharging { get; init; }

    [JsonIgnore]
    public string DeviceId { get; init; } = "";
}

public sealed record HeartbeatResult(bool Success, string DeviceId, bool Acknowledged);

internal sealed class HeartbeatDeviceValidator : AbstractValidator<HeartbeatDeviceCommand>
{
    public HeartbeatDeviceValidator() => RuleFor(c => c.Battery).InclusiveBetween(0, 100);
}

internal sealed class HeartbeatDeviceHandler(IDeviceDirectory devices, CallerContext context, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<HeartbeatDeviceCommand, HeartbeatResult>
{
    public async Task<HeartbeatResult> Handle(HeartbeatDeviceCommand command, CancellationToken cancellationToken)
    {
        var device = (await devices.LockAsync([command.DeviceId], cancellationToken)).SingleOrDefault();
        if (device is null || !(context.Caller.DeviceId == device.Id || (context.Caller.DeviceId is null && context.Caller.MayActFor(device.AccountId))))
            throw new FogException(IdleComputeErrors.DeviceNotFound);
        device.Heartbeat(command.Battery, command.IsCharging, time.GetUtcNow());
        transaction.SignalAfterCommit(Topics.Place);
        return new HeartbeatResult(true, command.DeviceId, true);
    }
}
