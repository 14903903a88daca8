using System.Numerics;
using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Staking;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.Tokenomics;

public sealed class StakingTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly AccountId Me = new(Guid.Parse("00000000-0000-7000-8000-000000000001"));
    private static readonly AccountId Requester = new(Guid.Parse("00000000-0000-7000-8000-000000000002"));
    private static readonly TimeSpan Week = TimeSpan.FromDays(7);
    private static readonly YieldCurve Five = new(500, []);
    private const long Credit = Credits.MicroPerCredit;

    private static Guid Id(int number) => Guid.Parse($"00000000-0000-7000-8000-3{number:D11}");

    private static OwnerStake Nothing() => new(Me, [], [], null);

    private static FogException Refusal(Action act) => Assert.Throws<FogException>(() => act())!;

    /// <summary>Micro-credits, and microseconds up to three months.</summary>
    private static readonly Gen<(long Micro, long Micros)> Pieces =
        Gen.Choose(0, 200).SelectMany(credits => Gen.Choose(0, 999_999).SelectMany(micro => Gen.Choose(0, 7_776_000).SelectMany(
            seconds => Gen.Choose(0, 999_999).Select(micros => ((credits * Credit) + micro, (seconds * 1_000_000L) + micros)))));

    private static void Holds(Property property, int cases) => Check.One(Config.QuickThrowOnFailure.WithMaxTest(cases), property);

    [Test]
    public void What_was_paid_and_what_is_carried_are_exactly_the_integral() => Holds(
        Prop.ForAll(Gen.ListOf(Pieces).ToArbitrary(), Gen.ListOf(Gen.Choose(0, 2_000)).ToArbitrary(), Gen.Choose(1, 7).ToArbitrary(), (pieces, rates, payEvery) =>
        {
            // The yield changes every ten days and a bit, wherever that falls between the changes of the stake.
            var changes = rates.Select((rate, i) => (From: Start.AddDays(10 * (i + 1)).AddTicks(12_340 * (i + 1)), BasisPoints: (long)rate)).ToList();
            var yield = new YieldCurve(500, changes);
            var accrual = StakeAccrual.Begin(Me, Start);
            var (at, exact, paid, step) = (Start, BigInteger.Zero, 0L, 0);
            foreach (var (stake, micros) in pieces)
            {
                var end = at.AddTicks(micros * 10);
                exact += Integral(stake, at, end, changes);
                accrual.Accrue(stake, yield, poolEmpty: false, at = end);
                if (++step % payEvery == 0)
                    paid += accrual.Pay(accrual.DueMicro, DateOnly.FromDateTime(at.UtcDateTime), at)?.Postings.Max(p => p.Amount) ?? 0;
            }
            return exact == ((BigInteger)paid * (BigInteger)StakeAccrual.PerMicroCredit) + (BigInteger)accrual.Numerator && accrual.PaidMicro == paid
                && (payEvery != 1 || accrual.Numerator < StakeAccrual.PerMicroCredit);
        }), 1_000);

    /// <summary>Written the other way round than the product: segment by segment of the constant yield.</summary>
    private static BigInteger Integral(long stake, DateTimeOffset from, DateTimeOffset to, List<(DateTimeOffset From, long BasisPoints)> changes)
    {
        var sum = BigInteger.Zero;
        for (var i = -1; i < changes.Count; i++)
        {
            var begin = i < 0 ? DateTimeOffset.MinValue : changes[i].From;
            var end = i + 1 < changes.Count ? changes[i + 1].From : DateTimeOffset.MaxValue;
            var (a, b) = (begin > from ? begin : from, end < to ? end : to);
            if (b > a)
                sum += (BigInteger)stake * (i < 0 ? 500 : changes[i].BasisPoints) * ((b.UtcTicks / 10) - (a.UtcTicks / 10));
        }
        return sum;
    }

    [Test]
    public void Many_tiny_stakes_and_payments_never_earn_more_than_one() => Holds(
        Prop.ForAll(Gen.NonEmptyListOf(Gen.Choose(1, 3_000_000)).ToArbitrary(), Gen.Choose(1, 40).ToArbitrary(), Gen.Choose(1, 86_400_000).ToArbitrary(), (parts, days, jitter) =>
        {
            var whole = StakeAccrual.Begin(Me, Start);
            var tiny = parts.Select(_ => StakeAccrual.Begin(Requester, Start)).ToList();
            long earnedWhole = 0, earnedTiny = 0;
            for (var day = 1; day <= days; day++)
            {
                var at = Start.AddDays(day).AddTicks(jitter);
                whole.Accrue(parts.Sum(p => (long)p), Five, false, at);
                // The tiny ones are touched twice as often.
                foreach (var (accrual, part) in tiny.Zip(parts))
                {
                    accrual.Accrue(part, Five, false, at.AddHours(-7));
                    accrual.Accrue(part, Five, false, at);
                    var due = accrual.DueMicro;
                    accrual.Pay(due, default, at);
                    earnedTiny += due;
                }
                var all = whole.DueMicro;
                whole.Pay(all, default, at);
                earnedWhole += all;
            }
            var carried = tiny.Aggregate((Int128)0, (sum, a) => sum + a.Numerator);
            return earnedTiny <= earnedWhole
                && (earnedTiny * StakeAccrual.PerMicroCredit) + carried == (earnedWhole * StakeAccrual.PerMicroCredit) + whole.Numerator;
        }), 300);

    [Test]
    public void Five_percent_of_a_hundred_credits_are_five_after_a_year()
    {
        var accrual = StakeAccrual.Begin(Me, Start);
        accrual.Accrue(100 * Credit, Five, false, Start.AddDays(365).AddTicks(-10));
        Assert.That(accrual.DueMicro, Is.EqualTo((5 * Credit) - 1));
        accrual.Accrue(100 * Credit, Five, false, Start.AddDays(365));
        Assert.That(accrual.DueMicro, Is.EqualTo(5 * Credit));
        Assert.That(accrual.Numerator % StakeAccrual.PerMicroCredit, Is.EqualTo((Int128)0));
    }

    [Test]
    public void The_whole_supply_at_the_highest_yield_fits_for_a_thousand_years()
    {
        var accrual = StakeAccrual.Begin(Me, Start);
        accrual.Accrue(Genesis.CapMicro, new YieldCurve(2_000, []), false, Start.AddDays(365_000));
        Assert.That(accrual.DueMicro, Is.EqualTo(200 * Genesis.CapMicro));
    }

    [Test]
    public void Time_that_runs_backwards_or_an_empty_pool_earns_nothing()
    {
        var accrual = StakeAccrual.Begin(Me, Start);
        accrual.Accrue(100 * Credit, Five, false, Start.AddDays(-1));
        Assert.That(accrual.AccruedTo, Is.EqualTo(Start));
        accrual.Accrue(100 * Credit, Five, poolEmpty: true, Start.AddDays(365));
        Assert.That(accrual.Numerator, Is.EqualTo((Int128)0));
        accrual.Accrue(100 * Credit, Five, false, Start.AddDays(365 + 365));
        Assert.That(accrual.DueMicro, Is.EqualTo(5 * Credit), "the time with an empty pool has passed for good");
    }

    [Test]
    public void More_than_is_due_cannot_be_paid() =>
        Assert.That(() => StakeAccrual.Begin(Me, Start).Pay(1, default, Start), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void A_pool_that_does_not_suffice_is_divided_to_the_last_micro_credit() => Holds(
        Prop.ForAll(Gen.ListOf(Gen.Choose(0, 1_000_000)).ToArbitrary(), Gen.Choose(0, 2_000_000).ToArbitrary(), (due, pool) =>
        {
            var shares = StakeAccrual.Divide(pool, [.. due.Select(d => (long)d)]);
            return shares.Sum() == Math.Min(pool, due.Sum(d => (long)d)) && shares.Zip(due).All(s => s.First >= 0 && s.First <= s.Second);
        }), 2_000);

    [Test]
    public void Unstaking_takes_the_oldest_unlocked_lots_first()
    {
        var stake = Nothing();
        stake.Stake(Id(1), 10 * Credit, TimeSpan.FromDays(30), Start);
        stake.Stake(Id(2), 4 * Credit, Week, Start.AddDays(1));
        stake.Stake(Id(3), 4 * Credit, Week, Start.AddDays(2));
        var transfer = stake.Unstake(Id(4), 5 * Credit, Week, null, Start.AddDays(9));
        Assert.That(stake.Lots.Select(l => l.AmountMicro / Credit), Is.EqualTo(new[] { 10, 0, 3 }));
        Assert.That(transfer.Postings, Is.EquivalentTo(new[] { new Posting(LedgerAccount.Staked(Me), -5 * Credit), new Posting(LedgerAccount.Unbonding(Me), 5 * Credit) }));
        Assert.That(stake, Has.Property("StakedMicro").EqualTo(13 * Credit).And.Property("UnbondingMicro").EqualTo(5 * Credit));
    }

    [Test]
    public void A_lot_unlocks_and_an_unbonding_ends_at_the_very_instant_that_was_named()
    {
        var stake = Nothing();
        stake.Stake(Id(1), Credit, Week, Start);
        var unlocked = Start + Week;
        var locked = Refusal(() => stake.Unstake(Id(2), Credit, Week, null, unlocked.AddTicks(-1)));
        Assert.That(locked.Error.Code, Is.EqualTo("tokenomics.stake_locked"));
        Assert.That(locked.Message, Does.Contain("1.000000").And.Contain("0.000000").And.Contain("2026-03-08T12:00:00Z"));
        stake.Unstake(Id(2), Credit, Week, null, unlocked);
        var early = Refusal(() => stake.Claim(Id(3), unlocked + Week - TimeSpan.FromTicks(1)));
        Assert.That(early.Error.Code, Is.EqualTo("tokenomics.nothing_to_claim"));
        Assert.That(early.Message, Does.Contain("1.000000").And.Contain("2026-03-15T12:00:00Z"));
        Assert.That(stake.Claim(Id(3), unlocked + Week).Postings, Does.Contain(new Posting(LedgerAccount.Available(Me), Credit)));
        Assert.That(stake.UnbondingMicro, Is.Zero);
        Assert.That(Refusal(() => stake.Claim(Id(4), unlocked + Week)).Message, Does.Contain("Nothing is unbonding"));
    }

    [Test]
    public void Too_little_stake_names_both_figures_and_no_date()
    {
        var stake = Nothing();
        stake.Stake(Id(1), Credit, Week, Start);
        var refusal = Refusal(() => stake.Unstake(Id(2), 2 * Credit, Week, null, Start.AddYears(1)));
        Assert.That(refusal.Error.Code, Is.EqualTo("tokenomics.insufficient_stake"));
        Assert.That(refusal.Message, Does.Contain("1.000000").And.Contain("2.000000"));
    }

    [Test]
    public void What_a_vote_keeps_stays_staked_and_the_refusal_says_until_when()
    {
        var stake = Nothing();
        stake.Stake(Id(1), 10 * Credit, TimeSpan.Zero, Start);
        var kept = (7 * Credit, Start.AddDays(3), "It voted.");
        var refusal = Refusal(() => stake.Unstake(Id(2), 4 * Credit, Week, kept, Start));
        Assert.That(refusal.Message, Does.Contain("10.000000").And.Contain("3.000000").And.Contain("4.000000").And.Contain("2026-03-04T12:00:00Z").And.Contain("It voted."));
        stake.Unstake(Id(2), 3 * Credit, Week, kept, Start);
        Assert.That(stake.StakedMicro, Is.EqualTo(7 * Credit));
    }

    [Test]
    public void The_number_of_open_lots_and_unbondings_is_bounded()
    {
        var stake = Nothing();
        for (var i = 0; i < OwnerStake.MostOpen; i++)
            stake.Stake(Id(i), Credit, TimeSpan.Zero, Start);
        Assert.That(Refusal(() => stake.Stake(Id(9_999), Credit, TimeSpan.Zero, Start)).Error.Code, Is.EqualTo("tokenomics.too_many_stakes"));
        for (var i = 0; i < OwnerStake.MostOpen; i++)
            stake.Unstake(Id(10_000 + i), 1, Week, null, Start);
        Assert.That(Refusal(() => stake.Unstake(Id(99_999), 1, Week, null, Start)).Error.Code, Is.EqualTo("tokenomics.too_many_unbondings"));
    }

    [Test]
    public void A_slash_takes_staked_before_unbonding_locked_or_not_rounded_up()
    {
        var stake = Nothing();
        stake.Stake(Id(1), 5 * Credit, TimeSpan.Zero, Start);
        stake.Stake(Id(2), 5 * Credit, Week, Start.AddSeconds(1));
        stake.Unstake(Id(3), 4 * Credit, Week, null, Start.AddSeconds(2));
        Assert.That(stake.Slash(1_000), Is.EqualTo(new SlashTake(Credit, 0, Start, null)));
        Assert.That(stake.Slash(10_000), Is.EqualTo(new SlashTake(5 * Credit, 4 * Credit, Start.AddSeconds(1) + Week, Start.AddSeconds(2) + Week)));
        Assert.That(stake.Slash(10_000), Is.EqualTo(new SlashTake(0, 0, null, null)));
        var tiny = Nothing();
        tiny.Stake(Id(4), 11, Week, Start);
        Assert.That(tiny.Slash(1_000).FromStaked, Is.EqualTo(2), "a tenth of 11, rounded up");
    }

    private static Slash Escrow(SlashTake taken, AccountId? harmed = null) => Slash.Escrow(
        Id(7), new Offence(SlashReason.WrongResult, Me, harmed ?? Requester, new JobId(Id(8)), 3, "liar", new AttemptId(Id(9)), null), taken, 5_000, TimeSpan.FromHours(72), Start);

    [Test]
    public void Whatever_is_slashed_it_balances_and_the_harmed_gets_the_rounded_down_half() => Holds(
        Prop.ForAll(Gen.Choose(0, 1_000_000).ToArbitrary(), Gen.Choose(1, 1_000_000).ToArbitrary(), (staked, unbonding) =>
        {
            var slash = Escrow(new SlashTake(staked, unbonding, Start, Start));
            var (taking, execution) = (slash.Taking(), slash.ExecuteUnappealed(slash.AppealUntil));
            var harmed = execution.Postings.Where(p => p.Account == LedgerAccount.Available(Requester)).Sum(p => p.Amount);
            return taking.Postings.Sum(p => p.Amount) == 0 && execution.Postings.Sum(p => p.Amount) == 0 && harmed == (staked + unbonding) / 2
                && execution.Postings.Single(p => p.Account.Kind == AccountKind.Burned).Amount == staked + unbonding - harmed;
        }), 1_000);

    [Test]
    public void Nobody_gets_a_part_of_its_own_slash()
    {
        var slash = Escrow(new SlashTake(10, 0, Start, null), harmed: Me);
        Assert.That(slash.ExecuteUnappealed(slash.AppealUntil).Postings, Is.EquivalentTo(
            new[] { new Posting(LedgerAccount.System(AccountKind.Slashed), -10), new Posting(LedgerAccount.System(AccountKind.Burned), 10) }));
    }

    [Test]
    public void An_appeal_comes_in_time_once_and_stops_the_execution()
    {
        var late = Escrow(new SlashTake(10, 0, Start, null));
        Assert.That(Refusal(() => late.AppealAgainst("a good reason", late.AppealUntil)).Message, Does.Contain("2026-03-04T12:00:00Z"));
        var slash = Escrow(new SlashTake(10, 0, Start, null));
        Assert.That(Refusal(() => slash.Decide(true, "me", "not appealed", Start)).Error.Code, Is.EqualTo("tokenomics.slash_not_appealed"));
        Assert.That(() => slash.ExecuteUnappealed(slash.AppealUntil.AddTicks(-1)), Throws.InvalidOperationException);
        slash.AppealAgainst("a good reason", slash.AppealUntil.AddTicks(-1));
        Assert.That(Refusal(() => slash.AppealAgainst("another reason", Start)).Error.Code, Is.EqualTo("tokenomics.slash_not_appealable"));
        Assert.That(() => slash.ExecuteUnappealed(slash.AppealUntil.AddYears(1)), Throws.InvalidOperationException);
        slash.Decide(true, "me", "a good reason", Start.AddYears(1));
        Assert.That(Refusal(() => slash.Decide(false, "me", "second thoughts", Start)).Error.Code, Is.EqualTo("tokenomics.slash_not_appealed"));
    }

    [Test]
    public void A_reversed_slash_goes_back_where_it_was_with_the_clocks_it_had()
    {
        var stake = Nothing();
        stake.Stake(Id(1), 6 * Credit, Week, Start);
        stake.Stake(Id(2), 4 * Credit, TimeSpan.Zero, Start);
        stake.Unstake(Id(3), 4 * Credit, Week, null, Start);
        var slash = Escrow(stake.Slash(10_000));
        slash.AppealAgainst("a good reason", Start);
        var transfer = slash.Decide(false, "me", "nobody lied", Start.AddDays(1));
        stake.Restore(slash.Taken, Id(4), Id(5), Start.AddDays(1));
        Assert.That(transfer.Postings.Where(p => p.Amount > 0), Is.EquivalentTo(new[] { new Posting(LedgerAccount.Staked(Me), 6 * Credit), new Posting(LedgerAccount.Unbonding(Me), 4 * Credit) }));
        Assert.That(stake.Lots[^1], Has.Property("AmountMicro").EqualTo(6 * Credit).And.Property("LockedUntil").EqualTo(Start + Week));
        Assert.That(stake.Unbondings[^1], Has.Property("AmountMicro").EqualTo(4 * Credit).And.Property("AvailableAt").EqualTo(Start + Week));
    }
}
