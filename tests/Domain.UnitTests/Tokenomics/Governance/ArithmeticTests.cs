using FogCompute.Domain.Tokenomics.Governance;

namespace FogCompute.Domain.UnitTests.Tokenomics.Governance;

public sealed class ArithmeticTests
{
    [Test]
    public void No_supply_is_no_quorum_without_a_vote_for_it()
    {
        Assert.That(default(Tally).ReachesQuorum(0, 1_000), Is.False);
        Assert.That(default(Tally).ReachesQuorum(0, 0), Is.False);
        Assert.That(new Tally(0, 0, 1_000).ReachesQuorum(1_000, 1_000), Is.False);
        Assert.That(new Tally(1, 0, 0).ReachesQuorum(0, 0), Is.True);
    }

    [Test]
    public void A_tie_is_never_approved()
    {
        foreach (var votes in new[] { 0L, 1, 500_000_000_000 })
            Assert.That(new Tally(votes, votes, 0).IsApproved(5_000), Is.False);
    }

    [Test]
    public void Nothing_overflows_at_the_largest_amounts()
    {
        var most = long.MaxValue / 2;
        Assert.That(new Tally(most, most - 1, 0).IsApproved(5_000), Is.True);
        Assert.That(new Tally(most, 0, 0).ReachesQuorum(long.MaxValue, 5_000), Is.False);
        Assert.That(Tally.QuorumMicro(long.MaxValue, 10_000), Is.EqualTo(long.MaxValue));
        Assert.That(() => new Tally(long.MaxValue, 0, 0).Add(VoteChoice.For, 1), Throws.TypeOf<OverflowException>());
    }

    /// <summary>Rounding farmed by many tiny ballots: there is none, so splitting a stake changes nothing.</summary>
    [Test]
    public void Many_tiny_ballots_weigh_what_one_of_their_sum_does()
    {
        var random = new Random(7);
        for (var round = 0; round < 1_000; round++)
        {
            var supply = random.NextInt64(1, 2_000);
            var bp = random.NextInt64(1, 10_000);
            var parts = Enumerable.Range(0, random.Next(1, 50)).Select(_ => (Choice: (VoteChoice)random.Next(3), Amount: random.NextInt64(1, 20))).ToList();
            var split = parts.Aggregate(default(Tally), (t, p) => t.Add(p.Choice, p.Amount));
            var whole = parts.GroupBy(p => p.Choice).Aggregate(default(Tally), (t, g) => t.Add(g.Key, g.Sum(p => p.Amount)));
            Assert.That(split, Is.EqualTo(whole));
            // Exactly the rational comparison, and the amount shown is the least that reaches it.
            Assert.That(split.ReachesQuorum(supply, bp), Is.EqualTo(split.For >= 1 && split.For + split.Abstain >= Tally.QuorumMicro(supply, bp)));
            Assert.That(split.IsApproved(bp), Is.EqualTo(split.For > split.Against && (decimal)split.For / (split.For + split.Against) >= bp / 10_000m));
        }
    }

    [Test]
    public void What_is_asked_rounds_up_and_what_is_allowed_rounds_down()
    {
        Assert.That(StakeShare.Threshold(1_001, 10), Is.EqualTo(2), "1.001 micro-credits");
        Assert.That(StakeShare.Threshold(1_000, 10), Is.EqualTo(1));
        Assert.That(StakeShare.Threshold(1_000_000, 0), Is.Zero);
        Assert.That(StakeShare.TreasuryAllowance(1_019, 500, 0), Is.EqualTo(50), "50.95 micro-credits");
        Assert.That(StakeShare.TreasuryAllowance(1_000, 500, 30), Is.EqualTo(20));
        Assert.That(StakeShare.TreasuryAllowance(1_000, 500, 51), Is.Zero);
        Assert.That(StakeShare.TreasuryAllowance(long.MaxValue, 500, 0), Is.EqualTo(long.MaxValue / 20));
    }

    /// <summary>Whatever is granted in whatever steps within the window, it stays within the share of what there was at its beginning.</summary>
    [Test]
    public void Steps_drain_no_more_than_one_grant()
    {
        const long before = 150_000_000_000;
        var random = new Random(11);
        for (var round = 0; round < 200; round++)
        {
            long granted = 0;
            for (var step = 0; step < 40; step++)
                granted += random.NextInt64(0, StakeShare.TreasuryAllowance(before - granted, 500, granted) + 1);
            Assert.That(granted, Is.LessThanOrEqualTo(before / 20));
        }
    }
}
