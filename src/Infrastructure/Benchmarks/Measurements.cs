using FogCompute.Application.Benchmarks;

namespace FogCompute.Infrastructure.Benchmarks;

/// <summary>What a running benchmark has measured so far. Loads write, the runner reads each second.</summary>
internal sealed class Measurements(TimeProvider time)
{
    /// <summary>Samples kept per measure: 8 MB; loads pace themselves well below it.</summary>
    private const int MostSamples = 1_000_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Series> _series = new(StringComparer.Ordinal);

    private sealed class Series(string unit)
    {
        public string Unit { get; } = unit;
        public List<double> Samples { get; } = [];
        public double Amount { get; set; }
        public double Seconds { get; set; }
        public string? Note { get; set; }
    }

    private (double Latency, int Latencies, double Megabytes) _second;
    private long _taken = time.GetTimestamp();

    /// <summary>Names a measure, so that it is in the summary even when nothing is sampled.</summary>
    public void Declare(string name, string unit)
    {
        lock (_gate)
            _series.TryAdd(name, new Series(unit));
    }

    /// <summary>What the summary says beside the figures.</summary>
    /// <param name="name">Of a declared measure.</param>
    /// <param name="note">Null takes an earlier one back.</param>
    public void Note(string name, string? note)
    {
        lock (_gate)
            _series[name].Note = note;
    }

    /// <summary>A sample of a declared measure.</summary>
    public void Add(string name, double value)
    {
        lock (_gate)
        {
            if (_series[name].Samples is { Count: < MostSamples } samples)
                samples.Add(value);
        }
    }

    /// <summary>A sample that is work over time; the sample is its rate.</summary>
    public void Add(string name, double amount, TimeSpan took)
    {
        if (took <= TimeSpan.Zero)
            return;
        Add(name, amount / took.TotalSeconds);
        lock (_gate)
        {
            _series[name].Amount += amount;
            _series[name].Seconds += took.TotalSeconds;
        }
    }

    /// <summary>A round trip that the point of this second shows.</summary>
    public void Latency(string name, TimeSpan took)
    {
        Add(name, took.TotalMilliseconds);
        lock (_gate)
            _second = (_second.Latency + took.TotalMilliseconds, _second.Latencies + 1, _second.Megabytes);
    }

    /// <summary>Megabytes that the point of this second shows.</summary>
    public void Moved(double megabytes)
    {
        lock (_gate)
            _second.Megabytes += megabytes;
    }

    /// <summary>Mean latency (null: none) and megabytes per second since the last call, whether that was a second ago or, where the database was slow, longer.</summary>
    public (double? Latency, double MegabytesPerSecond) TakeSecond()
    {
        lock (_gate)
        {
            var (latency, count, megabytes) = _second;
            var seconds = time.GetElapsedTime(_taken).TotalSeconds;
            (_second, _taken) = (default, time.GetTimestamp());
            return (count == 0 ? null : latency / count, seconds > 0 ? megabytes / seconds : 0);
        }
    }

    public IReadOnlyList<BenchmarkMeasure> Summary()
    {
        lock (_gate)
            return [.. _series.Select(s => BenchmarkMeasure.Of(s.Key, s.Value.Unit, [.. s.Value.Samples], s.Value.Seconds > 0 ? s.Value.Amount / s.Value.Seconds : null, s.Value.Note))];
    }
}
