using FogCompute.Infrastructure.Benchmarks;
using FogCompute.Testing;

namespace FogCompute.Infrastructure.IntegrationTests.Host;

public sealed class MeasurementsTests
{
    [Test]
    public void What_moved_is_a_rate_also_when_the_look_comes_late()
    {
        var time = new ManualTimeProvider();
        var measurements = new Measurements(time);
        measurements.Moved(40);
        time.Advance(TimeSpan.FromSeconds(4));
        Assert.That(measurements.TakeSecond(), Is.EqualTo(((double?)null, 10.0)));
        measurements.Moved(3);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.That(measurements.TakeSecond().MegabytesPerSecond, Is.EqualTo(3));
        Assert.That(measurements.TakeSecond().MegabytesPerSecond, Is.Zero, "no time, no rate");
    }
}
