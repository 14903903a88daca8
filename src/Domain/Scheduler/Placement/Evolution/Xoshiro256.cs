using System.Numerics;

namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Seeded random numbers: xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47(4), 2021), its
/// 256 bits of state filled from one seed by SplitMix64 as the authors advise. Period 2^256 − 1, about a nanosecond a number. The same seed
/// gives the same numbers on every machine and runtime, which <see cref="Random"/> does not promise. Not for secrets. Not thread-safe.
/// </summary>
public sealed class Xoshiro256
{
    private ulong _a, _b, _c, _d;

    public Xoshiro256(ulong seed)
    {
        _a = SplitMix(ref seed);
        _b = SplitMix(ref seed);
        _c = SplitMix(ref seed);
        _d = SplitMix(ref seed);
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        var result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        var shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>Uniform in (0, 1): neither end is ever returned, so a logarithm or a quotient of it is finite.</summary>
    public double NextUnit() => ((NextBits() >> 12) + 0.5) * (1.0 / (1UL << 52));

    /// <summary>Uniform in 0 … <paramref name="exclusiveBound"/> − 1 (Lemire's multiply and reject: no modulo, no bias).</summary>
    public int NextBelow(int exclusiveBound)
    {
        var bound = (uint)exclusiveBound;
        var product = (ulong)(uint)(NextBits() >> 32) * bound;
        if ((uint)product < bound)
        {
            var threshold = (0u - bound) % bound;
            while ((uint)product < threshold)
                product = (ulong)(uint)(NextBits() >> 32) * bound;
        }
        return (int)(product >> 32);
    }

    /// <summary>A uniformly random order of <paramref name="items"/> (Fisher and Yates).</summary>
    public void Shuffle(Span<int> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var other = NextBelow(i + 1);
            (items[i], items[other]) = (items[other], items[i]);
        }
    }

    private static ulong SplitMix(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        var z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
