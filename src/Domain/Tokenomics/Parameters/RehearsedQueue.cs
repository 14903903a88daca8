using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Verification;

namespace FogCompute.Domain.Tokenomics.Parameters;

/// <summary>
/// List scheduling of recorded work (Graham 1969) with recorded run times: whoever is first in line takes a place as soon as one is free. Priority, then time of
/// submit decide; which device suits, who gives way and which run gets a copy decide the rules of the product itself (<see cref="HardFilter"/>,
/// <see cref="Preemption"/>, <see cref="Straggler"/>). Deterministic; about O(runs × (waiting jobs + devices)).
/// </summary>
internal sealed class RehearsedQueue
{
    /// <summary>The latest of the recorded tasks are replayed.</summary>
    public const int MostTasks = 10_000;

    /// <summary>Kinds of urgent tasks that are looked at when somebody must give way.</summary>
    private const int MostUrgent = 16;

    public static RehearsedWaiting Compare(RecordedDays days, ParameterValues current, ParameterValues proposed, RehearsedAudits audits)
    {
        var replayed = days.Jobs.SelectMany(j => j.Tasks.Select(t => (Job: j, Task: t))).OrderByDescending(t => t.Job.ReadyAt).ThenBy(t => t.Job.Id.Value).ThenBy(t => t.Task.Index)
            .Take(MostTasks).ToList();
        return new RehearsedWaiting(
            replayed.Count,
            new RehearsedQueue(days, replayed, current, (_, task) => task.Audited).Replay(),
            new RehearsedQueue(days, replayed, proposed, audits.IsAuditedAfter).Replay());
    }

    private readonly bool _preemption, _speculation;
    private readonly List<Place> _places;
    private readonly List<Work> _work;
    private readonly Dictionary<string, Place> _byId;
    private readonly PriorityQueue<Happening, (double At, long Number)> _happenings = new();
    private readonly SortedSet<Work> _waiting = new(Comparer<Work>.Create(static (a, b) => a.Rank.CompareTo(b.Rank)));
    private readonly HashSet<Run> _running = [];
    private readonly DateTimeOffset _start;
    private long _number;
    private double _lookAt;
    private int _notices, _copies, _audits;

    private RehearsedQueue(RecordedDays days, List<(RecordedJob Job, RecordedTask Task)> replayed, ParameterValues values, Func<RecordedJob, RecordedTask, bool> audited)
    {
        (_preemption, _speculation, _start) = (values.IsOn(ParameterCatalogue.Preemption), values.IsOn(ParameterCatalogue.Speculation), days.From);
        _places = [.. days.Devices.OrderBy(d => d.Device.Id, StringComparer.Ordinal).Select(d => new Place(d, Seconds(d.From)))];
        _byId = _places.ToDictionary(p => p.Device.Id, StringComparer.Ordinal);
        var suitable = new Dictionary<string, (Requirements Needs, Place[] Places)>(StringComparer.Ordinal);
        _work = [];
        foreach (var group in replayed.GroupBy(t => t.Job.Id))
        {
            var job = group.First().Job;
            var key = job.Needs.ToKey();
            if (!suitable.TryGetValue(key, out var found))
                suitable[key] = found = (job.Needs, [.. _places.Where(p => HardFilter.Static(job.Needs, p.Device) is null)]);
            // A device that ran it suits it, whatever it offers today.
            var ran = group.SelectMany(t => t.Task.Attempts).Select(a => _byId[a.Device]).Distinct().Except(found.Places).ToList();
            if (ran.Count > 0)
                found = (job.Needs, [.. found.Places, .. ran]);
            _work.Add(new Work(job, found.Needs, found.Places, group.OrderBy(t => t.Task.Index).Select(t => new TaskRun(t.Task, job, audited(job, t.Task))), Math.Max(0, Seconds(job.ReadyAt))));
        }
    }

    private double Seconds(DateTimeOffset at) => (at - _start).TotalSeconds;

