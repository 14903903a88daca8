using FogCompute.Node.Execution;
using FogCompute.Node.Policy;
using FogCompute.Node.State;
using FogCompute.Protocol;

namespace FogCompute.Node.Transport;

/// <summary>What the owner lends. The server places work by the same numbers.</summary>
/// <param name="Slots">Attempts at once.</param>
internal sealed record Offer(int Slots, int CpuMillicores, long MemoryBytes, bool Network);

/// <summary>Counts for status and the log.</summary>
internal sealed record EngineCounts(int Queued, int Running, int Uploading, int Reporting, long Succeeded, long Failed, long Evicted, long Other);

/// <summary>
/// Keeps the attempts of this device: accepts leases, runs them within the offer, stops them, and hands finished ones to the reporter. One lock
/// guards the table and is held for moments only; no thread waits for an attempt.
/// </summary>
internal sealed class AttemptEngine : IDisposable
{
    /// <summary>How much of a log travels with progress and reports.</summary>
    internal const int LogTailBytes = 16 * 1024;
    private static readonly TimeSpan LogLookPeriod = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LeastStageOut = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ExtensionPeriod = TimeSpan.FromSeconds(10);

    /// <summary>What a payload with a checkpoint gets between SIGTERM and SIGKILL where others are stopped at once.</summary>
    internal static readonly TimeSpan ShortNotice = TimeSpan.FromSeconds(2);

    /// <summary>A sandbox that is not done in this time counts as started.</summary>
    private static readonly TimeSpan StartTakes = TimeSpan.FromMilliseconds(50);
    private static readonly int MostStarting = Environment.ProcessorCount;

    private readonly Offer _offer;
    private readonly StateFolder _folder;
    private readonly Journal _journal;
    private readonly IAttemptExecutor _executor;
    private readonly AttemptRun _runs;
    private readonly DeviceIdentity _identity;
    private readonly TimeProvider _clock;
    private readonly NodeLog _log;
    private readonly Action<LiveAttempt> _report;

    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, LiveAttempt> _attempts = [];
    private readonly LinkedList<LiveAttempt> _queue = [];
    private readonly Queue<Guid> _settledOrder = new();
    private readonly HashSet<Guid> _settled = [];
    private readonly CancellationTokenSource _closing = new();
    private int _running;
    private int _starting;
    private int _cpu;
    private long _memory;
    private bool _takesWork = true;
    private string? _refusal;
    private double _share = 1;
    private long _lastExtension;
    private int _inFlight;
    private long _succeeded, _failed, _evicted, _other;

    /// <param name="report">Takes finished attempts; never blocks.</param>
    public AttemptEngine(Offer offer, StateFolder folder, Journal journal, IAttemptExecutor executor, ArtifactStore artifacts,
        DeviceIdentity identity, TimeProvider clock, NodeLog log, Action<LiveAttempt> report)
    {
        _offer = offer;
        _folder = folder;
        _journal = journal;
        _executor = executor;
        _identity = identity;
        _clock = clock;
        _log = log;
        _report = report;
        _runs = new AttemptRun(this, folder, journal, executor, artifacts, clock, log, _closing.Token);
        _lastExtension = clock.GetTimestamp();
    }

    /// <summary>Slots under the present limits, at least one.</summary>
    public int Slots
    {
        get
        {
            lock (_gate)
                return Math.Max(1, (int)(_offer.Slots * _share));
        }
    }

    /// <summary>
    /// Leases to hold at once: the slots, and for short attempts a queue behind them, so that a slot never idles for the length of a round trip.
    /// Long attempts queue nothing here: another device could start them now.
    /// </summary>
    public int LeasesWanted
    {
        get
        {
            lock (_gate)
                return Math.Min(1024, Math.Max(1, (int)(_offer.Slots * _share)) * (1 + _lookahead.Depth));
        }
    }

    /// <summary>Attempts that hold CPU now.</summary>
    public int Running
    {
        get
        {
            lock (_gate)
                return _running;
        }
    }

    /// <summary>Whether leases wait here for room.</summary>
    public bool HasQueue
    {
        get
        {
            lock (_gate)
                return _queue.Count > 0;
        }
    }

