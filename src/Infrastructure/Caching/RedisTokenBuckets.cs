using FogCompute.Application.Common.Security;
using StackExchange.Redis;

namespace FogCompute.Infrastructure.Caching;

/// <summary>
/// Buckets that all control planes share, by the clock of the Redis server; a bucket that is full again is forgotten there. While Redis is away each process
/// counts for itself, from full buckets: a caller then gets at most its capacity anew per control plane.
/// </summary>
internal sealed class RedisTokenBuckets(RedisConnection redis, ITokenBuckets local) : ITokenBuckets
{
    /// <summary>
    /// One round trip, atomic. Amounts and instants are written with all their digits. Answers: taken (0 or 1), whole tokens left, microseconds to the next one.
    /// A refusal writes nothing: what is stored already says how the bucket fills.
    /// </summary>
    private const string Take = """
        local clock = redis.call('TIME')
        local now = clock[1] + clock[2] / 1000000
        local capacity, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
        local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at')
        local tokens, at = tonumber(stored[1]) or capacity, tonumber(stored[2]) or now
        if now > at then tokens = tokens + (now - at) * rate else now = at end
        if tokens > capacity then tokens = capacity end
        local taken = 0
        if tokens >= 1 then
            taken, tokens = 1, tokens - 1
            redis.call('HMSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'at', string.format('%.17g', now))
            redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - tokens) / rate * 1000))
        end
        local wait = 0
        if tokens < 1 then wait = math.ceil((1 - tokens) / rate * 1000000) end
        return {taken, math.floor(tokens), wait}
        """;

    public async ValueTask<BucketAnswer> TakeAsync(BucketPolicy policy, string key, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(policy.Capacity, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(policy.RefillPerSecond);
        var (done, answer) = await redis.TryAsync(database => RunAsync(database, $"fogcompute:bucket:{policy.Name}:{key}", policy));
        return done ? new BucketAnswer((long)answer![0] == 1, (int)(long)answer[1], TimeSpan.FromMicroseconds((long)answer[2])) : await local.TakeAsync(policy, key, cancel);
    }

    private static async Task<RedisResult[]> RunAsync(IDatabase database, string key, BucketPolicy policy)
    {
        RedisKey[] keys = [key];
        RedisValue[] values = [policy.Capacity, policy.RefillPerSecond];
        try
        {
            return (RedisResult[])(await database.ScriptEvaluateAsync(Take, keys, values))!;
        }
        catch (RedisServerException forgotten) when (forgotten.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            // Somebody emptied the server's memory of scripts; the client sends it anew the second time.
            return (RedisResult[])(await database.ScriptEvaluateAsync(Take, keys, values))!;
        }
    }
}
