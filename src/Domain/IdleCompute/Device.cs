using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Domain.IdleCompute;

public enum DeviceType { Android, Ios, Desktop, Laptop, Tablet, Edge }

/// <summary>The owner's policy verdict, as the agent last said, or <c>Lost</c> when it fell silent.</summary>
public enum DeviceState { Disabled, Ineligible, Eligible, Contributing, Suspending, Lost, Unregistered }

/// <summary>What a device offers; measured by its agent where the contract's registration does not say.</summary>
public sealed record DeviceCapabilities
{
    public required DeviceType Type { get; init; }
    public required int CpuMillicores { get; init; }
    public required long MemoryBytes { get; init; }
    public required int Slots { get; init; }
    public string? Name { get; init; }
    public string? Platform { get; init; }
    public long? DiskBytes { get; init; }
    public int Gpus { get; init; }
    public IReadOnlyList<Isolation> Isolation { get; init; } = [];
    public IReadOnlyList<string> PayloadKinds { get; init; } = [];
    public bool NetworkAllowed { get; init; }
    public IReadOnlyList<string> Labels { get; init; } = [];
    public string? Region { get; init; }
    public double? BenchmarkScore { get; init; }
    public double? CpuGhz { get; init; }
    public byte[]? PublicKey { get; init; }
    public int OfflineGraceSeconds { get; init; }
    public double? BatteryPercent { get; init; }
    public bool? Charging { get; init; }
}

/// <summary>An enrolled machine that runs the agent. On the wire a device under idle-compute and a node under scheduler.</summary>
public sealed class Device
{
    private Device() { }

    /// <summary>Chosen by the owner, 1–255 of <c>[A-Za-z0-9._:-]</c>.</summary>
    public string Id { get; private set; } = "";
    public AccountId AccountId { get; private set; }
    public string? Name { get; private set; }
    public DeviceType Type { get; private set; }
    public string? Platform { get; private set; }
    public byte[] KeyHash { get; private set; } = [];
    public byte[]? PublicKey { get; private set; }
    public int CpuMillicores { get; private set; }
    public long MemoryBytes { get; private set; }
    public long? DiskBytes { get; private set; }
    public int Gpus { get; private set; }
    public int Slots { get; private set; }
    public string[] IsolationLevels { get; private set; } = [];
    public string[] PayloadKinds { get; private set; } = [];
    public bool NetworkAllowed { get; private set; }
    public string[] Labels { get; private set; } = [];
    public string? Region { get; private set; }
    public double? BenchmarkScore { get; private set; }
    public double? CpuGhz { get; private set; }
    public int OfflineGraceSeconds { get; private set; }
    public double? BatteryPercent { get; private set; }
    public bool? Charging { get; private set; }
    public double? TemperatureCelsius { get; private set; }
    public double? OtherCpu { get; private set; }
    public DeviceState State { get; private set; }
    public string? StateReason { get; private set; }
    public DateTimeOffset RegisteredAt { get; private set; }
    public DateTimeOffset LastSeenAt { get; private set; }

    /// <summary>Set once an agent has polled: a registration alone (a script) runs nothing.</summary>
    public DateTimeOffset? LastPollAt { get; private set; }
    public DateTimeOffset? UnregisteredAt { get; private set; }
    public long TasksCompleted { get; private set; }
    public long ComputeMs { get; private set; }

    /// <summary>Decayed counts of verified-right and verified-wrong results.</summary>
    public double ReputationRight { get; private set; }
    public double ReputationWrong { get; private set; }
    public DateTimeOffset ReputationAt { get; private set; }
    public int VerifiedStreak { get; private set; }
    public long Losses { get; private set; }
    public long Evictions { get; private set; }

    public Reputation Reputation => new(ReputationRight, ReputationWrong, ReputationAt);

    /// <summary>Share of its attempts that it did not lose, 0–1; evictions are the owner's right and do not count. 1 before any.</summary>
    public double Availability => TasksCompleted + Losses == 0 ? 1 : TasksCompleted / (double)(TasksCompleted + Losses);

    public static Device Register(string id, AccountId owner, DeviceCapabilities offer, byte[] keyHash, DateTimeOffset now)
    {
        var device = new Device { Id = id, AccountId = owner, RegisteredAt = now, ReputationAt = now, KeyHash = keyHash, State = DeviceState.Eligible };
        device.Offer(offer, now);
        return device;
    }

    /// <summary>The same owner registers again: new key, new offer, the record stays.</summary>
    public void RegisterAgain(AccountId owner, DeviceCapabilities offer, byte[] keyHash, DateTimeOffset now)
    {
        MustBelongTo(owner);
        KeyHash = keyHash;
        UnregisteredAt = null;
        (State, StateReason) = (DeviceState.Eligible, null);
        Offer(offer, now);
    }

    /// <exception cref="FogException">It is another's.</exception>
    public void MustBelongTo(AccountId owner)
    {
        if (owner != AccountId)
            throw new FogException(IdleComputeErrors.DeviceOfAnotherOwner);
    }

    private void Offer(DeviceCapabilities offer, DateTimeOffset now)
    {
        (Type, Name, Platform) = (offer.Type, offer.Name, offer.Platform);
        (CpuMillicores, MemoryBytes, DiskBytes, Gpus, Slots) = (offer.CpuMillicores, offer.MemoryBytes, offer.DiskBytes, offer.Gpus, offer.Slots);
        IsolationLevels = [.. offer.Isolation.Select(level => level.ToString())];
        PayloadKinds = [.. offer.PayloadKinds];
        (NetworkAllowed, Labels, Region) = (offer.NetworkAllowed, [.. offer.Labels], offer.Region);
        (BenchmarkScore, CpuGhz, PublicKey) = (offer.BenchmarkScore, offer.CpuGhz, offer.PublicKey);
        (OfflineGraceSeconds, BatteryPercent, Charging) = (offer.OfflineGraceSeconds, offer.BatteryPercent, offer.Charging);
        LastSeenAt = now;
    }

    /// <summary>What the agent says of itself with each poll. Returns whether anything but the time changed.</summary>
    public bool Report(DeviceState state, string? reason, int slots, double? battery, bool? charging, double? temperature, double? otherCpu, DateTimeOffset now)
    {
        var changed = State != state || StateReason != reason || Slots != slots || LastPollAt is null;
        (State, StateReason, Slots) = (state, reason, slots);
        (BatteryPercent, Charging, TemperatureCelsius, OtherCpu) = (battery, charging, temperature, otherCpu);
        (LastSeenAt, LastPollAt) = (now, now);
        return changed;
    }

    public void Lose(string reason) => (State, StateReason) = (DeviceState.Lost, reason);

    public void Unregister(DateTimeOffset now) => (State, StateReason, UnregisteredAt) = (DeviceState.Unregistered, "unregistered", now);

    public void CountCompleted(int tasks, long wallMs)
    {
        TasksCompleted += tasks;
        ComputeMs += wallMs;
    }

    public void CountLosses(int losses) => Losses += losses;

    public void CountEvictions(int evictions) => Evictions += evictions;

    /// <summary>Verified results of this device: right ones agreed with others, wrong ones were outvoted.</summary>
    public void CountVerified(int right, int wrong, DateTimeOffset now)
    {
        var next = Reputation.Observe(right, wrong, now);
        (ReputationRight, ReputationWrong, ReputationAt) = (next.Right, next.Wrong, now);
        VerifiedStreak = wrong > 0 ? 0 : VerifiedStreak + right;
    }
}
