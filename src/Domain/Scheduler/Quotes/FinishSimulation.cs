using FogCompute.Domain.Scheduler.Placement;
using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Domain.Scheduler.Quotes;

/// <summary>Seconds to the end of the job that half, and one in twenty, of the simulated jobs exceed, and the share that did not end well.</summary>
internal sealed record SimulatedFinish(double P50, double P95, double FailureRisk);

/// <summary>
/// Monte Carlo of a plan as list scheduling: whoever has a slot free takes the next run. Run times are log-normal, one factor per job and one per
/// run; devices leave and come back as their availability profiles say (a Poisson process per hour of the week), what they ran starts again
/// elsewhere after the pool's silence, on a suitable device outside of the plan where one is there. Runs over the wall limit spend retries.
/// Arrays beyond <see cref="MostRuns"/> are scaled: the bulk passes at the rate of the devices that are there, its end is simulated run by run.
/// The job's factor is stratified over the trials, so few of them tell the tails well. Same problem, same answer.
/// </summary>
internal sealed class FinishSimulation
{
    /// <summary>Runs simulated one by one per trial.</summary>
    private const int MostRuns = 2_000;

    /// <summary>Happenings to be simulated per plan, which bounds the time: trials are as many as that allows.</summary>
    private const int Work = 150_000;

    private const int LeastTrials = 20, MostTrials = 1_000;

    /// <summary>Devices kept ready to step in.</summary>
    private const int MostSpares = 64;

    private readonly Dictionary<int, Hazard> _hazards = [];
    private readonly QuoteProblem _problem;
    private readonly PlanModel _model;
    private readonly double _wall;
    private readonly double _horizon;

    public FinishSimulation(QuoteProblem problem, PlanModel model)
    {
        (_problem, _model, _wall) = (problem, model, problem.WallLimit.TotalSeconds);
        _horizon = problem.Deadline is { } deadline ? Math.Max(0, (deadline - problem.Now).TotalSeconds) : double.PositiveInfinity;
    }

    private enum Kind : byte { RunEnds, Leaves, Comes, RunAgain }

    private readonly record struct Happening(Kind Kind, int Seat, int Generation, int Failures, bool TimedOut);

    /// <summary>Slots of the plan that some device fills; which one may change when it leaves.</summary>
    private sealed class Seat
    {
        public required int Planned { get; init; }
        public required int Slots { get; init; }
        public required double BulkShare { get; init; }

        /// <summary>Device that sits here, −1 while nobody does.</summary>
        public int Device { get; internal set; } = -1;
        public int Generation { get; internal set; }
        public int Free { get; internal set; }

        /// <summary>Runs it may still start: replicas of one task never share a device.</summary>
        public long Quota { get; internal set; }

        /// <summary>Running now, by failures of their task so far.</summary>
        public required int[] Running { get; init; }
    }

    public SimulatedFinish Run(int[] plan)
    {
        var fluid = _model.FluidSeconds(plan);
        var seats = Enumerable.Range(0, plan.Length).Where(i => plan[i] > 0).Select(i => new Seat
        {
            Planned = i, Slots = plan[i], Running = new int[_problem.Retries + 1],
            BulkShare = Math.Min(1, _problem.TaskCount / (plan[i] / _model.Devices[i].EffectiveSeconds * fluid)),
        }).ToArray();
        var spares = Enumerable.Range(0, plan.Length).Where(i => plan[i] == 0).Take(MostSpares).ToArray();
        var horizon = Math.Min(fluid + _model.Devices.Max(d => d.WaitSeconds), _horizon);
        var comings = seats.Sum(s => 2 * horizon * HazardOf(s.Planned).PerSecond);
        var detail = (int)Math.Min(_problem.RunCount, MostRuns);
        var trials = (int)Math.Clamp(Work / (detail + seats.Length + comings), LeastTrials, MostTrials);
        var mostHappenings = 20L * (detail + seats.Length) + 10 * (long)Math.Min(comings, 1e6) + 1_000;

        var random = new Xoshiro256(_problem.Seed);
        var (ends, failures) = (new double[trials], 0);
        for (var trial = 0; trial < trials; trial++)
        {
            var factor = Math.Exp(_problem.Runs.JobSpread * RunModel.NormalQuantile((trial + random.NextUnit()) / trials));
            var (end, failed) = new Trial(this, seats, spares, random, factor, mostHappenings).Run(detail);
            ends[trial] = end;
            failures += failed ? 1 : 0;
        }
        Array.Sort(ends);
        // The (n + 1)·q-th of n: a further draw of the like stays below it with probability q.
        return new SimulatedFinish(ends[(trials + 1) / 2 - 1], ends[Math.Min(trials, (int)Math.Ceiling(0.95 * (trials + 1))) - 1], failures / (double)trials);
    }

