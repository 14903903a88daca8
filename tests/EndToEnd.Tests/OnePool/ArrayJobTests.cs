using System.Diagnostics;
using FogCompute.EndToEnd.Tests.Harness;

namespace FogCompute.EndToEnd.Tests.OnePool;

/// <summary>Acceptance scenario 1, and what one healthy pool does for its requesters.</summary>
[TestFixture]
internal sealed class ArrayJobTests : SharedPoolScenario
{
    private const string Label = "healthy";
    private IReadOnlyList<Agent> _agents = [];

    [OneTimeSetUp]
    public async Task StartAgents() => _agents = await Pool.StartAgentsAsync(5, new AgentOptions { Label = Label, Slots = 8 });

    [OneTimeTearDown]
    public Task RemoveAgents() => Pool.CleanUpAsync(devicesKept: 0);

    [TestCase("bronze")]
    [TestCase("silver")]
    public async Task Hundred_tasks_on_five_agents_are_verified_and_conserve_credits(string tier)
    {
        var (requester, provider, ledger) = (await Pool.Client.BalanceAsync(), await Pool.Provider.Client.BalanceAsync(), await Pool.AssertBalancedAsync());
        var started = Stopwatch.GetTimestamp();
        var submitted = await Pool.Client.SubmitAsync(new JobRequest
        {
            Name = $"hundred-{tier}", SlaTier = tier, Array = new ArrayOf(100), Constraints = Only(Label), MemoryRequired = 16,
            Payload = tier == "bronze" ? JobRequest.Noop : JobRequest.Tile(across: 10, pixels: 32), Outputs = tier == "bronze" ? null : ["*.pgm"],
        });
        var job = await Pool.CompletedAsync(submitted.JobId);
        Took($"100 {tier} tasks from submit to the end", started);

        var tasks = await Pool.Client.TasksAsync(submitted.JobId);
        var payments = await Pool.Client.PaymentsAsync(submitted.JobId);
        var (requesterAfter, providerAfter, ledgerAfter) = (await Pool.Client.BalanceAsync(), await Pool.Provider.Client.BalanceAsync(), await Pool.AssertBalancedAsync());
        Assert.Multiple(() =>
        {
            Assert.That(tasks.Select(t => t.Index), Is.EqualTo(Enumerable.Range(0, 100)));
            Assert.That(tasks.Select(t => t.State), Has.All.EqualTo("succeeded"));
            Assert.That(tasks.Select(t => t.Counters), Has.All.EqualTo(new CountersView(0, 0, 0)));
            Assert.That(payments.Payments.Select(p => p.Device), Is.EquivalentTo(_agents.Select(a => a.Id)), "all five worked and were paid");
            Assert.That(job.Cost.Charged, Is.Positive.And.LessThanOrEqualTo(submitted.Held));
            Assert.That(requesterAfter.Held, Is.Zero);
            Assert.That(requesterAfter.Total, Is.EqualTo(requester.Total - job.Cost.Charged));
            Assert.That(providerAfter.Total, Is.EqualTo(provider.Total + payments.Payments.Sum(p => p.Amount)));
            Assert.That(ledgerAfter.Fees, Is.EqualTo(ledger.Fees + payments.Fee));
            Assert.That(ledgerAfter.Burned, Is.EqualTo(ledger.Burned + payments.Burned));
        });
        if (tier == "silver")
        {
            var replicas = job.Attempts.Where(a => a.State == "accepted").GroupBy(a => a.TaskIndex).ToList();
            Assert.Multiple(() =>
            {
                Assert.That(replicas, Has.Count.EqualTo(100));
                Assert.That(replicas.Select(r => r.Select(a => a.Device).Distinct().Count()), Has.All.EqualTo(2), "two distinct devices agreed on each");
                Assert.That(tasks.Select(t => t.Outputs.Count), Has.All.EqualTo(1));
            });
            // The hundredth of a picture that was asked for, not just any file.
            var tile = await Pool.Client.DownloadAsync(tasks[42].Outputs[0].Sha256);
            Assert.That(System.Text.Encoding.ASCII.GetString(tile.AsSpan(0, 2)), Is.EqualTo("P5"));
        }
        await Pool.AssertSettledOnceAsync(submitted.JobId);
    }