    private WaitFigures Replay()
    {
        foreach (var work in _work)
            At(work.ReadyAt, new Happening(work, null));
        foreach (var place in _places)
            At(Math.Max(0, place.From), new Happening(null, null));
        while (_happenings.TryDequeue(out var happening, out var when))
        {
            var now = when.At;
            if (happening.Run is { } run)
            {
                if (!_running.Contains(run))
                    continue;
                End(run, now);
            }
            else if (happening.Work is { Arrived: false } work)
            {
                work.Arrived = true;
                foreach (var lane in work.Tasks.SelectMany(t => t.Lanes))
                    Wait(lane, now);
            }
            Fill(now);
            if (_speculation)
                Copy(now);
            if (_preemption)
                GiveWay(now);
        }
        var waits = _work.SelectMany(w => w.Tasks).Where(t => t.StartedAt is not null).Select(t => t.StartedAt!.Value - t.Work.ReadyAt).Order().ToList();
        var finishes = _work.Where(w => w.Ended == w.Tasks.Count).Select(w => w.EndedAt - w.ReadyAt).Order().ToList();
        return new WaitFigures(Mean(waits), P95(waits), Mean(finishes), P95(finishes), _notices, _copies, _audits);
    }

    private static double Mean(List<double> sorted) => sorted.Count == 0 ? 0 : sorted.Average();

    private static double P95(List<double> sorted) => sorted.Count == 0 ? 0 : sorted[(int)Math.Ceiling(0.95 * sorted.Count) - 1];

    private void At(double when, Happening happening) => _happenings.Enqueue(happening, (when, _number++));

    private void Wait(Lane lane, double now)
    {
        lane.Since = now;
        lane.Task.Work.Open.Enqueue(lane);
        _waiting.Add(lane.Task.Work);
    }

    private void Fill(double now)
    {
        if (_waiting.Count == 0 || _places.TrueForAll(p => p.Free.Slots <= 0))
            return;
        var full = new HashSet<Requirements>(ReferenceEqualityComparer.Instance);
        List<Work>? served = null;
        foreach (var work in _waiting)
        {
            if (full.Contains(work.Needs))
                continue;
            for (var left = work.Open.Count; left > 0; left--)
            {
                var lane = work.Open.Peek();
                if (work.Suitable.FirstOrDefault(p => p.From <= now && p.Free.Fits(work.Needs)) is null)
                {
                    full.Add(work.Needs);
                    break;
                }
                work.Open.Dequeue();
                if (FreePlace(lane, now) is { } place)
                    Start(lane, place, now, lane.Left);
                else
                    work.Open.Enqueue(lane);
            }
            if (work.Open.Count == 0)
                (served ??= []).Add(work);
        }
        foreach (var work in served ?? [])
            _waiting.Remove(work);
    }

    /// <summary>Where it ran when that is free, else the first that suits.</summary>
    private Place? FreePlace(Lane lane, double now)
    {
        bool Takes(Place p) => p.From <= now && p.Free.Fits(lane.Task.Work.Needs) && !lane.Task.Used.Contains(p.Device.Id);
        return _byId.GetValueOrDefault(lane.Device) is { } recorded && lane.Task.Work.Suitable.Contains(recorded) && Takes(recorded) ? recorded : lane.Task.Work.Suitable.FirstOrDefault(Takes);
    }

    private void Start(Lane lane, Place place, double now, double seconds)
    {
        var run = new Run(new AttemptId(new Guid((int)(_number >> 32), (short)(_number >> 16), (short)_number, new byte[8])), lane, place, now);
        place.Free.Take(lane.Task.Work.Needs);
        lane.Task.Used.Add(place.Device.Id);
        lane.Task.StartedAt ??= now;
        lane.Task.Runs.Add(run);
        lane.Task.Work.Live++;
        _running.Add(run);
        At(now + seconds, new Happening(lane.Task.Work, run));
    }

