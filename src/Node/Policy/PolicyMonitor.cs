using FogCompute.Node.Probes;
using FogCompute.Node.State;

namespace FogCompute.Node.Policy;

/// <summary>
/// Evaluates the harvest policy every 10 s, and at once when the owner pauses or resumes, when the sensors file changes (looked at every
/// second), and every second while attempts are to end. Tells about each verdict that changes something.
/// </summary>
internal sealed class PolicyMonitor(
    HarvestSettings settings, ISensors sensors, string? sensorsFile, StateFolder folder, Func<int> running, Func<long> transferred,
    Action<HarvestVerdict> apply, TimeProvider clock, NodeLog log) : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);

    private readonly SemaphoreSlim _evaluating = new(1);
    private HarvestState _state = HarvestState.Initial;
    private SensorReadings? _real;
    private long _realAt;
    private string? _fileText;
    private string? _fileFault;
    private (DateOnly Day, long Bytes, long Seen)? _meter;

    /// <summary>The newest verdict; ineligible without reason before the first evaluation.</summary>
    public HarvestVerdict Verdict { get; private set; } = new(HarvestStates.Ineligible, null, [], 0, false, null);
    public SensorReadings Sensors { get; private set; } = new();
    public HarvestSettings Settings => settings;

    /// <summary>When the verdict last changed between taking work and not.</summary>
    public DateTimeOffset? Since { get; private set; }

    /// <summary>Whether the owner paused the machine; kept in the state folder until resumed.</summary>
    public bool Paused => File.Exists(folder.PausedMarker);

    public async Task RunAsync(CancellationToken stop)
    {
        var last = clock.GetTimestamp();
        using var beat = new PeriodicTimer(Look, clock);
        while (await beat.WaitForNextTickAsync(stop))
        {
            var due = clock.GetElapsedTime(last) >= Period;
            // While attempts are to end, and as soon as a hold, rest or grace is over.
            var urgent = clock.GetElapsedTime(last) >= 2 * Look
                && (Verdict.State == HarvestStates.Suspending || (!Verdict.TakesWork && Verdict.NotBefore <= clock.GetUtcNow()));
            if (!due && !urgent && !FileChanged())
                continue;
            await EvaluateAsync(stop);
            last = clock.GetTimestamp();
        }
    }

    public async Task PauseAsync(bool paused, CancellationToken stop)
    {
        if (paused)
            folder.WriteAtomically("paused", "The owner paused this machine. `fog-node resume` removes this file.\n");
        else
            File.Delete(folder.PausedMarker);
        log.Info(paused ? "paused" : "unpaused", paused ? "The owner paused this machine." : "The owner lets this machine work again.");
        await EvaluateAsync(stop);
    }

    /// <summary>Reads the sensors (the real ones at most every 9 s: some start a process) and evaluates.</summary>
    public async Task EvaluateAsync(CancellationToken stop)
    {
        await _evaluating.WaitAsync(stop);
        try
        {
            if (_real is null || clock.GetElapsedTime(_realAt) >= TimeSpan.FromSeconds(9))
            {
                _real = await sensors.ReadAsync(stop);
                _realAt = clock.GetTimestamp();
            }
            var readings = Override(_real);
            var now = clock.GetUtcNow();
            var (state, verdict) = HarvestPolicy.Evaluate(_state, new HarvestInput(readings, Paused, running(), TransferredToday(now)), settings, now);
            var before = Verdict;
            _state = state;
            Sensors = readings;
            Verdict = verdict;
            if (Since is null || before.TakesWork != verdict.TakesWork || before.Reason != verdict.Reason)
            {
                Since = now;
                if (verdict.TakesWork)
                    log.Info("eligible", "The machine takes work.", ("cpu_limit", Math.Round(verdict.CpuLimit, 2)));
                else
                    log.Info("ineligible", $"The machine takes no work: {verdict.Reason}. {(verdict.Blockers.Count > 0 ? verdict.Blockers[0].Message : null)}".TrimEnd(), ("until", verdict.NotBefore?.ToString("u")));
            }
            apply(verdict);
        }
        finally
        {
            _evaluating.Release();
        }
    }

    public void Dispose() => _evaluating.Dispose();

    private bool FileChanged() => sensorsFile is not null && ReadFile() != _fileText;

    private string? ReadFile()
    {
        try
        {
            return File.Exists(sensorsFile) ? File.ReadAllText(sensorsFile) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Being replaced right now; the next look reads it.
            return _fileText;
        }
    }

    private SensorReadings Override(SensorReadings real)
    {
        if (sensorsFile is null)
            return real;
        _fileText = ReadFile();
        if (_fileText is null)
        {
            Complain("it does not exist");
            return real;
        }
        try
        {
            var result = SensorsFile.Apply(real, _fileText);
            _fileFault = null;
            return result;
        }
        catch (FormatException error)
        {
            Complain(error.Message);
            return real;
        }

        void Complain(string fault)
        {
            if (_fileFault != fault)
                log.Warning("sensors_file", $"The sensors file {sensorsFile} is not used now, the real sensors are: {fault}");
            _fileFault = fault;
        }
    }

    /// <summary>Bytes moved today in the owner's zone, kept over restarts.</summary>
    private long TransferredToday(DateTimeOffset now)
    {
        var today = DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(now, settings.Zone).DateTime);
        var seen = transferred();
        if (_meter is not { } meter)
        {
            var stored = folder.ReadText("transfer.txt")?.Split(' ');
            var kept = stored is [var day, var bytes] && DateOnly.TryParse(day, out var date) && date == today && long.TryParse(bytes, out var count) ? count : 0;
            meter = (today, kept, 0);
        }
        var next = (Day: today, Bytes: (meter.Day == today ? meter.Bytes : 0) + seen - meter.Seen, Seen: seen);
        if (next.Bytes != meter.Bytes || _meter is null)
            folder.WriteAtomically("transfer.txt", $"{next.Day:yyyy-MM-dd} {next.Bytes}");
        _meter = next;
        return next.Bytes;
    }
}
