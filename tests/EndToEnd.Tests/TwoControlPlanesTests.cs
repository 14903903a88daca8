using System.Diagnostics;
using FogCompute.EndToEnd.Tests.Harness;

namespace FogCompute.EndToEnd.Tests;

/// <summary>Acceptance scenario 10: two control planes on one PostgreSQL are one pool, and either can go.</summary>
[TestFixture]
internal sealed class TwoControlPlanesTests : Scenario
{
    private const int Silence = 12;
    private const string Label = "both";
    private Pool? _pool;
    private ControlPlane _second = null!;
    private IReadOnlyList<Agent> _atFirst = [];
    private IReadOnlyList<Agent> _atSecond = [];

    protected override Pool Pool => _pool ?? throw new InvalidOperationException("The pool is not open.");

    [OneTimeSetUp]
    public async Task Open()
    {
        _pool = await Pool.OpenAsync(Silence);
        _second = await Pool.StartSecondPlaneAsync(Silence);
        _atFirst = await Pool.StartAgentsAsync(2, new AgentOptions { Label = Label }, prefix: "first");
        _atSecond = await Pool.StartAgentsAsync(2, new AgentOptions { Label = Label }, _second, prefix: "second");
    }

    [OneTimeTearDown]
    public async Task Close()
    {
        if (_pool is not null)
            await _pool.DisposeAsync();
    }

    [Test, Order(1)]
    public async Task A_job_submitted_at_one_runs_on_the_agents_of_both()
    {
        var started = Stopwatch.GetTimestamp();
        var submitted = await Pool.Client.SubmitAsync(new JobRequest
        {
            Name = "both", SlaTier = "silver", Payload = JobRequest.Tile(across: 8, pixels: 32), Outputs = ["*.pgm"], Array = new ArrayOf(64), Constraints = new([Label]), MemoryRequired = 16,
        });
        var job = await Pool.CompletedAsync(submitted.JobId);
        Took("64 silver tasks over two control planes", started);

        using var other = new FogClient(_second.Url, Pool.Requester.ApiKey);
        Assert.Multiple(() =>
        {
            Assert.That(job.Attempts.Where(a => a.State == "accepted").Select(a => a.Device).Distinct(), Is.EquivalentTo(_atFirst.Concat(_atSecond).Select(a => a.Id)));
            Assert.That(job.Attempts.Where(a => a.State == "accepted").GroupBy(a => a.TaskIndex).Select(t => t.Select(a => a.Device).Distinct().Count()), Has.All.EqualTo(2));
        });
        Assert.That((await other.JobAsync(submitted.JobId)).Cost, Is.EqualTo(job.Cost), "both say the same");
        var output = (await other.TasksAsync(submitted.JobId))[63].Outputs.Single();
        Assert.That((await other.DownloadAsync(output.Sha256)).LongLength, Is.EqualTo(output.Size));
        await Pool.AssertSettledOnceAsync(submitted.JobId);
    }

    [Test, Order(2)]
    public async Task One_key_means_one_job_wherever_it_is_sent()
    {
        using var other = new FogClient(_second.Url, Pool.Requester.ApiKey);
        var job = new JobRequest { Name = "one-key", Payload = JobRequest.Noop, Constraints = new([Label]) };
        var key = Guid.NewGuid().ToString();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => (i % 2 == 0 ? Pool.Client : other).SubmitAsync(job, key)));
        Assert.That(answers.Select(a => a.JobId).Distinct().Count(), Is.EqualTo(1));
        await Pool.CompletedAsync(answers[0].JobId);
        await Pool.AssertSettledOnceAsync(answers[0].JobId);
    }

    [Test, Order(3)]
    public async Task The_second_finishes_what_the_killed_first_had_begun()
    {
        using var client = new FogClient(_second.Url, Pool.Requester.ApiKey);
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "takeover", SlaTier = "silver", Payload = JobRequest.Sleep(1), Array = new ArrayOf(24), Constraints = new([Label]) });
        await Pool.AttemptAsync(submitted.JobId, "running");
        await Pool.Plane.KillAsync();

        // Placement is taken over: a new job of a higher priority gets a device of the second one.
        var killed = Stopwatch.GetTimestamp();
        var next = await client.SubmitAsync(new JobRequest { Name = "next", Payload = JobRequest.Noop, Constraints = new([Label]), Deterministic = false, Priority = 90 });
        await Wait.UntilAsync("the second control plane places", () => client.JobAsync(next.JobId), j => j.Attempts.Count > 0, Wait.OnThisMachine(TimeSpan.FromSeconds(10)));
        Took("first killed to the first placement by the second", killed);

        // So are the schedules, those that the first one held among them; they ran on either.
        using var operators = new FogClient(_second.Url, null);
        var dead = TimeProvider.System.GetUtcNow();
        await Wait.UntilAsync("the second runs every short schedule", () => operators.GetAsync<RecurringJobsView>("api/ops/jobs"),
            jobs => jobs.Jobs.Where(j => j is { Kind: "schedule", PeriodSeconds: <= 15 }).All(j => j.LastRun?.Started > dead && j.LastRun.Outcome == "succeeded"), Wait.OnThisMachine(TimeSpan.FromSeconds(35)));
        Took("first killed to every schedule of up to 15 s having run on the second", killed);
        var job = await Pool.CompletedAsync(submitted.JobId, client: client);
        Took($"first killed to the end of the job (silence {Silence} s)", killed);
        await Pool.CompletedAsync(next.JobId, client: client);

        var tasks = await client.TasksAsync(submitted.JobId);
        Assert.That(tasks.Select(t => t.Counters.JobErrors), Has.All.Zero);
        // Started again, the first one finds its database and adds up to the same.
        await Pool.Plane.StartAsync();
        Assert.That((await Pool.Client.JobAsync(submitted.JobId)).Cost, Is.EqualTo(job.Cost));
        await Pool.AssertSettledOnceAsync(submitted.JobId, next.JobId);
    }
}
