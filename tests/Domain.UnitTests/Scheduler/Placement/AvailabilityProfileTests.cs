using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

public sealed class AvailabilityProfileTests
{
    private static readonly DateTimeOffset Monday = new(2026, 1, 5, 0, 0, 0, TimeSpan.Zero);

    private static double[] Each(Func<int, double> figure) => [.. Enumerable.Range(0, AvailabilityProfile.Buckets).Select(figure)];

    /// <summary>Always there for a year, leaving as often in each hour as is said.</summary>
    private static AvailabilityProfile Leaving(Func<int, double> perHour) => new(Each(_ => 52 * 3600), Each(_ => 52 * 3600), Each(hour => 52 * perHour(hour)));

    [Test]
    public void A_device_never_seen_leaves_once_a_day_and_is_there_half_of_the_time()
    {
        var unknown = AvailabilityProfile.Unknown;
        Assert.That(unknown.ObservedHours, Is.Zero);
        Assert.That(unknown.Presence(5), Is.EqualTo(0.5).Within(1e-12));
        Assert.That(unknown.Survival(Monday, 24 * 3600), Is.EqualTo(Math.Exp(-1)).Within(1e-12));
        Assert.That(unknown.Survival(Monday, 0), Is.EqualTo(1));
        Assert.That(unknown.Survival(Monday, -1), Is.EqualTo(1));
    }

    [Test]
    public void Much_that_was_seen_outweighs_the_prior()
    {
        var always = Leaving(_ => 0);
        Assert.That(always.Presence(0), Is.GreaterThan(0.99));
        Assert.That(always.Survival(Monday, 24 * 3600), Is.GreaterThan(0.99));
        var never = new AvailabilityProfile(Each(_ => 52 * 3600), Each(_ => 0), Each(_ => 0));
        Assert.That(never.Presence(0), Is.LessThan(0.01));
    }

    [Test]
    public void A_bad_hour_shows_in_that_hour()
    {
        var profile = Leaving(hour => hour == 9 ? 1 : 0);
        Assert.That(profile.DeparturesPerHour(9), Is.EqualTo(1).Within(0.05));
        Assert.That(profile.Survival(Monday.AddHours(8), 3600), Is.GreaterThan(0.99));
        Assert.That(profile.Survival(Monday.AddHours(9), 3600), Is.EqualTo(Math.Exp(-profile.DeparturesPerHour(9))).Within(1e-12));
        Assert.That(profile.Survival(Monday.AddHours(8.75), 1800), Is.EqualTo(Math.Exp(-(profile.DeparturesPerHour(8) + profile.DeparturesPerHour(9)) / 4)).Within(1e-12));
    }

    [Test]
    public void Staying_for_long_is_staying_for_each_part()
    {
        var random = new Random(3);
        var profile = Leaving(_ => random.NextDouble() / 5);
        for (var i = 0; i < 500; i++)
        {
            var from = Monday.AddSeconds(random.Next(7 * 24 * 3600));
            var (first, second) = (random.NextDouble() * 400_000, random.NextDouble() * 400_000);
            Assert.That(profile.Survival(from, first + second), Is.EqualTo(profile.Survival(from, first) * profile.Survival(from.AddSeconds(first), second)).Within(1e-6));
            Assert.That(profile.Survival(from, first + second), Is.LessThanOrEqualTo(profile.Survival(from, first)));
        }
    }

    [Test]
    public void A_week_later_is_the_same_hour_and_the_week_ends_on_sunday()
    {
        var profile = Leaving(hour => hour == 0 ? 2 : 0.01);
        Assert.That(AvailabilityProfile.BucketOf(Monday), Is.Zero);
        Assert.That(AvailabilityProfile.BucketOf(Monday.AddSeconds(-1)), Is.EqualTo(167));
        Assert.That(AvailabilityProfile.BucketOf(new DateTimeOffset(2026, 1, 5, 1, 30, 0, TimeSpan.FromHours(2))), Is.EqualTo(167), "counted in UTC");
        Assert.That(profile.Survival(Monday.AddDays(7), 5000), Is.EqualTo(profile.Survival(Monday, 5000)).Within(1e-12));
        var week = Enumerable.Range(0, 168).Sum(profile.DeparturesPerHour);
        Assert.That(Math.Log(profile.Survival(Monday.AddHours(77.7), 7 * 24 * 3600)), Is.EqualTo(-week).Within(1e-9), "a week has every hour once, wherever it begins");
        Assert.That(profile.Survival(Monday.AddHours(167.5), 3600), Is.EqualTo(Math.Exp(-(profile.DeparturesPerHour(167) + profile.DeparturesPerHour(0)) / 2)).Within(1e-12));
    }

    [Test]
    public void Refuses_figures_that_are_none()
    {
        var good = Each(_ => 1);
        Assert.That(() => new AvailabilityProfile(good[1..], good, good), Throws.ArgumentException.With.Message.Contains("observedSeconds"));
        Assert.That(() => new AvailabilityProfile(good, Each(_ => -1), good), Throws.ArgumentException.With.Message.Contains("presentSeconds"));
        Assert.That(() => new AvailabilityProfile(good, good, Each(_ => double.NaN)), Throws.ArgumentException.With.Message.Contains("departures"));
        Assert.That(() => new AvailabilityProfile(good, good, Each(_ => double.PositiveInfinity)), Throws.ArgumentException);
    }
}