    public EngineCounts Counts()
    {
        lock (_gate)
        {
            int uploading = 0, reporting = 0;
            foreach (var attempt in _attempts.Values)
                if (attempt.Phase == AttemptPhase.Uploading)
                    uploading++;
                else if (attempt.Phase == AttemptPhase.Reporting)
                    reporting++;
            return new EngineCounts(_queue.Count, _running, uploading, reporting, _succeeded, _failed, _evicted, _other);
        }
    }

    /// <summary>Snapshot for status: id, job, phase, start.</summary>
    public IReadOnlyList<(Guid Attempt, Guid Job, AttemptPhase Phase, DateTimeOffset? Started)> List(int most)
    {
        lock (_gate)
            return [.. _attempts.Values.Take(most).Select(a => (a.Id, a.Lease.JobId, a.Phase, a.StartedAt))];
    }

    /// <summary>Takes up what a former process of this state folder left.</summary>
    public void Resume(JournalContents contents)
    {
        var resumed = 0;
        lock (_gate)
        {
            foreach (var result in contents.Reports)
            {
                var attempt = new LiveAttempt(LeaseOf(result.Report)) { Phase = AttemptPhase.Uploading, Result = result, Stop = new CancellationTokenSource() };
                _attempts[attempt.Id] = attempt;
                // There is always time for one real try after a restart.
                Launch(() => _runs.DeliverAsync(attempt, result, LeastStageOut));
            }
            foreach (var stored in contents.Leases)
            {
                var left = stored.ExpiresAt - _clock.GetUtcNow();
                if (left <= TimeSpan.Zero)
                {
                    _journal.Forget(stored.Lease.AttemptId);
                    continue;
                }
                // A clock that was set back must not prolong a lease beyond what the server gave.
                Admit(stored.Lease, Math.Min(left.TotalSeconds, Math.Max(stored.Lease.ExpiresInSeconds, 600)), journalLine: 0);
                resumed++;
            }
            StartQueued();
        }
        if (resumed + contents.Reports.Count > 0)
            _log.Info("resumed", "Took up the work of the process before.", ("leases", resumed), ("unsent_results", contents.Reports.Count));
    }

    /// <summary>The attempts to name in a poll, running ones first, at most 1 024.</summary>
    public List<HeldLease> Held()
    {
        lock (_gate)
            return [.. _attempts.Values.OrderBy(a => a.Phase == AttemptPhase.Reporting).Take(1024).Select(a => new HeldLease(a.Id, a.Lease.Epoch, a.Noticed ? true : null))];
    }

    /// <summary>Takes in an answer to a poll. Leases that are known already are not run twice.</summary>
    /// <param name="held">What the poll named; these are renewed.</param>
    /// <returns>How many leases and revocations were news.</returns>
    public int Handle(LeasePollResponse response, IReadOnlyList<HeldLease> held)
    {
        var news = 0;
        lock (_gate)
        {
            var now = _clock.GetTimestamp();
            var until = now + Ticks(response.LeaseSeconds);
            foreach (var (id, _, _) in held)
                if (_attempts.TryGetValue(id, out var attempt))
                    attempt.ExpiresAt = Math.Max(attempt.ExpiresAt, until);
            news += Revoke(response.Revoked);
            foreach (var (id, reason, grace) in response.Notices)
                if (_attempts.TryGetValue(id, out var attempt) && !attempt.Noticed)
                {
                    attempt.Noticed = true;
                    news++;
                    // What is being delivered already ends by itself.
                    if (attempt.Phase == AttemptPhase.Queued || attempt.IsActive)
                        NoticeLocked(attempt, AttemptOutcomes.Preempted, reason, TimeSpan.FromSeconds(Math.Clamp(grace, 0, 3600)));
                }

            var accepted = false;
            foreach (var lease in response.Leases)
            {
                if (_attempts.TryGetValue(lease.AttemptId, out var known))
                {
                    known.ExpiresAt = Math.Max(known.ExpiresAt, now + Ticks(lease.ExpiresInSeconds));
                    continue;
                }
                if (_settled.Contains(lease.AttemptId))
                    continue;
                var line = _journal.Accepted(new StoredLease(lease, _clock.GetUtcNow().AddSeconds(lease.ExpiresInSeconds)));
                Admit(lease, lease.ExpiresInSeconds, line);
                accepted = true;
                news++;
            }
            if (_clock.GetElapsedTime(_lastExtension, now) >= ExtensionPeriod && held.Count > 0)
            {
                _journal.Extended(_clock.GetUtcNow().AddSeconds(response.LeaseSeconds));
                _lastExtension = now;
            }
            if (accepted)
                // One write for the whole batch, before any of it acts.
                _journal.Flush(toDisk: false);
            StartQueued();
        }
        return news;
    }

