using FogCompute.Application.Benchmarks.Contracts;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FogCompute.Infrastructure.Host;

/// <summary>Looks at the machine each second; rates are those between the last two looks.</summary>
internal sealed partial class HostSampler : BackgroundService, IHostMetrics
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly ProcReader _reader;
    private readonly TimeProvider _time;
    private readonly ILogger<HostSampler> _log;
    private (HostCounters Counters, long At)? _before;
    private double _largestRate;
    private HostMetrics? _latest;

    public HostSampler(ProcReader reader, TimeProvider time, ILogger<HostSampler> log)
    {
        _reader = reader;
        _time = time;
        _log = log;
        Machine = reader.Describe(typeof(IHostMetrics).Assembly.GetName().Version?.ToString(3) ?? "0.0.0");
    }

    public HostMetrics? Latest => Volatile.Read(ref _latest);

    public MachineDescription Machine { get; }

    /// <summary>One look. Without an interval since the last (the clock stood still) nothing changes.</summary>
    public void Look()
    {
        if (_reader.Read() is not { } now)
            return;
        var at = _time.GetTimestamp();
        var before = _before;
        if (before is { } earlier && _time.GetElapsedTime(earlier.At, at) is { TotalSeconds: > 0 } interval)
            Volatile.Write(ref _latest, Between(earlier.Counters, now, interval.TotalSeconds));
        _before = (now, at);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, _time);
        var reported = false;
        do
        {
            try
            {
                Look();
                reported = false;
            }
            catch (Exception unreadable) when (unreadable is not OperationCanceledException)
            {
                // Without a look there is no figure: an old one would pass for a new one.
                _before = null;
                Volatile.Write(ref _latest, null);
                if (!reported)
                    Unreadable(_log, unreadable);
                reported = true;
            }
        }
        while (await NextAsync(timer, stoppingToken));
    }

    private static async Task<bool> NextAsync(PeriodicTimer timer, CancellationToken stop)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stop);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private HostMetrics Between(HostCounters a, HostCounters b, double seconds)
    {
        // Counters that went back (an interface or a disk was taken away) say nothing about this interval.
        double Rate(long from, long to) => Math.Round(Math.Max(0, to - from) / seconds, 1);
        var (received, sent) = (Rate(a.Received, b.Received), Rate(a.Sent, b.Sent));
        var busier = Math.Max(received, sent);
        _largestRate = Math.Max(_largestRate, busier);
        var whole = b.LinkBytesPerSecond ?? _largestRate;
        return new HostMetrics(
            _time.GetUtcNow(), Percent(b.CpuBusy - a.CpuBusy, b.CpuTotal - a.CpuTotal), b.MemoryPercent, Rate(a.DiskRead, b.DiskRead), Rate(a.DiskWritten, b.DiskWritten), _reader.DiskUsePercent(),
            received, sent, Percent(busier, whole), b.LinkBytesPerSecond is null ? "largest_rate_seen" : "link_speed");
    }

    private static double Percent(double part, double whole) => whole <= 0 ? 0 : Math.Round(Math.Clamp(100 * part / whole, 0, 100), 2);

    [LoggerMessage(46, LogLevel.Warning, "host_metrics_unreadable The machine's counters cannot be read; trying again each second, reported once")]
    private static partial void Unreadable(ILogger logger, Exception failure);
}
