using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Domain.UnitTests.Scheduler;

namespace FogCompute.Domain.UnitTests.Tokenomics;

/// <summary>Each parameter of pricing, audits and settlement changes what the rules it belongs to come to.</summary>
public sealed class ParameterTermsTests
{
    private const long GiB = 1L << 30;

    private static ParameterValues With(ParameterDefinition parameter, long value) => new(1, new Dictionary<string, long> { [parameter.Name] = value });

    private static Job Submit(ParameterValues values, SlaTier tier) => Job.Submit(new JobRequest
    {
        Account = new Domain.Identity.AccountId(Guid.CreateVersion7(TaskWorld.Start)), Name = "render", Tier = tier, Estimate = TimeSpan.FromHours(1),
        Needs = new Requirements { CpuMillicores = 2000, MemoryBytes = 4 * GiB, PayloadKind = "builtin" }, Limits = new JobLimits(3600, 600, 3600, 600, GiB, GiB, GiB, 256), Specification = "{}",
    }, 0, TaskWorld.Start, values.PriceOf(tier));

    private static string Quotes(ParameterValues values) => string.Join(' ', Enum.GetValues<SlaTier>().Select(t => Submit(values, t).QuoteMicro));

    private static string Charge(ParameterValues values, SlaTier tier)
    {
        var terms = JobTerms.Of(Submit(values, tier));
        var task = new TaskExecution(JobTask.Create(new JobId(Guid.CreateVersion7(TaskWorld.Start)), 0, terms.Tier.Replicas, ready: true, TaskWorld.Start), [], terms);
        var attempts = Enumerable.Range(0, terms.Tier.Replicas).Select(i => task.Lease(new AttemptId(Guid.CreateVersion7(TaskWorld.Start)), $"d{i}", TaskWorld.Start, TaskWorld.LeaseTime)).ToList();
        foreach (var attempt in attempts.TakeWhile(_ => task.Task.CostMicro == 0))
            task.Report(attempt, new AttemptResult { End = AttemptState.Reported, OutputDigest = "a", WallMs = 600_000, StartedAt = TaskWorld.Start, FinishedAt = TaskWorld.Start }, audit: false, 0.5, TaskWorld.Start);
        return $"{task.Task.CostMicro}";
    }

    private static string Audits(ParameterValues values) =>
        string.Join(' ', new[] { 0, 9, 10, 150, 100_000 }.Select(streak => values.AuditsOf(TierTerms.Of(SlaTier.Bronze)).Rate(streak)));

    private static readonly Dictionary<ParameterDefinition, Func<ParameterValues, string>[]> Governed = new()
    {
        [ParameterCatalogue.CoreHour] = [Quotes, v => Charge(v, SlaTier.Bronze)],
        [ParameterCatalogue.GibHour] = [Quotes, v => Charge(v, SlaTier.Bronze)],
        [ParameterCatalogue.HoldMargin] = [v => $"{Submit(v, SlaTier.Bronze).HoldMicro}"],
        [ParameterCatalogue.BronzePrice] = [Quotes, v => Charge(v, SlaTier.Bronze)],
        [ParameterCatalogue.SilverPrice] = [Quotes, v => Charge(v, SlaTier.Silver)],
        [ParameterCatalogue.GoldPrice] = [Quotes, v => Charge(v, SlaTier.Gold)],
        [ParameterCatalogue.PlatinumPrice] = [Quotes, v => Charge(v, SlaTier.Platinum)],
        [ParameterCatalogue.BronzeAudit] = [Audits],
        [ParameterCatalogue.AuditStreak] = [Audits],
        [ParameterCatalogue.AuditFloor] = [Audits],
        [ParameterCatalogue.ProviderShare] = [v => $"{PaySplit.Of(1_000_000, 2, v.Shares())}"],
        [ParameterCatalogue.BurnedShare] = [v => $"{PaySplit.Of(1_000_000, 2, v.Shares())}"],
    };

