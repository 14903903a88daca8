using System.Net;
using System.Text.Json;
using FogCompute.EndToEnd.Tests.Harness;

namespace FogCompute.EndToEnd.Tests;

/// <summary>Acceptance scenario 8, and the end of scenario 3: what takes days in a real pool runs in seconds here.</summary>
[TestFixture]
internal sealed class GovernanceTests : Scenario
{
    private const string Label = "dao";
    private const string CoreHour = "pricing.core_hour_micro";
    private const long OldPrice = 100_000, NewPrice = 10_000_000;

    private Pool? _pool;

    protected override Pool Pool => _pool ?? throw new InvalidOperationException("The pool is not open.");

    [OneTimeSetUp]
    public async Task Open()
    {
        // A founder may run the clocks in seconds. The vote is long enough for a slow machine to cast its ballots.
        _pool = await Pool.OpenAsync(silence: 60, replicas: Pool.Replicas, parameters: "governance.delay_seconds=2,governance.voting_seconds=16,governance.timelock_seconds=2,governance.late_quorum_seconds=0,"
            + "governance.quorum_bp=0,governance.threshold_bp=0,staking.lock_seconds=0,slashing.appeal_seconds=2");
        await Pool.StartAgentsAsync(1, new AgentOptions { Label = Label });
    }

    [OneTimeTearDown]
    public async Task Close()
    {
        if (_pool is not null)
            await _pool.DisposeAsync();
    }

    [Test]
    public async Task A_proposal_passes_by_the_stakes_at_its_snapshot_and_the_next_job_is_charged_by_it()
    {
        await ChargedByAsync("before", OldPrice);
        var (ada, ben, late) = (await Pool.OpenAccountAsync("ada"), await Pool.OpenAccountAsync("ben"), await Pool.OpenAccountAsync("late"));
        await StakeAsync(ada, 30);
        await StakeAsync(ben, 10);
        var id = (await ada.Client.PostAsync<ProposedView>("api/tokenomics/proposals", new
        {
            title = "Pay lenders what a core is worth", description = "A core-hour costs a tenth of a credit; nobody lends a fast machine for that. Ten credits are what it is worth.",
            action = new { type = "set_parameter", name = CoreHour, value = NewPrice },
        })).ProposalId;
        await Wait.UntilAsync("the vote begins", () => ProposalAsync(id), p => p.Status != "pending");

        // What is staked from here on does not vote.
        await StakeAsync(late, 50);
        await StakeAsync(ada, 20);
        Assert.That((await VoteAsync(ben, id, "against")).Power, Is.EqualTo(10m));
        Assert.That((await VoteAsync(ada, id, "for")).Power, Is.EqualTo(30m));
        await RefusedAsync(() => VoteAsync(late, id, "against"));
        var divided = await ProposalAsync(id);

        // Whoever votes again replaces the first ballot; what left the stake after the snapshot was not counted, and what was counted stays.
        Assert.That((await VoteAsync(ben, id, "for")).Power, Is.EqualTo(10m));
        await ada.Client.PostAsync<JsonElement>("api/tokenomics/unstake", new { amount = 20 });
        await RefusedAsync(() => ada.Client.PostAsync<JsonElement>("api/tokenomics/unstake", new { amount = 0.000001 }));
        var united = await ProposalAsync(id);
        Assert.Multiple(() =>
        {
            Assert.That((divided.Status, divided.VotesFor, divided.VotesAgainst), Is.EqualTo(("active", 30m, 10m)));
            Assert.That((united.Status, united.VotesFor, united.VotesAgainst, united.VotesAbstain), Is.EqualTo(("active", 40m, 0m, 0m)));
        });
        Assert.That((await ParameterAsync()).Value, Is.EqualTo(OldPrice), "nothing changes before the execution");

        var executed = await Wait.UntilAsync("the proposal has run", () => ProposalAsync(id), p => p.Status is not ("active" or "succeeded" or "queued"));
        Assert.That((executed.Status, executed.VotesFor, executed.VotesAgainst), Is.EqualTo(("executed", 40m, 0m)), FogClient.Show(executed));
        var parameter = await ParameterAsync();
        Assert.That((parameter.Value, parameter.Default, parameter.Proposal), Is.EqualTo((NewPrice, OldPrice, id)));
        await ChargedByAsync("after", NewPrice);
        await ada.Client.PostAsync<JsonElement>("api/tokenomics/unstake", new { amount = 30 });
        await Pool.AssertBalancedAsync();
    }

