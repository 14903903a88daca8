using FogCompute.Node.Probes;

namespace FogCompute.Node.Tests.Probes;

[TestFixture]
public sealed class LinuxSensorsTests
{
    private string _root = null!;

    [SetUp]
    public void SetUp() => _root = Directory.CreateTempSubdirectory("fog-sysfs").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(_root, recursive: true);

    private LinuxSensors Sensors => new(_root, TimeProvider.System);

    private void Put(string path, string text)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text + "\n");
    }

    [Test]
    public async Task A_machine_without_sensors_has_no_values()
    {
        var readings = await Sensors.ReadAsync(CancellationToken.None);
        Assert.That(readings with { UserIdleSeconds = null }, Is.EqualTo(new SensorReadings()));
    }

    [TestCase("1", "Charging", true)]
    [TestCase("0", "Discharging", false)]
    [TestCase("1", "Full", true)]
    public void Reads_battery_and_mains(string online, string status, bool charging)
    {
        Put("sys/class/power_supply/AC/type", "Mains");
        Put("sys/class/power_supply/AC/online", online);
        Put("sys/class/power_supply/BAT0/type", "Battery");
        Put("sys/class/power_supply/BAT0/capacity", "73");
        Put("sys/class/power_supply/BAT0/status", status);
        Assert.That(Sensors.Power(), Is.EqualTo(((double?)73, (bool?)charging)));
    }

    [Test]
    public void A_mouse_battery_is_not_the_machines()
    {
        Put("sys/class/power_supply/hidpp_battery_0/type", "Battery");
        Put("sys/class/power_supply/hidpp_battery_0/scope", "Device");
        Put("sys/class/power_supply/hidpp_battery_0/capacity", "5");
        Put("sys/class/power_supply/hidpp_battery_0/status", "Discharging");
        Put("sys/class/power_supply/AC/type", "Mains");
        Put("sys/class/power_supply/AC/online", "0");
        Assert.That(Sensors.Power(), Is.EqualTo(((double?)null, (bool?)null)));
    }

    [Test]
    public void Takes_the_hottest_cpu_sensor_and_ignores_faults_and_others()
    {
        Put("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp");
        Put("sys/class/thermal/thermal_zone0/temp", "52000");
        Put("sys/class/thermal/thermal_zone1/type", "acpitz");
        Put("sys/class/thermal/thermal_zone1/temp", "61000");
        Put("sys/class/hwmon/hwmon0/name", "coretemp");
        Put("sys/class/hwmon/hwmon0/temp1_input", "57500");
        Put("sys/class/hwmon/hwmon0/temp2_input", "255000");
        Put("sys/class/hwmon/hwmon1/name", "nvme");
        Put("sys/class/hwmon/hwmon1/temp1_input", "70000");
        Assert.That(Sensors.Temperature(), Is.EqualTo(57.5));
    }

    [Test]
    public void Falls_back_to_any_thermal_zone()
    {
        Put("sys/class/thermal/thermal_zone0/type", "acpitz");
        Put("sys/class/thermal/thermal_zone0/temp", "41000");
        Assert.That(Sensors.Temperature(), Is.EqualTo(41));
    }

    [TestCase("wlan0", true, "wifi")]
    [TestCase("eth0", false, "ethernet")]
    public void Names_the_network_of_the_default_route(string link, bool wireless, string kind)
    {
        Put("proc/net/route", $"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\nlo\t0000007F\t0\t1\t0\t0\t0\t000000FF\n{link}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0");
        Put($"sys/class/net/{link}/mtu", "1500");
        if (wireless)
            Directory.CreateDirectory(Path.Combine(_root, "sys/class/net", link, "wireless"));
        Assert.That(Sensors.Network(), Is.EqualTo(kind));
    }

    [Test]
    public void Reads_the_session_managers_idle_hint()
    {
        var now = DateTimeOffset.UnixEpoch.AddSeconds(1_000);
        Assert.That(LinuxSensors.ParseIdleHint("IdleHint=yes\nIdleSinceHint=400000000\n", now), Is.EqualTo(600));
        Assert.That(LinuxSensors.ParseIdleHint("IdleHint=no\nIdleSinceHint=400000000\n", now), Is.Zero);
        Assert.That(LinuxSensors.ParseIdleHint("IdleHint=yes\nIdleSinceHint=0\n", now), Is.Null);
        Assert.That(LinuxSensors.ParseIdleHint("", now), Is.Null);
    }

    [Test]
    public void Other_cpu_leaves_out_the_agents_process_tree()
    {
        var clock = new ManualClock();
        var meter = new CpuMeter(_root, clock);
        Stat(busy: 1_000, idle: 1_000);
        Process(10, 1, "fog-node", 100);
        Process(11, 10, "bwrap (odd) name", 50);
        Process(12, 11, "payload", 50);
        Process(20, 1, "browser", 500);
        Assert.That(meter.Sample(10), Is.Null, "one sample is no rate");

        clock.Advance(TimeSpan.FromSeconds(10));
        // 1000 ticks passed: 600 busy, of which 400 are our tree's and 200 the browser's.
        Stat(busy: 1_600, idle: 1_400);
        Process(10, 1, "fog-node", 150);
        Process(12, 11, "payload", 400);
        Process(20, 1, "browser", 700);
        Assert.That(meter.Sample(10), Is.EqualTo(0.2).Within(1e-9));

        void Stat(long busy, long idle) => Put("proc/stat", $"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0");
        void Process(int pid, int parent, string name, long ticks) =>
            Put($"proc/{pid}/stat", $"{pid} ({name}) S {parent} 1 1 0 -1 4194304 0 0 0 0 {ticks} 0 0 0 20 0 1 0 100 1000 10");
    }

    [Test]
    public void The_mean_covers_the_last_minute_only()
    {
        var clock = new ManualClock();
        var meter = new CpuMeter(_root, clock);
        double? mean = null;
        long busy = 0, idle = 0;
        for (var second = 0; second <= 200; second += 10)
        {
            // Fully busy for 100 s, then idle.
            Put("proc/stat", $"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0");
            mean = meter.Sample(10);
            if (second == 100)
                Assert.That(mean, Is.EqualTo(1).Within(1e-9));
            if (second < 100)
                busy += 1_000;
            else
                idle += 1_000;
            clock.Advance(TimeSpan.FromSeconds(10));
        }
        Assert.That(mean, Is.Zero.Within(1e-9));
    }

    [Test]
    public async Task Reads_this_machine_in_plausible_ranges()
    {
        var readings = await new LinuxSensors("/", TimeProvider.System).ReadAsync(CancellationToken.None);
        Assert.Multiple(() =>
        {
            Assert.That(readings.BatteryPercent ?? 50, Is.InRange(0, 100));
            Assert.That(readings.TemperatureCelsius ?? 40, Is.InRange(-20, 125));
            Assert.That(readings.UserIdleSeconds ?? 0, Is.GreaterThanOrEqualTo(0));
        });
    }

    [Test]
    public void The_sensors_file_replaces_single_sensors()
    {
        var real = new SensorReadings { BatteryPercent = 50, Charging = true, TemperatureCelsius = 40 };
        var laid = SensorsFile.Apply(real, """{"charging": false, "temperature_celsius": null}""");
        Assert.That(laid, Is.EqualTo(real with { Charging = false, TemperatureCelsius = null }));
    }

    [TestCase("""{"charging": 1}""", "charging")]
    [TestCase("""{"battery_percent": 101}""", "0–100")]
    [TestCase("""{"volts": 1}""", "volts is not a sensor")]
    [TestCase("""{"network": "5g"}""", "ethernet, wifi, metered")]
    [TestCase("nope", "not valid JSON")]
    public void A_wrong_sensors_file_is_refused(string json, string part) =>
        Assert.That(Assert.Throws<FormatException>(() => SensorsFile.Apply(new SensorReadings(), json))!.Message, Does.Contain(part));

    [Test]
    public void Measures_the_machine_and_keeps_the_benchmark()
    {
        Put("proc/meminfo", "MemTotal:        2048000 kB");
        Put("proc/cpuinfo", "processor\t: 0\nmodel name\t: Test CPU\ncpu MHz\t\t: 2500.000");
        var first = CapabilityProbe.Measure(_root, _root);
        var second = CapabilityProbe.Measure(_root, _root);
        Assert.Multiple(() =>
        {
            Assert.That(first.MemoryMb, Is.EqualTo(2000));
            Assert.That(first.CpuGhz, Is.EqualTo(2.5));
            Assert.That(first.Cores, Is.EqualTo(Environment.ProcessorCount));
            Assert.That(first.BenchmarkScore, Is.GreaterThan(1e6));
            Assert.That(second.BenchmarkScore, Is.EqualTo(first.BenchmarkScore), "cached");
        });
    }

    /// <summary>A clock that moves when told.</summary>
    private sealed class ManualClock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
        public override long GetTimestamp() => _ticks;
        public void Advance(TimeSpan time) => _ticks += time.Ticks;
    }
}