    private Hazard HazardOf(int device) =>
        _hazards.TryGetValue(device, out var hazard) ? hazard : _hazards[device] = new Hazard(_model.Devices[device].Device.Presence, _problem.Now);

    /// <summary>One simulated job.</summary>
    private sealed class Trial(FinishSimulation simulation, Seat[] seats, int[] spares, Xoshiro256 random, double factor, long mostHappenings)
    {
        private readonly QuoteProblem _problem = simulation._problem;
        private readonly PlanModel _model = simulation._model;
        private readonly PriorityQueue<Happening, double> _queue = new();
        private readonly PriorityQueue<int, double> _spares = new();
        private readonly int[] _waiting = new int[simulation._problem.Retries + 1];
        private int _waitingTotal;
        private int _unfinished;

        /// <summary>Runs per second of the seats that are taken, for the bulk.</summary>
        private double _rate;
        private bool _failed;
        private double? _spareNormal;

        public (double End, bool Failed) Run(int detail)
        {
            _unfinished = detail;
            for (var i = 0; i < spares.Length; i++)
                _spares.Enqueue(spares[i], _model.Devices[spares[i]].WaitSeconds + i * 1e-9);
            for (var s = 0; s < seats.Length; s++)
            {
                var seat = seats[s];
                (seat.Device, seat.Free) = (-1, 0);
                // Generations go on from trial to trial; nothing of another trial is in this queue.
                seat.Quota = _problem.Terms.Replicas == 1 ? long.MaxValue : Math.Max(1, (detail + _problem.Terms.Replicas - 1) / _problem.Terms.Replicas);
                Array.Clear(seat.Running);
                var wait = _model.Devices[seat.Planned].WaitSeconds;
                if (wait > 0)
                    _queue.Enqueue(new Happening(Kind.Comes, s, seat.Planned, 0, false), wait);
                else
                    Sit(s, seat.Planned, 0);
            }
            var now = Bulk(_problem.RunCount - detail);
            (_waiting[0], _waitingTotal) = (detail, detail);
            for (var s = 0; s < seats.Length; s++)
                Fill(s, now, midway: detail < _problem.RunCount);

            var first = _model.Devices.Min(d => d.WaitSeconds);
            _failed |= first > _problem.QueueLimit.TotalSeconds;
            for (var happened = 0L; _unfinished > 0; happened++)
            {
                if (now >= simulation._horizon || happened > mostHappenings)
                    return (Math.Min(now, simulation._horizon), true);
                _queue.TryDequeue(out var next, out now);
                Take(next, now);
            }
            return now >= simulation._horizon ? (simulation._horizon, true) : (now, _failed);
        }

        /// <summary>So many runs at the rate of the seats that are taken. Returns when they are done.</summary>
        private double Bulk(double runs)
        {
            _failed = runs > 0 && random.NextUnit() < 1 - Math.Exp(-runs * TimedOutForGood());
            var (now, left) = (0.0, runs);
            for (var happened = 0L; left > 0 && now < simulation._horizon; happened++)
            {
                if (happened > mostHappenings)
                {
                    _failed = true;
                    return now;
                }
                if (!_queue.TryPeek(out var next, out var at) || now + left / _rate <= at)
                    return now + left / _rate;
                left -= _rate * (at - now);
                now = at;
                _queue.Dequeue();
                // What a device loses when it leaves is in its effective run time already.
                Move(next, now);
            }
            return now;
        }

