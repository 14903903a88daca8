using System.Text.Json.Serialization;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Security;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.IdleCompute;

namespace FogCompute.Application.IdleCompute;

// POST /api/idle-compute/devices/{id}/heartbeat?battery=&is_charging=
// A sign of life with sensors, for devices whose software does not poll for leases.

[RequiresPermission(Permissions.DevicesRead)]
public sealed record HeartbeatDeviceCommand : IGroupedCommand<HeartbeatResult>
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

/// <summary>Many devices beat at once: a group is two statements, whoever they are of.</summary>
internal sealed class HeartbeatDeviceHandler(IDeviceDirectory devices, ITransactionScope transaction, TimeProvider time) : IGroupHandler<HeartbeatDeviceCommand, HeartbeatResult>
{
    public async Task HandleAsync(IReadOnlyList<GroupItem<HeartbeatDeviceCommand, HeartbeatResult>> items, CancellationToken cancel)
    {
        var owners = await devices.LockOwnersAsync([.. items.Select(i => i.Command.DeviceId).Distinct(StringComparer.Ordinal)], cancel);
        var heard = new Dictionary<string, SignOfLife>(StringComparer.Ordinal);
        foreach (var item in items)
        {
            var (id, caller) = (item.Command.DeviceId, item.Caller);
            if (!owners.TryGetValue(id, out var owner) || !(caller.DeviceId == id || (caller.DeviceId is null && caller.MayActFor(owner))))
            {
                item.Refuse(new FogException(IdleComputeErrors.DeviceNotFound));
                continue;
            }
            // Devices have the permission to read only; a key of the owner that may read changes nothing.
            if (caller.DeviceId is null && !caller.Permissions.Contains(Permissions.DevicesWrite))
            {
                item.Refuse(new FogException(IdentityErrors.Forbidden(Permissions.DevicesWrite)));
                continue;
            }
            // Of two beats of one device the later counts, where it says something.
            var earlier = heard.GetValueOrDefault(id);
            heard[id] = new SignOfLife(id, item.Command.Battery ?? earlier.Battery, item.Command.IsCharging ?? earlier.Charging);
            item.Answer(new HeartbeatResult(true, id, true));
        }
        if (heard.Count > 0 && await devices.HearAsync(heard.Values, time.GetUtcNow(), cancel))
            transaction.SignalAfterCommit(Topics.Place);
    }
}
