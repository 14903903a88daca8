using System.Collections.Concurrent;
using FogCompute.Application.Common.Security;

namespace FogCompute.Infrastructure.Caching;

/// <summary>
/// Buckets of this process alone. Memory is bounded by two generations: when the younger is full it becomes the elder and the elder goes, with
/// the buckets that nobody asked for meanwhile. A caller that keeps calling keeps its bucket; nobody can empty everybody's by inventing keys.
/// </summary>
internal sealed class LocalTokenBuckets(TimeProvider time) : ITokenBuckets
{
    /// <summary>In each of the two generations.</summary>
    internal const int MostBuckets = 50_000;

    private volatile Generation _current = new(null);

    internal int Count => _current.Buckets.Count + (_current.Elder?.Count ?? 0);

    public ValueTask<BucketAnswer> TakeAsync(BucketPolicy policy, string key, CancellationToken cancel)
    {
        var current = _current;
        var name = (policy.Name, key);
        return ValueTask.FromResult((current.Buckets.TryGetValue(name, out var bucket) ? bucket : Admit(current, name, policy)).Take(policy, time));
    }

    private Bucket Admit(Generation current, (string Policy, string Key) name, BucketPolicy policy)
    {
        var bucket = current.Buckets.GetOrAdd(name, current.Elder is { } elder && elder.TryGetValue(name, out var old) ? old : new Bucket(policy, time));
        if (Interlocked.Increment(ref current.Admitted) == MostBuckets)
            _current = new Generation(current.Buckets);
        return bucket;
    }

    private sealed class Generation(ConcurrentDictionary<(string Policy, string Key), Bucket>? elder)
    {
        public int Admitted;

        public ConcurrentDictionary<(string Policy, string Key), Bucket> Buckets { get; } = new();

        public ConcurrentDictionary<(string Policy, string Key), Bucket>? Elder { get; } = elder;
    }

    private sealed class Bucket(BucketPolicy policy, TimeProvider time)
    {
        private readonly Lock _gate = new();
        private double _tokens = policy.Capacity;
        private long _at = time.GetTimestamp();

        public BucketAnswer Take(BucketPolicy policy, TimeProvider time)
        {
            lock (_gate)
            {
                var now = time.GetTimestamp();
                _tokens = Math.Min(policy.Capacity, _tokens + time.GetElapsedTime(_at, now).TotalSeconds * policy.RefillPerSecond);
                _at = now;
                var taken = _tokens >= 1;
                if (taken)
                    _tokens--;
                return new BucketAnswer(taken, (int)_tokens, _tokens >= 1 ? TimeSpan.Zero : TimeSpan.FromSeconds((1 - _tokens) / policy.RefillPerSecond));
            }
        }
    }
}
