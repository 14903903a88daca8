using FogCompute.Domain.Scheduler.Placement;

namespace FogCompute.Domain.UnitTests.Scheduler.Placement;

public sealed class RunModelTests
{
    // Φ to ten decimals, from tables.
    [TestCase(0, 0.5)]
    [TestCase(1, 0.8413447461)]
    [TestCase(-1, 0.1586552539)]
    [TestCase(1.959963985, 0.975)]
    [TestCase(-3, 0.0013498980)]
    [TestCase(40, 1)]
    [TestCase(-40, 0)]
    public void The_normal_distribution_is_right_to_a_ten_millionth(double z, double expected) =>
        Assert.That(RunModel.NormalCdf(z), Is.EqualTo(expected).Within(1.5e-7));

    [TestCase(100, 100, 0.5, 0.5, Description = "the median")]
    [TestCase(164.8721270700, 100, 0.5, 0.8413447461, Description = "e^0.5: one deviation above")]
    [TestCase(36.7879441171, 100, 1, 0.1586552539, Description = "e^-1: one below")]
    [TestCase(0, 100, 0.5, 0)]
    [TestCase(-5, 100, 0.5, 0)]
    [TestCase(5, 0, 0.5, 1)]
    [TestCase(100, 100, 0, 1)]
    [TestCase(99, 100, 0, 0)]
    public void A_log_normal_run_ends_in_time_with_the_closed_probability(double limit, double median, double spread, double expected) =>
        Assert.That(RunModel.WithinProbability(limit, median, spread), Is.EqualTo(expected).Within(1.5e-7));

    [Test]
    public void Speed_is_relative_to_the_median_of_those_measured()
    {
        PlacementDevice[] devices = [Pool.Device() with { BenchmarkScore = 100 }, Pool.Device(), Pool.Device() with { BenchmarkScore = 400 }, Pool.Device() with { BenchmarkScore = 200 }];
        var reference = RunModel.ReferenceScore(devices);
        Assert.That(reference, Is.EqualTo(200));
        Assert.That(devices.Select(d => RunModel.Speed(d, reference)), Is.EqualTo(new[] { 0.5, 1, 2, 1 }));
        Assert.That(RunModel.Seconds(TimeSpan.FromMinutes(1), devices[0], reference), Is.EqualTo(120));
        Assert.That(RunModel.ReferenceScore([devices[0], devices[2]]), Is.EqualTo(250), "an even number: between the middle two");
        Assert.That(RunModel.ReferenceScore([devices[1]]), Is.Null);
        Assert.That(RunModel.Speed(devices[0], null), Is.EqualTo(1));
    }

    [Test]
    public void Cost_and_energy_grow_with_time_and_cost_counts_from_a_second()
    {
        Assert.That(RunModel.CostMicro(3600, 10), Is.EqualTo(10));
        Assert.That(RunModel.CostMicro(3600, 0.2), Is.EqualTo(1));
        Assert.That(RunModel.Joules(Pool.Needs with { CpuMillicores = 2500 }, Pool.Device() with { WattsPerCore = 8 }, 10), Is.EqualTo(200).Within(1e-9));
    }

    [Test]
    public void Risk_is_what_reliability_staying_and_time_leave()
    {
        var device = Pool.Device() with { Trust = 0.1, Reliability = 0.8 };
        var stays = device.Presence.Survival(Pool.Now, 3600);
        Assert.That(RunModel.Risk(Pool.Task(), device, 3600, Pool.Now), Is.EqualTo(1 - 0.8 * stays).Within(1e-12));
        var task = Pool.Task() with { Deadline = Pool.Now.AddHours(1), Spread = 0.5 };
        Assert.That(RunModel.Risk(task, device, 3600, Pool.Now), Is.EqualTo(1 - 0.8 * stays * 0.5).Within(1e-6), "half of the runs are in time");
        Assert.That(RunModel.Risk(task with { WallLimit = TimeSpan.FromMinutes(30) }, device, 3600, Pool.Now), Is.GreaterThan(1 - 0.8 * stays * 0.5), "the tighter limit counts");
        Assert.That(RunModel.Risk(task with { Deadline = Pool.Now }, device, 3600, Pool.Now), Is.EqualTo(1));
        Assert.That(RunModel.Risk(task, device with { Reliability = 0 }, 1, Pool.Now), Is.EqualTo(1));
    }
}
