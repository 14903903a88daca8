using System.Diagnostics;
using FogCompute.EndToEnd.Tests.Harness;

namespace FogCompute.EndToEnd.Tests;

/// <summary>
/// Acceptance scenarios 6 and 7: the control plane, the agent and the database are killed (SIGKILL) at each step of a job's life. Afterwards
/// every task has succeeded, is paid once, and nothing is held.
/// </summary>
[TestFixture]
internal sealed class CrashTests : Scenario
{
    private const string Label = "crash";
    private Pool? _pool;
    private IReadOnlyList<Agent> _agents = [];

    protected override Pool Pool => _pool ?? throw new InvalidOperationException("The pool is not open.");

    private static ConstraintsOf OnAgents { get; } = new([Label]);

    /// <summary>An outage of the control plane must not look like one of the devices: the silence limit is longer than any restart here.</summary>
    [OneTimeSetUp]
    public async Task Open()
    {
        _pool = await Pool.OpenAsync(silence: 60);
        _agents = await Pool.StartAgentsAsync(2, new AgentOptions { Label = Label, Slots = 8 });
    }

    [OneTimeTearDown]
    public async Task Close()
    {
        if (_pool is not null)
            await _pool.DisposeAsync();
    }

    /// <summary>The client does not know whether its submit was taken; repeating it under its key gives one job, whichever way it was.</summary>
    [TestCase(0)]
    [TestCase(10)]
    [TestCase(20)]
    [TestCase(40)]
    public async Task Killed_during_submit(int milliseconds)
    {
        await WarmUpAsync();
        var job = new JobRequest { Name = $"during-submit-{milliseconds}", Payload = JobRequest.Noop, Constraints = OnAgents, Array = new ArrayOf(3) };
        var key = Guid.NewGuid().ToString();
        var sending = Pool.Client.SubmitAsync(job, key);
        await Task.Delay(milliseconds);
        await Pool.Plane.KillAsync();
        Submitted? answered = null;
        try
        {
            answered = await sending;
        }
        catch (HttpRequestException)
        {
            // The answer was lost with the process.
        }
        await Pool.Plane.StartAsync();

        var taken = (await Pool.Client.JobsAsync()).Count(j => j.Name == job.Name);
        TestContext.Out.WriteLine($"killed after {milliseconds} ms: {(taken == 1 ? "taken" : "not taken")}, {(answered is null ? "not answered" : "answered")}");
        var again = await Pool.Client.SubmitAsync(job, key);
        if (answered is not null)
            Assert.That(again.JobId, Is.EqualTo(answered.JobId));
        Assert.That((await Pool.Client.JobsAsync()).Count(j => j.Name == job.Name), Is.EqualTo(1));
        await EndsWellAsync(again.JobId);
    }

    [Test]
    public async Task Killed_after_submit_was_answered()
    {
        const string label = "later";
        var job = new JobRequest { Name = "after-submit", SlaTier = "silver", Payload = JobRequest.Noop, Array = new ArrayOf(5), Constraints = new([label]) };
        var key = Guid.NewGuid().ToString();
        var submitted = await Pool.Client.SubmitAsync(job, key);
        await Pool.Plane.KillAndRestartAsync();

        Assert.That((await Pool.Client.SubmitAsync(job, key)).JobId, Is.EqualTo(submitted.JobId), "same key, same job");
        Assert.That((await Pool.Client.JobAsync(submitted.JobId)).Cost.Held, Is.EqualTo(submitted.Held));
        await Pool.AssertBalancedAsync(openHolds: 1);
        var late = await Pool.StartAgentsAsync(2, new AgentOptions { Label = label });
        await EndsWellAsync(submitted.JobId);
    }