    /// <summary>Stops attempts the server took back.</summary>
    public int Revoke(IReadOnlyList<Revocation> revoked)
    {
        var stopped = 0;
        lock (_gate)
            foreach (var (id, reason) in revoked)
                // A finished one stays: the acknowledgement of its report says what became of it.
                if (_attempts.TryGetValue(id, out var attempt) && attempt.Phase != AttemptPhase.Reporting)
                {
                    StopLocked(attempt, AttemptOutcomes.Cancelled, reason);
                    stopped++;
                }
        return stopped;
    }

    /// <summary>Obeys the harvest policy.</summary>
    public void Apply(HarvestVerdict verdict, double share)
    {
        lock (_gate)
        {
            _takesWork = verdict.TakesWork;
            _refusal = verdict.Reason;
            _share = Math.Clamp(share, 0, 1);
            if (!_takesWork)
            {
                var reason = verdict.Reason ?? "policy";
                foreach (var queued in _queue.ToList())
                    StopLocked(queued, AttemptOutcomes.Evicted, reason);
                // In the grace of the policy others may finish; who can save its state is told now and need not.
                foreach (var attempt in _attempts.Values.Where(a => a.IsActive && (verdict.StopRunning || a.CanSave)).ToList())
                    NoticeLocked(attempt, AttemptOutcomes.Evicted, reason, verdict.StopRunning ? ShortNotice : null);
            }
            StartQueued();
        }
    }

    /// <summary>Stops attempts whose notice is over, or whose lease lapsed without contact to the control plane. Finished ones go on being delivered.</summary>
    public void StopExpired()
    {
        lock (_gate)
        {
            var now = _clock.GetTimestamp();
            foreach (var attempt in _attempts.Values.Where(a => a.IsActive && a.StopDue <= now).ToList())
                StopLocked(attempt, attempt.Notice!.Outcome, attempt.Notice.Reason);
            foreach (var attempt in _attempts.Values.Where(a => a.Phase is AttemptPhase.Queued or AttemptPhase.Staging or AttemptPhase.Running && a.ExpiresAt <= now).ToList())
            {
                _log.Warning("lease_expired", "A lease lapsed without word from the control plane; its attempt is stopped.", ("attempt", attempt.Id));
                StopLocked(attempt, AttemptOutcomes.Evicted, "lease_expired");
            }
        }
    }

    /// <summary>Takes no more work and stops what runs.</summary>
    public void StopAll(string outcome, string reason)
    {
        lock (_gate)
        {
            _takesWork = false;
            _refusal = reason;
            foreach (var attempt in _attempts.Values.Where(a => a.Phase is AttemptPhase.Queued || a.IsActive).ToList())
                StopLocked(attempt, outcome, reason);
        }
    }

    /// <summary>Takes no more work; what runs goes on, but is told when it can save its state.</summary>
    public void Close(string reason)
    {
        lock (_gate)
        {
            _takesWork = false;
            _refusal = reason;
            foreach (var attempt in _attempts.Values.Where(a => a.IsActive && a.CanSave).ToList())
                NoticeLocked(attempt, AttemptOutcomes.Evicted, reason, null);
        }
    }

    /// <summary>Gives up uploads that are still under way; they stay in the journal.</summary>
    public Task AbandonAsync() => _closing.CancelAsync();

