using FogCompute.Infrastructure.Host;
using FogCompute.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace FogCompute.Infrastructure.IntegrationTests.Host;

public sealed class HostSamplerTests
{
    private readonly ManualTimeProvider _time = new();
    private string _root = null!;
    private HostSampler _sampler = null!;

    [SetUp]
    public void SetUp()
    {
        _root = Directory.CreateTempSubdirectory("fog-proc-").FullName;
        Write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Example CPU 3000\n");
        Write("proc/sys/kernel/osrelease", "6.1.0-example\n");
        Write("proc/self/mountinfo", "21 1 8:2 / / rw - ext4 /dev/sda2 rw\n");
        Write("sys/dev/block/8:2/../queue/rotational", "1\n");
        Write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\n");
        Directory.CreateDirectory(Path.Combine(_root, "sys/block/sda"));
        Counters(idle: 1000, busy: 100, sectors: 0, received: 0, sent: 0);
        _sampler = new HostSampler(new ProcReader(_root, _root), _time, NullLogger<HostSampler>.Instance);
    }

    [TearDown]
    public void TearDown() => Directory.Delete(_root, recursive: true);

    private void Write(string path, string text)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    private void Counters(long idle, long busy, long sectors, long received, long sent)
    {
        // Guest time is part of user time already; counting it again would show more than there is.
        Write("proc/stat", $"cpu  {busy} 0 0 {idle} 0 0 0 0 {busy} 0\ncpu0 1 2 3 4\n");
        Write("proc/diskstats", $"   8 0 sda 1 0 {sectors} 0 1 0 {2 * sectors} 0 0 0 0\n   8 2 sda2 1 0 {sectors} 0 1 0 {sectors} 0 0 0 0\n   7 0 loop0 1 0 999999 0 1 0 999999 0 0 0 0\n");
        Write("proc/net/dev", $"Inter-|   Receive\n face |bytes\n    lo: 99999999 1 0 0 0 0 0 0 99999999 1 0 0 0 0 0 0\n  eth0: {received} 1 0 0 0 0 0 0 {sent} 1 0 0 0 0 0 0\n veth1: 77777777 1 0 0 0 0 0 0 77777777 1 0 0 0 0 0 0\n");
    }

    [Test]
    public void Rates_are_those_between_two_looks()
    {
        Write("sys/class/net/eth0/device/vendor", "x");
        Write("sys/class/net/eth0/speed", "100\n"); // Mbit/s: 12.5 MB/s
        _sampler.Look();
        Assert.That(_sampler.Latest, Is.Null, "one look has no interval");
        _time.Advance(TimeSpan.FromSeconds(2));
        Counters(idle: 1150, busy: 150, sectors: 4000, received: 5_000_000, sent: 1_000_000);
        _sampler.Look();
        var metrics = _sampler.Latest!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(metrics.CpuPercent, Is.EqualTo(25), "50 of 200 ticks");
            Assert.That(metrics.MemoryPercent, Is.EqualTo(75));
            Assert.That(metrics.DiskReadBytesPerSecond, Is.EqualTo(4000 * 512 / 2), "of the disk, not of its partition again, nor of a loop device");
            Assert.That(metrics.DiskWrittenBytesPerSecond, Is.EqualTo(4000 * 512));
            Assert.That((metrics.ReceivedBytesPerSecond, metrics.SentBytesPerSecond), Is.EqualTo((2_500_000.0, 500_000.0)));
            Assert.That((metrics.NetworkPercent, metrics.NetworkPercentOf), Is.EqualTo((20.0, "link_speed")));
            Assert.That(metrics.NetworkMegabytesPerSecond, Is.EqualTo(3));
            Assert.That(metrics.DiskUsePercent, Is.InRange(0, 100));
        }
    }

    [Test]
    public void Without_a_link_speed_utilization_is_relative_to_the_largest_rate_seen()
    {
        Write("sys/class/net/eth0/device/vendor", "x");
        Write("sys/class/net/eth0/speed", "-1\n");
        _sampler.Look();
        foreach (var (received, percent) in new[] { (4_000_000, 100.0), (5_000_000, 25.0) })
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Counters(idle: 1000, busy: 100, sectors: 0, received, sent: 0);
            _sampler.Look();
            Assert.That((_sampler.Latest!.NetworkPercent, _sampler.Latest.NetworkPercentOf), Is.EqualTo((percent, "largest_rate_seen")));
        }
        Assert.That(_sampler.Latest!.CpuPercent, Is.Zero, "a clock of ticks that stood still");
    }

    [Test]
    public void Counters_that_go_back_are_no_negative_rates()
    {
        Counters(idle: 1000, busy: 100, sectors: 900, received: 900, sent: 900);
        _sampler.Look();
        _time.Advance(TimeSpan.FromSeconds(1));
        Counters(idle: 1001, busy: 101, sectors: 1, received: 1, sent: 1);
        _sampler.Look();
        Assert.That((_sampler.Latest!.DiskReadBytesPerSecond, _sampler.Latest.DiskWrittenBytesPerSecond), Is.EqualTo((0.0, 0.0)));
    }

    [Test]
    public void Describes_the_machine()
    {
        var machine = _sampler.Machine;
        Assert.That((machine.Cpu, machine.Memory, machine.Kernel, machine.Disk), Is.EqualTo(("Example CPU 3000", 1000L * 1024, "6.1.0-example", "rotating")));
        Assert.That(machine.Cores, Is.EqualTo(Environment.ProcessorCount));
    }

    [Test]
    public void Without_proc_nothing_is_claimed()
    {
        var sampler = new HostSampler(new ProcReader(Path.Combine(_root, "nothing"), _root), _time, NullLogger<HostSampler>.Instance);
        sampler.Look();
        _time.Advance(TimeSpan.FromSeconds(1));
        sampler.Look();
        Assert.That(sampler.Latest, Is.Null);
    }

    [Test]
    public void Reads_this_machine()
    {
        var sampler = new HostSampler(new ProcReader("/", _root), _time, NullLogger<HostSampler>.Instance);
        sampler.Look();
        _time.Advance(TimeSpan.FromSeconds(1));
        sampler.Look();
        Assert.That(sampler.Latest!.MemoryPercent, Is.GreaterThan(0).And.LessThanOrEqualTo(100));
        Assert.That(sampler.Machine.Memory, Is.GreaterThan(1 << 20));
    }
}
