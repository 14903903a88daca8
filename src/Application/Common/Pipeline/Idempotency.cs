using System.Security.Cryptography;
using System.Text.Json;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;

namespace FogCompute.Application.Common.Pipeline;

/// <summary>Who asked for what under which key; <paramref name="Fingerprint"/> is SHA-256 of the message.</summary>
public sealed record IdempotencyReservation(AccountId Account, string Command, string Key, byte[] Fingerprint);

public readonly record struct EarlierAnswer<T>(bool Found, T? Answer);

/// <summary>Answers kept for 24 h. Two callers under one key at the same time: the second waits for the first to commit.</summary>
public interface IIdempotencyStore
{
    /// <summary>Takes the key or returns the earlier answer; throws 409 when the key was used for another message.</summary>
    Task<EarlierAnswer<T>> ReserveAsync<T>(IdempotencyReservation reservation, CancellationToken cancel);

    Task RememberAsync<T>(IdempotencyReservation reservation, T answer, CancellationToken cancel);

    /// <summary>Gives back a key that was taken in this transaction for a command that was then refused.</summary>
    Task ReleaseAsync(IdempotencyReservation reservation, CancellationToken cancel);
}

public static class IdempotencyErrors
{
    public static readonly FogError KeyReused = new("common.idempotency_key_reused", ErrorKind.Conflict,
        "This Idempotency-Key was used for a different request. Use a new key for a new request.");
}

internal static class IdempotencyFingerprint
{
    public static byte[] Of(object message) => SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(message, message.GetType()));
}
