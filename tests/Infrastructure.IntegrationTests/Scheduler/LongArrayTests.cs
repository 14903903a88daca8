using System.Diagnostics;
using FogCompute.Application.Scheduler;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;

namespace FogCompute.Infrastructure.IntegrationTests.Scheduler;

/// <summary>Arrays whose rows are written in chunks: nothing is lost, doubled or miscounted on the way.</summary>
[TestFixture]
public sealed class LongArrayTests
{
    [Test]
    public async Task A_submit_of_a_million_tasks_answers_quickly_and_one_without_funds_writes_nothing()
    {
        await using var world = await QueueWorld.CreateAsync();
        var account = await world.AccountAsync();
        await world.SubmitAsync(account, 1);
        var started = Stopwatch.GetTimestamp();
        var job = await world.SubmitAsync(account, 1_000_000);
        var took = Stopwatch.GetElapsedTime(started);
        Assert.That(await RowsAsync(world, job.JobId), Is.EqualTo((Job.Chunk, 0, Job.Chunk - 1)));
        var detail = await world.JobAsync(job.JobId);
        Assert.That(detail.Tasks, Is.EqualTo(new TaskCounts(1_000_000, 0, 1_000_000, 0, 0, 0, 0, 0, 0)));
        Assert.That((await world.SendAsync(new GetSchedulerStatsQuery())).QueueLength, Is.EqualTo(1_000_001));

        var size = await world.ScalarAsync<long>("SELECT pg_relation_size('scheduler.tasks')");
        started = Stopwatch.GetTimestamp();
        var refusal = Assert.ThrowsAsync<FogException>(() => world.SubmitAsync(account, 1_000_000, cores: 1000))!;
        var refused = Stopwatch.GetElapsedTime(started);
        Assert.That(refusal.Error.Code, Is.EqualTo("tokenomics.insufficient_funds"));
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM scheduler.jobs"), Is.EqualTo(2));
        Assert.That(await world.ScalarAsync<long>("SELECT pg_relation_size('scheduler.tasks')"), Is.EqualTo(size), "no row is written before the hold is placed, not even one that is taken back");
        await TestContext.Out.WriteLineAsync($"submit of 1 000 000 tasks: {took.TotalMilliseconds:0} ms; refused for want of credits: {refused.TotalMilliseconds:0} ms");
        Assert.That(took, Is.LessThan(TimeSpan.FromSeconds(20)), "well under a second on an idle machine; writing a million rows takes longer than this anywhere");
    }

