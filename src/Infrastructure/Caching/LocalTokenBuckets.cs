using System.Collections.Concurrent;
using FogCompute.Application.Common.Security;

namespace FogCompute.Infrastructure.Caching;

/// <summary>Buckets of this process alone.</summary>
internal sealed class LocalTokenBuckets(TimeProvider time) : ITokenBuckets
{
    private const int MostBuckets = 100_000;

    private readonly ConcurrentDictionary<(string Policy, string Key), Bucket> _buckets = new();

    public ValueTask<BucketAnswer> TakeAsync(BucketPolicy policy, string key, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(policy.Capacity, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(policy.RefillPerSecond);
        if (_buckets.Count >= MostBuckets)
            Forget();
        return ValueTask.FromResult(_buckets.GetOrAdd((policy.Name, key), static (_, state) => new Bucket(state.policy, state.time), (policy, time)).Take());
    }

    /// <summary>Buckets that are full again say nothing; when that is not enough all start anew, which only ever allows more.</summary>
    private void Forget()
    {
        foreach (var (name, bucket) in _buckets)
        {
            if (bucket.IsFull)
                _buckets.TryRemove(name, out _);
        }
        if (_buckets.Count >= MostBuckets)
            _buckets.Clear();
    }

    private sealed class Bucket(BucketPolicy policy, TimeProvider time)
    {
        private readonly Lock _gate = new();
        private double _tokens = policy.Capacity;
        private long _at = time.GetTimestamp();

        public bool IsFull
        {
            get
            {
                lock (_gate)
                    return Refill() >= policy.Capacity;
            }
        }

        public BucketAnswer Take()
        {
            lock (_gate)
            {
                var taken = Refill() >= 1;
                if (taken)
                    _tokens--;
                return new BucketAnswer(taken, (int)_tokens, _tokens >= 1 ? TimeSpan.Zero : TimeSpan.FromSeconds((1 - _tokens) / policy.RefillPerSecond));
            }
        }

        private double Refill()
        {
            var now = time.GetTimestamp();
            _tokens = Math.Min(policy.Capacity, _tokens + time.GetElapsedTime(_at, now).TotalSeconds * policy.RefillPerSecond);
            _at = now;
            return _tokens;
        }
    }
}
