using System.Diagnostics;
using FogCompute.EndToEnd.Tests.Harness;

namespace FogCompute.EndToEnd.Tests.OnePool;

/// <summary>Acceptance scenario 5: what cannot be had is waited for, by name, and never replaced by less.</summary>
[TestFixture]
internal sealed class TierTests : SharedPoolScenario
{
    [TestCase("memory", 1, 1024)]
    [TestCase("cpu", 4, 64)]
    public async Task A_gold_job_waits_for_the_dimension_the_pool_lacks_until_devices_come(string dimension, int cores, int memory)
    {
        var label = $"small-{dimension}";
        var small = await Pool.StartAgentsAsync(2, new AgentOptions { Label = label, Cpu = 2, MemoryMb = 512 });
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = label, SlaTier = "gold", CpuRequired = cores, MemoryRequired = memory, Payload = JobRequest.Noop, Constraints = Only(label) });
        // The devices work for others meanwhile, so a placement pass has looked at this job and left it.
        await Pool.CompletedAsync((await Pool.Client.SubmitAsync(new JobRequest { Name = "passes", Payload = JobRequest.Noop, Constraints = Only(label) })).JobId);

        var (why, waiting) = (await Pool.Client.WhyAsync(submitted.JobId), await Pool.Client.JobAsync(submitted.JobId));
        Assert.Multiple(() =>
        {
            Assert.That(waiting.Status, Is.EqualTo("pending"));
            Assert.That(waiting.Attempts, Is.Empty);
            Assert.That(why.Reasons.Select(r => r.Code), Is.SupersetOf(new[] { "tier_unmet", dimension }));
            Assert.That(why.Devices.Refused.GetValueOrDefault(dimension), Is.EqualTo(2));
            Assert.That(why.Devices.Eligible, Is.Zero);
        });

        var started = Stopwatch.GetTimestamp();
        var large = await Pool.StartAgentsAsync(3, new AgentOptions { Label = label, Cpu = 8, MemoryMb = 4096 }, prefix: $"large-{dimension}");
        var job = await Pool.CompletedAsync(submitted.JobId);
        Took("three larger agents started to the end of the job", started);
        Assert.That(job.Attempts.Select(a => a.Device).Distinct(), Is.EquivalentTo(large.Select(a => a.Id)));
        await Pool.AssertSettledOnceAsync(submitted.JobId);
    }

    /// <summary>Two agreeing results would satisfy the vote, but gold is three replicas: two of them would be silver at the price of gold.</summary>
    [Test]
    public async Task A_gold_job_is_not_settled_by_two_devices()
    {
        const string label = "pair";
        var agents = (await Pool.StartAgentsAsync(2, new AgentOptions { Label = label })).ToList();
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = label, SlaTier = "gold", Payload = JobRequest.Noop, Constraints = Only(label) });
        await Pool.CompletedAsync((await Pool.Client.SubmitAsync(new JobRequest { Name = "passes", Payload = JobRequest.Noop, Constraints = Only(label) })).JobId);

        var (why, waiting) = (await Pool.Client.WhyAsync(submitted.JobId), await Pool.Client.JobAsync(submitted.JobId));
        Assert.That(waiting.Status, Is.Not.EqualTo("completed"));
        Assert.That(why.Reasons.Single(r => r.Code == "tier_unmet").Count, Is.EqualTo(1), "one device is missing");

        agents.AddRange(await Pool.StartAgentsAsync(1, new AgentOptions { Label = label }, prefix: "third"));
        var job = await Pool.CompletedAsync(submitted.JobId);
        Assert.That(job.Attempts.Select(a => a.Device).Distinct().Count(), Is.EqualTo(3));
    }

    [Test]
    public async Task A_silver_job_on_one_device_names_the_second_one_it_misses()
    {
        const string label = "single";
        var agents = (await Pool.StartAgentsAsync(1, new AgentOptions { Label = label })).ToList();
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = label, SlaTier = "silver", Payload = JobRequest.Noop, Constraints = Only(label) });
        await Pool.CompletedAsync((await Pool.Client.SubmitAsync(new JobRequest { Name = "passes", Payload = JobRequest.Noop, Constraints = Only(label) })).JobId);
        Assert.That((await Pool.Client.WhyAsync(submitted.JobId)).Reasons.Select(r => r.Code), Does.Contain("tier_unmet"));
        Assert.That((await Pool.Client.JobAsync(submitted.JobId)).Cost.Charged, Is.Zero);

        agents.AddRange(await Pool.StartAgentsAsync(1, new AgentOptions { Label = label }, prefix: "second"));
        await Pool.CompletedAsync(submitted.JobId);
        await Pool.AssertSettledOnceAsync(submitted.JobId);
    }
}
