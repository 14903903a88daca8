using System.Security.Cryptography;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Common.Pipeline;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity.Contracts;
using FogCompute.Application.IdleCompute.Contracts;
using FogCompute.Domain.Common;
using FogCompute.Domain.IdleCompute;
using FogCompute.Domain.Scheduler;
using FogCompute.Protocol;

namespace FogCompute.Application.IdleCompute;

// POST /api/idle-compute/devices
// Registers a device under the caller's account, or registers it again; answers its new key once.

[RequiresPermission(Permissions.DevicesWrite)]
[Audited("idle_compute.device_registered", Subject = nameof(DeviceId))]
public sealed record RegisterDeviceCommand : IGroupedCommand<RegisterDeviceResult>
{
    /// <summary>1–255 of <c>[A-Za-z0-9._:-]</c>.</summary>
    public required string DeviceId { get; init; }
    public required DeviceType DeviceType { get; init; }

    /// <summary>Cores, 1–1024.</summary>
    public required double CpuCores { get; init; }

    /// <summary>MiB, 1–16 777 216.</summary>
    public required long MemoryMb { get; init; }

    /// <summary>0–100.</summary>
    public double? BatteryPercent { get; init; }
    public bool? IsCharging { get; init; }
    /// <summary>1–200 characters.</summary>
    public string? Name { get; init; }
    /// <summary>Operating system and processor, 1–200 characters.</summary>
    public string? Platform { get; init; }
    /// <summary>MiB, 0–1 099 511 627 776.</summary>
    public long? DiskMb { get; init; }
    /// <summary>0–64; default 0.</summary>
    public int? GpuCount { get; init; }

    /// <summary>Attempts at once, 1–1024; default: its cores.</summary>
    public int? Slots { get; init; }
    /// <summary>Isolation levels it really offers; without any it runs builtin kernels only.</summary>
    public IReadOnlyList<Isolation>? Isolation { get; init; }
    /// <summary>builtin, command, wasm, container: what it really runs.</summary>
    public IReadOnlyList<string>? PayloadKinds { get; init; }
    /// <summary>Whether jobs may use the network; default false.</summary>
    public bool? NetworkAllowed { get; init; }
    /// <summary>Free words, at most 32 of 1–64 characters.</summary>
    public IReadOnlyList<string>? Labels { get; init; }
    /// <summary>1–64 characters.</summary>
    public string? Region { get; init; }
    /// <summary>Operations per second of the reference kernel on one core, 0–1e15.</summary>
    public double? BenchmarkScore { get; init; }
    /// <summary>0–100.</summary>
    public double? CpuGhz { get; init; }

    /// <summary>P-256 SubjectPublicKeyInfo, base64. A device without one cannot report results.</summary>
    public string? PublicKey { get; init; }
    /// <summary>How long it may be offline before its leases count as lost, 0–86 400 s.</summary>
    public int? OfflineGraceSeconds { get; init; }
}

public sealed record RegisterDeviceResult
{
    public bool Success { get; init; } = true;
    public required string DeviceId { get; init; }
    public string Status { get; init; } = "registered";

    /// <summary>The device's key, shown this once; earlier keys of this device stop working.</summary>
    public required string DeviceToken { get; init; }
}

internal sealed class RegisterDeviceValidator : AbstractValidator<RegisterDeviceCommand>
{
    public RegisterDeviceValidator()
    {
        RuleFor(c => c.DeviceId).Length(1, 255).Must(DeviceIds.IsValid).WithMessage("must be 1–255 characters of A-Z a-z 0-9 . _ : -");
        RuleFor(c => c.DeviceType).IsInEnum();
        RuleFor(c => c.CpuCores).InclusiveBetween(1, 1024);
        RuleFor(c => c.MemoryMb).InclusiveBetween(1, 16_777_216);
        RuleFor(c => c.BatteryPercent).InclusiveBetween(0, 100);
        RuleFor(c => c.Name).OneLine(200);
        RuleFor(c => c.Platform).OneLine(200);
        RuleFor(c => c.DiskMb).InclusiveBetween(0, 1L << 40);
        RuleFor(c => c.GpuCount).InclusiveBetween(0, 64);
        RuleFor(c => c.Slots).InclusiveBetween(1, 1024);
        RuleFor(c => c.Isolation).NoneTwice();
        RuleFor(c => c.PayloadKinds).Must(k => k is null || k.All(x => Protocol.PayloadKinds.All.Contains(x, StringComparer.Ordinal)))
            .WithMessage($"must be among {string.Join(", ", Protocol.PayloadKinds.All)}.").NoneTwice();
        RuleFor(c => c.Labels).Words(32);
        RuleFor(c => c.Region).OneLine(64);
        RuleFor(c => c.BenchmarkScore).InclusiveBetween(0, 1e15);
        RuleFor(c => c.CpuGhz).InclusiveBetween(0, 100);
        RuleFor(c => c.OfflineGraceSeconds).InclusiveBetween(0, 86_400);
        RuleFor(c => c.PublicKey).Must(k => KeyOf(k!) is not null).When(c => c.PublicKey is not null).WithMessage("must be a P-256 public key: SubjectPublicKeyInfo in base64.");
    }

