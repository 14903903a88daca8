namespace FogCompute.Domain.Identity;

/// <summary>When wrong logins lock a name or an address, and for how long: each failure beyond the free ones doubles the wait.</summary>
/// <param name="Free">Failures that lock nothing.</param>
/// <param name="First">The first lock.</param>
/// <param name="Longest">No lock is longer.</param>
public sealed record LoginThrottle(int Free, TimeSpan First, TimeSpan Longest)
{
    /// <summary>Of a user name. Low enough to stop guessing (at most some 100 tries a day), short enough that nobody is locked out of their account for long.</summary>
    public static readonly LoginThrottle OfName = new(5, TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(15));

    /// <summary>Of an address: many people may share one.</summary>
    public static readonly LoginThrottle OfPeer = new(20, TimeSpan.FromSeconds(30), TimeSpan.FromHours(1));

    /// <summary>Failures are forgotten this long after the last.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromDays(1);

    /// <param name="failures">How many there have been, this one included.</param>
    public TimeSpan LockAfter(int failures)
    {
        if (failures < Free)
            return TimeSpan.Zero;
        var wait = First.TotalSeconds * Math.Pow(2, Math.Min(failures - Free, 30));
        return wait < Longest.TotalSeconds ? TimeSpan.FromSeconds(wait) : Longest;
    }
}