        /// <summary>Probability that all runs which a task may have reach the wall limit, mean over the seats.</summary>
        private double TimedOutForGood() => seats.Average(seat =>
            Math.Pow(1 - RunModel.WithinProbability(simulation._wall, _model.Devices[seat.Planned].MedianSeconds * factor, _problem.Runs.TaskSpread), _problem.Retries + 1));

        private void Take(Happening next, double now)
        {
            switch (next.Kind)
            {
                case Kind.Leaves or Kind.Comes:
                    Move(next, now);
                    if (next.Kind == Kind.Comes)
                        Fill(next.Seat, now);
                    break;
                case Kind.RunAgain:
                    Wait(next.Failures);
                    for (var s = 0; s < seats.Length && _waitingTotal > 0; s++)
                        Fill(s, now);
                    break;
                case Kind.RunEnds when next.Generation == seats[next.Seat].Generation:
                    seats[next.Seat].Running[next.Failures]--;
                    seats[next.Seat].Free++;
                    if (next.TimedOut)
                        TimeOut(next, now);
                    else
                        Finish();
                    Fill(next.Seat, now);
                    break;
            }
        }

        private void Finish()
        {
            // An audit is one more run somewhere.
            if (_problem is { Terms.Replicas: 1, AuditRate: > 0 and var rate } && _model.Devices.Count > 1 && random.NextUnit() < rate)
                Wait(0);
            else
                _unfinished--;
        }

        private void TimeOut(Happening run, double now)
        {
            if (run.Failures >= _problem.Retries)
            {
                _failed = true;
                _unfinished--;
                return;
            }
            seats[run.Seat].Quota = Math.Max(seats[run.Seat].Quota, seats[run.Seat].Quota + 1);
            _queue.Enqueue(new Happening(Kind.RunAgain, 0, 0, run.Failures + 1, false), now + RetryBackoff.After(run.Failures + 1, random.NextUnit()).TotalSeconds);
        }

        private void Wait(int failures)
        {
            _waiting[failures]++;
            _waitingTotal++;
        }

        /// <summary>A device leaves its seat or takes one; <see cref="Happening.Generation"/> of a coming is the device.</summary>
        private void Move(Happening next, double now)
        {
            var seat = seats[next.Seat];
            if (next.Kind == Kind.Comes)
            {
                Sit(next.Seat, next.Generation, now);
                return;
            }
            var lossSeen = now + _problem.LossDetection.TotalSeconds;
            for (var failures = 0; failures < seat.Running.Length; failures++)
            {
                for (; seat.Running[failures] > 0; seat.Running[failures]--)
                {
                    seat.Quota = Math.Max(seat.Quota, seat.Quota + 1);
                    _queue.Enqueue(new Happening(Kind.RunAgain, 0, 0, failures, false), lossSeen);
                }
            }
            _spares.Enqueue(seat.Device, now + simulation.HazardOf(seat.Device).MeanAbsence * -Math.Log(random.NextUnit()));
            _rate = Math.Max(0, _rate - RateOf(seat));
            (seat.Device, seat.Free, seat.Generation) = (-1, 0, seat.Generation + 1);
            _spares.TryDequeue(out var successor, out var ready);
            _queue.Enqueue(new Happening(Kind.Comes, next.Seat, successor, 0, false), Math.Max(lossSeen, ready));
        }

        private void Sit(int s, int device, double now)
        {
            (seats[s].Device, seats[s].Free) = (device, Math.Min(seats[s].Slots, _model.Devices[device].Room));
            _rate += RateOf(seats[s]);
            var leaves = simulation.HazardOf(device).Next(now, -Math.Log(random.NextUnit()));
            if (double.IsFinite(leaves))
                _queue.Enqueue(new Happening(Kind.Leaves, s, 0, 0, false), leaves);
        }