    private const string P256 = "1.2.840.10045.3.1.7";

    internal static byte[]? KeyOf(string text)
    {
        var buffer = new byte[256];
        if (text.Length > 256 || !Convert.TryFromBase64String(text, buffer, out var length))
            return null;
        try
        {
            using var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(buffer.AsSpan(0, length), out var read);
            return read == length && key.ExportParameters(includePrivateParameters: false).Curve.Oid.Value == P256 ? buffer[..length] : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}

/// <summary>A room full of machines is set up at once: a group is a few statements, whoever they are of.</summary>
internal sealed class RegisterDeviceHandler(IIdleComputeDb db, IDeviceDirectory devices, IEnrolment enrolment, ITransactionScope transaction, TimeProvider time)
    : IGroupHandler<RegisterDeviceCommand, RegisterDeviceResult>
{
    private const long MiB = 1L << 20;

    public async Task HandleAsync(IReadOnlyList<GroupItem<RegisterDeviceCommand, RegisterDeviceResult>> items, CancellationToken cancel)
    {
        var ids = items.Select(i => i.Command.DeviceId).ToHashSet(StringComparer.Ordinal);
        await devices.ReserveIdsAsync(ids, cancel);
        var known = (await devices.LockAnyAsync(ids, cancel)).ToDictionary(d => d.Id, StringComparer.Ordinal);
        await enrolment.LockAsync(items.Select(i => i.Caller), cancel);
        foreach (var item in items)
        {
            try
            {
                item.Answer(Register(item.Command, item.Caller, known));
            }
            catch (FogException refusal)
            {
                item.Refuse(refusal);
            }
        }
    }

    /// <summary>Refuses before it changes anything.</summary>
    private RegisterDeviceResult Register(RegisterDeviceCommand command, Caller caller, Dictionary<string, Device> known)
    {
        var existing = known.GetValueOrDefault(command.DeviceId);
        existing?.MustBelongTo(caller.Account);
        enrolment.Spend(caller, command.DeviceId);
        var (now, offer) = (time.GetUtcNow(), OfferOf(command));
        var (token, hash) = DeviceKeys.Create();
        if (existing is null)
        {
            // It takes work from its first poll on, and that tells placement.
            var device = Device.Register(command.DeviceId, caller.Account, offer, hash, now);
            db.Devices.Add(device);
            known.Add(device.Id, device);
        }
        else
        {
            existing.RegisterAgain(caller.Account, offer, hash, now);
            transaction.SignalAfterCommit(Topics.Place);
        }
        return new RegisterDeviceResult { DeviceId = command.DeviceId, DeviceToken = token };
    }

    private static DeviceCapabilities OfferOf(RegisterDeviceCommand command) => new()
    {
        Type = command.DeviceType, CpuMillicores = (int)Math.Round(command.CpuCores * 1000), MemoryBytes = command.MemoryMb * MiB,
        Slots = command.Slots ?? (int)Math.Ceiling(command.CpuCores), Name = command.Name, Platform = command.Platform, DiskBytes = command.DiskMb * MiB,
        Gpus = command.GpuCount ?? 0, Isolation = command.Isolation ?? [], PayloadKinds = command.PayloadKinds ?? [], NetworkAllowed = command.NetworkAllowed ?? false,
        Labels = command.Labels ?? [], Region = command.Region, BenchmarkScore = command.BenchmarkScore, CpuGhz = command.CpuGhz,
        PublicKey = command.PublicKey is null ? null : RegisterDeviceValidator.KeyOf(command.PublicKey), OfflineGraceSeconds = command.OfflineGraceSeconds ?? 0,
        BatteryPercent = command.BatteryPercent, Charging = command.IsCharging,
    };
}

/// <summary>Keys of devices: 256 random bits, shown once, stored as SHA-256.</summary>
public static class DeviceKeys
{
    public const string Prefix = "fogd_";

    public static (string Token, byte[] Hash) Create()
    {
        var token = Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        return (token, Hash(token));
    }

    public static byte[] Hash(string token) => SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(token));
}
