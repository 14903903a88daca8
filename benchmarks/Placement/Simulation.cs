using System.Diagnostics;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Placement;

/// <summary>What a simulation measured.</summary>
/// <param name="Misses">Share of the tasks with a deadline that did not end well before it.</param>
/// <param name="Cost">Credits charged per accepted core hour (of a device of speed 1, by the true length of the task).</param>
/// <param name="WattHours">Above idle, of all attempts, per accepted core hour.</param>
/// <param name="P50">Minutes from submit to acceptance; a task that expired, failed or was not done counts with its time until then.</param>
/// <param name="P99">The same.</param>
/// <param name="UrgentP90">The same, of the jobs of highest priority alone.</param>
/// <param name="Lost">Share of the core seconds spent in attempts that a departure, the wall limit or the deadline ended.</param>
/// <param name="Decisions">Milliseconds of each pass.</param>
internal sealed record Outcome(double Misses, double Cost, double WattHours, double P50, double P99, double UrgentP90, double Lost, IReadOnlyList<double> Decisions);

/// <summary>
/// Discrete events in virtual time: arrivals, devices that come and go, attempts that end, deadlines, passes. What the control plane does around a placement
/// (order of service, window, replicas and votes, retries and backoff, charge) is done here as there, without a database. Placement decides by what the
/// product would know: estimates, learned availability, reputation. Chance is tied to seed, task and attempt, so every policy meets the same.
/// </summary>
internal sealed class Simulation
{
    /// <summary>Virtual seconds between passes, and the most that follow each other at once while there is more to place.</summary>
    private const double PassInterval = 150;
    private const int PassesAtOnce = 12;

    /// <summary>As the product has them (PlacePendingJobs, SchedulerOptions).</summary>
    private const int PassSize = 512;

    /// <summary>Requesters; jobs come from them in turn.</summary>
    private const int Accounts = 6;
    private const int Retries = 2, LossesAtOnce = 3, FinishedForMeasured = 5;
    private static readonly TimeSpan UsualBudget = TimeSpan.FromMilliseconds(250);

    private readonly ulong _seed;
    private readonly double _startHour, _horizon;
    private readonly IPlacementEngine _engine;
    private readonly Device[] _devices;
    private readonly Dictionary<string, Device> _byId;
    private readonly Job[] _jobs;
    private readonly double? _reference;
    private readonly PriorityQueue<Event, (double At, long Order)> _events = new();
    private readonly List<Job> _open = [];
    private readonly List<double> _decisions = [];
    private readonly Dictionary<(AccountId Account, int Priority), DateTimeOffset> _lines = [];
    private readonly Action<PlacementProblem>? _seen;
    private readonly TimeSpan _budget;
    private readonly Action<string>? _missed;
    private long _order;
    private double _now;
    private bool _passPlanned;
    private double _lastPass = double.NegativeInfinity;
    private ulong _passes;
    private double _spent, _lost, _joules, _acceptedCoreSeconds;
    private long _charged;

    /// <param name="hours">Length at most; what is open then counts as unfinished.</param>
    /// <param name="seen">Gets every problem before it is solved.</param>
    /// <param name="budget">Of a decision; null: the product's.</param>
    /// <param name="missed">Gets a line about each task that missed its deadline.</param>
    public Simulation(
        SimulatedDevice[] pool, SimulatedJob[] jobs, IPlacementEngine engine, ulong seed, double startHour, double hours, Action<PlacementProblem>? seen = null, TimeSpan? budget = null,
        Action<string>? missed = null)
    {
        (_budget, _missed) = (budget ?? UsualBudget, missed);
        (_seed, _startHour, _horizon, _engine, _seen) = (seed, startHour, hours * 3600, engine, seen);
        _devices = [.. pool.Select((d, i) => new Device(d, i))];
        _byId = _devices.ToDictionary(d => d.Spec.Known.Id, StringComparer.Ordinal);
        _jobs = [.. jobs.Select(j => new Job(j, Suitable(j.Needs)))];
        _reference = RunModel.ReferenceScore([.. pool.Select(d => d.Known)]);
    }

    private enum What { Arrive, Up, Down, End, Expire, Pass, Wake }