    [Test]
    public async Task Killed_between_lease_and_delivery()
    {
        using var device = await Pool.EnrolFakeAsync("undelivered", "undelivered");
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "leased", Payload = JobRequest.Noop, Constraints = new([device.Id]), Deterministic = false });
        var leased = await Pool.AttemptAsync(submitted.JobId, "leased");
        await Pool.Plane.KillAndRestartAsync();

        var lease = (await device.TakeAsync(1)).Single();
        Assert.That((lease.AttemptId, lease.Epoch), Is.EqualTo((leased.Id, leased.Epoch)), "the same lease, not another one");
        Assert.That(await device.ReportAsync(device.Done(lease, FakeDevice.HonestDigest)), Is.EqualTo("recorded"));
        await EndsWellAsync(submitted.JobId, attempts: 1);
    }

    [Test]
    public async Task Killed_while_a_task_runs()
    {
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "running", Payload = JobRequest.Sleep(4), Constraints = OnAgents, Deterministic = false });
        var running = await Pool.AttemptAsync(submitted.JobId, "running");
        await Pool.Plane.KillAndRestartAsync();
        var job = await EndsWellAsync(submitted.JobId, attempts: 1);
        Assert.That(job.Attempts.Single().Id, Is.EqualTo(running.Id), "the agent survived the outage and its run counted");
    }

    [Test]
    public async Task Killed_while_a_task_runs_and_back_only_after_it_has_ended()
    {
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "ended-meanwhile", Payload = JobRequest.Sleep(3), Constraints = OnAgents, Deterministic = false });
        var running = await Pool.AttemptAsync(submitted.JobId, "running");
        await Pool.Plane.KillAsync();
        var agent = _agents.Single(a => a.Id == running.Device);
        await Wait.UntilAsync("the agent has a result it cannot deliver", agent.StatusAsync, s => s["unreported"]!.GetValue<int>() == 1);
        await Pool.Plane.StartAsync();
        await EndsWellAsync(submitted.JobId, attempts: 1);
    }

    [Test]
    public async Task Killed_while_an_output_is_uploaded()
    {
        // 36 MB: a tenth of a second of upload and more.
        var submitted = await Pool.Client.SubmitAsync(new JobRequest
        {
            Name = "uploading", Payload = JobRequest.Tile(across: 1, pixels: 6000), Outputs = ["*.pgm"], Constraints = OnAgents, Deterministic = false, MemoryRequired = 256,
        });
        // The state "uploading" may pass between two looks at it; an unfinished upload in the store cannot pass unseen when nothing waits in between.
        var unfinished = Path.Combine(Pool.Plane.Home, "artifacts", "partial");
        var arriving = Task.Run(() => SpinWait.SpinUntil(() => Directory.Exists(unfinished) && Directory.EnumerateFiles(unfinished, "*.part", SearchOption.AllDirectories).Any(p => new FileInfo(p) is { Exists: true, Length: > 0 }), Wait.Patience));
        Assert.That(await arriving, Is.True, "an upload arrives");
        await Pool.Plane.KillAsync();
        Assert.That(Directory.EnumerateFiles(unfinished, "*.part", SearchOption.AllDirectories), Is.Not.Empty, "it was killed before the upload was complete");
        await Pool.Plane.StartAsync();
        var job = await EndsWellAsync(submitted.JobId, attempts: 1);
        var file = job.Result!.Outputs.Single();
        var content = await Pool.Client.DownloadAsync(file.Sha256);
        Assert.That(content, Has.Length.EqualTo(file.Size).And.Length.GreaterThanOrEqualTo(36_000_000));
        Assert.That(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content)), Is.EqualTo(file.Sha256));
    }

    /// <summary>The device does not know whether its report was taken; repeating it is answered the same and pays once.</summary>
    [TestCase(0)]
    [TestCase(15)]
    [TestCase(20)]
    [TestCase(30)]
    public async Task Killed_during_a_report(int milliseconds)
    {
        await WarmUpAsync();
        using var device = await Pool.EnrolFakeAsync($"reporter-{milliseconds}", $"reporter-{milliseconds}");
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = device.Id, Payload = JobRequest.Noop, Constraints = new([device.Id]), Deterministic = false });
        var report = device.Done((await device.TakeAsync(1)).Single(), FakeDevice.HonestDigest);
        var sending = device.ReportAsync(report);
        await Task.Delay(milliseconds);
        await Pool.Plane.KillAsync();
        string? answered = null;
        try
        {
            answered = await sending;
        }
        catch (HttpRequestException)
        {
            // The answer was lost with the process.
        }
        await Pool.Plane.StartAsync();
        var before = (await Pool.Client.JobAsync(submitted.JobId)).Status;
        TestContext.Out.WriteLine($"killed after {milliseconds} ms: {(before == "completed" ? "taken" : "not taken")}, {(answered is null ? "not answered" : "answered")}");
        Assert.That(await device.ReportAsync(report), Is.EqualTo("recorded"));
        Assert.That(await device.ReportAsync(report), Is.EqualTo("recorded"), "once more");
        await EndsWellAsync(submitted.JobId, attempts: 1);
    }

    [Test]
    public async Task Killed_between_the_first_and_the_second_replicas_report()
    {
        const string label = "replicas";
        using var one = await Pool.EnrolFakeAsync("replica-1", label);
        using var two = await Pool.EnrolFakeAsync("replica-2", label);
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = label, SlaTier = "silver", Payload = JobRequest.Noop, Constraints = new([label]) });
        var (first, second) = ((await one.TakeAsync(1)).Single(), (await two.TakeAsync(1)).Single());
        Assert.That(await one.ReportAsync(one.Done(first, FakeDevice.HonestDigest)), Is.EqualTo("recorded"));
        await Pool.Plane.KillAndRestartAsync();

        Assert.That((await Pool.Client.JobAsync(submitted.JobId)).Tasks.Verifying, Is.EqualTo(1));
        Assert.That(await two.ReportAsync(two.Done(second, FakeDevice.HonestDigest)), Is.EqualTo("recorded"));
        await EndsWellAsync(submitted.JobId, attempts: 2);
    }

    [Test]
    public async Task Killed_after_the_job_completed()
    {
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "completed", SlaTier = "silver", Payload = JobRequest.Noop, Array = new ArrayOf(10), Constraints = OnAgents });
        var before = await Pool.CompletedAsync(submitted.JobId);
        await Pool.Plane.KillAndRestartAsync();
        var after = await EndsWellAsync(submitted.JobId);
        Assert.That((after.Cost, after.Completed), Is.EqualTo((before.Cost, before.Completed)));
    }

    [Test]
    public async Task Killed_again_and_again_at_moments_nobody_chose()
    {
        const int seed = 20_260;
        var random = new Random(seed);
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "random", SlaTier = "silver", Payload = JobRequest.Sleep(0.3), Array = new ArrayOf(80), Constraints = OnAgents });
        var kills = 0;
        for (; kills < 5; kills++)
        {
            await Task.Delay(random.Next(50, 700));
            if (kills > 2 && (await Pool.Client.JobAsync(submitted.JobId)).Status == "completed")
                break;
            await Pool.Plane.KillAndRestartAsync();
        }
        var job = await EndsWellAsync(submitted.JobId);
        TestContext.Out.WriteLine($"{kills} kills, {job.Attempts.Count} attempts for 160 replicas");
        Assert.That((await Pool.Client.TasksAsync(submitted.JobId)).Select(t => t.Counters), Has.All.EqualTo(new CountersView(0, 0, 0)), "an outage of ours costs neither requester nor owner");
    }

    [Test]
    public async Task An_agent_killed_between_run_and_report_delivers_after_its_restart()
    {
        const string label = "reborn";
        var agent = (await Pool.StartAgentsAsync(1, new AgentOptions { Label = label })).Single();
        var submitted = await Pool.Client.SubmitAsync(new JobRequest
        {
            Name = label, Payload = JobRequest.Command("sh", "-c", "sleep 1; echo kept > result.txt"), Outputs = ["result.txt"], Constraints = new([label]), Deterministic = false,
        });
        await Pool.AttemptAsync(submitted.JobId, "running");
        await Pool.Plane.KillAsync();
        await Wait.UntilAsync("the agent has a result it cannot deliver", agent.StatusAsync,
            s => s["running"]!.GetValue<int>() == 0 && s["uploading"]!.GetValue<int>() + s["unreported"]!.GetValue<int>() >= 1);
        await agent.KillAsync();
        await Pool.Plane.StartAsync();
        agent.Start();

        var job = await EndsWellAsync(submitted.JobId, attempts: 1);
        Assert.That(await Pool.Client.DownloadAsync(job.Result!.Outputs.Single().Sha256), Is.EqualTo("kept\n"u8.ToArray()));
    }

    [Test]
    public async Task An_agent_killed_while_it_runs_starts_the_same_lease_again()
    {
        const string label = "again";
        var agent = (await Pool.StartAgentsAsync(1, new AgentOptions { Label = label })).Single();
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = label, Payload = JobRequest.Sleep(2), Constraints = new([label]), Deterministic = false });
        await Pool.AttemptAsync(submitted.JobId, "running");
        await agent.KillAsync();
        agent.Start();
        await EndsWellAsync(submitted.JobId, attempts: 1);
    }

    [Test]
    public async Task A_stopped_agent_hands_its_task_back_at_once()
    {
        const string label = "goodbye";
        var agents = await Pool.StartAgentsAsync(2, new AgentOptions { Label = label });
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = label, Payload = JobRequest.Sleep(6), Constraints = new([label]), Retries = 0, Deterministic = false });
        var first = await Pool.AttemptAsync(submitted.JobId, "running");
        var started = Stopwatch.GetTimestamp();
        Assert.That(await agents.Single(a => a.Id == first.Device).StopAsync(), Is.Zero);
        Took("SIGTERM to the end of the agent", started);
        var job = await EndsWellAsync(submitted.JobId, attempts: 2);
        Assert.That(job.Attempts.Single(a => a.Id == first.Id), Has.Property("State").EqualTo("evicted").And.Property("Reason").EqualTo("agent_stopping"));
    }

    /// <summary>Scenario 7.</summary>
    [Test]
    public async Task A_killed_database_costs_503s_but_no_job()
    {
        var (accepted, refusals, stop) = (new List<Guid>(), new List<RefusedException>(), false);
        async Task LoadAsync()
        {
            while (!Volatile.Read(ref stop))
            {
                // As a careful client: one key per job, repeated until it is answered.
                var key = Guid.NewGuid().ToString();
                for (var answered = false; !answered;)
                {
                    try
                    {
                        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "load", Payload = JobRequest.Noop, Constraints = OnAgents, Array = new ArrayOf(2) }, key);
                        lock (accepted)
                            accepted.Add(submitted.JobId);
                        answered = true;
                        await Task.Delay(30);
                    }
                    catch (RefusedException refused)
                    {
                        lock (refusals)
                            refusals.Add(refused);
                        await Task.Delay(20);
                    }
                }
            }
        }
        int Accepted()
        {
            lock (accepted)
                return accepted.Count;
        }
        var load = Enumerable.Range(0, 3).Select(_ => LoadAsync()).ToList();
        await Wait.UntilAsync("the load runs", () => Accepted() > 20);
        var server = Pool.Plane.DatabaseProcessId!.Value;
        var killed = Stopwatch.GetTimestamp();
        using (var postgres = Process.GetProcessById(server))
            postgres.Kill();
        await Wait.UntilAsync("the database is back", () => Pool.Plane.DatabaseProcessId is { } now && now != server);
        var during = Accepted();
        await Wait.UntilAsync("submits are taken again", () => Accepted() > during + 20);
        Took("database killed to twenty more jobs taken", killed);
        Volatile.Write(ref stop, true);
        await Task.WhenAll(load);

        TestContext.Out.WriteLine($"{accepted.Count} jobs, {refusals.Count} refusals");
        Assert.Multiple(() =>
        {
            Assert.That(refusals, Is.Not.Empty, "somebody asked while it was away");
            Assert.That(refusals.Select(r => (int)r.Status), Has.All.EqualTo(503));
            Assert.That(refusals.Select(r => r.RetryAfter), Has.All.GreaterThan(TimeSpan.Zero));
        });
        Assert.That((await Pool.Client.JobsAsync()).Where(j => j.Name == "load").Select(j => j.Id), Is.EquivalentTo(accepted.Distinct()), "every answered job is there, and none twice");
        Assert.That(accepted, Is.Unique);
        foreach (var job in accepted)
            await Pool.CompletedAsync(job);
        await Pool.AssertSettledOnceAsync(accepted[0], accepted[accepted.Count / 2], accepted[^1]);
    }

    /// <summary>One job through all of it: a control plane that was just started takes its time, and the kill would always come before the commit.</summary>
    private async Task WarmUpAsync()
    {
        using var device = await Pool.EnrolFakeAsync($"warm-{Guid.NewGuid():N}", "warm");
        for (var i = 0; i < 3; i++)
        {
            var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "warm", Payload = JobRequest.Noop, Constraints = new(["warm"]), Deterministic = false });
            await device.ReportAsync(device.Done((await device.TakeAsync(1)).Single(), FakeDevice.HonestDigest));
            await Pool.CompletedAsync(submitted.JobId);
        }
    }

    /// <summary>The job completes, is settled once per task, and nothing of the pool is left open.</summary>
    /// <param name="attempts">How many attempts it may have taken altogether; null: any number.</param>
    private async Task<JobView> EndsWellAsync(Guid id, int? attempts = null)
    {
        var since = Stopwatch.GetTimestamp();
        var job = await Pool.CompletedAsync(id);
        Took("from there to the end of the job", since);
        if (attempts is { } expected)
            Assert.That(job.Attempts, Has.Count.EqualTo(expected), FogClient.Show(job.Attempts));
        await Pool.AssertSettledOnceAsync(id);
        return job;
    }
}