    /// <summary>Number of attempts whose own task has not ended.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>The control plane settled this attempt.</summary>
    public void Settle(Guid id)
    {
        LiveAttempt? attempt;
        lock (_gate)
        {
            if (!_attempts.Remove(id, out attempt))
                return;
            ReleaseRoom(attempt);
            _journal.Forget(id);
            if (_settled.Add(id))
                _settledOrder.Enqueue(id);
            if (_settledOrder.Count > 8192)
                _settled.Remove(_settledOrder.Dequeue());
        }
        if (!attempt.IsTrivial)
        {
            _runs.TryDelete(_folder.Logs(id));
            _runs.TryDelete(_folder.Outbox(id));
        }
    }

    /// <summary>Progress worth telling: changes of phase and log growth, for attempts that still run.</summary>
    public List<(LiveAttempt Attempt, AttemptProgress Progress, AttemptPhase Phase)> CollectProgress(int most)
    {
        List<(LiveAttempt Attempt, AttemptPhase Phase, bool Look)> candidates = [];
        lock (_gate)
        {
            var now = _clock.GetTimestamp();
            foreach (var attempt in _attempts.Values)
            {
                if (candidates.Count == most)
                    break;
                if (!attempt.IsActive && attempt.Phase != AttemptPhase.Uploading)
                    continue;
                // What is over within two rounds is told by its report alone.
                if (attempt.ToldPhase is null && attempt.Rounds++ == 0)
                    continue;
                var look = !attempt.IsTrivial && attempt.Phase == AttemptPhase.Running && now >= attempt.NextLogLook;
                if (look)
                    attempt.NextLogLook = now + (long)(LogLookPeriod.TotalSeconds * _clock.TimestampFrequency);
                if (look || attempt.ToldPhase != attempt.Phase)
                    candidates.Add((attempt, attempt.Phase, look));
            }
        }
        var items = new List<(LiveAttempt, AttemptProgress, AttemptPhase)>();
        foreach (var (attempt, phase, look) in candidates)
        {
            var bytes = look ? LogTail.Length(_folder.Logs(attempt.Id)) : attempt.ToldLogBytes;
            if (attempt.ToldPhase == phase && bytes == attempt.ToldLogBytes)
                continue;
            items.Add((attempt, new AttemptProgress
            {
                AttemptId = attempt.Id,
                Epoch = attempt.Lease.Epoch,
                State = phase switch { AttemptPhase.Staging => "staging", AttemptPhase.Running => "running", _ => "uploading" },
                StartedAt = attempt.StartedAt,
                LogTail = bytes != attempt.ToldLogBytes ? LogTail.Read(_folder.Logs(attempt.Id), LogTailBytes) : null,
                LogBytes = bytes,
            }, phase));
        }
        return items;
    }

    /// <summary>The control plane has this progress.</summary>
    public void MarkTold(List<(LiveAttempt Attempt, AttemptProgress Progress, AttemptPhase Phase)> items)
    {
        lock (_gate)
            foreach (var (attempt, progress, phase) in items)
                (attempt.ToldPhase, attempt.ToldLogBytes) = (phase, progress.LogBytes);
    }

    public void Dispose() => _closing.Dispose();

    private long Ticks(double seconds) => (long)(seconds * _clock.TimestampFrequency);

    /// <param name="journalLine">Of its lease; 0 when the disk has it already.</param>
    private void Admit(LeaseMessage lease, double seconds, long journalLine)
    {
        var attempt = new LiveAttempt(lease) { ExpiresAt = _clock.GetTimestamp() + Ticks(seconds), JournalLine = journalLine };
        _attempts[attempt.Id] = attempt;
        if (Decline(lease) is { } why)
        {
            Conclude(attempt, AttemptOutcomes.Declined, why.Reason, why.Message);
            return;
        }
        if (!_takesWork)
        {
            Conclude(attempt, AttemptOutcomes.Evicted, _refusal ?? "policy", "The machine does not take work now.");
            return;
        }
        _queue.AddLast(attempt);
    }