    [Test]
    public async Task Twenty_five_thousand_tasks_run_through_in_chunks_and_settle_to_the_last()
    {
        const int Tasks = 25_000;
        await using var world = await QueueWorld.CreateAsync();
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 8, 128);
        var job = await world.SubmitAsync(account, Tasks);
        var started = Stopwatch.GetTimestamp();
        var (most, looked) = (0, 0);
        while ((await world.JobAsync(job.JobId)) is { Status: not "completed" } detail)
        {
            Assert.That(detail.Tasks.Total, Is.EqualTo(Tasks));
            Assert.That(detail.Tasks.Ready + detail.Tasks.Leased + detail.Tasks.Succeeded, Is.EqualTo(Tasks), "whatever is written");
            await world.PassAsync();
            await world.WriteTasksAsync();
            if (++looked % 10 == 0)
                most = Math.Max(most, await world.ScalarAsync<int>("SELECT count(*)::int FROM scheduler.tasks WHERE job_id = $1 AND open_slots > 0", job.JobId));
            var leases = await world.LeasesAsync(job.JobId);
            Assert.That(leases, Is.Not.Empty, "work never stops for want of rows");
            await world.ReportAsync(leases);
            Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(TimeSpan.FromMinutes(8)));
        }
        await TestContext.Out.WriteLineAsync($"{Tasks} tasks in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s, at most {most} open rows seen");
        Assert.That(most, Is.InRange(1, Job.Chunk + SchedulerOptions.LowWater));
        Assert.That(await RowsAsync(world, job.JobId), Is.EqualTo((Tasks, 0, Tasks - 1)));
        Assert.That((await world.JobAsync(job.JobId)).Tasks.Succeeded, Is.EqualTo(Tasks));
        await world.AssertSettledAsync(job.JobId);
    }

    [Test]
    public async Task Cancelled_in_the_middle_its_unwritten_tasks_are_cancelled_with_the_rest()
    {
        await using var world = await QueueWorld.CreateAsync();
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 2, 50);
        var job = await world.SubmitAsync(account, 50_000);
        await world.PassAsync();
        var leases = await world.LeasesAsync(job.JobId);
        await world.ReportAsync(leases.Take(40));
        var list = await world.SendAsync(new ListTasksQuery { JobId = job.JobId, Cursor = 9_990, Limit = 100 });
        Assert.That((list.Tasks.Count, list.Next, list.Unlisted), Is.EqualTo((10, (int?)null, 40_000)));

        await world.SendAsync(new CancelJobCommand(job.JobId));
        var detail = await world.JobAsync(job.JobId);
        Assert.That(detail.Status, Is.EqualTo("cancelled"));
        Assert.That(detail.Tasks, Is.EqualTo(new TaskCounts(50_000, 0, 0, 0, 0, 0, 40, 0, 49_960)));
        await world.AssertSettledAsync(job.JobId);
        await world.WriteTasksAsync();
        await world.PassAsync();
        Assert.That(await RowsAsync(world, job.JobId), Is.EqualTo((Job.Chunk, 0, Job.Chunk - 1)), "nothing is written for an ended job");
        Assert.That(await world.LeasesAsync(job.JobId), Is.Empty);
    }

    [Test]
    public async Task Expiry_and_a_failed_dependency_cancel_what_is_not_written()
    {
        await using var world = await QueueWorld.CreateAsync();
        var account = await world.AccountAsync();
        var first = await world.SubmitAsync(account, 20_000);
        var dependent = await world.SubmitAsync(account, 30_000, after: [first.JobId]);
        Assert.That((await world.JobAsync(dependent.JobId)).Tasks, Is.EqualTo(new TaskCounts(30_000, 30_000, 0, 0, 0, 0, 0, 0, 0)));
        await world.ExecuteAsync("UPDATE scheduler.jobs SET submitted_at = submitted_at - interval '30 days'");
        await world.SendAsync(new ExpireJobsCommand());
        var (expired, failed) = (await world.JobAsync(first.JobId), await world.JobAsync(dependent.JobId));
        Assert.Multiple(() =>
        {
            Assert.That((expired.Reason, expired.Tasks.Cancelled), Is.EqualTo(("queue_timeout", 20_000)));
            Assert.That(failed.Tasks.Cancelled, Is.EqualTo(30_000));
            Assert.That(failed.Reason, Is.AnyOf("dependency_failed", "queue_timeout"));
        });
        await world.AssertSettledAsync(first.JobId);
        await world.AssertSettledAsync(dependent.JobId);
    }

    [Test]
    public async Task A_long_array_is_released_by_what_it_waits_for()
    {
        await using var world = await QueueWorld.CreateAsync();
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 2, 16);
        var first = await world.SubmitAsync(account, 1);
        var array = await world.SubmitAsync(account, 25_000, tier: SlaTier.Silver, after: [first.JobId]);
        await world.WriteTasksAsync();
        Assert.That(await RowsAsync(world, array.JobId), Is.EqualTo((Job.Chunk, 0, Job.Chunk - 1)), "while it waits nothing more is written");
        await world.PassAsync();
        await world.ReportAsync(await world.LeasesAsync(first.JobId));
        Assert.That((await world.JobAsync(array.JobId)).Tasks.Ready, Is.EqualTo(25_000));

        // What is written later is as ready as what was released, with the tier's replicas.
        await world.ExecuteAsync($"UPDATE scheduler.tasks SET eligible_at = 'infinity', open_slots = 0 WHERE job_id = '{array.JobId}' AND index < 9999");
        await world.WriteTasksAsync();
        Assert.That(await RowsAsync(world, array.JobId), Is.EqualTo((2 * Job.Chunk, 0, 2 * Job.Chunk - 1)));
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM scheduler.tasks WHERE job_id = $1 AND state = 'Ready' AND open_slots = 2 AND index >= 9999", array.JobId), Is.EqualTo(Job.Chunk + 1));
        await world.PassAsync();
        Assert.That((await world.LeasesAsync(array.JobId)).Select(l => l.Task).Min(), Is.EqualTo(9999));
    }

    [Test]
    public async Task Writers_that_meet_each_other_a_rollback_and_a_cancel_lose_and_double_nothing()
    {
        await using var world = await QueueWorld.CreateAsync();
        var account = await world.AccountAsync();
        var job = await world.SubmitAsync(account, 1_000_000);

        // Rolled back between the rows and the commit, as by a crash: neither the rows nor the counter have moved.
        Assert.ThrowsAsync<TimeoutException>(() => world.WithQueueAsync<int>(async (queue, cancel) =>
        {
            var (written, _) = await queue.WriteNextTasksAsync(int.MaxValue, world.Now, cancel);
            Assert.That(written, Is.EqualTo(Job.Chunk));
            throw new TimeoutException("crash");
        }));
        Assert.That(await RowsAsync(world, job.JobId), Is.EqualTo((Job.Chunk, 0, Job.Chunk - 1)));

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => world.WithQueueAsync((queue, cancel) => queue.WriteNextTasksAsync(int.MaxValue, world.Now, cancel))));
        var (rows, least, greatest) = await RowsAsync(world, job.JobId);
        Assert.That((least, greatest), Is.EqualTo((0, rows - 1)), "no hole, no double");
        Assert.That(rows, Is.GreaterThanOrEqualTo(2 * Job.Chunk));

        var writing = Task.WhenAll(Enumerable.Range(0, 3).Select(_ => world.WithQueueAsync((queue, cancel) => queue.WriteNextTasksAsync(int.MaxValue, world.Now, cancel))));
        await world.SendAsync(new CancelJobCommand(job.JobId));
        await writing;
        var detail = await world.JobAsync(job.JobId);
        Assert.That(detail.Tasks.Cancelled, Is.EqualTo(1_000_000));
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM scheduler.tasks WHERE job_id = $1 AND state <> 'Cancelled'", job.JobId), Is.Zero, "no row was written behind the cancel's back");
        await world.AssertSettledAsync(job.JobId);
    }

    /// <summary>Rows and their least and greatest index; the job's counter says the same.</summary>
    private static async Task<(int Rows, int Least, int Greatest)> RowsAsync(QueueWorld world, Guid job)
    {
        var (rows, least, greatest, counted) = (await world.QueryAsync(
            "SELECT count(*)::int, min(index), max(index), (SELECT materialised FROM scheduler.jobs WHERE id = $1) FROM scheduler.tasks WHERE job_id = $1",
            r => (r.GetInt32(0), r.GetInt32(1), r.GetInt32(2), r.GetInt32(3)), job)).Single();
        Assert.That(counted, Is.EqualTo(rows));
        return (rows, least, greatest);
    }
}
