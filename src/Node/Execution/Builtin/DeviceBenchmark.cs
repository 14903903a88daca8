using System.Diagnostics;

namespace FogCompute.Node.Execution.Builtin;

/// <summary>
/// A fixed amount of work per leased core: integer (xorshift-multiply chain), floating point (logistic map, four independent chains) and memory (copy
/// and sum of a block larger than most caches). The checksum depends only on the number of threads and the block size, so replicas agree;
/// the rates are measured and differ per machine. About 0.3 s per core.
/// </summary>
public sealed record DeviceBenchmark(int Threads, int BlockBytes)
{
    public const string FileName = "checksum.txt";

    private const int IntegerRounds = 24_000_000;
    private const int IntegerOperationsPerRound = 7;
    private const int FloatRounds = 12_000_000;
    private const int FloatOperationsPerRound = 12;
    private const int MemoryPasses = 8;

    /// <summary>Work for a lease: one thread per started core, and a block per thread that keeps all threads within a quarter of the leased memory.</summary>
    public static DeviceBenchmark For(int cpuMillicores, long memoryBytes)
    {
        var threads = Math.Clamp((cpuMillicores + 999) / 1000, 1, 256);
        return new DeviceBenchmark(threads, (int)Math.Clamp(memoryBytes / (8L * threads), 256 << 10, 16 << 20));
    }

    /// <summary>Memory all threads take together, bytes.</summary>
    public long MemoryBytes => 2L * BlockBytes * Threads;

    /// <summary>What one thread found: its checksum and its rates.</summary>
    public sealed record Part(ulong Checksum, double IntegerPerSecond, double FloatPerSecond, double BytesPerSecond);

    /// <summary>One thread's work. <paramref name="thread"/> seeds it, so that each thread has its own checksum.</summary>
    public Part Run(int thread, CancellationToken stop)
    {
        var (integer, integerTime) = Timed(() => Integers((ulong)thread + 1, stop));
        var (real, realTime) = Timed(() => Reals(thread, stop));
        var (memory, memoryTime) = Timed(() => Memory((ulong)thread + 1, stop));
        return new Part(
            integer ^ real * 0x9E3779B97F4A7C15 ^ memory,
            (double)IntegerRounds * IntegerOperationsPerRound / integerTime,
            (double)FloatRounds * FloatOperationsPerRound / realTime,
            2.0 * BlockBytes * MemoryPasses / memoryTime);
    }

    private static (ulong Sum, double Seconds) Timed(Func<ulong> work)
    {
        var start = Stopwatch.GetTimestamp();
        var sum = work();
        return (sum, Math.Max(1e-9, Stopwatch.GetElapsedTime(start).TotalSeconds));
    }

    private static ulong Integers(ulong seed, CancellationToken stop)
    {
        var x = seed * 0x9E3779B97F4A7C15;
        for (var i = 0; i < IntegerRounds; i++)
        {
            x ^= x >> 12;
            x ^= x << 25;
            x ^= x >> 27;
            x *= 0x2545F4914F6CDD1D;
            if ((i & 0xFFFFF) == 0)
                stop.ThrowIfCancellationRequested();
        }
        return x;
    }

    // r·x·(1 − x) stays in (0, 1) for r < 4 and uses only * and −: the same bits on every IEEE machine.
    private static ulong Reals(int seed, CancellationToken stop)
    {
        double a = 0.1 + seed * 0.0001, b = 0.2 + seed * 0.0001, c = 0.3 + seed * 0.0001, d = 0.4 + seed * 0.0001;
        for (var i = 0; i < FloatRounds; i++)
        {
            a = 3.91 * a * (1 - a);
            b = 3.92 * b * (1 - b);
            c = 3.93 * c * (1 - c);
            d = 3.94 * d * (1 - d);
            if ((i & 0xFFFFF) == 0)
                stop.ThrowIfCancellationRequested();
        }
        return BitConverter.DoubleToUInt64Bits(a) ^ BitConverter.DoubleToUInt64Bits(b) << 1 ^ BitConverter.DoubleToUInt64Bits(c) << 2 ^ BitConverter.DoubleToUInt64Bits(d) << 3;
    }

    private ulong Memory(ulong seed, CancellationToken stop)
    {
        ulong[] from = new ulong[BlockBytes / 8], to = new ulong[BlockBytes / 8];
        for (var i = 0; i < from.Length; i++)
            from[i] = seed + (ulong)i * 0x9E3779B97F4A7C15;
        ulong sum = 0;
        for (var pass = 0; pass < MemoryPasses; pass++)
        {
            stop.ThrowIfCancellationRequested();
            from.CopyTo(to, 0);
            foreach (var value in to)
                sum += value;
            (from, to) = (to, from);
            from[pass] ^= sum;
        }
        return sum;
    }
}
