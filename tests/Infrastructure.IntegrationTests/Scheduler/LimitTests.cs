using FogCompute.Application.Scheduler;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Infrastructure.IntegrationTests.Scheduler;

/// <summary>Limits of arrays and accounts hold exactly, pass after pass.</summary>
[TestFixture]
public sealed class LimitTests
{
    [Test]
    public async Task An_array_never_has_more_tasks_leased_than_it_allows()
    {
        await using var world = await QueueWorld.CreateAsync();
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 4, 16);
        var limited = await world.SubmitAsync(account, 20, maxConcurrent: 3);
        var free = await world.SubmitAsync(account, 10);
        await world.PassAsync();
        await world.PassAsync();
        var leases = await world.LeasesAsync(limited.JobId);
        Assert.That(leases, Has.Count.EqualTo(3));
        Assert.That(await world.LeasesAsync(free.JobId), Has.Count.EqualTo(10), "the other array has none");

        var why = await world.WhyAsync(limited.JobId);
        Assert.That(why.Reasons[0].Code, Is.EqualTo("array_limit"), why.Summary);
        Assert.That(why.Reasons[0].Count, Is.EqualTo(3));
        Assert.That(why.QueuePosition, Is.Null);

        await world.ReportAsync(leases.Take(2));
        await world.PassAsync();
        await world.PassAsync();
        Assert.That(await world.LeasesAsync(limited.JobId), Has.Count.EqualTo(3));
        for (var i = 0; i < 20 && await world.LeasesAsync(limited.JobId) is { Count: > 0 } now; i++)
        {
            Assert.That(now, Has.Count.LessThanOrEqualTo(3));
            await world.ReportAsync(now);
            await world.PassAsync();
        }
        Assert.That((await world.JobAsync(limited.JobId)).Status, Is.EqualTo("completed"));
        await world.AssertSettledAsync(limited.JobId);
    }

    [Test]
    public async Task A_limited_array_of_a_tier_with_replicas_counts_tasks_and_fills_up_those_that_are_half_out()
    {
        await using var world = await QueueWorld.CreateAsync();
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 2, 8);
        var job = await world.SubmitAsync(account, 6, maxConcurrent: 2, tier: SlaTier.Silver);
        await world.PassAsync();
        await world.PassAsync();
        var leases = await world.LeasesAsync(job.JobId);
        Assert.That(leases.Select(l => l.Task), Is.EqualTo(new[] { 0, 0, 1, 1 }), "two tasks, two replicas each");

        // One replica is lost: the task is still one of the two, and gets its second replica back although the array is at its limit.
        await world.ExecuteAsync($"UPDATE scheduler.attempts SET expires_at = now() - interval '1 second' WHERE id = '{leases[0].Attempt}'");
        await world.SendAsync(new ExpireLeasesCommand());
        await world.ExecuteAsync("UPDATE idle_compute.devices SET slots = slots + 1");
        Assert.That(await world.LeasesAsync(job.JobId), Has.Count.EqualTo(3));
        var window = await world.WithQueueAsync((queue, cancel) => queue.OpenJobsAsync(0, 10, world.Now, cancel));
        Assert.That(window.Select(w => (w.Job.Id.Value, w.Standing.TasksLeased)), Is.EqualTo(new[] { (job.JobId, 2) }));
    }

    [Test]
    public async Task An_account_never_holds_more_replicas_than_the_pool_allows()
    {
        await using var world = await QueueWorld.CreateAsync(new SchedulerOptions { AccountConcurrency = 5 });
        var (anna, bert) = (await world.AccountAsync(), await world.AccountAsync());
        await world.DevicesAsync(anna, 4, 16);
        var first = await world.SubmitAsync(anna, 4);
        var second = await world.SubmitAsync(anna, 4, priority: 90);
        var silver = await world.SubmitAsync(bert, 4, tier: SlaTier.Silver);
        for (var i = 0; i < 3; i++)
            await world.PassAsync();
        Assert.That(await world.LeasesAsync(second.JobId), Has.Count.EqualTo(4), "higher priority first");
        Assert.That(await world.LeasesAsync(first.JobId), Has.Count.EqualTo(1));
        Assert.That(await world.LeasesAsync(silver.JobId), Has.Count.EqualTo(5), "replicas count, each");
        var why = await world.WhyAsync(first.JobId);
        Assert.That(why.Reasons.Select(r => (r.Code, r.Count)), Does.Contain(("account_limit", (int?)5)), why.Summary);

        await world.ReportAsync((await world.LeasesAsync(second.JobId)).Take(3));
        for (var i = 0; i < 3; i++)
            await world.PassAsync();
        Assert.That((await world.LeasesAsync(first.JobId)).Count + (await world.LeasesAsync(second.JobId)).Count, Is.EqualTo(5));
    }

    [Test]
    public async Task Jobs_that_the_pool_cannot_run_do_not_keep_others_from_being_looked_at([Values(SlaTier.Bronze, SlaTier.Gold)] SlaTier tier)
    {
        await using var world = await QueueWorld.CreateAsync();
        var (anna, bert) = (await world.AccountAsync(), await world.AccountAsync());
        await world.DevicesAsync(anna, 1, 8);
        for (var i = 0; i < 300; i++)
            await world.SubmitAsync(i % 2 == 0 ? anna : bert, 1, priority: 90, tier: tier, cores: tier == SlaTier.Gold ? 0.01 : 500);
        var small = await world.SubmitAsync(bert, 2, priority: 1);
        await world.PassAsync();
        Assert.That(await world.LeasesAsync(small.JobId), Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Accounts_share_the_slots_whatever_the_length_of_their_queues([Values(1, 3, 8)] int slots)
    {
        await using var world = await QueueWorld.CreateAsync();
        var (anna, bert) = (await world.AccountAsync(), await world.AccountAsync());
        await world.DevicesAsync(anna, 1, slots);
        var jobs = new List<Guid>();
        for (var i = 0; i < 30; i++)
            jobs.Add((await world.SubmitAsync(anna, 20)).JobId);
        var one = await world.SubmitAsync(bert, 100);
        var served = (Anna: 0, Bert: 0);
        for (var i = 0; i < 40 / slots + 4; i++)
        {
            await world.PassAsync();
            var leases = await world.LeasesAsync();
            Assert.That(leases, Has.Count.EqualTo(slots), "no slot is idle");
            served = (served.Anna + leases.Count(l => l.Job != one.JobId), served.Bert + leases.Count(l => l.Job == one.JobId));
            await world.ReportAsync(leases);
        }
        Assert.That((double)served.Bert / (served.Anna + served.Bert), Is.EqualTo(0.5).Within(0.05), $"{served}");
    }
}
