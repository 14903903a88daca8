using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Domain.UnitTests.Scheduler;

/// <summary>Who is served first, and that everybody is.</summary>
public sealed class ServiceOrderTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly AccountId Anna = AccountOf(1);
    private static readonly AccountId Bert = AccountOf(2);

    [Test]
    public void Higher_priority_goes_first_however_much_its_account_holds()
    {
        var low = Job(Anna, 10, age: 4, tasks: 2);
        var high = Job(Bert, 90, age: 0, tasks: 2) with { Leased = 50, AccountLeased = 50 };
        Assert.That(Served(low, high), Is.EqualTo(new[] { high.Id, high.Id, low.Id, low.Id }));
    }

    [Test]
    public void Five_minutes_of_waiting_are_worth_one_point_and_one_turn_takes_the_gain_away()
    {
        var aged = Job(Anna, 50, age: 15, tasks: 3);
        var fresh = Job(Bert, 52, age: 0, tasks: 2);
        Assert.That(Served(aged, fresh), Is.EqualTo(new[] { aged.Id, fresh.Id, fresh.Id, aged.Id, aged.Id }));
    }

    [TestCase(0, 0, ExpectedResult = 50)]
    [TestCase(4.99, 4.99, ExpectedResult = 50)]
    [TestCase(5, 5, ExpectedResult = 51)]
    [TestCase(60 * 24, 60 * 24, ExpectedResult = 50 + 288)]
    [TestCase(60, 7, ExpectedResult = 51)]
    [TestCase(7, 60, ExpectedResult = 51)]
    [TestCase(-5, -5, ExpectedResult = 50)]
    public int A_line_waits_since_its_oldest_job_or_its_last_turn(double oldestMinutes, double servedMinutes) =>
        ServiceOrder.Level(50, Now.AddMinutes(-oldestMinutes), Now.AddMinutes(-servedMinutes), Now);

    [Test]
    public void Among_equals_the_account_that_holds_least_goes_first_until_it_holds_as_much()
    {
        var anna = Job(Anna, 50, age: 4, tasks: 4) with { Leased = 3, AccountLeased = 3 };
        var bert = Job(Bert, 50, age: 0, tasks: 5);
        Assert.That(Served(anna, bert), Is.EqualTo(new[] { bert.Id, bert.Id, bert.Id, anna.Id, bert.Id, anna.Id, bert.Id, anna.Id, anna.Id }));
    }

    [Test]
    public void Accounts_that_hold_the_same_take_turns_by_when_they_were_served_last()
    {
        var anna = Job(Anna, 50, age: 4, tasks: 1) with { AccountServedAt = Now.AddSeconds(-1) };
        var bert = Job(Bert, 50, age: 0, tasks: 1) with { AccountServedAt = Now.AddSeconds(-2) };
        Assert.That(Served(anna, bert), Is.EqualTo(new[] { bert.Id, anna.Id }));
    }

    [Test]
    public void Arrays_of_an_account_take_turns_oldest_first_each_in_order_of_index()
    {
        var (older, younger) = (Job(Anna, 50, age: 2, tasks: 3), Job(Anna, 50, age: 1, tasks: 3));
        Assert.That(ServiceOrder.Turns([younger, older], null, Now).Select(t => t.Task), Is.EqualTo(new[]
        {
            new TaskKey(older.Id, 0), new(younger.Id, 0), new(older.Id, 1), new(younger.Id, 1), new(older.Id, 2), new(younger.Id, 2),
        }));
    }

    [Test]
    public void A_deadline_goes_by_its_latest_start_before_jobs_of_the_line_that_have_none()
    {
        var (older, later, sooner) = (Job(Anna, 50, age: 3, tasks: 2), Job(Anna, 50, age: 2, tasks: 1) with { LatestStart = Now.AddHours(2) },
            Job(Anna, 50, age: 1, tasks: 2) with { LatestStart = Now.AddHours(1) });
        Assert.That(Served(older, later, sooner), Is.EqualTo(new[] { sooner.Id, sooner.Id, later.Id, older.Id, older.Id }));
        var urgent = Job(Bert, 49, age: 0, tasks: 1) with { LatestStart = Now };
        Assert.That(Served(older, urgent)[^1], Is.EqualTo(urgent.Id), "a deadline is no priority");
    }

    [Test]
    public void A_job_without_deadline_that_has_waited_a_day_goes_before_deadlines_of_today()
    {
        var patient = Job(Anna, 50, age: 24 * 60 + 5, tasks: 1);
        var due = Job(Anna, 50, age: 1, tasks: 1) with { LatestStart = Now };
        var overdue = Job(Anna, 50, age: 1, tasks: 1) with { LatestStart = Now.AddMinutes(-10) };
        Assert.That(Served(due, patient, overdue), Is.EqualTo(new[] { overdue.Id, patient.Id, due.Id }));
    }

    [Test]
    public void A_limited_array_gets_no_more_than_its_room_but_tasks_that_are_half_out_need_none()
    {
        var job = Job(Anna, 50, age: 0, tasks: 6) with { MaxConcurrent = 4, TasksLeased = 2, Leased = 2 };
        job = job with { Tasks = [.. job.Tasks.Select(t => t with { Leased = t.Key.Index is 4 or 5 })] };
        Assert.That(ServiceOrder.Turns([job], null, Now).Select(t => t.Task.Index), Is.EqualTo(new[] { 4, 5, 0, 1 }));
        Assert.That(ServiceOrder.Turns([job with { TasksLeased = 4 }], null, Now).Select(t => t.Task.Index), Is.EqualTo(new[] { 4, 5 }));
    }

    [Test]
    public void An_account_gets_no_more_replicas_than_its_limit_over_all_its_jobs()
    {
        var (first, second) = (Job(Anna, 50, age: 2, tasks: 3, slots: 3), Job(Anna, 60, age: 0, tasks: 1, slots: 2));
        var jobs = new[] { first, second }.Select(j => j with { AccountLeased = 4 });
        var turns = ServiceOrder.Turns(jobs, 10, Now).ToList();
        Assert.That(turns, Is.EqualTo(new Turn[] { new(new(second.Id, 0), 2), new(new(first.Id, 0), 3), new(new(first.Id, 1), 1) }));
        Assert.That(ServiceOrder.Turns(jobs, 4, Now), Is.Empty);
    }

    [Test]
    public void Two_accounts_with_unequal_queues_get_equal_shares([Values(1, 2, 7, 16)] int slots, [Values(true, false)] bool backlogIsOld)
    {
        var pool = new Simulation(slots, seed: 5);
        for (var i = 0; i < 3000; i++)
            pool.Submit(Anna, 50, backlogIsOld ? Now.AddHours(-10).AddSeconds(i) : Now);
        for (var i = 0; i < 400; i++)
            pool.Submit(Bert, 50, Now);
        pool.Run(steps: 600 / slots, arrivals: _ => { });
        var (anna, bert) = (pool.Served.GetValueOrDefault(Anna), pool.Served.GetValueOrDefault(Bert));
        Assert.That(anna + bert, Is.GreaterThanOrEqualTo(150), "the pool worked");
        Assert.That((double)bert / (anna + bert), Is.EqualTo(0.5).Within(0.1), $"{anna} and {bert}");
    }

    [Test]
    public void A_low_priority_job_is_served_in_bounded_time_under_endless_high_priority_work([Range(1, 3)] int seed, [Values(true, false)] bool sameAccount)
    {
        var random = new Random(seed);
        var pool = new Simulation(slots: 3, seed);
        var low = pool.Submit(sameAccount ? Anna : Bert, 10, Now);
        var last = pool.Submit(sameAccount ? Anna : Bert, 10, Now);
        for (var i = 0; i < 10; i++)
            pool.Submit(Anna, 90, Now);
        // More than three slots can do, for ever, in random order and priority.
        pool.Run(steps: 1000, arrivals: p =>
        {
            for (var i = random.Next(0, 5); i > 0; i--)
                p.Submit(random.Next(2) == 0 ? Anna : AccountOf(random.Next(3, 6)), random.Next(80, 91), p.Now);
        });
        // From 10 to 90 are 80 points of 5 minutes; the 44 lines above it rise too while they wait for each other, by some points. The second of the line waits as long again.
        const int Bound = 90 * 5;
        Assert.That(pool.StartedAt.GetValueOrDefault(low, DateTimeOffset.MaxValue), Is.LessThanOrEqualTo(Now.AddMinutes(Bound)));
        Assert.That(pool.StartedAt.GetValueOrDefault(last, DateTimeOffset.MaxValue), Is.LessThanOrEqualTo(Now.AddMinutes(2 * Bound)));
        Assert.That(pool.StartedAt[low], Is.GreaterThan(Now.AddMinutes(60 * 5)), $"priority counts: it waited for those above it");
    }

    private static AccountId AccountOf(int number) => new(new Guid(number, 0, 0, new byte[8]));

    private static int _jobs;

    private static WaitingJob Job(AccountId account, int priority, double age, int tasks, int slots = 1)
    {
        var id = new JobId(new Guid(++_jobs, 0, 0, new byte[8]));
        return new WaitingJob
        {
            Id = id, Account = account, Priority = priority, SubmittedAt = Now.AddMinutes(-age),
            Tasks = [.. Enumerable.Range(0, tasks).Select(i => new WaitingTask(new TaskKey(id, i), slots, false))],
        };
    }

    private static JobId[] Served(params WaitingJob[] jobs) => [.. ServiceOrder.Turns(jobs, null, Now).Select(t => t.Task.Job)];

    /// <summary>A pool of slots in which single-task jobs run for 1 to 3 steps of a minute, given out as a placement pass does.</summary>
    private sealed class Simulation(int slots, int seed)
    {
        private readonly Random _random = new(seed);
        private readonly List<WaitingJob> _waiting = [];
        private readonly List<(WaitingJob Job, DateTimeOffset Ends)> _running = [];
        private readonly Dictionary<(AccountId, int), DateTimeOffset> _lines = [];

        public DateTimeOffset Now { get; private set; } = ServiceOrderTests.Now;
        public Dictionary<AccountId, int> Served { get; } = [];
        public Dictionary<JobId, DateTimeOffset> StartedAt { get; } = [];

        public JobId Submit(AccountId account, int priority, DateTimeOffset at)
        {
            var job = Job(account, priority, 0, 1) with { SubmittedAt = at };
            _waiting.Add(job);
            return job.Id;
        }

        public void Run(int steps, Action<Simulation> arrivals)
        {
            for (var step = 0; step < steps; step++, Now = Now.AddMinutes(1))
            {
                arrivals(this);
                _running.RemoveAll(r => r.Ends <= Now);
                var leased = _running.CountBy(r => r.Job.Account).ToDictionary();
                var served = _lines.GroupBy(l => l.Key.Item1).ToDictionary(g => g.Key, g => g.Max(l => l.Value));
                var jobs = _waiting.ToDictionary(j => j.Id);
                var standing = _waiting.Select(j => j with
                {
                    AccountLeased = leased.GetValueOrDefault(j.Account),
                    LineServedAt = _lines.TryGetValue((j.Account, j.Priority), out var at) ? at : null,
                    AccountServedAt = served.TryGetValue(j.Account, out var last) ? last : null,
                });
                foreach (var turn in ServiceOrder.Turns(standing.ToList(), null, Now).Take(slots - _running.Count).ToList())
                {
                    var job = jobs[turn.Task.Job];
                    _waiting.Remove(job);
                    _running.Add((job, Now.AddMinutes(_random.Next(1, 4))));
                    _lines[(job.Account, job.Priority)] = Now;
                    Served[job.Account] = Served.GetValueOrDefault(job.Account) + 1;
                    StartedAt[job.Id] = Now;
                }
            }
        }
    }
}
