namespace FogCompute.Domain.IdleCompute;

/// <summary>
/// Beta reputation (Jøsang and Ismail, 2002) with exponential forgetting, half-life 30 days. Trust is the lower confidence bound, so a
/// newcomer is not trusted more than a machine with a record, and evidence can only be earned.
/// </summary>
public readonly record struct Reputation(double Right, double Wrong, DateTimeOffset At)
{
    public static readonly TimeSpan HalfLife = TimeSpan.FromDays(30);
    private const double OneSided95 = 1.645;

    public Reputation Observe(int right, int wrong, DateTimeOffset now)
    {
        var keep = Decay(now);
        return new(Right * keep + right, Wrong * keep + wrong, now);
    }

    /// <summary>Mean of Beta(right + 1, wrong + 1): the probability that its next result is right. 1/2 without evidence.</summary>
    public double Mean(DateTimeOffset now)
    {
        var keep = Decay(now);
        return (Right * keep + 1) / ((Right + Wrong) * keep + 2);
    }

    /// <summary>Lower one-sided 95 % bound of Beta(right + 1, wrong + 1), normal approximation, clamped to 0–1. About 0.03 without evidence.</summary>
    public double LowerBound(DateTimeOffset now)
    {
        var keep = Decay(now);
        var a = Right * keep + 1;
        var b = Wrong * keep + 1;
        var n = a + b;
        var deviation = Math.Sqrt(a * b / (n * n * (n + 1)));
        return Math.Clamp(a / n - OneSided95 * deviation, 0, 1);
    }

    private double Decay(DateTimeOffset now) => now <= At ? 1 : Math.Pow(0.5, (now - At) / HalfLife);
}
