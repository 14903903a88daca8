using FogCompute.Application.Scheduler;
using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Common;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Protocol;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace FogCompute.Infrastructure.IntegrationTests.Scheduler;

/// <summary>A job is quoted, held and charged by the values in force when it was submitted or quoted; features and shares follow those in force now.</summary>
[TestFixture]
public sealed class ParametersGovernTests
{
    private static readonly SubmitJobCommand Hour = new()
    {
        Name = "job", CpuRequired = 1, MemoryRequired = 1024, DurationEstimate = 60, Limits = new LimitsSpec { WallSeconds = 3600 },
        Payload = new PayloadSpec { Kind = PayloadKinds.Builtin, Kernel = BuiltinKernels.DeviceBenchmark },
    };

    private static async Task<SettlementCause> CauseAsync(QueueWorld world, Guid job) =>
        SettlementCause.Parse(await world.ScalarAsync<string>("SELECT cause::text FROM tokenomics.transfers WHERE kind = 'Settlement' AND job_id = $1", job));

    [Test]
    public async Task What_was_submitted_or_quoted_before_a_change_is_charged_by_what_held_then()
    {
        var time = new ManualTimeProvider();
        await using var world = await QueueWorld.CreateAsync(time: time);
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 2, 8);
        var before = await world.SendAsync(Hour, account);
        var quote = await world.SendAsync(new QuoteJobCommand { Job = Hour }, account);
        await world.SetAsync(ParameterCatalogue.CoreHour, 250_000);
        await world.SetAsync(ParameterCatalogue.HoldMargin, 20_000);
        await world.SetAsync(ParameterCatalogue.ProviderShare, 5_000);
        var after = await world.SendAsync(Hour, account);
        var quoted = await world.SendAsync(Hour with { QuoteId = quote.QuoteId }, account);
        Assert.That((before.Quote, before.Held), Is.EqualTo((0.15m, 0.165m)));
        Assert.That((after.Quote, after.Held), Is.EqualTo((0.30m, 0.60m)));
        Assert.That((quoted.Quote, quoted.Held), Is.EqualTo((quote.Plans.Single(p => p.Names.Contains("knee")).Price, quoted.Quote)));

