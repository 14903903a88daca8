namespace FogCompute.Domain.Scheduler;

/// <summary>Wait before a failed task is placed again: 5 s · 2ⁿ ± 20 %, at most 10 min.</summary>
public static class RetryBackoff
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    /// <param name="failures">Failures so far, ≥ 1.</param>
    /// <param name="jitter">Uniform 0–1.</param>
    public static TimeSpan After(int failures, double jitter)
    {
        var seconds = 5 * Math.Pow(2, Math.Clamp(failures, 1, 16) - 1) * (0.8 + 0.4 * jitter);
        return TimeSpan.FromSeconds(Math.Min(seconds, Longest.TotalSeconds));
    }
}
