using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Scheduler.Verification;
using FogCompute.Domain.Tokenomics;

namespace FogCompute.Domain.UnitTests.Tokenomics;

/// <summary>What a settlement records is enough to work its amounts out again.</summary>
public sealed class MeteringTests
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Test]
    public void What_is_recorded_gives_the_very_charge_and_shares()
    {
        var random = new Random(11);
        for (var i = 0; i < 5_000; i++)
        {
            var tier = (SlaTier)random.Next(4);
            var price = new PriceTerms(random.Next(1, 400_000), random.Next(0, 200_000), random.Next(1, 100), 11_000, i);
            var terms = new JobTerms(TierTerms.Of(tier), price, 3, random.Next(1, 64_001), random.NextInt64(1 << 20, 1L << 37), random.NextInt64(1, 5_000_000));
            var wall = TimeSpan.FromMilliseconds(random.NextInt64(0, 40_000_000) / 3.0);
            // As the acceptance charges.
            var cost = Math.Min(terms.HoldPerTaskMicro, Pricing.Task(terms.CpuMillicores, terms.MemoryBytes, price, wall));
            var metering = Metering.Of(terms, wall, 3, audited: false);
            Assert.That(metering.CostMicro(), Is.EqualTo(cost));

            var hold = Hold.Open(JobId.New(At), AccountId.New(At), random.NextInt64(0, 5_000_000), At, At.AddDays(1));
            var replicas = Enumerable.Range(0, random.Next(1, 4)).Select(n => new SettledReplica(AccountId.New(At), $"d{n}", AttemptId.New(At), 1e9 / (n + 1), (long)wall.TotalMilliseconds)).ToArray();
            var transfer = Settlement.Charge(hold, 0, cost, replicas, new SettlementShares(random.Next(5_000, 9_901), random.Next(0, 101), i), At, metering);
            var cause = SettlementCause.Parse(transfer.Cause!);
            var m = cause.Metering!;
            // By hand, from the recorded text only.
            var perHour = ((m.CpuMillicores / 1000m * m.CoreHourMicro) + (m.MemoryBytes / 1_073_741_824m * m.GibHourMicro)) * m.PriceTenths / 10m;
            var byHand = Math.Min(m.CapMicro, Math.Max(1m, Math.Ceiling(Math.Round(perHour * m.BilledMs / 3_600_000m, 12))));
            Assert.That(byHand, Is.EqualTo(cause.CostMicro));
            var charge = cause.CostMicro - cause.ShortfallMicro;
            Assert.That(-transfer.Postings.Where(p => p.Account == LedgerAccount.Held(hold.Owner)).Sum(p => p.Amount), Is.EqualTo(charge));
            Assert.That(cause.Payees.Select(p => p.AmountMicro), Is.All.EqualTo((long)Math.Floor(Math.Floor(charge * (m.ProviderBp / 10_000m)) / cause.Payees.Count)));
            Assert.That(cause.Payees.Select(p => (p.Score, p.WallMs)), Is.EqualTo(replicas.Select(r => (r.Score, r.WallMs))));
        }
    }

    [Test]
    public void A_settlement_from_before_measurements_were_kept_reads_and_repeats()
    {
        const string old = """{"cost":1000,"shortfall":0,"payees":[{"owner":"00000000-0000-7000-8000-000000000001","device":"d","attempt":"00000000-0000-7000-8000-000000000002","amount":970}]}""";
        var cause = SettlementCause.Parse(old);
        Assert.That((cause.Metering, cause.Payees[0].Score, cause.Payees[0].WallMs), Is.EqualTo(((SettlementMetering?)null, (double?)null, (long?)null)));
        Assert.That(cause.ToJson(), Is.EqualTo(old), "absent fields stay absent");
        var recorded = Transfer.Create(TransferKind.Settlement, "settle:x:0", [], At, null, 0, old);
        Assert.That(Settlement.IsRepeat(recorded, 1000, [new(new AccountId(cause.Payees[0].Owner), "d", new AttemptId(cause.Payees[0].Attempt), 5, 7)]), Is.True);
    }
}