    public Outcome Run()
    {
        foreach (var device in _devices)
        {
            foreach (var (from, to) in device.Spec.Stays)
            {
                if (to <= _startHour)
                    continue;
                Schedule(Math.Max(0, (from - _startHour) * 3600), new Event(What.Up, Device: device));
                Schedule((to - _startHour) * 3600, new Event(What.Down, Device: device));
            }
        }
        foreach (var job in _jobs)
        {
            Schedule(job.Spec.Submitted, new Event(What.Arrive, Job: job));
            if (job.Spec.Deadline is { } deadline)
                Schedule(deadline, new Event(What.Expire, Job: job));
        }
        var left = _jobs.Length;
        while (left > 0 && _events.TryDequeue(out var happened, out var when) && when.At <= _horizon)
        {
            _now = when.At;
            switch (happened.What)
            {
                case What.Arrive:
                    happened.Job!.Arrive();
                    _open.Add(happened.Job);
                    PlanPass();
                    break;
                case What.Up:
                    happened.Device!.SetPresent(true);
                    PlanPass();
                    break;
                case What.Down:
                    Leave(happened.Device!);
                    break;
                case What.End when happened.Attempt is { Ended: false }:
                    End(happened.Attempt);
                    break;
                case What.Expire when happened.Job!.OpenTasks > 0:
                    foreach (var task in happened.Job.Tasks.Where(t => !t.Closed))
                        Close(task, accepted: false);
                    break;
                case What.Pass:
                    _passPlanned = false;
                    Pass();
                    break;
                case What.Wake:
                    PlanPass();
                    break;
            }
            if (happened.What is What.End or What.Expire)
                left -= _open.RemoveAll(j => j.OpenTasks == 0);
        }
        return Measure();
    }

    private Outcome Measure()
    {
        var (due, missed) = (0, 0);
        var (turnaround, urgent) = (new List<double>(), new List<double>());
        foreach (var job in _jobs)
        {
            foreach (var task in job.Tasks)
            {
                turnaround.Add(((task.Closed ? task.ClosedAt : _horizon) - job.Spec.Submitted) / 60);
                if (job.Spec.Priority == Workload.HighestPriority)
                    urgent.Add(turnaround[^1]);
                if (job.Spec.Deadline is null)
                    continue;
                due++;
                if (task.Accepted)
                    continue;
                missed++;
                _missed?.Invoke(Story(task));
            }
        }
        turnaround.Sort();
        urgent.Sort();
        var hours = Math.Max(_acceptedCoreSeconds, 1) / 3600;
        return new Outcome(
            due == 0 ? 0 : missed / (double)due, (double)Pricing.Credits(_charged) / hours, _joules / 3600 / hours, Statistics.Quantile(turnaround, 0.5), Statistics.Quantile(turnaround, 0.99),
            Statistics.Quantile(urgent, 0.9), _spent == 0 ? 0 : _lost / _spent, _decisions);
    }

    /// <summary>What became of a task: minutes since its submit.</summary>
    private string Story(SimulatedTask task)
    {
        var spec = task.Job.Spec;
        double Minutes(double at) => Math.Round((at - spec.Submitted) / 60, 1);
        var history = task.History.Select(a => $"{a.Device.Spec.Known.Id} at {Minutes(a.Started)} for {Math.Round(a.Runs / 60, 1)} (speed {RunModel.Speed(a.Device.Spec.Known, _reference):0.00}): {(a.Ended ? $"{a.How} at {Minutes(a.EndedAt)}" : "running")}");
        return $"job {spec.Number}.{task.Index} of {spec.Tasks}, {spec.Terms.Tier}, priority {spec.Priority}, {spec.Needs.CpuMillicores}m, estimate {spec.Estimate.TotalMinutes:0.0} × {spec.Bias:0.00}, "
            + $"deadline {Minutes(spec.Deadline!.Value)}, closed {Minutes(task.ClosedAt)}, {task.Job.Suitable.Length} suitable: {string.Join("; ", history)}";
    }

    private void Schedule(double at, Event what) => _events.Enqueue(what, (at, _order++));

    private void PlanPass()
    {
        if (_passPlanned)
            return;
        _passPlanned = true;
        Schedule(Math.Max(_now, _lastPass + PassInterval), new Event(What.Pass));
    }

    private Device[] Suitable(Requirements needs) => [.. _devices.Where(d => HardFilter.Static(needs, d.Spec.Known) is null)];

    // ---- placement, as PlacePendingJobs does it ------------------------------------------------------------------------------------------------

