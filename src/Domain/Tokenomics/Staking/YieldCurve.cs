namespace FogCompute.Domain.Tokenomics.Staking;

/// <summary>The yearly yield of stakes over time: constant between changes of the parameter.</summary>
public sealed class YieldCurve
{
    private readonly long _initial;
    private readonly List<(long From, long BasisPoints)> _steps = [];

    /// <param name="initial">Basis points before the first change.</param>
    /// <param name="changes">In the order in which they were made; one whose clock runs behind counts from the one before.</param>
    public YieldCurve(long initial, IEnumerable<(DateTimeOffset From, long BasisPoints)> changes)
    {
        _initial = initial;
        foreach (var (from, basisPoints) in changes)
            _steps.Add((_steps.Count == 0 ? Micros(from) : Math.Max(_steps[^1].From, Micros(from)), basisPoints));
    }

    /// <summary>The integral in basis points × microseconds; 0 when <paramref name="to"/> is not after <paramref name="from"/>. O(changes).</summary>
    public Int128 Between(DateTimeOffset from, DateTimeOffset to)
    {
        var (at, end, rate) = (Micros(from), Micros(to), _initial);
        Int128 sum = 0;
        foreach (var (start, basisPoints) in _steps)
        {
            if (start >= end)
                break;
            if (start > at)
            {
                sum += (Int128)rate * (start - at);
                at = start;
            }
            rate = basisPoints;
        }
        return end > at ? sum + ((Int128)rate * (end - at)) : sum;
    }

    /// <summary>As the database keeps instants: whole microseconds.</summary>
    private static long Micros(DateTimeOffset at) => at.UtcTicks / TimeSpan.TicksPerMicrosecond;
}
