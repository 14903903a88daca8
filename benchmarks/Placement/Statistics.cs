namespace FogCompute.Placement;

/// <summary>Median and quartiles of one figure over the seeds that have it.</summary>
internal readonly record struct Spread(double Low, double Median, double High)
{
    public static Spread Of(IEnumerable<double> values)
    {
        var sorted = values.Where(double.IsFinite).Order().ToList();
        return new(Statistics.Quantile(sorted, 0.25), Statistics.Quantile(sorted, 0.5), Statistics.Quantile(sorted, 0.75));
    }
}

internal static class Statistics
{
    /// <summary>The quantile with linear interpolation; not a number of nothing.</summary>
    public static double Quantile(IReadOnlyList<double> sorted, double share)
    {
        if (sorted.Count == 0)
            return double.NaN;
        var at = share * (sorted.Count - 1);
        var low = (int)Math.Floor(at);
        return low + 1 < sorted.Count ? sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]) : sorted[low];
    }
}