    private static IEnumerable<TestCaseData> Changes() => Governed.SelectMany(g => g.Value.Select((outcome, i) => new TestCaseData(g.Key, outcome).SetArgDisplayNames(g.Key.Name, $"{i}")));

    [TestCaseSource(nameof(Changes))]
    public void Another_value_has_another_outcome(ParameterDefinition parameter, Func<ParameterValues, string> outcome)
    {
        var other = parameter.Default / 2 >= parameter.Min ? parameter.Default / 2 : parameter.Max;
        // A streak of 10 at a rate of 2 % makes no difference: 1/streak is above it. From 1000 on it does.
        if (parameter == ParameterCatalogue.AuditStreak)
            other = 1000;
        Assert.That(outcome(With(parameter, other)), Is.Not.EqualTo(outcome(ParameterValues.Defaults)));
    }

    [Test]
    public void No_parameter_of_these_groups_is_left_out() => Assert.That(
        ParameterCatalogue.All.Where(p => p.Name.Split('.')[0] is "pricing" or "tiers" or "audits" or "settlement"), Is.EquivalentTo(Governed.Keys));

    [Test]
    public void A_price_of_one_tier_is_nobody_elses()
    {
        var values = With(ParameterCatalogue.GoldPrice, 70);
        foreach (var tier in Enum.GetValues<SlaTier>().Where(t => t != SlaTier.Gold))
            Assert.That(Charge(values, tier), Is.EqualTo(Charge(ParameterValues.Defaults, tier)));
    }

    [TestCase(1, 1_000_000_000)]
    [TestCase(10_000, 20_000)]
    [TestCase(15_000, 100)]
    public void Whatever_the_margin_a_hold_covers_a_run_up_to_the_wall_limit(long least, long wallMs)
    {
        foreach (var margin in new[] { Math.Max(10_000, least), 12_345, 20_000 })
        {
            var price = With(ParameterCatalogue.HoldMargin, margin).PriceOf(SlaTier.Silver);
            var wall = (int)Math.Min(604_800, Math.Max(1, wallMs / 1000));
            var hold = price.Hold(Pricing.Task(1000, GiB, price, price.QuotedRun(TimeSpan.FromSeconds(1), wall)));
            Assert.That(Pricing.Task(1000, GiB, price, TimeSpan.FromSeconds(wall)), Is.LessThanOrEqualTo(hold));
        }
    }

    [Test]
    public void A_lower_rate_than_the_floor_stays_lower() =>
        Assert.That(With(ParameterCatalogue.AuditFloor, 10_000).AuditsOf(TierTerms.Of(SlaTier.Bronze)).Rate(1000), Is.EqualTo(0.02));

    [Test]
    public void A_settlement_names_both_versions_and_is_a_repeat_whatever_the_shares_are_now()
    {
        var hold = Hold.Open(new JobId(Guid.CreateVersion7(TaskWorld.Start)), new Domain.Identity.AccountId(Guid.NewGuid()), 10_000, TaskWorld.Start, TaskWorld.Start.AddDays(7));
        SettledReplica[] payees = [new(new Domain.Identity.AccountId(Guid.NewGuid()), "d", new AttemptId(Guid.NewGuid()))];
        var metering = new Metering(1_000, 1_000, 0, SlaTier.Bronze, 10, 3_600_000, 0, FormulaVersion: 7, 10_000, 1, false);
        var transfer = Settlement.Charge(hold, 0, 1_000, payees, new SettlementShares(5_000, 50, 9), TaskWorld.Start, metering);
        var cause = SettlementCause.Parse(transfer.Cause!);
        Assert.That((cause.Metering!.FormulaVersion, cause.Metering.SharesVersion, cause.Payees[0].AmountMicro), Is.EqualTo((7L, 9L, 500L)));
        Assert.That(Settlement.IsRepeat(transfer, 1_000, payees), Is.True);
        Assert.That(SettlementCause.Parse("""{"cost":5,"shortfall":0,"payees":[]}""").Metering, Is.Null, "settled before prices were tunable");
    }
}