    [Test]
    public async Task A_slash_that_nobody_appeals_is_halved_and_stands_in_both_statements()
    {
        const string label = "court";
        var mallory = await Pool.OpenAccountAsync("mallory");
        var token = (await mallory.Client.PostAsync<JsonElement>("api/identity/enrolment-tokens", new { uses = 1 })).GetProperty("secret").GetString()!;
        await Pool.StartAgentsAsync(2, new AgentOptions { Label = label, Slots = 8 });
        using var liar = await Pool.EnrolFakeAsync("liar", label, token);
        await StakeAsync(mallory, 50);
        var submitted = await Pool.Client.SubmitAsync(new JobRequest { Name = "court", SlaTier = "silver", Payload = JobRequest.Noop, Constraints = new([label]) });
        var lie = (await liar.TakeAsync(1)).Single();
        Assert.That(await liar.ReportAsync(liar.Done(lie, FakeDevice.WrongDigest)), Is.EqualTo("recorded"));
        await Pool.CompletedAsync(submitted.JobId);

        var slash = (await Wait.UntilAsync("the slash is executed", () => mallory.Client.GetAsync<SlashesView>("api/tokenomics/slashes"), s => s.Slashes.Any(x => x.State == "executed"))).Slashes.Single();
        Assert.That((slash.Reason, slash.Amount, slash.AttemptId), Is.EqualTo(("wrong_result", 5m, lie.AttemptId)));
        var (liars, harmed) = (await StatementAsync(mallory.Client), await StatementAsync(Pool.Client));
        Assert.Multiple(() =>
        {
            Assert.That(liars.Where(l => l.Kind == "slash").Select(l => (l.Account, l.Amount, l.Slash)), Is.EqualTo(new[] { ("staked", -5m, slash.Id.ToString()) }));
            Assert.That(harmed.Where(l => l.Kind == "slash_execution").Select(l => (l.Account, l.Amount, l.Slash)), Is.EqualTo(new[] { ("available", 2.5m, slash.Id.ToString()) }));
        });
        await Pool.AssertBalancedAsync();
    }

    private static async Task<IReadOnlyList<(string Kind, string Account, decimal Amount, string? Slash)>> StatementAsync(FogClient client) =>
        [.. (await client.GetAsync<JsonElement>("api/tokenomics/statement?limit=1000")).GetProperty("lines").EnumerateArray().Select(l => (
            l.GetProperty("kind").GetString()!, l.GetProperty("account").GetString()!, l.GetProperty("amount").GetDecimal(),
            l.GetProperty("cause") is { ValueKind: JsonValueKind.Object } cause ? cause.GetProperty("slashId").GetString() : null))];

    /// <summary>Runs a small job and checks its charge against the formula of docs/economics.md with this price of a core for an hour.</summary>
    private async Task ChargedByAsync(string name, long coreHourMicro)
    {
        var request = new JobRequest { Name = name, Payload = JobRequest.Noop, Constraints = new([Label]), Deterministic = false };
        var submitted = await Pool.Client.SubmitAsync(request);
        var job = await Pool.CompletedAsync(submitted.JobId);
        var seconds = Math.Max(1_000, job.Attempts.Single(a => a.State == "accepted").WallMs) / 1_000m;
        const long gibHourMicro = 50_000;
        var perHour = ((decimal)request.CpuRequired * coreHourMicro) + ((decimal)request.MemoryRequired / 1_024 * gibHourMicro);
        Assert.That(job.Cost.Charged, Is.EqualTo(Math.Ceiling(perHour * seconds / 3_600) / 1_000_000), FogClient.Show(job));
        await Pool.AssertSettledOnceAsync(submitted.JobId);
    }

    private Task<ProposalView> ProposalAsync(string id) => Pool.Client.GetAsync<ProposalView>($"api/tokenomics/proposals/{id}");

    private Task<ParameterView> ParameterAsync() => Pool.Client.GetAsync<ParameterView>($"api/tokenomics/parameters/{CoreHour}");

    private static Task<JsonElement> StakeAsync(Member member, decimal amount) => member.Client.PostAsync<JsonElement>("api/tokenomics/stake", new { amount });

    private static Task<BallotView> VoteAsync(Member member, string proposal, string vote) =>
        member.Client.PostAsync<BallotView>("api/tokenomics/vote", new { proposal_id = proposal, vote });

    private static async Task RefusedAsync<T>(Func<Task<T>> request)
    {
        try
        {
            Assert.Fail($"This should have been refused: {FogClient.Show(await request())}");
        }
        catch (RefusedException refused)
        {
            Assert.That(refused.Status, Is.EqualTo(HttpStatusCode.Conflict), refused.Message);
        }
    }
}