    private (string Reason, string Message)? Decline(LeaseMessage lease)
    {
        if (!_executor.PayloadKinds.Contains(lease.Payload.Kind))
            return ("runtime_missing", $"This device runs {string.Join(", ", _executor.PayloadKinds)}, not {lease.Payload.Kind}.");
        if (lease.Network == "full" && !_offer.Network)
            return ("network_not_offered", "The owner of this device does not let jobs use the network.");
        if (lease.CpuMillicores > _offer.CpuMillicores || lease.MemoryBytes > _offer.MemoryBytes)
            return ("insufficient_capacity",
                $"The attempt needs {lease.CpuMillicores} millicores and {lease.MemoryBytes >> 20} MiB; this device offers {_offer.CpuMillicores} and {_offer.MemoryBytes >> 20}.");
        return null;
    }

    private void StartQueued()
    {
        while (_takesWork && _queue.First is { } first)
        {
            var attempt = first.Value;
            // First come, first served: small ones do not overtake a large one, or it would wait for ever.
            if (attempt.NeedsSandbox && _starting >= MostStarting)
                return;
            var fits = _running == 0
                || (_running < Math.Max(1, (int)(_offer.Slots * _share))
                    && _cpu + attempt.Lease.CpuMillicores <= _offer.CpuMillicores * _share
                    && _memory + attempt.Lease.MemoryBytes <= _offer.MemoryBytes);
            if (!fits)
                return;
            _queue.RemoveFirst();
            attempt.HoldsRoom = true;
            _running++;
            _cpu += attempt.Lease.CpuMillicores;
            _memory += attempt.Lease.MemoryBytes;
            attempt.Stop = new CancellationTokenSource();
            if (attempt.NeedsSandbox)
                TakeStart(attempt);
            attempt.Phase = attempt.IsTrivial ? AttemptPhase.Running : AttemptPhase.Staging;
            attempt.StartedAt = attempt.IsTrivial ? _clock.GetUtcNow() : null;
            Launch(() => _runs.RunAsync(attempt));
        }
    }

