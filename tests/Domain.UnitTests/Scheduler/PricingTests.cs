using FogCompute.Domain.Scheduler;
using FsCheck;
using FsCheck.Fluent;

namespace FogCompute.Domain.UnitTests.Scheduler;

public sealed class PricingTests
{
    private const long MiB = 1L << 20;

    // (cores × 0.10 + GiB × 0.05) × hours × multiplier, worked out by hand, micro-credits, rounded up.
    [TestCase(SlaTier.Bronze, 1000, 1024, 3600, 150_000)]
    [TestCase(SlaTier.Silver, 1000, 1024, 3600, 375_000)]
    [TestCase(SlaTier.Gold, 1000, 1024, 3600, 750_000)]
    [TestCase(SlaTier.Platinum, 1000, 1024, 3600, 1_200_000)]
    [TestCase(SlaTier.Gold, 4000, 8192, 600, 666_667)]      // 0.8 × 1/6 × 5 = 0.666666…
    [TestCase(SlaTier.Silver, 500, 512, 1, 53)]             // 0.075 × 1/3600 × 2.5 = 0.0000520833…
    [TestCase(SlaTier.Platinum, 2000, 4096, 90, 80_000)]    // 0.4 × 0.025 × 8, exactly
    [TestCase(SlaTier.Bronze, 10, 1, 1, 1)]                 // 0.29 micro-credits: the least there is
    [TestCase(SlaTier.Bronze, 1000, 1024, 0, 42)]           // counted from one second
    public void Prices_are_what_the_formula_says(SlaTier tier, int millicores, int mebibytes, int seconds, long expected) =>
        Assert.That(Pricing.Task(millicores, mebibytes * MiB, Prices.Of(tier), TimeSpan.FromSeconds(seconds)), Is.EqualTo(expected));

    private static readonly Arbitrary<(int Millicores, long Memory, SlaTier Tier, long Ms)> Runs =
        (from cpu in Gen.Choose(10, 1_024_000)
         from memory in Gen.Choose(1, 16_777_216)
         from tier in Gen.Choose(0, 3)
         from ms in Gen.Choose(0, 604_800_000)
         select (cpu, memory * MiB, (SlaTier)tier, (long)ms)).ToArbitrary();

    private static long Price((int Millicores, long Memory, SlaTier Tier, long Ms) run) =>
        Pricing.Task(run.Millicores, run.Memory, Prices.Of(run.Tier), TimeSpan.FromMilliseconds(run.Ms));

    [Test]
    public void A_price_is_at_least_one_micro_credit_and_never_falls_when_more_is_asked() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(5000),
        Prop.ForAll(Runs, Gen.Choose(1, 1_000_000).ToArbitrary(), (run, more) =>
        {
            var price = Price(run);
            return price >= 1
                && Price(run with { Millicores = run.Millicores + more }) >= price
                && Price(run with { Memory = run.Memory + more }) >= price
                && Price(run with { Ms = run.Ms + more }) >= price
                && (run.Tier == SlaTier.Platinum || Price(run with { Tier = run.Tier + 1 }) >= price);
        }));

    [Test]
    public void A_hold_is_a_tenth_above_the_quote_rounded_up() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(5000),
        Prop.ForAll(Gen.Choose(1, int.MaxValue - 1).ToArbitrary(), quote => Prices.Of(SlaTier.Bronze).Hold(quote) == ((long)quote * 11 + 9) / 10));

    [Test]
    public void A_hold_covers_the_charge_of_any_run_within_the_wall_limit() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(5000),
        Prop.ForAll(Runs, Gen.Choose(1, 604_800).ToArbitrary(), Gen.Choose(1, 1000).ToArbitrary(), (run, wall, permille) =>
        {
            var job = JobTests.Submit(r => r with
            {
                Tier = run.Tier, Estimate = TimeSpan.FromMilliseconds(Math.Max(60, run.Ms)),
                Needs = r.Needs with { CpuMillicores = run.Millicores, MemoryBytes = run.Memory }, Limits = r.Limits with { WallSeconds = wall },
            });
            var ran = TimeSpan.FromMilliseconds(wall * (long)permille);
            return Pricing.Task(run.Millicores, run.Memory, Prices.Of(run.Tier), ran) <= job.HoldPerTaskMicro;
        }));

    [Test]
    public void Credits_have_six_decimals() => Assert.That(Pricing.Credits(1_234_567), Is.EqualTo(1.234567m));

    [TestCase(1, 5)]
    [TestCase(2, 10)]
    [TestCase(3, 20)]
    [TestCase(7, 320)]
    [TestCase(8, 600)]
    [TestCase(1000, 600)]
    public void Waiting_doubles_with_each_failure_up_to_ten_minutes(int failures, double seconds) =>
        Assert.That(RetryBackoff.After(failures, 0.5).TotalSeconds, Is.EqualTo(seconds).Within(1e-6));

    [Test]
    public void Jitter_spreads_waiting_by_a_fifth_and_no_more() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(2000),
        Prop.ForAll(Gen.Choose(-5, 50).ToArbitrary(), Gen.Choose(0, 1000).ToArbitrary(), (failures, permille) =>
        {
            var wait = RetryBackoff.After(failures, permille / 1000.0).TotalSeconds;
            var middle = 5 * Math.Pow(2, Math.Clamp(failures, 1, 16) - 1);
            return wait <= 600 + 1e-6 && wait >= Math.Min(600, middle * 0.8) - 1e-6 && wait <= Math.Max(5, middle * 1.2) + 1e-6;
        }));
}