        await world.PassAsync();
        await world.ReportAsync(await world.LeasesAsync(), wallMs: 1_800_000);
        foreach (var (job, cost, version) in new[] { (before, 75_000L, 0L), (after, 150_000L, 3L), (quoted, 75_000L, 0L) })
        {
            await world.AssertSettledAsync(job.JobId);
            var cause = await CauseAsync(world, job.JobId);
            Assert.That((cause.CostMicro, cause.Metering!.FormulaVersion, cause.Metering.SharesVersion, cause.Payees.Single().AmountMicro), Is.EqualTo((cost, version, 3L, cost / 2)), job.Sla);
        }
    }

    [TestCase(1, 1)]
    [TestCase(0, 0)]
    public async Task Copies_are_made_while_the_feature_is_on(long on, int copies)
    {
        var time = new ManualTimeProvider();
        await using var world = await QueueWorld.CreateAsync(time: time);
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 2, 2);
        await world.SetAsync(ParameterCatalogue.Speculation, on);
        var job = await world.SubmitAsync(account, 4);
        await world.PassAsync();
        await world.ReportAsync((await world.LeasesAsync(job.JobId)).Skip(1), wallMs: 3_000);
        time.Advance(TimeSpan.FromSeconds(30));
        await world.SpeculateAsync();
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM scheduler.tasks WHERE speculated"), Is.EqualTo(copies));
    }

    [TestCase(1, 1)]
    [TestCase(0, 0)]
    public async Task Running_work_gives_way_while_the_feature_is_on(long on, int notices)
    {
        var time = new ManualTimeProvider();
        await using var world = await QueueWorld.CreateAsync(time: time);
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 1, 1);
        await world.SetAsync(ParameterCatalogue.Preemption, on);
        await world.SubmitAsync(account, 1, priority: 10);
        await world.PassAsync();
        await world.SubmitAsync(account, 1, priority: 80);
        time.Advance(TimeSpan.FromSeconds(10));
        await world.SendAsync(new PreemptForPriorityCommand());
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM scheduler.attempts WHERE notice_until IS NOT NULL"), Is.EqualTo(notices));
    }

    [TestCase(0, 0)]
    [TestCase(10_000, 1)]
    public async Task Results_are_audited_at_the_rate_in_force(long basisPoints, int audits)
    {
        await using var world = await QueueWorld.CreateAsync();
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 2, 1);
        await world.SetAsync(ParameterCatalogue.BronzeAudit, basisPoints);
        var job = await world.SubmitAsync(account, 1);
        await world.PassAsync();
        await world.ReportAsync(await world.LeasesAsync(job.JobId));
        Assert.That(await world.ScalarAsync<long>("SELECT count(*) FROM scheduler.tasks WHERE audited"), Is.EqualTo(audits));
    }

    private sealed class Subjects : IProposedParameters
    {
        public Task<ProposedParameter?> OfAsync(string proposal, CancellationToken cancel) => Task.FromResult(proposal switch
        {
            "price" => new ProposedParameter(ParameterCatalogue.CoreHour.Name, 250_000, null),
            "copies" => new ProposedParameter(ParameterCatalogue.Speculation.Name, 0, null),
            _ => null,
        });
    }

    [Test]
    public async Task A_rehearsal_replays_what_was_recorded_and_is_kept()
    {
        await using var world = await QueueWorld.CreateAsync(adjust: s => s.AddScoped<IProposedParameters, Subjects>());
        var account = await world.AccountAsync();
        await world.DevicesAsync(account, 3, 8);
        await world.SubmitAsync(account, 10, cores: 1);
        await world.SubmitAsync(account, 3, tier: SlaTier.Silver, cores: 1);
        await world.PassAsync();
        await world.ReportAsync(await world.LeasesAsync(), wallMs: 60_000);
        var charged = await world.ScalarAsync<long>("SELECT sum(charged_micro)::bigint FROM scheduler.jobs");
        var (paid, burned) = (await world.QueryAsync(
            "SELECT coalesce(sum(earned), 0)::bigint, (SELECT balance FROM tokenomics.accounts WHERE kind = 'Burned') FROM tokenomics.accounts", r => (r.GetInt64(0), r.GetInt64(1)))).Single();

        var price = await world.SendAsync(new RehearseProposalCommand { Proposal = "price", Days = 1 }, account);
        Assert.That((price.JobsReplayed, price.TasksReplayed, price.Recorded, price.Before.Charged), Is.EqualTo((2, 13, Credits.FromMicro(charged), Credits.FromMicro(charged))));
        Assert.That((price.Before.Earned, price.Before.Burned), Is.EqualTo((Credits.FromMicro(paid), Credits.FromMicro(burned))));
        // The hold of these tasks is less than what a minute costs, and grows with the price: an hour of a core and a MiB costs 2.5 times as much, all but the memory.
        Assert.That((double)(price.After.Charged / price.Before.Charged), Is.EqualTo(2.5).Within(0.02));
        Assert.That(price.Tiers.Select(t => (t.Tier, t.Tasks)), Is.EqualTo(new[] { ("bronze", 10), ("silver", 3), ("gold", 0), ("platinum", 0) }));
        Assert.That(price.Tiers.Select(t => t.PriceChangePercent), Is.All.EqualTo(100));
        Assert.That(price.Devices.Sum(d => d.Before), Is.EqualTo(price.Before.Earned));
        Assert.That((price.Waiting, price.NoWaiting is null), Is.EqualTo(((RehearsalWaiting?)null, false)));

        var copies = await world.SendAsync(new RehearseProposalCommand { Proposal = "copies", Days = 30 }, account);
        Assert.That((copies.Waiting!.Tasks, copies.After), Is.EqualTo((13, copies.Before)));
        Assert.That(copies.Waiting.Before.MeanFinishSeconds, Is.GreaterThanOrEqualTo(60));

        await world.SendAsync(new RehearseProposalCommand { Proposal = "price", Days = 2 }, account);
        var refused = Assert.ThrowsAsync<FogException>(() => world.SendAsync(new RehearseProposalCommand { Proposal = "none" }, account));
        Assert.That(refused!.Error.Code, Is.EqualTo("tokenomics.nothing_to_rehearse"));
        var latest = await world.LatestRehearsalAsync("price");
        Assert.That((latest!.Days, latest.After), Is.EqualTo((2, price.After)));
        Assert.That(await world.LatestRehearsalAsync("none"), Is.Null);
    }
}