    private void Pass()
    {
        _lastPass = _now;
        for (var round = 0; round < PassesAtOnce && PassOnce(); round++)
        {
        }
        // Work waits: look again when the interval is over, whatever happens meanwhile.
        if (_open.Exists(j => j.Waiting.Count > 0))
            PlanPass();
    }

    private bool PassOnce()
    {
        var free = _devices.Where(d => d.Present).Sum(d => d.Spec.Known.Slots - d.Running.Count);
        if (free == 0)
            return false;
        var now = At(_now);
        var placeable = _open.Where(j => j.Waiting.Exists(t => t.EligibleAt <= _now) && Array.Exists(j.Suitable, d => d.Present && new FreeCapacity(d.Current).Fits(j.Spec.Needs))).ToList();
        if (placeable.Count == 0)
            return false;
        var tasks = placeable.SelectMany(j => j.Waiting.Where(t => t.EligibleAt <= _now).OrderBy(t => t.Index).Take(PassSize)).Where(TierCanBeMet).ToDictionary(t => t.Key);
        var leased = _devices.SelectMany(d => d.Running).CountBy(a => a.Task.Job).ToDictionary();
        var held = leased.GroupBy(l => l.Key.Account).ToDictionary(g => g.Key, g => g.Sum(l => l.Value));
        var served = _lines.GroupBy(l => l.Key.Account).ToDictionary(g => g.Key, g => g.Max(l => l.Value));
        var waiting = tasks.Values.ToLookup(t => t.Job);
        var standings = placeable.Select(j => new WaitingJob
        {
            Id = j.Spec.Id, Account = j.Account, Priority = j.Spec.Priority, SubmittedAt = At(j.Spec.Submitted), LatestStart = j.Spec.Deadline is { } d ? At(d) - (j.Measured ?? j.Spec.Estimate) : null,
            Leased = leased.GetValueOrDefault(j), AccountLeased = held.GetValueOrDefault(j.Account), LineServedAt = _lines.TryGetValue((j.Account, j.Spec.Priority), out var line) ? line : null,
            AccountServedAt = served.TryGetValue(j.Account, out var account) ? account : null,
            Tasks = [.. waiting[j].Select(t => new WaitingTask(t.Key, t.OpenSlots, t.OpenSlots < j.Spec.Terms.Replicas))],
        });
        var window = ServiceOrder.Turns(standings, null, now).Take(PassSize).Select(t => tasks[t.Task]).ToDictionary(t => t.Key);
        if (window.Count == 0)
            return false;
        var problem = new PlacementProblem([.. window.Values.Select(Describe)], [.. _devices.Select(d => d.Current)])
        {
            Now = now, Seed = _seed * 1_000_003 + _passes++, Budget = _budget,
        };
        _seen?.Invoke(problem);
        var clock = Stopwatch.GetTimestamp();
        var outcome = _engine.Place(problem);
        _decisions.Add(Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
        foreach (var assignment in outcome.Assignments)
        {
            var task = window[assignment.Task];
            Lease(task, _byId[assignment.DeviceId]);
            _lines[(task.Job.Account, task.Job.Spec.Priority)] = now;
        }
        return outcome.Assignments.Count > 0 && outcome.Assignments.Count < free;
    }

    private static bool TierCanBeMet(SimulatedTask task)
    {
        var replicas = task.Job.Spec.Terms.Replicas;
        return task.Job.Suitable.Count(d => d.Present && !task.Used.Contains(d)) + task.Used.Count >= replicas;
    }

    private PlacementTask Describe(SimulatedTask task)
    {
        var spec = task.Job.Spec;
        return new PlacementTask
        {
            Key = task.Key, Needs = spec.Needs, Slots = task.OpenSlots, UsedDevices = task.Used.Select(d => d.Spec.Known.Id).ToHashSet(StringComparer.Ordinal),
            UsedOwners = task.Used.Select(d => d.Spec.Known.Owner).ToHashSet(), PreferDistinctOwners = spec.Terms.PreferDistinctOwners,
            Estimate = task.Job.Measured ?? spec.Estimate, Deadline = spec.Deadline is { } deadline ? At(deadline) : null,
            WallLimit = spec.WallLimit, MicroPerHour = spec.MicroPerHour, Plan = spec.Terms.Plan,
        };
    }

    private DateTimeOffset At(double second) => Pool.Epoch.AddHours(_startHour).AddSeconds(second);

    /// <summary>Starts an attempt; refuses what an engine must never answer.</summary>
    private void Lease(SimulatedTask task, Device device)
    {
        var spec = task.Job.Spec;
        if (task.OpenSlots == 0 || task.Used.Contains(device) || HardFilter.Static(spec.Needs, device.Current) is not null || !new FreeCapacity(device.Current).Fits(spec.Needs))
            throw new InvalidOperationException($"{_engine.GetType().Name} put task {task.Key} on {device.Spec.Known.Id}, which cannot take it.");
        task.OpenSlots--;
        if (task.OpenSlots == 0)
            task.Job.Waiting.Remove(task);
        task.Used.Add(device);
        var number = task.Attempts++;
        var draw = Draw.For(_seed, 3, spec.Number, task.Index, number);
        var noise = Math.Exp(Workload.TaskSpread * draw.Normal());
        var staging = device.Spec.Class.Latency + spec.InputMegabytes * 8 / device.Spec.Class.MegabitsPerSecond;
        var runs = spec.Estimate.TotalSeconds * spec.Bias * noise / RunModel.Speed(device.Spec.Known, _reference);
        var attempt = new Attempt(task, device, _now, staging, Math.Min(runs, spec.WallLimit.TotalSeconds), runs > spec.WallLimit.TotalSeconds, draw.Chance(device.Spec.WrongShare));
        device.Take(attempt);
        if (_missed is not null)
            task.History.Add(attempt);
        task.Live.Add(attempt);
        Schedule(_now + staging + attempt.Runs, new Event(What.End, Attempt: attempt));
    }

    // ---- ends -------------------------------------------------------------------------------------------------------------------------------------

    private void Leave(Device device)
    {
        foreach (var attempt in device.Running.ToArray())
        {
            Stop(attempt, useful: false, "device left");
            var task = attempt.Task;
            task.Used.Remove(device);
            Reopen(task, ++task.Losses <= LossesAtOnce ? 0 : RetryBackoff.After(task.Losses - LossesAtOnce, 0.5).TotalSeconds);
        }
        device.SetPresent(false);
    }

    private void End(Attempt attempt)
    {
        var task = attempt.Task;
        var terms = task.Job.Spec.Terms;
        Stop(attempt, useful: !attempt.TimesOut, attempt.TimesOut ? "timed out" : attempt.Wrong ? "wrong" : "ended");
        if (attempt.TimesOut)
        {
            task.Used.Remove(attempt.Device);
            if (++task.Failures > Retries)
                Close(task, accepted: false);
            else
                Reopen(task, RetryBackoff.After(task.Failures, 0.5).TotalSeconds);
            return;
        }
        // Wrong results differ from each other as they do from the right one.
        task.Results.Add((attempt.Wrong ? 1 + task.Results.Count : 0, attempt.Runs));
        task.Job.Measure(attempt.Runs * RunModel.Speed(attempt.Device.Spec.Known, _reference));
        if (task.Results.GroupBy(r => r.Digest).FirstOrDefault(g => g.Count() >= terms.Agree) is { } agreed)
        {
            _charged += Math.Min(task.Job.Spec.Hold, Pricing.Task(task.Job.Spec.Needs.CpuMillicores, task.Job.Spec.Needs.MemoryBytes, terms, TimeSpan.FromSeconds(agreed.Average(r => r.Seconds))));
            _acceptedCoreSeconds += task.Job.Spec.Estimate.TotalSeconds * task.Job.Spec.Bias * task.Job.Spec.Needs.CpuMillicores / 1000.0;
            Close(task, accepted: true);
        }
        else if (task.Live.Count == 0 && task.OpenSlots == 0)
        {
            if (task.Results.Count < terms.MaxReplicas)
                Reopen(task, 0);
            else
                Close(task, accepted: false);
        }
    }

    private void Reopen(SimulatedTask task, double wait)
    {
        if (task.OpenSlots++ == 0)
            task.Job.Waiting.Add(task);
        task.EligibleAt = _now + wait;
        if (wait > 0)
            Schedule(task.EligibleAt, new Event(What.Wake));
        else
            PlanPass();
    }

    private void Close(SimulatedTask task, bool accepted)
    {
        // Replicas that an agreement makes needless are not lost work; those of a task that comes to nothing are.
        foreach (var attempt in task.Live.ToArray())
            Stop(attempt, useful: accepted, "stopped");
        if (task.OpenSlots > 0)
            task.Job.Waiting.Remove(task);
        (task.OpenSlots, task.Closed, task.Accepted, task.ClosedAt) = (0, true, accepted, _now);
        task.Job.OpenTasks--;
    }

    private void Stop(Attempt attempt, bool useful, string how)
    {
        (attempt.Ended, attempt.How, attempt.EndedAt) = (true, how, _now);
        attempt.Device.Give(attempt);
        attempt.Task.Live.Remove(attempt);
        var seconds = Math.Clamp(_now - attempt.Started - attempt.Staging, 0, attempt.Runs);
        var needs = attempt.Task.Job.Spec.Needs;
        _spent += seconds * needs.CpuMillicores / 1000;
        if (!useful)
            _lost += seconds * needs.CpuMillicores / 1000;
        _joules += RunModel.Joules(needs, attempt.Device.Spec.Known, seconds);
        PlanPass();
    }

    private sealed record Event(What What, Device? Device = null, Job? Job = null, Attempt? Attempt = null);

    private sealed record Attempt(SimulatedTask Task, Device Device, double Started, double Staging, double Runs, bool TimesOut, bool Wrong)
    {
        public bool Ended { get; set; }
        public string? How { get; set; }
        public double EndedAt { get; set; }
    }

    private sealed class Device(SimulatedDevice spec, int number)
    {
        private PlacementDevice? _current;

        public SimulatedDevice Spec { get; } = spec;

        public bool Present { get; private set; }

        public List<Attempt> Running { get; } = [];

        /// <summary>As placement is shown it.</summary>
        public PlacementDevice Current => _current ??= Spec.Known with
        {
            Unavailable = Present ? null : "silent", LeasedMillicores = Running.Sum(a => a.Task.Job.Spec.Needs.CpuMillicores), LeasedBytes = Running.Sum(a => a.Task.Job.Spec.Needs.MemoryBytes), Leases = Running.Count,
        };

        public void SetPresent(bool present) => (Present, _current) = (present, null);

        public void Take(Attempt attempt)
        {
            Running.Add(attempt);
            _current = null;
        }

        public void Give(Attempt attempt)
        {
            Running.Remove(attempt);
            _current = null;
        }

        public override int GetHashCode() => number;
    }

    private sealed class Job
    {
        private readonly List<double> _seconds = [];

        public Job(SimulatedJob spec, Device[] suitable)
        {
            (Spec, Suitable, OpenTasks) = (spec, suitable, spec.Tasks);
            Tasks = [.. Enumerable.Range(0, spec.Tasks).Select(i => new SimulatedTask(this, i))];
        }

        public SimulatedJob Spec { get; }
        public AccountId Account => new(new Guid(Spec.Number % Accounts + 1, 0, 0, new byte[8]));

        /// <summary>Devices that could take its tasks when they are there.</summary>
        public Device[] Suitable { get; }
        public SimulatedTask[] Tasks { get; }
        public int OpenTasks { get; set; }

        /// <summary>Tasks with open slots.</summary>
        public List<SimulatedTask> Waiting { get; } = [];

        /// <summary>Median run time at speed 1 of the first finished tasks, once there are enough of them.</summary>
        public TimeSpan? Measured { get; private set; }

        public void Arrive()
        {
            foreach (var task in Tasks)
                task.OpenSlots = Spec.Terms.Replicas;
            Waiting.AddRange(Tasks);
        }

        public void Measure(double seconds)
        {
            if (Measured is not null)
                return;
            _seconds.Add(seconds);
            if (_seconds.Count < FinishedForMeasured)
                return;
            _seconds.Sort();
            Measured = TimeSpan.FromSeconds(_seconds[_seconds.Count / 2]);
        }
    }

    private sealed class SimulatedTask(Job job, int index)
    {
        public Job Job { get; } = job;
        public int Index { get; } = index;
        public TaskKey Key => new(Job.Spec.Id, Index);
        public int OpenSlots { get; set; }
        public double EligibleAt { get; set; }
        public int Attempts { get; set; }
        public int Losses { get; set; }
        public int Failures { get; set; }
        public bool Closed { get; set; }
        public bool Accepted { get; set; }
        public double ClosedAt { get; set; }

        /// <summary>Devices that run it or returned a result.</summary>
        public HashSet<Device> Used { get; } = [];
        public List<Attempt> Live { get; } = [];

        /// <summary>All its attempts, where somebody wants to know.</summary>
        public List<Attempt> History { get; } = [];
        public List<(int Digest, double Seconds)> Results { get; } = [];
    }
}
