using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Threading.RateLimiting;
using FogCompute.Application.Common.Security;
using FogCompute.Application.Identity;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using Microsoft.AspNetCore.RateLimiting;

namespace FogCompute.Api.Http;

/// <summary>
/// A token bucket per principal, or per address for those without one, for everything under <c>/api</c> and <c>/ws</c>. The local operator is not
/// limited. Answers say what is left: <c>RateLimit</c> and <c>RateLimit-Policy</c> as in draft-ietf-httpapi-ratelimit-headers.
/// </summary>
internal static class RateLimits
{
    public static readonly FogError TooMany = new("common.rate_limited", ErrorKind.LimitExceeded, "Too many requests. Retry-After says when the next one is taken, RateLimit-Policy how many are.");

    public static void AddRateLimits(this IServiceCollection services, RateSettings rates)
    {
        services.AddSingleton(rates);
        services.AddSingleton<PrincipalLimiter>();
        services.AddRateLimiter(_ => { });
        services.AddOptions<RateLimiterOptions>().Configure<PrincipalLimiter>((options, limiter) =>
        {
            options.GlobalLimiter = limiter;
            options.OnRejected = static (rejected, _) =>
                throw new FogException(TooMany) { RetryAfter = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1) };
        });
    }

    /// <summary>An address as buckets are named: who has one IPv6 network has all of its 2⁶⁴ addresses.</summary>
    public static string KeyOf(IPAddress? address) => address is null ? "unknown" : LoginKeys.PeerOf(address);

    public static bool Covers(HttpContext http) =>
        http.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase) || http.Request.Path.StartsWithSegments("/ws", StringComparison.OrdinalIgnoreCase);
}

internal sealed class PrincipalLimiter(ITokenBuckets buckets, RateSettings rates) : PartitionedRateLimiter<HttpContext>
{
    private static readonly RateLimitLease Free = new Unlimited(acquired: true);

    /// <summary>Makes the middleware ask again, by the way that may wait.</summary>
    private static readonly RateLimitLease AskAgain = new Unlimited(acquired: false);

    private readonly ConcurrentDictionary<BucketPolicy, string> _policyHeaders = new(ReferenceEqualityComparer.Instance);

    public override RateLimiterStatistics? GetStatistics(HttpContext resource) => null;

    protected override RateLimitLease AttemptAcquireCore(HttpContext resource, int permitCount) => PolicyOf(resource) is null ? Free : AskAgain;

    protected override async ValueTask<RateLimitLease> AcquireAsyncCore(HttpContext resource, int permitCount, CancellationToken cancellationToken)
    {
        if (PolicyOf(resource) is not { } policy)
            return Free;
        var answer = await buckets.TakeAsync(policy, KeyOf(resource, policy), cancellationToken);
        var lease = new Taken(answer, policy, resource.Response, _policyHeaders.GetOrAdd(policy, HeaderOf));
        // Late: an error answer clears the headers that were there before.
        resource.Response.OnStarting(static state => ((Taken)state).WriteHeaders(), lease);
        return lease;
    }

    private BucketPolicy? PolicyOf(HttpContext http)
    {
        if (!RateLimits.Covers(http))
            return null;
        return http.RequestServices.GetRequiredService<CallerContext>().Caller.Kind switch
        {
            CallerKind.LocalOperator or CallerKind.System => null,
            CallerKind.Device => rates.Device,
            CallerKind.Anonymous => http.Request.Path.StartsWithSegments("/api/auth", StringComparison.OrdinalIgnoreCase) ? rates.SignIn : rates.Anonymous,
            _ => rates.User,
        };
    }

    private string KeyOf(HttpContext http, BucketPolicy policy)
    {
        if (ReferenceEquals(policy, rates.Anonymous) || ReferenceEquals(policy, rates.SignIn))
            return RateLimits.KeyOf(http.Connection.RemoteIpAddress);
        var caller = http.RequestServices.GetRequiredService<CallerContext>().Caller;
        return caller.DeviceId ?? (caller.Key ?? caller.Account.Value).ToString("N");
    }

    private static string HeaderOf(BucketPolicy policy) =>
        string.Create(CultureInfo.InvariantCulture, $"\"{policy.Name}\";q={policy.Capacity};w={Math.Round(policy.Capacity / policy.RefillPerSecond)}");

    private sealed class Unlimited(bool acquired) : RateLimitLease
    {
        public override bool IsAcquired { get; } = acquired;

        public override IEnumerable<string> MetadataNames => [];

        public override bool TryGetMetadata(string metadataName, out object? metadata)
        {
            metadata = null;
            return false;
        }
    }

    private sealed class Taken(BucketAnswer answer, BucketPolicy policy, HttpResponse response, string policyHeader) : RateLimitLease
    {
        public override bool IsAcquired => answer.Allowed;

        public override IEnumerable<string> MetadataNames => [MetadataName.RetryAfter.Name];

        public override bool TryGetMetadata(string metadataName, out object? metadata)
        {
            metadata = answer.RetryAfter;
            return metadataName == MetadataName.RetryAfter.Name;
        }

        /// <summary>t: seconds until the bucket is full again.</summary>
        public Task WriteHeaders()
        {
            response.Headers["RateLimit-Policy"] = policyHeader;
            response.Headers["RateLimit"] =
                string.Create(CultureInfo.InvariantCulture, $"\"{policy.Name}\";r={answer.Remaining};t={(long)Math.Ceiling((policy.Capacity - answer.Remaining) / policy.RefillPerSecond)}");
            return Task.CompletedTask;
        }
    }
}

/// <summary>
/// Who sends bad tokens again and again is refused without looking them up, until its bucket has a token again: each look costs a query, and the
/// limits above know nobody before authentication.
/// </summary>
internal sealed class BadTokens(RequestDelegate next, ITokenBuckets buckets, RateSettings rates, TimeProvider time)
{
    private const int MostRemembered = 10_000;

    private readonly ConcurrentDictionary<string, long> _closedUntil = new(StringComparer.Ordinal);

    public async Task InvokeAsync(HttpContext http)
    {
        if (rates.Anonymous is not { } policy || !(http.Request.Headers.ContainsKey("Authorization") || http.Request.Headers.ContainsKey("X-API-Key")) || !(RateLimits.Covers(http) || http.Request.Path.StartsWithSegments(TelemetryPage.Path, StringComparison.OrdinalIgnoreCase)))
        {
            await next(http);
            return;
        }
        if (!_closedUntil.IsEmpty)
            RefuseIfClosed(RateLimits.KeyOf(http.Connection.RemoteIpAddress));
        try
        {
            await next(http);
        }
        catch (FogException refusal) when (refusal.Error.Code == IdentityErrors.InvalidToken.Code)
        {
            var key = RateLimits.KeyOf(http.Connection.RemoteIpAddress);
            var answer = await buckets.TakeAsync(policy, key, http.RequestAborted);
            if (!answer.Allowed || answer.Remaining == 0)
            {
                if (_closedUntil.Count >= MostRemembered)
                    _closedUntil.Clear();
                _closedUntil[key] = time.GetTimestamp() + (long)(Math.Max(1, answer.RetryAfter.TotalSeconds) * time.TimestampFrequency);
            }
            throw;
        }
    }

    private void RefuseIfClosed(string key)
    {
        if (!_closedUntil.TryGetValue(key, out var until))
            return;
        var now = time.GetTimestamp();
        if (now < until)
            throw new FogException(RateLimits.TooMany) { RetryAfter = time.GetElapsedTime(now, until) };
        _closedUntil.TryRemove(new KeyValuePair<string, long>(key, until));
    }
}
