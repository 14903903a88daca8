namespace FogCompute.Application.Benchmarks;

/// <summary>What is measured: round trips; transfers and dispatch; the machine under load.</summary>
public enum BenchmarkType { Latency, Throughput, Stress }

/// <summary><c>Interrupted</c>: its process ended before it did; <c>Failed</c>: the measurement itself broke.</summary>
public enum BenchmarkState { Running, Completed, Stopped, Interrupted, Failed }

/// <summary>The history of benchmarks. Only one runs at a time, over all control planes.</summary>
public interface IBenchmarkRuns
{
    /// <summary>False: another one runs.</summary>
    Task<bool> StartAsync(Guid id, BenchmarkType type, int seconds, Guid requestedBy, DateTimeOffset now, CancellationToken cancel);

    /// <summary>False: it does not run (any more).</summary>
    Task<bool> StopAsync(Guid id, DateTimeOffset now, CancellationToken cancel);

    /// <summary>The one that runs; null: none does.</summary>
    Task<Guid?> RunningAsync(CancellationToken cancel);

    /// <summary>Null: there is no such benchmark.</summary>
    Task<BenchmarkRun?> FindAsync(Guid id, CancellationToken cancel);

    /// <summary>Newest first.</summary>
    Task<IReadOnlyList<BenchmarkRun>> NewestAsync(BenchmarkType? type, int limit, CancellationToken cancel);

    Task<int> CountAsync(BenchmarkType? type, CancellationToken cancel);

    /// <summary>Points of a benchmark in order.</summary>
    Task<IReadOnlyList<BenchmarkPoint>> PointsAsync(Guid id, CancellationToken cancel);

    /// <summary>Marks what has shown no sign of life for 15 s as interrupted; answers how many.</summary>
    Task<int> InterruptSilentAsync(CancellationToken cancel);

    /// <summary>Forgets all but the newest; answers how many.</summary>
    Task<int> ForgetAsync(int keep, CancellationToken cancel);

    /// <summary>Milliseconds of a round trip to the database, measured now.</summary>
    Task<double> RoundTripAsync(CancellationToken cancel);
}

/// <param name="Machine">Of the control plane that ran it; null: none had begun.</param>
/// <param name="Why">Of an end that is not completed or stopped.</param>
public sealed record BenchmarkRun(
    Guid Id, BenchmarkType Type, BenchmarkState State, DateTimeOffset Started, DateTimeOffset? Ended, int Seconds, Contracts.MachineDescription? Machine, IReadOnlyList<BenchmarkMeasure> Summary, string? Why);

/// <summary>One second of a benchmark. Null: not measured in it.</summary>
/// <param name="Timestamp">Epoch milliseconds.</param>
/// <param name="Latency">Mean milliseconds of the round trips to the database.</param>
/// <param name="Throughput">MB/s of artifacts, up and down (throughput), or hashed (stress).</param>
/// <param name="CpuUsage">Percent.</param>
/// <param name="MemoryUsage">Percent.</param>
/// <param name="NetworkUtilization">Percent.</param>
public sealed record BenchmarkPoint(long Timestamp, double? Latency, double? Throughput, double? CpuUsage, double? MemoryUsage, double? NetworkUtilization);

/// <summary>All samples of one thing. Percentiles are those of the samples (nearest rank); null: nothing was sampled, and the note says why.</summary>
/// <param name="Rate">Work per second over the time it took, where the thing is work; same unit as the samples unless the name says otherwise.</param>
public sealed record BenchmarkMeasure(string Name, string Unit, long Count, double? P50, double? P95, double? P99, double? Mean, double? Rate, string? Note)
{
    /// <summary>Sorts the samples.</summary>
    public static BenchmarkMeasure Of(string name, string unit, List<double> samples, double? rate = null, string? note = null)
    {
        samples.Sort();
        double? At(double share) => samples.Count == 0 ? null : Round(samples[Math.Max(0, (int)Math.Ceiling(share * samples.Count) - 1)]);
        return new BenchmarkMeasure(name, unit, samples.Count, At(0.50), At(0.95), At(0.99), samples.Count == 0 ? null : Round(samples.Average()), rate is { } r ? Round(r) : null, note);
    }

    private static double Round(double value) => Math.Round(value, 4);
}