    [Test]
    public async Task A_small_bronze_job_completes_within_three_seconds_of_its_submit()
    {
        // One job in fifty is audited, which may take longer by design: that one does not count. Of the others the best counts: others use this machine, too.
        for (var tries = 0; tries < 8; tries++)
        {
            var bound = Wait.OnThisMachine(TimeSpan.FromSeconds(3));
            var started = Stopwatch.GetTimestamp();
            var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "small", Payload = JobRequest.Command("echo", "done"), Constraints = Only(Label) });
            var job = await Pool.CompletedAsync(submitted.JobId);
            var took = Took($"small job (bound {bound.TotalSeconds:0.#} s)", started);
            Assert.That(job.Logs, Does.Contain("done"));
            if (job.Attempts.Count == 1 && took < bound)
                return;
        }
        Assert.Fail("None of eight was as quick.");
    }

    [Test]
    public async Task A_command_reads_its_inputs_and_its_outputs_come_back_as_they_were()
    {
        var input = new byte[200_000];
        new Random(5).NextBytes(input);
        var digest = await Pool.Client.UploadAsync(input);
        var submitted = await Pool.Client.SubmitAsync(new JobRequest
        {
            Name = "copy", SlaTier = "silver", Constraints = Only(Label), Inputs = [new() { Path = "in/data.bin", Sha256 = digest }], Outputs = ["out/*"],
            Payload = JobRequest.Command("sh", "-c", "mkdir out && cat in/data.bin in/data.bin > out/twice.bin && echo index $FOG_TASK_INDEX"),
        });
        var job = await Pool.CompletedAsync(submitted.JobId);
        Assert.That(job.Result!.Outputs.Select(o => (o.Path, o.Size)), Is.EqualTo([("out/twice.bin", 400_000L)]));
        Assert.That(await Pool.Client.DownloadAsync(job.Result.Outputs[0].Sha256), Is.EqualTo(input.Concat(input)));
        Assert.That(System.Text.Encoding.UTF8.GetString(await Pool.Client.DownloadAsync(job.Result.Stdout!)), Is.EqualTo("index 0\n"));
    }

    [Test]
    public async Task Jobs_run_after_those_they_depend_on_and_fail_with_them()
    {
        var first = await Pool.Client.SubmitAsync(new JobRequest { Name = "first", Payload = JobRequest.Sleep(1), Constraints = Only(Label) });
        var second = await Pool.Client.SubmitAsync(new JobRequest { Name = "second", Payload = JobRequest.Noop, DependsOn = [first.JobId], Array = new ArrayOf(3), Constraints = Only(Label) });
        var third = await Pool.Client.SubmitAsync(new JobRequest { Name = "third", Payload = JobRequest.Noop, DependsOn = [first.JobId, second.JobId], Constraints = Only(Label) });
        var waiting = await Pool.Client.WhyAsync(third.JobId);
        var bad = await Pool.Client.SubmitAsync(new JobRequest { Name = "bad", Payload = JobRequest.Command("false"), Retries = 0, Constraints = Only(Label) });
        JobView ends;
        try
        {
            ends = await Pool.EndedAsync((await Pool.Client.SubmitAsync(new JobRequest { Name = "after-bad", Payload = JobRequest.Noop, DependsOn = [bad.JobId], Constraints = Only(Label) })).JobId);
        }
        catch (RefusedException refused) when (refused.Code == "scheduler.dependency_failed")
        {
            // It failed faster than this could be submitted: the same refusal, said at once.
            ends = await Pool.EndedAsync(bad.JobId) with { Reason = "dependency_failed" };
        }

        var (one, two, three) = (await Pool.CompletedAsync(first.JobId), await Pool.CompletedAsync(second.JobId), await Pool.CompletedAsync(third.JobId));
        Assert.Multiple(() =>
        {
            Assert.That(waiting.Reasons.Select(r => r.Code), Does.Contain("waiting_for_dependencies"));
            Assert.That(two.Attempts.Min(a => a.LeasedAt), Is.GreaterThanOrEqualTo(one.Completed!.Value));
            Assert.That(three.Attempts.Min(a => a.LeasedAt), Is.GreaterThanOrEqualTo(two.Completed!.Value));
            Assert.That(ends.Status, Is.EqualTo("failed"));
            Assert.That(ends.Reason, Is.EqualTo("dependency_failed"));
        });
        await Pool.AssertSettledOnceAsync(first.JobId, second.JobId, third.JobId, bad.JobId);
    }

    [Test]
    public async Task A_paused_job_gives_its_devices_back_and_completes_after_resume()
    {
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "pause", Payload = JobRequest.Sleep(2), Array = new ArrayOf(2), Constraints = Only(Label), Deterministic = false });
        await Pool.AttemptAsync(submitted.JobId, "running");
        Assert.That((await Pool.Client.ChangeAsync(submitted.JobId, "pause")).Status, Is.EqualTo("paused"));

        var paused = await Pool.Client.JobAsync(submitted.JobId);
        var why = await Pool.Client.WhyAsync(submitted.JobId);
        Assert.Multiple(() =>
        {
            Assert.That(paused.Status, Is.EqualTo("paused"));
            Assert.That(paused.Attempts.Where(a => a.IsLive), Is.Empty);
            Assert.That(paused.Attempts.Where(a => a.State == "preempted").Select(a => a.Reason), Is.Not.Empty.And.All.EqualTo("paused"));
            Assert.That(why.Reasons.Select(r => r.Code), Does.Contain("paused"));
        });
        // The devices are free for others although the paused job is still there.
        await Pool.CompletedAsync((await Pool.Client.SubmitAsync(new JobRequest { Name = "between", Payload = JobRequest.Noop, Constraints = Only(Label) })).JobId);
        Assert.That((await Pool.Client.JobAsync(submitted.JobId)).Attempts, Has.Count.EqualTo(paused.Attempts.Count), "nothing of a paused job was leased");

        await Pool.Client.ChangeAsync(submitted.JobId, "resume");
        await Pool.CompletedAsync(submitted.JobId);
        Assert.That((await Pool.Client.TasksAsync(submitted.JobId)).Select(t => t.Counters.JobErrors), Has.All.Zero);
        await Pool.AssertSettledOnceAsync(submitted.JobId);
    }

    [Test]
    public async Task Cancel_ends_the_process_on_the_device_within_three_seconds()
    {
        var best = TimeSpan.MaxValue;
        var bound = Wait.OnThisMachine(TimeSpan.FromSeconds(3));
        for (var tries = 0; tries < 4 && best > bound; tries++)
            best = await CancelledWithinAsync() is var took && took < best ? took : best;
        Assert.That(best, Is.LessThan(bound), "the best of four");
    }

    private async Task<TimeSpan> CancelledWithinAsync()
    {
        // An argument that nobody else on this machine has.
        var seconds = $"300.{Environment.ProcessId}{Random(1_000_000)}";
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "cancel", Payload = JobRequest.Command("sleep", seconds), Constraints = Only(Label) });
        await Wait.UntilAsync("the command runs", () => ProcessesWith(seconds).Count > 0);

        var started = Stopwatch.GetTimestamp();
        Assert.That((await Pool.Client.CancelAsync(submitted.JobId)).Status, Is.EqualTo("cancelled"));
        await Wait.UntilAsync("the process is gone", () => ProcessesWith(seconds).Count == 0);
        var took = Took("cancel to the end of the process", started);

        var job = await Pool.Client.JobAsync(submitted.JobId);
        Assert.That((job.Status, job.Cost.Charged), Is.EqualTo(("cancelled", 0m)));
        await Pool.AssertSettledOnceAsync(submitted.JobId);
        return took;
    }

    [Test]
    public async Task Another_account_never_sees_or_changes_a_job()
    {
        var stranger = (await Pool.OpenAccountAsync("stranger")).Client;
        var id = (await Pool.Client.SubmitAsync(new JobRequest { Name = "private", Payload = JobRequest.Noop, Constraints = Only("nobody-has-this") })).JobId;
        (string What, Func<Task> Try)[] tries =
        [
            ("get", () => stranger.JobAsync(id)), ("why", () => stranger.WhyAsync(id)), ("tasks", () => stranger.TasksAsync(id)), ("payments", () => stranger.PaymentsAsync(id)),
            ("logs", () => stranger.GetAsync<object>($"api/scheduler/jobs/{id}/logs")), ("cancel", () => stranger.CancelAsync(id)), ("pause", () => stranger.ChangeAsync(id, "pause")),
        ];
        foreach (var (what, attempt) in tries)
        {
            var refused = Assert.ThrowsAsync<RefusedException>(() => attempt(), what)!;
            Assert.That((refused.Status, refused.Code), Is.EqualTo((System.Net.HttpStatusCode.NotFound, "scheduler.job_not_found")), what);
        }
        Assert.That(await stranger.JobsAsync(), Is.Empty);
        Assert.That((await Pool.Client.JobAsync(id)).Status, Is.EqualTo("pending"));
    }

    private static int Random(int below) => System.Security.Cryptography.RandomNumberGenerator.GetInt32(below);

    /// <summary>Processes that have this very argument, as pgrep would find them, in every namespace of this machine.</summary>
    private static List<int> ProcessesWith(string argument)
    {
        var found = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var id) || id == Environment.ProcessId)
                continue;
            try
            {
                if (File.ReadAllText($"/proc/{id}/cmdline").Split('\0').Contains(argument))
                    found.Add(id);
            }
            catch (IOException)
            {
                // Ended between the two looks.
            }
        }
        return found;
    }
}
