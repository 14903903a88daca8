using System.Diagnostics;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>Base of the fixtures: a failed test prints the ends of all logs, and each test leaves the pool as it found it.</summary>
internal abstract class Scenario
{
    private int _devicesBefore;

    protected abstract Pool Pool { get; }

    [SetUp]
    public void CountDevices() => _devicesBefore = Pool.Devices;

    [TearDown]
    public async Task CleanUp()
    {
        if (TestContext.CurrentContext.Result.Outcome.Status == NUnit.Framework.Interfaces.TestStatus.Failed)
            Pool.PrintLogs();
        await Pool.CleanUpAsync(_devicesBefore);
    }

    /// <summary>Writes how long something took into the report of the test and returns it.</summary>
    protected static TimeSpan Took(string what, long since)
    {
        var time = Stopwatch.GetElapsedTime(since);
        TestContext.Out.WriteLine($"{what}: {time.TotalSeconds:0.00} s");
        return time;
    }
}