    private void Leave(Run run)
    {
        _running.Remove(run);
        run.Lane.Task.Runs.Remove(run);
        run.Lane.Task.Work.Live--;
        run.Place.Free.Give(run.Lane.Task.Work.Needs);
    }

    private void End(Run run, double now)
    {
        Leave(run);
        var (lane, task) = (run.Lane, run.Lane.Task);
        if (task.IsOver)
            return;
        task.Work.Finished.Add(now - run.StartedAt);
        if (!lane.IsSpare)
            task.Needed--;
        // A copy stands for the run it is a copy of.
        if (lane.CopyOf is { } original && task.Runs.Find(r => r.Lane == original) is { } slow)
            Leave(slow);
        else if (task.Runs.Find(r => r.Lane.CopyOf == lane) is { } copy)
            Leave(copy);
        if (task.Needed > 0)
            return;
        if (task.AuditSeconds is { } seconds)
        {
            task.AuditSeconds = null;
            task.Needed = 1;
            _audits++;
            Wait(new Lane(task, task.AuditDevice, seconds), now);
            return;
        }
        task.IsOver = true;
        foreach (var spare in task.Runs.ToList())
            Leave(spare);
        if (task.Lanes.Exists(l => l.IsSpare))
            Forget(task);
        task.Work.Ended++;
        task.Work.EndedAt = now;
    }

    /// <summary>What it still waited for is not needed.</summary>
    private void Forget(TaskRun task)
    {
        for (var left = task.Work.Open.Count; left > 0; left--)
        {
            var lane = task.Work.Open.Dequeue();
            if (lane.Task != task)
                task.Work.Open.Enqueue(lane);
        }
        if (task.Work.Open.Count == 0)
            _waiting.Remove(task.Work);
    }

    private void Copy(double now)
    {
        foreach (var work in _running.Select(r => r.Lane.Task.Work).Distinct().Where(w => w.MayBeCopied).OrderBy(w => w.Rank).ToList())
        {
            var median = work.Median();
            foreach (var run in _running.Where(r => r.Lane.Task.Work == work && r.Lane.Task.MayBeCopied).OrderBy(r => r.StartedAt).ThenBy(r => r.Id.Value).ToList())
            {
                var ran = TimeSpan.FromSeconds(now - run.StartedAt);
                if (!Straggler.IsSlow(ran, TimeSpan.FromSeconds(median)))
                {
                    // Once: when it will be slow, if it has not ended by then.
                    if (!run.Watched)
                        At(run.StartedAt + Math.Max(Straggler.Least.TotalSeconds, 2 * median) + 0.001, new Happening(null, null));
                    run.Watched = true;
                    continue;
                }
                var copy = new Lane(run.Lane.Task, "", run.Lane.Task.CopySeconds ?? median) { CopyOf = run.Lane, Since = now };
                if (FreePlace(copy, now) is not { } place)
                    continue;
                run.Lane.Task.Copied = true;
                _copies++;
                Start(copy, place, now, copy.Left);
            }
        }
    }

    private void GiveWay(double now)
    {
        while (Victims(now) is { Count: > 0 } victims)
        {
            foreach (var run in _running.Where(r => victims.Contains(r.Id)).OrderBy(r => r.Id.Value).ToList())
            {
                if (run.Lane.Task.Runs.Find(r => r.Lane.CopyOf == run.Lane) is { } copy)
                    Leave(copy);
                Leave(run);
                run.Lane.Task.Used.Remove(run.Place.Device.Id);
                if (run.Lane.Task.Work.KeepsState)
                    run.Lane.Left = Math.Max(0, run.Lane.Left - (now - run.StartedAt));
                Wait(run.Lane, now);
                _notices++;
            }
            Fill(now);
        }
    }

