using FogCompute.Application.Identity;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;

namespace FogCompute.Infrastructure.Identity;

/// <param name="Iterations">Of PBKDF2-HMAC-SHA512. OWASP's Password Storage Cheat Sheet asks for 210 000 at least.</param>
/// <param name="AtOnce">Hashes computed at the same time: half of the processors, so that logins never starve the rest.</param>
/// <param name="Waiting">Callers that may wait for their turn; more are refused at once.</param>
public sealed record PasswordHashingOptions(int Iterations = 210_000, int? AtOnce = null, int Waiting = 64)
{
    /// <summary>Nobody waits longer than this for their turn.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>
/// PBKDF2-HMAC-SHA512 with 128 bits of salt and 256 bits of result in the format of ASP.NET Core Identity (version 3), whose hasher this is. It
/// takes a tenth of a second of a processor: that is its purpose, and the reason for the bounds.
/// </summary>
internal sealed class PasswordHashing : IPasswordHashing, IDisposable
{
    private static readonly object Nobody = new();

    private readonly PasswordHasher<object> _hasher;
    private readonly SemaphoreSlim _turns;
    private readonly PasswordHashingOptions _options;

    /// <summary>Checked in place of the hash of a user who does not exist.</summary>
    private readonly Lazy<string> _dummy;
    private int _waiting;

    public PasswordHashing(PasswordHashingOptions options)
    {
        _options = options;
        _hasher = new PasswordHasher<object>(Options.Create(new PasswordHasherOptions { CompatibilityMode = PasswordHasherCompatibilityMode.IdentityV3, IterationCount = options.Iterations }));
        _turns = new SemaphoreSlim(options.AtOnce ?? Math.Max(1, Environment.ProcessorCount / 2));
        _dummy = new Lazy<string>(() => _hasher.HashPassword(Nobody, AccessSecret.New("")));
    }

    public Task<string> HashAsync(string password, CancellationToken cancel) => InTurnAsync(() => _hasher.HashPassword(Nobody, password), cancel);

    public Task<PasswordMatch> MatchAsync(string? hash, string password, CancellationToken cancel) => InTurnAsync(() =>
    {
        var result = _hasher.VerifyHashedPassword(Nobody, hash ?? _dummy.Value, password);
        return hash is null ? PasswordMatch.Wrong : result switch
        {
            PasswordVerificationResult.Success => PasswordMatch.Right,
            PasswordVerificationResult.SuccessRehashNeeded => PasswordMatch.RightButWeak,
            _ => PasswordMatch.Wrong,
        };
    }, cancel);

    public void Dispose() => _turns.Dispose();

    private async Task<T> InTurnAsync<T>(Func<T> work, CancellationToken cancel)
    {
        if (Interlocked.Increment(ref _waiting) > _options.Waiting)
        {
            Interlocked.Decrement(ref _waiting);
            throw Busy();
        }
        try
        {
            if (!await _turns.WaitAsync(_options.Patience, cancel))
                throw Busy();
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
        try
        {
            return await Task.Run(work, cancel);
        }
        finally
        {
            _turns.Release();
        }
    }

    private static FogException Busy() => new(IdentityErrors.HashingBusy) { RetryAfter = TimeSpan.FromSeconds(2) };
}
