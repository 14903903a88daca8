using System.Diagnostics;
using FogCompute.Application.Scheduler;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Testing;

namespace FogCompute.Infrastructure.IntegrationTests.Scheduler;

/// <summary>The window of the queue follows the rule of the domain, and stays quick on a long queue.</summary>
[TestFixture]
public sealed class ServiceOrderSqlTests
{
    [Test]
    public async Task The_window_is_in_the_order_of_the_domain_rule([Range(1, 4)] int seed)
    {
        await using var world = await QueueWorld.CreateAsync(time: new ManualTimeProvider());
        var random = new Random(seed);
        var accounts = new List<AccountId>();
        for (var i = 0; i < 4; i++)
            accounts.Add(await world.AccountAsync());
        await world.DevicesAsync(accounts[0], 1, 1000);
        for (var i = 0; i < 40; i++)
        {
            var job = await world.SubmitAsync(accounts[random.Next(4)], 3, priority: random.Next(48, 52));
            await world.ExecuteAsync(
                $"""
                UPDATE scheduler.jobs SET submitted_at = submitted_at - {random.Next(0, 1800)} * interval '1 second' - {(random.Next(6) == 0 ? 1 : 0)} * interval '1 day',
                    deadline = {(random.Next(3) == 0 ? $"'{world.Now:O}'::timestamptz + {random.Next(900, 90_000)} * interval '1 second'" : "NULL")},
                    tasks_succeeded = {(random.Next(4) == 0 ? 3 : 0)}, run_ms = {random.Next(1, 1_000_000)} WHERE id = '{job.JobId}';
                UPDATE scheduler.tasks SET state = 'Leased', open_slots = 0, epoch = 1 WHERE job_id = '{job.JobId}' AND index < {random.Next(0, 3)};
                """);
        }
        await world.ExecuteAsync(
            $"""
            INSERT INTO scheduler.attempts (id, job_id, task_index, device_id, replica, epoch, state, leased_at, expires_at, wall_ms, cpu_ms, log_bytes)
            SELECT gen_random_uuid(), job_id, index, 'd0', 0, 1, 'Leased', eligible_at, eligible_at + interval '1 hour', 0, 0, 0 FROM scheduler.tasks WHERE state = 'Leased';
            """);
        foreach (var account in accounts.Take(3))
            await world.ExecuteAsync($"INSERT INTO scheduler.lines SELECT '{account.Value}', p, '{world.Now:O}'::timestamptz - {random.Next(0, 1500)} * interval '1 second' FROM generate_series(48, 50) AS p");

        var window = await world.WithQueueAsync((queue, cancel) => queue.OpenJobsAsync(0, 256, world.Now, cancel));
        Assert.That(window, Has.Count.EqualTo(40));
        var expected = ServiceOrder.Turns(window.OrderBy(_ => random.Next()).Select(w => w.Standing with { Tasks = [new WaitingTask(new TaskKey(w.Job.Id, 0), 1, false)] }).ToList(), null, world.Now);
        Assert.That(window.Select(w => w.Job.Id), Is.EqualTo(expected.Select(t => t.Task.Job)));
        Assert.That(window.Select(w => w.Standing.AccountLeased).Distinct().Count(), Is.GreaterThan(1), "the accounts hold different numbers of leases");

        // Pages are parts of the same order, and why counts in it.
        var second = await world.WithQueueAsync((queue, cancel) => queue.OpenJobsAsync(10, 5, world.Now, cancel));
        Assert.That(second.Select(w => w.Job.Id), Is.EqualTo(window.Skip(10).Take(5).Select(w => w.Job.Id)));
        var why = await world.WhyAsync(window[11].Job.Id.Value);
        Assert.That(why.QueuePosition, Is.EqualTo(12));
        Assert.That(why.Ahead.Select(a => a.JobId), Is.EqualTo(window.Take(10).Select(w => w.Job.Id.Value)));
        var first = await world.WhyAsync(window[0].Job.Id.Value);
        Assert.That(first.QueuePosition, Is.EqualTo(1));
        Assert.That(first.Ahead, Is.Empty);
    }

    [Test]
    public async Task A_pass_over_a_hundred_thousand_queued_tasks_of_ten_thousand_jobs_is_quick_and_no_account_fills_it()
    {
        await using var world = await QueueWorld.CreateAsync();
        await world.ExecuteAsync(await File.ReadAllTextAsync(Repository.Path("tests", "Infrastructure.IntegrationTests", "Scheduler", "BigQueue.sql")));
        await world.ExecuteAsync("ANALYZE");
        var hog = new AccountId(Guid.Parse("00000000-0000-0000-0000-000000000001"));
        // The one with 8 000 jobs holds nothing, so that it is as entitled as the others; and it is older.
        await world.ExecuteAsync("UPDATE scheduler.attempts SET state = 'Cancelled' WHERE state = 'Running'");

        var window = await world.WithQueueAsync((queue, cancel) => queue.OpenJobsAsync(0, 256, world.Now, cancel));
        Assert.That(window, Has.Count.EqualTo(256));
        Assert.That(window.Count(w => w.Job.AccountId == hog), Is.InRange(1, 128));
        Assert.That(window.Select(w => w.Job.AccountId).Distinct().Count(), Is.GreaterThan(20), "the others are in it");

        var times = new List<double>();
        for (var i = 0; i < 5; i++)
        {
            var started = Stopwatch.GetTimestamp();
            await world.WithQueueAsync((queue, cancel) => queue.OpenJobsAsync(0, 256, world.Now, cancel));
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        var passes = new List<double>();
        for (var i = 0; i < 3; i++)
        {
            var started = Stopwatch.GetTimestamp();
            var pass = await world.PassAsync();
            passes.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            Assert.That(pass.Placed, Is.EqualTo(SchedulerOptions.PassSize));
        }
        await TestContext.Out.WriteLineAsync($"window: {string.Join(", ", times.Select(t => $"{t:0}"))} ms; whole passes of 512: {string.Join(", ", passes.Select(t => $"{t:0}"))} ms");
        Assert.That(times.Min(), Is.LessThan(1000), "tens of milliseconds on an idle machine");
        var shares = await world.QueryAsync(
            "SELECT j.account_id, count(*)::int FROM scheduler.attempts a JOIN scheduler.jobs j ON j.id = a.job_id WHERE a.state = 'Leased' GROUP BY 1",
            r => (Account: new AccountId(r.GetGuid(0)), Count: r.GetInt32(1)));
        Assert.That(shares.Sum(s => s.Count), Is.EqualTo(3 * 512));
        Assert.That(shares.Single(s => s.Account == hog).Count, Is.LessThan(3 * 512 / 2), "four fifths of the queue are its, but it gets a part as others do");
    }
}