    private HashSet<AttemptId> Victims(double now)
    {
        // Of those that need the same the first: where nobody gives way to it, nobody does to the others.
        var urgent = _waiting.TakeWhile(w => w.Job.Priority >= Preemption.PriorityGap).DistinctBy(w => w.Needs, ReferenceEqualityComparer.Instance).Take(MostUrgent).Select(w => w.Open.Peek()).ToList();
        if (urgent.Count == 0)
            return [];
        var below = _running.Where(r => r.Lane.CopyOf is null && r.Lane.Task.Work.Job.Priority <= urgent[0].Task.Work.Job.Priority - Preemption.PriorityGap).ToList();
        if (below.Count == 0)
            return [];
        var patient = urgent.Where(l => l.Since + Preemption.Patience.TotalSeconds > now).ToList();
        if (patient.Count > 0)
            LookAgain(patient.Min(l => l.Since) + Preemption.Patience.TotalSeconds, now);
        if (patient.Count == urgent.Count)
            return [];
        return [.. Preemption.Choose(
            [.. urgent.Select(l => new UrgentTask(
                new PlacementTask { Key = new TaskKey(l.Task.Work.Job.Id, l.Task.Index), Needs = l.Task.Work.Needs, UsedDevices = l.Task.Used }, l.Task.Work.Job.Priority, 1, Moment(l.Since)))],
            [.. _places.Where(p => p.From <= now).Select(p => p.AsItStands())],
            [.. below.Select(r => new RunningAttempt
            {
                Id = r.Id, DeviceId = r.Place.Device.Id, Priority = r.Lane.Task.Work.Job.Priority, Holds = r.Lane.Task.Work.Needs, Checkpointing = r.Lane.Task.Work.KeepsState,
                Ran = TimeSpan.FromSeconds(now - r.StartedAt),
            })],
            Moment(now)).Select(v => v.Id)];
    }

    private void LookAgain(double when, double now)
    {
        if (_lookAt > now && _lookAt <= when)
            return;
        _lookAt = when;
        At(when, new Happening(null, null));
    }

    private DateTimeOffset Moment(double seconds) => _start.AddSeconds(seconds);

    /// <param name="Work">Arrives, or has a run end.</param>
    private sealed record Happening(Work? Work, Run? Run);

    private sealed class Place(RecordedDevice recorded, double from)
    {
        public PlacementDevice Device => recorded.Device;
        public double From => from;
        public FreeCapacity Free = new(recorded.Device);

        public PlacementDevice AsItStands() => Device with
        {
            LeasedMillicores = Device.CpuMillicores - Free.Millicores, LeasedBytes = Device.MemoryBytes - Free.Bytes, LeasedGpus = Device.Gpus - Free.Gpus, Leases = Device.Slots - Free.Slots,
            LeasedDisk = Device.DiskBytes - Free.Disk ?? 0,
        };
    }

    private sealed class Work
    {
        public Work(RecordedJob job, Requirements needs, Place[] suitable, IEnumerable<TaskRun> tasks, double readyAt)
        {
            (Job, Needs, Suitable, ReadyAt, Tasks) = (job, needs, suitable, readyAt, [.. tasks]);
            foreach (var task in Tasks)
                task.Work = this;
        }

        public RecordedJob Job { get; }

        /// <summary>One object for all that need the same.</summary>
        public Requirements Needs { get; }
        public Place[] Suitable { get; }
        public double ReadyAt { get; }
        public List<TaskRun> Tasks { get; }
        public Queue<Lane> Open { get; } = new();
        public bool Arrived { get; internal set; }
        public int Live { get; internal set; }
        public int Ended { get; internal set; }
        public double EndedAt { get; internal set; }
        public List<double> Finished { get; } = [];
        public (int, double, Guid) Rank => (-Job.Priority, ReadyAt, Job.Id.Value);
        public bool KeepsState => Job.Checkpointing && Job.Terms.TakesCheckpoints;

