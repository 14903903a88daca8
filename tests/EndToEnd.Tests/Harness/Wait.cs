using System.Diagnostics;
using System.Globalization;

namespace FogCompute.EndToEnd.Tests.Harness;

/// <summary>Waiting for conditions. Nothing in these tests sleeps for a fixed time and hopes.</summary>
internal static class Wait
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    /// <summary>How long anything may take that has no bound of its own in the product: long enough for a machine that does five other things.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    /// <summary>Looks until what it sees is good and returns that.</summary>
    /// <exception cref="AssertionException">It did not become good; the message has the last thing seen.</exception>
    public static async Task<T> UntilAsync<T>(string what, Func<Task<T>> look, Func<T, bool> good, TimeSpan? patience = null)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            var seen = await look();
            if (good(seen))
                return seen;
            if (Stopwatch.GetElapsedTime(started) > (patience ?? Patience))
                throw new AssertionException($"Waited {(patience ?? Patience).TotalSeconds:0.#} s in vain until {what}. Last seen: {FogClient.Show(seen)}");
            await Task.Delay(Look);
        }
    }

    /// <summary>Looks until it is so.</summary>
    public static Task UntilAsync(string what, Func<bool> isSo, TimeSpan? patience = null) =>
        UntilAsync(what, () => Task.FromResult(isSo()), so => so, patience);

    /// <summary>
    /// A bound of the product holds on a machine that has time. With more runnable programs than cores everything takes that many times longer,
    /// so the bound is stretched by the load per core (at most threefold).
    /// </summary>
    public static TimeSpan OnThisMachine(TimeSpan bound)
    {
        var load = File.Exists("/proc/loadavg") ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) : 1;
        return bound * Math.Clamp(load / Environment.ProcessorCount, 1, 3);
    }
}
