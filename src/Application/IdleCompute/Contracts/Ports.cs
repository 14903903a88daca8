using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Identity;
using Microsoft.EntityFrameworkCore;

namespace FogCompute.Application.IdleCompute.Contracts;

/// <summary>The device table as entities.</summary>
public interface IIdleComputeDb
{
    DbSet<Device> Devices { get; }
}

/// <summary>Devices where other modules need them.</summary>
public interface IDeviceDirectory
{
    /// <summary>Null when there is no such registered device.</summary>
    Task<ReportingDevice?> FindAsync(string deviceId, CancellationToken cancel);

    Task<IReadOnlyDictionary<string, AccountId>> OwnersAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel);

    /// <summary>Owner and measured score of each of these devices, registered or not.</summary>
    Task<IReadOnlyDictionary<string, DeviceProvider>> ProvidersAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel);

    /// <summary>What the table says of the device now; null when it is not registered.</summary>
    Task<DevicePresence?> PresenceAsync(string deviceId, CancellationToken cancel);

    /// <summary>Whether another device than this could take an audit now: registered, alive, taking leases.</summary>
    Task<bool> AnotherTakesLeasesAsync(string deviceId, CancellationToken cancel);

    /// <summary>Locks devices in id order and tracks them.</summary>
    Task<IReadOnlyList<Device>> LockAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel);

    /// <summary>Locks devices in id order; who owns each that is registered.</summary>
    Task<IReadOnlyDictionary<string, AccountId>> LockOwnersAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel);

    /// <summary>Notes signs of life of locked devices, each once. A lost device is eligible again. Returns whether one of them had been lost or silent, so that placement may count on it anew.</summary>
    Task<bool> HearAsync(IReadOnlyCollection<SignOfLife> heard, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Serialises registrations of each of these ids for this transaction, also of ids that do not exist yet.</summary>
    Task ReserveIdsAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel);

    /// <summary>Locks devices, registered or not, in id order and tracks them.</summary>
    Task<IReadOnlyList<Device>> LockAnyAsync(IReadOnlyCollection<string> deviceIds, CancellationToken cancel);

    /// <summary>Devices not seen for their silence limit that are not yet lost, locked (skipping what others hold) and tracked.</summary>
    Task<IReadOnlyList<Device>> ClaimSilentAsync(DateTimeOffset now, TimeSpan silence, CancellationToken cancel);
}

/// <param name="Battery">Percent; null: as it was.</param>
/// <param name="Charging">Null: as it was.</param>
public readonly record struct SignOfLife(string DeviceId, double? Battery, bool? Charging);

/// <param name="BenchmarkScore">Operations per second of the reference kernel on one core; null: not measured.</param>
public readonly record struct DeviceProvider(AccountId Owner, double? BenchmarkScore);

/// <param name="SeenAt">Last written sign of life; <see cref="DateTimeOffset.MinValue"/> before the first poll.</param>
public sealed record DevicePresence(DeviceState State, string? Reason, int Slots, DateTimeOffset SeenAt);
