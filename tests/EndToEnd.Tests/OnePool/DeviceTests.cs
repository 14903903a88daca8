using System.Diagnostics;
using FogCompute.EndToEnd.Tests.Harness;

namespace FogCompute.EndToEnd.Tests.OnePool;

/// <summary>Acceptance scenarios 2, 3 and 4: devices that vanish, lie or are taken back.</summary>
[TestFixture]
internal sealed class DeviceTests : SharedPoolScenario
{
    [Test]
    public async Task A_killed_agents_task_finishes_elsewhere_and_is_paid_once()
    {
        const string label = "mortal";
        var agents = await Pool.StartAgentsAsync(2, new AgentOptions { Label = label });
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "loss", Payload = JobRequest.Sleep(5), Constraints = Only(label) });
        var first = await Pool.AttemptAsync(submitted.JobId, "running");
        var before = await Pool.Operator.DeviceAsync(first.Device);

        var killed = Stopwatch.GetTimestamp();
        await agents.Single(a => a.Id == first.Device).KillAsync();
        var job = await Pool.CompletedAsync(submitted.JobId, TimeSpan.FromSeconds(120));
        Took($"kill to the end elsewhere (silence {SharedPool.SilenceSeconds} s, task 5 s)", killed);

        var task = (await Pool.Client.TasksAsync(submitted.JobId)).Single();
        var (victim, other) = (await Pool.Operator.DeviceAsync(first.Device), await Pool.Operator.DeviceAsync(agents.Single(a => a.Id != first.Device).Id));
        var payments = await Pool.Client.PaymentsAsync(submitted.JobId);
        Assert.Multiple(() =>
        {
            Assert.That(task.Counters, Is.EqualTo(new CountersView(JobErrors: 0, DeviceLosses: 1, Evictions: 0)));
            Assert.That(job.Attempts.Single(a => a.Id == first.Id), Has.Property("State").EqualTo("lost").And.Property("Reason").EqualTo("device_lost"));
            Assert.That(task.Device, Is.EqualTo(other.Id));
            Assert.That(payments.Payments.Select(p => p.Device), Does.Not.Contain(victim.Id).And.Contain(other.Id));
            Assert.That(victim.Stats.Losses, Is.EqualTo(before.Stats.Losses + 1));
            Assert.That(victim.Stats.Uptime, Is.LessThan(before.Stats.Uptime), "availability drops");
            Assert.That(victim.Trust, Is.EqualTo(before.Trust).Within(0.001), "correctness does not");
            Assert.That(other.Stats.Uptime, Is.EqualTo(1));
        });
        await Pool.AssertSettledOnceAsync(submitted.JobId);
    }

    [Test]
    public async Task A_liar_is_outvoted_unpaid_distrusted_and_slashed_and_costs_the_requester_nothing()
    {
        const string label = "vote";
        var mallory = await Pool.OpenAccountAsync("mallory");
        var token = (await mallory.Client.PostAsync<Token>("api/identity/enrolment-tokens", new { uses = 1 })).Secret;
        var honest = await Pool.StartAgentsAsync(2, new AgentOptions { Label = label, Slots = 8 });
        using var liar = await Pool.EnrolFakeAsync("liar", label, token);

        await mallory.Client.PostAsync<StakedView>("api/tokenomics/stake", new { amount = 50 });

        // It earns a name first: with trust at the bottom already, nothing could be seen to fall.
        const int honestTasks = 6;
        var earlier = await Pool.Client.SubmitAsync(new JobRequest { Name = "vote-honest", SlaTier = "silver", Payload = JobRequest.Noop, Array = new ArrayOf(honestTasks), Constraints = Only(label) });
        for (var done = 0; done < honestTasks;)
        {
            foreach (var lease in (await liar.PollAsync(1)).Leases)
            {
                Assert.That(await liar.ReportAsync(liar.Done(lease, FakeDevice.HonestDigest)), Is.EqualTo("recorded"));
                done++;
            }
        }
        await Pool.CompletedAsync(earlier.JobId);
        var (trust, earned) = ((await Pool.Operator.DeviceAsync(liar.Id)).Trust, (await mallory.Client.BalanceAsync()).Rewards);
        Assert.That(trust, Is.GreaterThan(0.3));
        Assert.That(earned, Is.Positive);

        // The lie also claims an hour of work: if the requester paid for it, or for the mean with it, the charge would show it.
        var started = Stopwatch.GetTimestamp();
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "vote", SlaTier = "silver", CpuRequired = 1, MemoryRequired = 512, Payload = JobRequest.Noop, Constraints = Only(label) });
        var lie = (await liar.TakeAsync(1)).Single();
        Assert.That(await liar.ReportAsync(liar.Done(lie, FakeDevice.WrongDigest, wallMs: 3_600_000)), Is.EqualTo("recorded"));
        var job = await Pool.CompletedAsync(submitted.JobId);
        Took("vote with a liar", started);

        var payments = await Pool.Client.PaymentsAsync(submitted.JobId);
        var (after, balance) = (await Pool.Operator.DeviceAsync(liar.Id), await mallory.Client.BalanceAsync());
        // (cores × 0.10 + GiB × 0.05) × hours × 2.5, metered from 1 s, rounded up to a micro-credit: of the two honest replicas only.
        var seconds = Math.Max(1000, job.Attempts.Where(a => a.State == "accepted").Average(a => (decimal)a.WallMs)) / 1000m;
        var honestPrice = Math.Ceiling((0.10m + (0.5m * 0.05m)) * seconds / 3600m * 2.5m * 1_000_000m) / 1_000_000m;
        Assert.Multiple(() =>
        {
            Assert.That(job.Attempts.Single(a => a.Id == lie.AttemptId), Has.Property("State").EqualTo("rejected").And.Property("Reason").EqualTo("digest_mismatch"));
            Assert.That(job.Attempts.Where(a => a.State == "accepted").Select(a => a.Device), Is.EquivalentTo(honest.Select(a => a.Id)));
            Assert.That(job.Result!.Digest, Is.EqualTo(FakeDevice.HonestDigest));
            Assert.That(payments.Payments.Select(p => p.Device), Is.EquivalentTo(honest.Select(a => a.Id)));
            Assert.That(balance.Rewards, Is.EqualTo(earned), "unpaid");
            Assert.That(after.Trust, Is.LessThan(trust - 0.05), "trust falls");
            Assert.That(after.Stats.TasksCompleted, Is.EqualTo(honestTasks));
            Assert.That(job.Cost.Charged, Is.EqualTo(honestPrice));
        });
        await Pool.AssertSettledOnceAsync(earlier.JobId, submitted.JobId);

        // A tenth of the stake waits for the liar's appeal, in the name of whom it would have harmed.
        var slash = (await mallory.Client.GetAsync<SlashesView>("api/tokenomics/slashes")).Slashes.Single();
        var taken = (await mallory.Client.LedgerAsync()).Where(l => l.Kind == "slash").ToList();
        Assert.Multiple(() =>
        {
            Assert.That(slash, Has.Property("Reason").EqualTo("wrong_result").And.Property("State").EqualTo("escrowed").And.Property("Amount").EqualTo(5m));
            Assert.That((slash.JobId, slash.TaskIndex, slash.DeviceId, slash.AttemptId), Is.EqualTo((submitted.JobId, 0, liar.Id, lie.AttemptId)));
            Assert.That((slash.Address, slash.Harmed), Is.EqualTo((mallory.Address, Pool.Requester.Address)));
            Assert.That(slash.AppealUntil - slash.CreatedAt, Is.EqualTo(TimeSpan.FromHours(72)));
            Assert.That(taken.Select(l => (l.Amount, l.Account, l.JobId)), Is.EqualTo(new[] { (-5m, "staked", (Guid?)submitted.JobId) }));
        });

        // Signing the truth afterwards is worse than having lied: now two receipts for one attempt contradict each other.
        Assert.That(await liar.ReportAsync(liar.Done(lie, FakeDevice.HonestDigest)), Is.EqualTo("stale"));
        var both = await mallory.Client.GetAsync<SlashesView>("api/tokenomics/slashes");
        Assert.That(both.Slashes.Select(s => (s.Reason, s.Amount)), Is.EquivalentTo(new[] { ("wrong_result", 5m), ("equivocation", 45m) }));
        await Pool.AssertBalancedAsync();
    }

    [Test]
    public async Task A_report_that_the_device_did_not_sign_is_refused()
    {
        const string label = "forged";
        using var device = await Pool.EnrolFakeAsync("forger", label);
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "forged", Payload = JobRequest.Noop, Constraints = Only(label), Deterministic = false });
        var lease = (await device.TakeAsync(1)).Single();
        var signed = device.Done(lease, FakeDevice.HonestDigest);

        var refused = Assert.ThrowsAsync<RefusedException>(() => device.ReportAsync(signed with { OutputDigest = FakeDevice.WrongDigest }))!;
        Assert.That((int)refused.Status, Is.InRange(400, 499));
        Assert.That((await Pool.Client.JobAsync(submitted.JobId)).Status, Is.EqualTo("running"));
        Assert.That(await device.ReportAsync(signed), Is.EqualTo("recorded"));
        await Pool.CompletedAsync(submitted.JobId);
    }

    [Test]
    public async Task An_unplugged_laptop_hands_its_task_back_within_ten_seconds_and_nobody_pays_for_it()
    {
        const string label = "unplug";
        object plugged = new { battery_percent = 90, charging = true, temperature_celsius = 30, other_cpu = 0.0, user_idle_seconds = 900, network = "wifi" };
        object unplugged = new { battery_percent = 90, charging = false, temperature_celsius = 30, other_cpu = 0.0, user_idle_seconds = 900, network = "wifi" };
        var laptop = Pool.StartAgent("laptop", new AgentOptions { Label = label, Type = "laptop", Policy = """{"preset": "owner"}""", Sensors = plugged });
        await Pool.OnlineAsync(laptop.Id);
        // Longer than the ten seconds: it cannot end by itself in between.
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "unplug", Payload = JobRequest.Sleep(12), Constraints = Only(label), Retries = 0 });
        var first = await Pool.AttemptAsync(submitted.JobId, "running");
        var elsewhere = Pool.StartAgent("mains", new AgentOptions { Label = label });

        var (started, unpluggedAt) = (Stopwatch.GetTimestamp(), TimeProvider.System.GetUtcNow());
        laptop.SetSensors(unplugged);
        var evicted = (await Wait.UntilAsync("the attempt ended", () => Pool.Client.JobAsync(submitted.JobId), j => !j.Attempts.Single(a => a.Id == first.Id).IsLive)).Attempts.Single(a => a.Id == first.Id);
        Took("unplugged to the end of the attempt", started);
        var why = await Pool.Operator.DeviceWhyAsync(laptop.Id);
        var job = await Pool.CompletedAsync(submitted.JobId);
        Took("unplugged to the end elsewhere", started);

        var (task, stats) = ((await Pool.Client.TasksAsync(submitted.JobId)).Single(), (await Pool.Operator.DeviceAsync(laptop.Id)).Stats);
        Assert.Multiple(() =>
        {
            Assert.That((evicted.State, evicted.Reason), Is.EqualTo(("evicted", "on_battery")));
            Assert.That(evicted.FinishedAt - unpluggedAt, Is.LessThan(Wait.OnThisMachine(TimeSpan.FromSeconds(10))));
            Assert.That(why.Reason, Is.EqualTo("on_battery"));
            // One, unless the task was given to the laptop once more before its new state was known; that one is handed back at once, too.
            Assert.That(task.Counters.Evictions, Is.EqualTo(job.Attempts.Count(a => a.State == "evicted")).And.InRange(1, 2));
            Assert.That((task.Counters.JobErrors, task.Counters.DeviceLosses), Is.EqualTo((0, 0)));
            Assert.That(job.Attempts.Single(a => a.State == "accepted").Device, Is.EqualTo(elsewhere.Id));
            Assert.That((stats.Evictions, stats.Losses, stats.Uptime), Is.EqualTo(((long)task.Counters.Evictions, 0L, 1.0)));
        });
        await Pool.AssertSettledOnceAsync(submitted.JobId);
    }

    private sealed record Token(string Secret);
}
