using System.Diagnostics;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>Base of the fixtures: what failed prints the ends of all logs.</summary>
internal abstract class Scenario
{
    protected abstract Pool Pool { get; }

    [TearDown]
    public void PrintLogsOfAFailure()
    {
        if (TestContext.CurrentContext.Result.Outcome.Status == NUnit.Framework.Interfaces.TestStatus.Failed)
            Pool.PrintLogs();
    }

    /// <summary>Writes how long something took into the report of the test and returns it.</summary>
    protected static TimeSpan Took(string what, long since)
    {
        var time = Stopwatch.GetElapsedTime(since);
        TestContext.Out.WriteLine($"{what}: {time.TotalSeconds:0.00} s");
        return time;
    }
}
