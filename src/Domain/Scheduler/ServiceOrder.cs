using FogCompute.Domain.Identity;

namespace FogCompute.Domain.Scheduler;

/// <summary>A task with open slots.</summary>
/// <param name="Slots">Replicas that need a device, ≥ 1.</param>
/// <param name="Leased">Whether another replica of it is leased: then the task counts against its array's limit already.</param>
public readonly record struct WaitingTask(TaskKey Key, int Slots, bool Leased);

/// <summary>A job in the queue with what it and its account hold at this moment.</summary>
public sealed record WaitingJob
{
    public required JobId Id { get; init; }
    public required AccountId Account { get; init; }
    public required int Priority { get; init; }
    public required DateTimeOffset SubmittedAt { get; init; }

    /// <summary>When its next task must start at the latest to be done by the job's deadline, if it runs as long as expected; null: no deadline.</summary>
    public DateTimeOffset? LatestStart { get; init; }

    /// <summary>Replicas of the job that are leased.</summary>
    public int Leased { get; init; }

    /// <summary>Tasks of the job with at least one leased replica.</summary>
    public int TasksLeased { get; init; }

    /// <summary>Replicas leased to the account, over all its jobs.</summary>
    public int AccountLeased { get; init; }

    /// <summary>When the account's jobs of this priority last got a device; null: never.</summary>
    public DateTimeOffset? LineServedAt { get; init; }

    /// <summary>When any job of the account last got a device; null: never.</summary>
    public DateTimeOffset? AccountServedAt { get; init; }

    /// <summary>Most tasks of the job leased at once; null: any number.</summary>
    public int? MaxConcurrent { get; init; }
    public IReadOnlyList<WaitingTask> Tasks { get; init; } = [];
}

/// <summary>A task whose turn it is, and how many of its open slots may be filled now.</summary>
public readonly record struct Turn(TaskKey Task, int Slots);

/// <summary>
/// The order in which waiting tasks are served. An account's jobs of one priority form a line. The line with the highest level goes first; its level is
/// its priority plus one for every five minutes that it waits, counted from its oldest waiting job or from when it was last served, whichever is
/// later. Among lines of one level the account that holds the fewest leases goes first, then the one served longest ago, then the older job
/// (max-min fairness over slots). Within a line jobs with a deadline by their
/// latest start, among them those without one that have waited a day (by the end of that day), then the others: the job that holds the fewest leases, then the oldest. So nothing starves: a line that is not served rises
/// without bound, a turn takes it back to its priority, and the turns of an account's line go to its oldest jobs.
/// The window of the queue is picked by the same rule in SQL (Infrastructure/Scheduler/QueueOrder.cs); a test holds the two together.
/// </summary>
public static class ServiceOrder
{
    /// <summary>Waiting that is worth one point of priority.</summary>
    public static readonly TimeSpan Point = TimeSpan.FromMinutes(5);

    /// <summary>A job without deadline counts as due when it has waited this long.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromDays(1);

    /// <summary>What a job of a line is served by first: its latest start, or the end of its patience if that is over; null: neither.</summary>
    public static DateTimeOffset? Due(WaitingJob job, DateTimeOffset now) =>
        job.LatestStart ?? (job.SubmittedAt + Patience <= now ? job.SubmittedAt + Patience : null);

    /// <summary>Effective priority of a line: 0–100 and what it gained by waiting.</summary>
    public static int Level(int priority, DateTimeOffset oldest, DateTimeOffset? servedAt, DateTimeOffset now)
    {
        var since = servedAt > oldest ? servedAt.Value : oldest;
        return now <= since ? priority : priority + (int)Math.Min(1_000_000, (now - since).Ticks / Point.Ticks);
    }

