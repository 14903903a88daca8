namespace FogCompute.Application.Common.Security;

/// <param name="Name">Word in the RateLimit headers.</param>
/// <param name="Capacity">Most tokens a bucket holds; also its content at first.</param>
/// <param name="RefillPerSecond">Tokens that come back each second, at most <paramref name="Capacity"/> in all.</param>
public sealed record BucketPolicy(string Name, int Capacity, double RefillPerSecond);

/// <param name="Remaining">Whole tokens left.</param>
/// <param name="RetryAfter">Until the next token; zero when one is there.</param>
public readonly record struct BucketAnswer(bool Allowed, int Remaining, TimeSpan RetryAfter);

/// <summary>Token buckets by policy and key, in this process or shared by all control planes.</summary>
public interface ITokenBuckets
{
    ValueTask<BucketAnswer> TakeAsync(BucketPolicy policy, string key, CancellationToken cancel);
}
