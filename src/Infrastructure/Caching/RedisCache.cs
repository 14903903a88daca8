using Microsoft.Extensions.Caching.Distributed;
using StackExchange.Redis;

namespace FogCompute.Infrastructure.Caching;

/// <summary>
/// What control planes remember for each other, for a while. While Redis is away nothing is found and nothing is kept: whoever asks works it out anew. A removal
/// is lost then as well, so every entry must end by itself; one without an end is refused.
/// </summary>
internal sealed class RedisCache(RedisConnection redis, TimeProvider time) : IDistributedCache
{
    private const string Data = "data";
    private const string Sliding = "sliding_ms";
    private const string EndsAt = "ends_at_ms";

    public byte[]? Get(string key) => Read(redis.Try(database => database.HashGet(Name(key), Fields)), out var renewal) is { } found && Renew(key, renewal) ? found : null;

    public async Task<byte[]?> GetAsync(string key, CancellationToken token = default)
    {
        token.ThrowIfCancellationRequested();
        var found = Read(await redis.TryAsync(database => database.HashGetAsync(Name(key), Fields)), out var renewal);
        if (found is not null && renewal is { } life)
            await redis.TryAsync(database => database.KeyExpireAsync(Name(key), life));
        return found;
    }

    public void Set(string key, byte[] value, DistributedCacheEntryOptions options)
    {
        var (fields, life) = Entry(value, options);
        redis.Try(database =>
        {
            // Both or neither: an entry without an end would stay for ever.
            var transaction = database.CreateTransaction();
            Write(transaction, key, fields, life);
            return transaction.Execute();
        });
    }

    public async Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
    {
        token.ThrowIfCancellationRequested();
        var (fields, life) = Entry(value, options);
        await redis.TryAsync(database =>
        {
            var transaction = database.CreateTransaction();
            Write(transaction, key, fields, life);
            return transaction.ExecuteAsync();
        });
    }

    public void Refresh(string key) => _ = Get(key);

    public Task RefreshAsync(string key, CancellationToken token = default) => GetAsync(key, token);

    public void Remove(string key) => redis.Try(database => database.KeyDelete(Name(key)));

    public Task RemoveAsync(string key, CancellationToken token = default) => redis.TryAsync(database => database.KeyDeleteAsync(Name(key)));

    private static readonly RedisValue[] Fields = [Data, Sliding, EndsAt];

    private static string Name(string key) => "fogcompute:cache:" + key;

    private static void Write(ITransaction transaction, string key, HashEntry[] fields, TimeSpan life)
    {
        _ = transaction.KeyDeleteAsync(Name(key));
        _ = transaction.HashSetAsync(Name(key), fields);
        _ = transaction.KeyExpireAsync(Name(key), life);
    }

    private (HashEntry[] Fields, TimeSpan Life) Entry(byte[] value, DistributedCacheEntryOptions options)
    {
        var now = time.GetUtcNow();
        var end = options.AbsoluteExpirationRelativeToNow is { } after ? now + after : options.AbsoluteExpiration;
        if (end is null && options.SlidingExpiration is null)
            throw new ArgumentException("An entry of the shared cache needs an end: set an absolute or a sliding expiration.", nameof(options));
        var life = Life(now, options.SlidingExpiration, end);
        if (life <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(options), "The entry would have ended already.");
        List<HashEntry> fields = [new(Data, value)];
        if (options.SlidingExpiration is { } sliding)
        {
            fields.Add(new(Sliding, (long)sliding.TotalMilliseconds));
            if (end is { } at)
                fields.Add(new(EndsAt, at.ToUnixTimeMilliseconds()));
        }
        return ([.. fields], life);
    }

    private static TimeSpan Life(DateTimeOffset now, TimeSpan? sliding, DateTimeOffset? end) =>
        end is not { } at ? sliding!.Value : sliding is { } window && window < at - now ? window : at - now;

    /// <param name="renewal">How long a sliding entry lives from now on; null: it does not slide.</param>
    private byte[]? Read((bool Done, RedisValue[]? Fields) answer, out TimeSpan? renewal)
    {
        renewal = null;
        if (answer is not (true, [{ IsNull: false } data, var sliding, var ends]))
            return null;
        if (!sliding.IsNull)
            renewal = Life(time.GetUtcNow(), TimeSpan.FromMilliseconds((long)sliding), ends.IsNull ? null : DateTimeOffset.FromUnixTimeMilliseconds((long)ends));
        return data;
    }

    private bool Renew(string key, TimeSpan? life)
    {
        if (life is { } renewed)
            redis.Try(database => database.KeyExpire(Name(key), renewed));
        return true;
    }
}
