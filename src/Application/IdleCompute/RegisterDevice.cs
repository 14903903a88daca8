using System.Security.Cryptography;
using FluentValidation;
using FogCompute.Application.Common.Messaging;
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
public sealed record RegisterDeviceCommand : ICommand<RegisterDeviceResult>
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
    public string? Name { get; init; }
    public string? Platform { get; init; }
    public long? DiskMb { get; init; }
    public int? GpuCount { get; init; }

    /// <summary>Attempts at once, 1–1024; default: its cores.</summary>
    public int? Slots { get; init; }
    public IReadOnlyList<Isolation>? Isolation { get; init; }
    public IReadOnlyList<string>? PayloadKinds { get; init; }
    public bool? NetworkAllowed { get; init; }
    public IReadOnlyList<string>? Labels { get; init; }
    public string? Region { get; init; }
    public double? BenchmarkScore { get; init; }
    public double? CpuGhz { get; init; }

    /// <summary>P-256 SubjectPublicKeyInfo, base64. A device without one cannot report results.</summary>
    public string? PublicKey { get; init; }
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
        RuleFor(c => c.DeviceId).Must(IsDeviceId).WithMessage("must be 1–255 characters of A-Z a-z 0-9 . _ : -");
        RuleFor(c => c.DeviceType).IsInEnum();
        RuleFor(c => c.CpuCores).InclusiveBetween(1, 1024);
        RuleFor(c => c.MemoryMb).InclusiveBetween(1, 16_777_216);
        RuleFor(c => c.BatteryPercent).InclusiveBetween(0, 100).When(c => c.BatteryPercent is not null);
        RuleFor(c => c.Name).Length(1, 200).When(c => c.Name is not null);
        RuleFor(c => c.Platform).Length(1, 200).When(c => c.Platform is not null);
        RuleFor(c => c.DiskMb).InclusiveBetween(0, 1L << 40).When(c => c.DiskMb is not null);
        RuleFor(c => c.GpuCount).InclusiveBetween(0, 64).When(c => c.GpuCount is not null);
        RuleFor(c => c.Slots).InclusiveBetween(1, 1024).When(c => c.Slots is not null);
        RuleForEach(c => c.Isolation).IsInEnum().When(c => c.Isolation is not null);
        RuleFor(c => c.PayloadKinds).Must(k => k!.All(x => Protocol.PayloadKinds.All.Contains(x, StringComparer.Ordinal))).When(c => c.PayloadKinds is not null)
            .WithMessage($"must be among {string.Join(", ", Protocol.PayloadKinds.All)}.");
        RuleFor(c => c.Labels).Must(l => l!.Count <= 32 && l.All(x => x.Length is >= 1 and <= 64)).When(c => c.Labels is not null).WithMessage("at most 32 labels of 1–64 characters.");
        RuleFor(c => c.Region).Length(1, 64).When(c => c.Region is not null);
        RuleFor(c => c.BenchmarkScore).InclusiveBetween(0, 1e15).When(c => c.BenchmarkScore is not null);
        RuleFor(c => c.CpuGhz).InclusiveBetween(0, 100).When(c => c.CpuGhz is not null);
        RuleFor(c => c.OfflineGraceSeconds).InclusiveBetween(0, 86_400).When(c => c.OfflineGraceSeconds is not null);
        RuleFor(c => c.PublicKey).Must(k => KeyOf(k!) is not null).When(c => c.PublicKey is not null).WithMessage("must be a P-256 public key: SubjectPublicKeyInfo in base64.");
    }

    internal static bool IsDeviceId(string? id) =>
        id is { Length: >= 1 and <= 255 } && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or ':' or '-');

    internal static byte[]? KeyOf(string text)
    {
        var buffer = new byte[256];
        if (text.Length > 256 || !Convert.TryFromBase64String(text, buffer, out var length))
            return null;
        try
        {
            using var key = ECDsa.Create();
            key.ImportSubjectPublicKeyInfo(buffer.AsSpan(0, length), out var read);
            return read == length && key.KeySize == 256 ? buffer[..length] : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}

internal sealed class RegisterDeviceHandler(IIdleComputeDb db, IDeviceDirectory devices, IEnrolment enrolment, CallerContext context, ITransactionScope transaction, TimeProvider time)
    : ICommandHandler<RegisterDeviceCommand, RegisterDeviceResult>
{
    private const long MiB = 1L << 20;

    public async Task<RegisterDeviceResult> Handle(RegisterDeviceCommand command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var (token, hash) = DeviceKeys.Create();
        var offer = OfferOf(command);
        await devices.ReserveIdAsync(command.DeviceId, cancellationToken);
        await enrolment.SpendAsync(command.DeviceId, cancellationToken);
        var existing = await devices.LockAnyAsync(command.DeviceId, cancellationToken);
        if (existing is null)
            db.Devices.Add(Device.Register(command.DeviceId, context.Caller.Account, offer, hash, now));
        else
            existing.RegisterAgain(context.Caller.Account, offer, hash, now);
        transaction.SignalAfterCommit(Topics.Place);
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