    /// <summary>
    /// The turns, first served first, as far as the limits allow. Deterministic. O(lines) per turn, so take only as many as are needed.
    /// </summary>
    /// <param name="jobs">Jobs with at least one task each are looked at; ids are unique.</param>
    /// <param name="accountLimit">Most replicas leased to one account at once; null: any number.</param>
    public static IEnumerable<Turn> Turns(IEnumerable<WaitingJob> jobs, int? accountLimit, DateTimeOffset now)
    {
        var accounts = new Dictionary<AccountId, Account>();
        var lines = new Dictionary<(AccountId, int), Line>();
        foreach (var job in jobs.Where(j => j.Tasks.Count > 0))
        {
            if (!accounts.TryGetValue(job.Account, out var account))
                accounts[job.Account] = account = new Account(job, accountLimit);
            if (!lines.TryGetValue((job.Account, job.Priority), out var line))
                lines[(job.Account, job.Priority)] = line = new Line(account, job);
            line.Add(new Place(job, Due(job, now)));
        }
        var open = lines.Values.ToList();
        foreach (var line in open)
            line.Rise(now);
        while (true)
        {
            Line? best = null;
            for (var i = open.Count - 1; i >= 0; i--)
            {
                if (open[i].Account.Room <= 0 || !open[i].Ready())
                    open.RemoveAt(i);
                else if (best is null || open[i].Before(best))
                    best = open[i];
            }
            if (best is null)
                yield break;
            yield return best.Serve();
        }
    }

    private sealed class Account(WaitingJob job, int? limit)
    {
        public int Room { get; private set; } = limit is { } most ? most - job.AccountLeased : int.MaxValue;
        public int Leased { get; private set; } = job.AccountLeased;
        public long ServedAt { get; } = job.AccountServedAt?.Ticks ?? 0;

        public void Take(int slots)
        {
            Leased += slots;
            Room -= Room == int.MaxValue ? 0 : slots;
        }
    }

    private sealed class Line(Account account, WaitingJob any)
    {
        private readonly PriorityQueue<Place, (DateTimeOffset Due, int Leased, DateTimeOffset Submitted, Guid Id)> _places = new();
        private DateTimeOffset _oldest = any.SubmittedAt;
        private int _level;
        private int _turns;

        public Account Account => account;

        public void Add(Place place)
        {
            _oldest = place.Job.SubmittedAt < _oldest ? place.Job.SubmittedAt : _oldest;
            _places.Enqueue(place, place.Rank);
        }

        public void Rise(DateTimeOffset now) => _level = Level(any.Priority, _oldest, any.LineServedAt, now);

        /// <summary>Whether it has a task that may be served; drops jobs that have none left.</summary>
        public bool Ready()
        {
            while (_places.TryPeek(out var place, out _))
            {
                if (place.Next is not null)
                    return true;
                _places.Dequeue();
            }
            return false;
        }

        public bool Before(Line other)
        {
            if (_level != other._level)
                return _level > other._level;
            if (account.Leased != other.Account.Leased)
                return account.Leased < other.Account.Leased;
            if (account.ServedAt != other.Account.ServedAt)
                return account.ServedAt < other.Account.ServedAt;
            var (mine, theirs) = (_places.Peek().Job, other._places.Peek().Job);
            return (_turns, mine.SubmittedAt, mine.Id.Value).CompareTo((other._turns, theirs.SubmittedAt, theirs.Id.Value)) < 0;
        }

        public Turn Serve()
        {
            var place = _places.Dequeue();
            var turn = place.Take(account.Room);
            account.Take(turn.Slots);
            _level = any.Priority;
            _turns++;
            _places.Enqueue(place, place.Rank);
            return turn;
        }
    }

    private sealed class Place
    {
        // Tasks that are half out first: they cost their array no room.
        private readonly Queue<WaitingTask> _tasks;
        private int _leased;
        private int _room;

        private readonly DateTimeOffset _due;

        public Place(WaitingJob job, DateTimeOffset? due)
        {
            Job = job;
            _due = due ?? DateTimeOffset.MaxValue;
            _tasks = new(job.Tasks.OrderBy(t => !t.Leased).ThenBy(t => t.Key.Index));
            _leased = job.Leased;
            _room = (job.MaxConcurrent ?? int.MaxValue) - job.TasksLeased;
        }

        public WaitingJob Job { get; }
        public (DateTimeOffset, int, DateTimeOffset, Guid) Rank => (_due, _leased, Job.SubmittedAt, Job.Id.Value);
        public WaitingTask? Next => _tasks.TryPeek(out var task) && (task.Leased || _room > 0) ? task : null;

        public Turn Take(int most)
        {
            var task = _tasks.Dequeue();
            var slots = Math.Min(task.Slots, most);
            _room -= task.Leased ? 0 : 1;
            _leased += slots;
            return new Turn(task.Key, slots);
        }
    }
}
