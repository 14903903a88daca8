using FogCompute.Domain.Common;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Scheduler;
using FogCompute.Domain.Tokenomics;
using FogCompute.Domain.Tokenomics.Parameters;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.Tokenomics;

public sealed class PaymentTests
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly AccountId Requester = new(Guid.Parse("00000000-0000-7000-8000-000000000001"));
    private static readonly JobId Job = new(Guid.Parse("00000000-0000-7000-8000-0000000000aa"));
    private static readonly SettlementShares Shares = ParameterValues.Defaults.Shares();

    private static readonly Arbitrary<long> Charges =
        Gen.OneOf(Gen.Choose(0, 1000).Select(c => (long)c), Micro(999_999)).ToArbitrary();

    private static Gen<long> Micro(int credits) => Gen.Choose(0, credits).SelectMany(c => Gen.Choose(0, 999_999).Select(m => (c * Credits.MicroPerCredit) + m));

    private static void Holds(Property property, int cases) => Check.One(Config.QuickThrowOnFailure.WithMaxTest(cases), property);

    private static AccountId Owner(int number) => new(Guid.Parse($"00000000-0000-7000-8000-1{number:D11}"));

    private static SettledReplica[] Payees(IEnumerable<int> owners) =>
        owners.Select((o, i) => new SettledReplica(Owner(o), $"device-{i}", new AttemptId(Guid.Parse($"00000000-0000-7000-8000-2{i:D11}")))).ToArray();

    [Test]
    public void A_split_conserves_every_micro_credit_and_never_overpays() => Holds(
        Prop.ForAll(Charges, Gen.Choose(1, 9).ToArbitrary(), (charge, payees) =>
        {
            var split = PaySplit.Of(charge, payees, Shares);
            var conserved = (Int128)split.Share * payees + split.Fee + split.Burned == charge;
            var positive = split is { Share: >= 0, Fee: >= 0, Burned: >= 0 };
            var notOverpaid = (Int128)split.Share * payees * 100 <= (Int128)charge * 97 && (Int128)split.Burned * 100 <= charge;
            var atMostRounding = (Int128)charge * 97 - (Int128)split.Share * payees * 100 < 100 * (payees + 1);
            return conserved && positive && notOverpaid && atMostRounding;
        }), 10_000);

    [Test]
    public void A_settlement_balances_whoever_is_paid_and_whatever_is_left_in_the_hold() => Holds(
        Prop.ForAll(Charges, Charges, Gen.NonEmptyListOf(Gen.Choose(0, 4)).ToArbitrary(), (held, cost, owners) =>
        {
            var hold = Hold.Open(Job, Requester, held, At, At.AddDays(7));
            var transfer = Settlement.Charge(hold, 3, cost, Payees(owners), Shares, At);
            var cause = SettlementCause.Parse(transfer.Cause!);
            var charged = Math.Min(held, cost);
            return transfer.Postings.Aggregate((Int128)0, (sum, p) => sum + p.Amount) == 0
                && transfer.Postings.All(p => p.Amount != 0)
                && transfer.Postings.Select(p => p.Account).Distinct().Count() == transfer.Postings.Count
                && transfer.Postings.Where(p => p.Amount < 0).All(p => p.Account == LedgerAccount.Held(Requester))
                && -transfer.Postings.Where(p => p.Amount < 0).Sum(p => p.Amount) == charged
                && cause.ShortfallMicro == cost - charged && cause.CostMicro == cost
                && cause.Payees.Sum(p => p.AmountMicro) == transfer.Postings.Where(p => p.Account.Kind == AccountKind.Available).Sum(p => p.Amount)
                && hold is { Remaining: >= 0 } && hold.Amount == hold.Remaining + hold.Settled + hold.Released;
        }), 4_000);

    [Test]
    public void A_hold_never_pays_out_more_than_it_got() => Holds(
        Prop.ForAll(Charges, Gen.ListOf(Micro(50_000)).ToArbitrary(), (held, costs) =>
        {
            var hold = Hold.Open(Job, Requester, held, At, At.AddDays(7));
            var paid = costs.Sum(cost => hold.Charge(cost));
            var released = -(hold.Close(At)?.Postings.Single(p => p.Amount < 0).Amount ?? 0);
            return paid + released == held && hold is { Remaining: 0, State: HoldState.Closed } && hold.Charge(5) == 0;
        }), 2_000);

    [Test]
    public void Pays_97_percent_and_burns_a_third_of_the_fee()
    {
        var split = PaySplit.Of(1_000_000, 2, Shares);
        Assert.That(split, Is.EqualTo(new PaySplit(485_000, 20_000, 10_000)));
    }

    [TestCase(1L, 1, 0L, 1L, 0L)]
    [TestCase(100L, 3, 32L, 3L, 1L)]
    [TestCase(99L, 1, 96L, 3L, 0L)]
    public void Rounding_goes_to_the_fees(long charge, int payees, long share, long fee, long burned) =>
        Assert.That(PaySplit.Of(charge, payees, Shares), Is.EqualTo(new PaySplit(share, fee, burned)));

    [Test]
    public void Replicas_of_one_owner_are_paid_in_one_posting()
    {
        var transfer = Settlement.Charge(Hold.Open(Job, Requester, 10_000, At, At.AddDays(7)), 0, 1_000, Payees([1, 1, 2]), Shares, At);
        Assert.That(transfer.Postings, Does.Contain(new Posting(LedgerAccount.Available(Owner(1)), 646)).And.Contain(new Posting(LedgerAccount.Available(Owner(2)), 323)));
    }

    [Test]
    public void A_cost_above_the_hold_is_cut_and_the_shortfall_recorded()
    {
        var hold = Hold.Open(Job, Requester, 300, At, At.AddDays(7));
        var transfer = Settlement.Charge(hold, 0, 1_000, Payees([1]), Shares, At);
        Assert.That(SettlementCause.Parse(transfer.Cause!).ShortfallMicro, Is.EqualTo(700));
        Assert.That(hold.Remaining, Is.Zero);
        var next = Settlement.Charge(hold, 1, 1_000, Payees([1]), Shares, At);
        Assert.That(next.Postings, Is.Empty);
        Assert.That(SettlementCause.Parse(next.Cause!).ShortfallMicro, Is.EqualTo(1_000));
    }

    [Test]
    public void A_settlement_without_payees_is_refused() =>
        Assert.That(() => Settlement.Charge(Hold.Open(Job, Requester, 300, At, At.AddDays(7)), 0, 10, [], Shares, At), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void A_repeat_is_told_from_another_settlement()
    {
        var recorded = Settlement.Charge(Hold.Open(Job, Requester, 300, At, At.AddDays(7)), 0, 1_000, Payees([1, 2]), Shares, At);
        Assert.That(Settlement.IsRepeat(recorded, 1_000, Payees([1, 2]).Reverse().ToArray()), Is.True);
        Assert.That(Settlement.IsRepeat(recorded, 1_001, Payees([1, 2])), Is.False);
        Assert.That(Settlement.IsRepeat(recorded, 1_000, Payees([1, 3])), Is.False);
        Assert.That(Settlement.IsRepeat(recorded, 1_000, Payees([1])), Is.False);
    }

    [Test]
    public void An_unbalanced_transfer_cannot_be_made() =>
        Assert.That(() => Transfer.Create(TransferKind.Hold, "k", [new(LedgerAccount.Available(Requester), -5), new(LedgerAccount.Held(Requester), 4)], At), Throws.ArgumentException);

    [Test]
    public void A_transfer_that_moves_nothing_cannot_be_made() =>
        Assert.That(() => Transfer.Create(TransferKind.Hold, "k", [new(LedgerAccount.Available(Requester), -5), new(LedgerAccount.Available(Requester), 5)], At), Throws.ArgumentException);

    [Test]
    public void An_amount_beyond_the_range_is_an_error_not_a_wrap_around() =>
        Assert.That(() => Transfer.Create(TransferKind.Hold, "k", [new(LedgerAccount.Held(Requester), long.MaxValue), new(LedgerAccount.Held(Requester), 1)], At), Throws.InstanceOf<OverflowException>());

    [Test]
    public void A_closed_hold_cannot_close_again()
    {
        var hold = Hold.Open(Job, Requester, 5, At, At.AddDays(7));
        hold.Close(At);
        Assert.That(() => hold.Close(At), Throws.InstanceOf<FogException>());
    }

    [Test]
    public void Genesis_issues_the_cap_once()
    {
        var genesis = Genesis.Transfer(At);
        Assert.That(genesis.Postings.Where(p => p.Amount > 0).Sum(p => p.Amount), Is.EqualTo(1_000_000L * 1_000_000));
        Assert.That(genesis.Postings.Single(p => p.Amount < 0).Account.Kind, Is.EqualTo(AccountKind.Issuance));
    }

    [TestCase(200_000_000L, 100_000_000L)]
    [TestCase(30_000_000L, 30_000_000L)]
    public void The_faucet_grants_100_credits_or_what_is_left(long faucet, long granted) =>
        Assert.That(Genesis.Greeting(Requester, faucet, At)!.Postings, Does.Contain(new Posting(LedgerAccount.Available(Requester), granted)));

    [Test]
    public void An_empty_faucet_grants_nothing() => Assert.That(Genesis.Greeting(Requester, 0, At), Is.Null);

    [TestCase(0L, "0.000000")]
    [TestCase(1_500_000L, "1.500000")]
    [TestCase(-1L, "-0.000001")]
    [TestCase(long.MaxValue, "9223372036854.775807")]
    [TestCase(long.MinValue, "-9223372036854.775808")]
    public void Credits_keep_six_places(long micro, string text) =>
        Assert.That(Credits.FromMicro(micro).ToString(System.Globalization.CultureInfo.InvariantCulture), Is.EqualTo(text));

    [Test]
    public void Too_little_funds_names_balance_and_need()
    {
        var error = TokenomicsErrors.InsufficientFunds(LedgerAccount.Available(Requester), 1_500_000, 2_000_000);
        Assert.That(error.Message, Does.Contain("1.500000").And.Contain("2.000000"));
        Assert.That(error.Kind, Is.EqualTo(ErrorKind.Conflict));
    }
}
