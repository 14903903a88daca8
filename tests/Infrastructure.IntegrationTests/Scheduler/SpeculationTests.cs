using FogCompute.Application.Scheduler;
using FogCompute.Testing;

namespace FogCompute.Infrastructure.IntegrationTests.Scheduler;

/// <summary>The last task of an array gets a copy when it runs long; the requester pays once.</summary>
[TestFixture]
public sealed class SpeculationTests
{
    [Test]
    public async Task The_last_task_is_copied_once_the_first_result_counts_and_is_paid_once()
    {
        var time = new ManualTimeProvider();
        await using var world = await QueueWorld.CreateAsync(time: time);
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 3, 2);
        var job = await world.SubmitAsync(account, 6);
        await world.PassAsync();
        var leases = await world.LeasesAsync(job.JobId);
        Assert.That(leases, Has.Count.EqualTo(6));
        var slow = leases[0];

        await world.ReportAsync(leases.Skip(2), wallMs: 3_000);
        time.Advance(TimeSpan.FromSeconds(30));
        await world.SpeculateAsync();
        Assert.That(await OpenAsync(world), Is.Zero, "two thirds have ended, not three quarters");

        await world.ReportAsync([leases[1]], wallMs: 3_000);
        await world.SpeculateAsync();
        await world.SpeculateAsync();
        Assert.That(await OpenAsync(world), Is.EqualTo(1), "one copy");
        await world.PassAsync();
        await world.SpeculateAsync();
        var copy = (await world.LeasesAsync(job.JobId)).Single(l => l.Attempt != slow.Attempt);
        Assert.That((copy.Task, copy.Device == slow.Device), Is.EqualTo((slow.Task, false)));
        Assert.That(await OpenAsync(world), Is.Zero);
        var why = await world.WhyAsync(job.JobId);
        Assert.That(why.Reasons.Select(r => (r.Code, r.Count)), Is.EqualTo(new[] { ("running", (int?)null), ("speculative_copy", 1) }));
        var copied = (await world.SendAsync(new ListTasksQuery { JobId = job.JobId })).Tasks.Where(t => t.Copied).Select(t => t.Index);
        Assert.That(copied, Is.EqualTo(new[] { slow.Task }));

        await world.ReportAsync([copy], wallMs: 3_000);
        var detail = await world.JobAsync(job.JobId);
        Assert.That(detail.Status, Is.EqualTo("completed"));
        Assert.That(detail.Attempts.Single(a => a.Id == slow.Attempt), Has.Property("State").EqualTo("cancelled").And.Property("Reason").EqualTo("not_needed"));
        await world.AssertSettledAsync(job.JobId);
        var each = await world.QueryAsync("SELECT cost_micro FROM scheduler.tasks WHERE job_id = $1", r => r.GetInt64(0), job.JobId);
        Assert.That(each.Distinct().Count(), Is.EqualTo(1), "the copied task costs what the others cost");
    }

    [TestCase(20, 3_000, 1, TestName = "Slow_and_another_device_is_free")]
    [TestCase(20, 12_000, 0, TestName = "Not_yet_twice_the_median")]
    [TestCase(4, 100, 0, TestName = "Younger_than_five_seconds")]
    public async Task Copied(int ranSeconds, int medianMs, int expected)
    {
        var time = new ManualTimeProvider();
        await using var world = await QueueWorld.CreateAsync(time: time);
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 2, 2);
        var job = await world.SubmitAsync(account, 4);
        await world.PassAsync();
        await world.ReportAsync((await world.LeasesAsync(job.JobId)).Skip(1), wallMs: medianMs);
        time.Advance(TimeSpan.FromSeconds(ranSeconds));
        await world.SpeculateAsync();
        Assert.That(await OpenAsync(world), Is.EqualTo(expected));
    }

    [Test]
    public async Task No_copy_that_no_other_device_could_take_and_none_of_small_arrays()
    {
        var time = new ManualTimeProvider();
        await using var world = await QueueWorld.CreateAsync(time: time);
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 1, 8);
        var (array, pair) = (await world.SubmitAsync(account, 4), await world.SubmitAsync(account, 3));
        await world.PassAsync();
        await world.ReportAsync((await world.LeasesAsync(array.JobId)).Skip(1));
        await world.ReportAsync((await world.LeasesAsync(pair.JobId)).Skip(1));
        time.Advance(TimeSpan.FromMinutes(2));
        await world.SpeculateAsync();
        Assert.That(await OpenAsync(world), Is.Zero);
    }

    private static Task<int> OpenAsync(QueueWorld world) => world.ScalarAsync<int>("SELECT coalesce(sum(open_slots), 0)::int FROM scheduler.tasks");
}
