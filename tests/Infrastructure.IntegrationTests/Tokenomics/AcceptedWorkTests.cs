using FogCompute.Application.Scheduler;
using FogCompute.Application.Tokenomics;
using FogCompute.Infrastructure.IntegrationTests.Scheduler;

namespace FogCompute.Infrastructure.IntegrationTests.Tokenomics;

/// <summary>From a device's report to the line of a statement, and from the end of a job's life to the end of its hold, through the real scheduler.</summary>
public sealed class AcceptedWorkTests
{
    [Test]
    public async Task A_payment_says_what_was_measured_on_which_device()
    {
        await using var world = await QueueWorld.CreateAsync();
        var (requester, provider) = (await world.AccountAsync(), await world.AccountAsync());
        await world.DevicesAsync(provider, 3, 4);
        await world.ExecuteAsync("UPDATE idle_compute.devices SET benchmark_score = 7e8 + ascii(right(id, 1))");
        var job = await world.SubmitAsync(requester, 2, tier: Domain.Scheduler.SlaTier.Silver, cores: 1.5);
        await world.PassAsync();
        await world.ReportAsync(await world.LeasesAsync(job.JobId), wallMs: 8_765);

        var lines = (await world.SendAsync(new GetStatementQuery(), provider)).Lines.Where(l => l.Kind == "settlement").ToList();
        Assert.That(lines, Has.Count.EqualTo(2));
        foreach (var line in lines)
        {
            var cause = line.Cause!;
            Assert.That((cause.JobId, cause.Tier, cause.Multiplier, cause.Cores, cause.Seconds, cause.Verification, cause.FormulaVersion),
                Is.EqualTo(((Guid?)job.JobId, "silver", (decimal?)2.5m, (decimal?)1.5m, (decimal?)8.765m, "2 of 2 agreed", (long?)0)));
            Assert.That(cause.Replicas!.Select(r => (r.DeviceScore, r.Seconds)), Is.EquivalentTo(cause.Replicas!.Select(r => ((double?)(7e8 + r.DeviceId[^1]), (decimal?)8.765m))));
            var cost = Math.Ceiling((cause.Cores!.Value * cause.CoreHour!.Value + cause.MemoryGib!.Value * cause.GibHour!.Value) * 1_000_000m * cause.Multiplier!.Value * cause.Seconds!.Value / 3_600m);
            Assert.That(Math.Min(cost, cause.Cap!.Value * 1_000_000m), Is.EqualTo(cause.Cost * 1_000_000m));
            Assert.That(line.Amount * 1_000_000m, Is.EqualTo(Math.Floor(Math.Floor(cause.Cost!.Value * 1_000_000m * cause.ProviderShare!.Value) / 2) * 2));
        }
    }

    [Test]
    public async Task A_started_job_without_a_deadline_ends_and_gives_back_its_hold()
    {
        await using var world = await QueueWorld.CreateAsync();
        var requester = await world.AccountAsync();
        await world.DevicesAsync(requester, 1, 1);
        var job = await world.SubmitAsync(requester, 2);
        await world.PassAsync();
        Assert.That((await world.JobAsync(job.JobId)).Status, Is.EqualTo("running"));
        // The queue clock of seven days and thirty more, less a minute.
        await world.ExecuteAsync("UPDATE scheduler.jobs SET submitted_at = submitted_at - interval '37 days' + interval '1 minute'");
        await world.SendAsync(new ExpireJobsCommand());
        Assert.That((await world.JobAsync(job.JobId)).Status, Is.EqualTo("running"));
        await world.ExecuteAsync("UPDATE scheduler.jobs SET submitted_at = submitted_at - interval '1 minute'");
        await world.SendAsync(new ExpireJobsCommand());
        Assert.That((await world.JobAsync(job.JobId)).Reason, Is.EqualTo("lifetime_passed"));
        await world.AssertSettledAsync(job.JobId);
        Assert.That(await world.SendAsync(new GetBalanceQuery(), requester), Has.Property("Held").Zero.And.Property("Balance").EqualTo(100m));
    }
}