        public bool MayBeCopied => Arrived && Open.Count == 0 && Live > 0 && Job.TaskCount >= Straggler.LeastTasks && Finished.Count > 0
            && Ended < Tasks.Count && (long)Ended * 100 >= (long)Tasks.Count * Straggler.PercentEnded;

        /// <summary>Of the latest 1000 runs.</summary>
        public double Median() => Finished.TakeLast(1000).Order().ElementAt(Math.Min(1000, Finished.Count) / 2);
    }

    private sealed class TaskRun
    {
        public TaskRun(RecordedTask task, RecordedJob job, bool audited)
        {
            Index = task.Index;
            var attempts = task.Attempts.OrderBy(a => a.LeasedAt).ToList();
            var results = attempts.FindAll(a => a.State is AttemptState.Accepted or AttemptState.Rejected);
            var unneeded = attempts.FindAll(a => a.State == AttemptState.Cancelled);
            // Taken back by the pool: only what a checkpoint kept was work; the rest is for the replay to decide.
            var lost = attempts.Where(a => a.State is AttemptState.Evicted or AttemptState.Lost or AttemptState.Crashed or AttemptState.TimedOut || (a.State == AttemptState.Preempted && job.Checkpointing)).Sum(a => a.Seconds);
            var (audit, copy) = ((RecordedAttempt?)null, (RecordedAttempt?)null);
            if (task.Audited && results.Count > 1)
            {
                audit = results[^1];
                results.RemoveAt(results.Count - 1);
            }
            if (task.Copied && results.Concat(unneeded).OrderBy(a => a.LeasedAt).ToList() is { Count: > 1 } both && results.Count > 0)
            {
                copy = both[^1];
                (results, unneeded) = ([.. both.Except([copy])], []);
            }
            if (audited && results.Count > 0)
                (AuditSeconds, AuditDevice) = ((audit ?? results[0]).Seconds, audit?.Device ?? "");
            CopySeconds = copy?.Seconds;
            Lanes = [.. results.Select((a, i) => new Lane(this, a.Device, a.Seconds + (i == 0 ? lost : 0))), .. unneeded.Select(a => new Lane(this, a.Device, a.Seconds) { IsSpare = true })];
            Needed = results.Count;
            Compared = Math.Max(1, job.Terms.Agree) < results.Count;
        }

        public Work Work { get; internal set; } = null!;
        public int Index { get; }
        public List<Lane> Lanes { get; }
        public List<Run> Runs { get; } = [];
        public HashSet<string> Used { get; } = new(StringComparer.Ordinal);

        /// <summary>Results that are still missing.</summary>
        public int Needed { get; internal set; }
        public double? AuditSeconds { get; internal set; }
        public string AuditDevice { get; } = "";
        public double? CopySeconds { get; }
        public double? StartedAt { get; internal set; }
        public bool Copied { get; internal set; }
        public bool IsOver { get; internal set; }

        /// <summary>Whether it runs more replicas than must agree: such need no copies.</summary>
        private bool Compared { get; }
        public bool MayBeCopied => !Copied && !IsOver && !Compared && Lanes.TrueForAll(l => !l.IsSpare);
    }

    /// <summary>One result that a task needs, and how long that takes.</summary>
    /// <param name="device">Where it came from.</param>
    private sealed class Lane(TaskRun task, string device, double seconds)
    {
        public TaskRun Task => task;
        public string Device => device;
        public double Left { get; internal set; } = seconds;

        /// <summary>When it began to wait.</summary>
        public double Since { get; internal set; }

        /// <summary>Ran beside the results that counted, and was stopped when these were in.</summary>
        public bool IsSpare { get; init; }
        public Lane? CopyOf { get; init; }
    }

    private sealed class Run(AttemptId id, Lane lane, Place place, double startedAt)
    {
        public AttemptId Id => id;
        public Lane Lane => lane;
        public Place Place => place;
        public double StartedAt => startedAt;

        /// <summary>Whether it will be looked at when it is slow.</summary>
        public bool Watched { get; internal set; }
    }
}