        private double RateOf(Seat seat) => seat.BulkShare * Math.Min(seat.Slots, _model.Devices[seat.Device].Room) / (_model.Devices[seat.Device].EffectiveSeconds * factor);

        private void Fill(int s, double now, bool midway = false)
        {
            var seat = seats[s];
            while (seat.Free > 0 && seat.Quota > 0 && _waitingTotal > 0)
            {
                var failures = 0;
                while (_waiting[failures] == 0)
                    failures++;
                _waiting[failures]--;
                _waitingTotal--;
                seat.Free--;
                seat.Running[failures]++;
                if (seat.Quota < long.MaxValue)
                    seat.Quota--;
                var run = _model.Devices[seat.Device].MedianSeconds * factor * Math.Exp(_problem.Runs.TaskSpread * NextNormal());
                var seconds = Math.Min(run, simulation._wall) + _problem.Runs.OverheadSeconds;
                // Where the bulk ends, slots are in the middle of something.
                _queue.Enqueue(new Happening(Kind.RunEnds, s, seat.Generation, failures, run > simulation._wall), now + (midway ? seconds * random.NextUnit() : seconds));
            }
        }

        /// <summary>Standard normal, by the polar method of Marsaglia, two at a time.</summary>
        private double NextNormal()
        {
            if (_spareNormal is { } spare)
            {
                _spareNormal = null;
                return spare;
            }
            double u, v, square;
            do
            {
                (u, v) = (2 * random.NextUnit() - 1, 2 * random.NextUnit() - 1);
                square = u * u + v * v;
            }
            while (square is >= 1 or 0);
            var scale = Math.Sqrt(-2 * Math.Log(square) / square);
            _spareNormal = v * scale;
            return u * scale;
        }
    }

    /// <summary>When a device leaves next: the expected departures since Monday 00:00, inverted.</summary>
    private sealed class Hazard
    {
        private const double Hour = 3600, Week = AvailabilityProfile.Buckets * Hour;

        private readonly double[] _expected = new double[AvailabilityProfile.Buckets + 1];
        private readonly double _from;

        public Hazard(AvailabilityProfile profile, DateTimeOffset now)
        {
            var presence = 0.0;
            for (var bucket = 0; bucket < AvailabilityProfile.Buckets; bucket++)
            {
                _expected[bucket + 1] = _expected[bucket] + profile.DeparturesPerHour(bucket);
                presence += profile.Presence(bucket) / AvailabilityProfile.Buckets;
            }
            _from = AvailabilityProfile.BucketOf(now) * Hour + now.UtcTicks % TimeSpan.TicksPerHour / (double)TimeSpan.TicksPerSecond;
            PerSecond = _expected[^1] / Week;
            // In the long run departures and returns are as many: present × rate = absent / mean absence.
            MeanAbsence = PerSecond > 0 ? Math.Max(0, 1 - presence) / (Math.Max(presence, 1e-3) * PerSecond) : 0;
        }

        public double PerSecond { get; }
        public double MeanAbsence { get; }

        /// <summary>The moment at which <paramref name="departures"/> more are expected than at <paramref name="now"/>; seconds of the simulation.</summary>
        public double Next(double now, double departures)
        {
            if (PerSecond <= 0)
                return double.PositiveInfinity;
            var at = (_from + now) % Week;
            var bucket = Math.Min((int)(at / Hour), AvailabilityProfile.Buckets - 1);
            var target = _expected[bucket] + (_expected[bucket + 1] - _expected[bucket]) * (at / Hour - bucket) + departures;
            var weeks = Math.Floor(target / _expected[^1]);
            target -= weeks * _expected[^1];
            var found = Array.BinarySearch(_expected, target);
            bucket = Math.Clamp(found >= 0 ? found : ~found - 1, 0, AvailabilityProfile.Buckets - 1);
            var rate = _expected[bucket + 1] - _expected[bucket];
            var hours = bucket + (rate > 0 ? (target - _expected[bucket]) / rate : 0);
            return now + Math.Max(0, weeks * Week + hours * Hour - at);
        }
    }
}