    /// <summary>Setting up a sandbox is all kernel time: more at once than the processors can do only get into each other's way.</summary>
    private void TakeStart(LiveAttempt attempt)
    {
        attempt.IsStarting = true;
        _starting++;
        _ = Task.Delay(StartTakes, _clock).ContinueWith(
            _ =>
            {
                lock (_gate)
                {
                    EndStart(attempt);
                    StartQueued();
                }
            },
            CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private void EndStart(LiveAttempt attempt)
    {
        if (!attempt.IsStarting)
            return;
        attempt.IsStarting = false;
        _starting--;
    }

    private void Launch(Func<Task> work)
    {
        Interlocked.Increment(ref _inFlight);
        _ = Task.Run(async () =>
        {
            try
            {
                await work();
            }
            catch (Exception error)
            {
                _log.Error("agent_fault", $"An attempt could not be handled: {error}");
            }
            finally
            {
                Interlocked.Decrement(ref _inFlight);
            }
        });
    }

    private void StopLocked(LiveAttempt attempt, string outcome, string reason)
    {
        if (attempt.StopAs is not null)
            return;
        attempt.StopAs = (outcome, reason);
        if (attempt.Phase == AttemptPhase.Queued)
        {
            _queue.Remove(attempt);
            Conclude(attempt, outcome, reason, "Stopped before it started.");
            return;
        }
        var stop = attempt.Stop;
        if (stop is not null)
            // Not under the lock and not on this thread: the executor's callbacks may take a while.
            _ = Task.Run(stop.Cancel);
    }

    /// <param name="grace">From the first notice on; null: somebody else says when it is over.</param>
    private void NoticeLocked(LiveAttempt attempt, string outcome, string reason, TimeSpan? grace)
    {
        if (!attempt.CanSave || attempt.Phase != AttemptPhase.Running)
        {
            StopLocked(attempt, outcome, reason);
            return;
        }
        if (attempt.Notice is null)
        {
            attempt.Notice = new StopNotice(outcome, reason, _clock.GetTimestamp());
            _log.Info("notice", "An attempt was told to save its state.", ("attempt", attempt.Id), ("reason", reason));
            _ = Task.Run(attempt.Noticing.Cancel);
        }
        if (grace is { } time)
            attempt.StopDue = Math.Min(attempt.StopDue, attempt.Notice.At + Ticks(time.TotalSeconds));
    }

    private readonly Lookahead _lookahead = new();

    private void ReleaseRoom(LiveAttempt attempt)
    {
        EndStart(attempt);
        if (!attempt.HoldsRoom)
            return;
        attempt.HoldsRoom = false;
        _running--;
        _cpu -= attempt.Lease.CpuMillicores;
        _memory -= attempt.Lease.MemoryBytes;
    }

    private static LeaseMessage LeaseOf(AttemptReport report) => new()
    {
        AttemptId = report.AttemptId, Epoch = report.Epoch, JobId = Guid.Empty, TaskIndex = 0, TaskCount = 1, Replica = 0, ExpiresInSeconds = 0,
        Payload = new PayloadSpec { Kind = "finished" }, Limits = new LimitsSpec(), CpuMillicores = 0, MemoryBytes = 0,
        Isolation = IsolationLevels.Process, Network = "none",
    };

    /// <summary>Ends an attempt that left no files.</summary>
    internal void Conclude(LiveAttempt attempt, string outcome, string reason, string message)
    {
        var now = _clock.GetUtcNow();
        Finish(attempt, new PendingReport(new AttemptReport
        {
            AttemptId = attempt.Id, Epoch = attempt.Lease.Epoch, Outcome = outcome, Reason = reason, Message = Shorten(message),
            StartedAt = attempt.StartedAt, FinishedAt = now,
        }, [], now));
    }

    internal void Finish(LiveAttempt attempt, PendingReport result)
    {
        var signed = result with { Report = result.Report with { Signature = _identity.Sign(result.Report) } };
        lock (_gate)
        {
            if (!_attempts.ContainsKey(attempt.Id))
                return;
            if (attempt.HoldsRoom && attempt.StartedAt is { } started)
                _lookahead.Observe(_clock.GetUtcNow() - started);
            ReleaseRoom(attempt);
            attempt.Phase = AttemptPhase.Reporting;
            attempt.Result = signed;
            switch (signed.Report.Outcome)
            {
                case AttemptOutcomes.Succeeded: _succeeded++; break;
                case AttemptOutcomes.Failed or AttemptOutcomes.TimedOut: _failed++; break;
                case AttemptOutcomes.Evicted: _evicted++; break;
                default: _other++; break;
            }
            _journal.Done(signed);
            StartQueued();
        }
        if (!attempt.IsTrivial)
            _log.Debug("attempt_finished", "An attempt ended.", ("attempt", attempt.Id), ("outcome", signed.Report.Outcome), ("reason", signed.Report.Reason));
        if (signed.Report.Outcome is AttemptOutcomes.DeviceError or AttemptOutcomes.Declined)
            _log.Warning("attempt_" + signed.Report.Outcome, $"An attempt could not be done here: {signed.Report.Message}", ("attempt", attempt.Id), ("reason", signed.Report.Reason));
        _report(attempt);
    }

    /// <summary>The payload is about to start.</summary>
    internal void MarkRunning(LiveAttempt attempt)
    {
        lock (_gate)
        {
            attempt.Phase = AttemptPhase.Running;
            attempt.StartedAt = _clock.GetUtcNow();
        }
    }

    /// <summary>The run is over and its room free; what it left is still being gathered.</summary>
    internal void MarkEnded(LiveAttempt attempt)
    {
        lock (_gate)
        {
            EndRun(attempt);
            StartQueued();
        }
    }

    private void EndRun(LiveAttempt attempt)
    {
        if (attempt.HoldsRoom && attempt.StartedAt is { } started)
            _lookahead.Observe(_clock.GetUtcNow() - started);
        ReleaseRoom(attempt);
        attempt.Phase = AttemptPhase.Uploading;
    }

    /// <summary>The run is over and its room free, its files still have to be delivered; answers the journal's line with the result.</summary>
    internal long MarkUploading(LiveAttempt attempt, PendingReport pending)
    {
        lock (_gate)
        {
            EndRun(attempt);
            var line = _journal.Done(pending);
            StartQueued();
            return line;
        }
    }

    internal static string? Shorten(string? message) => message is { Length: > 500 } ? message[..499] + "…" : message;
}
