using FogCompute.Domain.Scheduler.Placement.Evolution;

namespace FogCompute.Placement;

/// <summary>Seeded draws from the distributions that the simulation needs.</summary>
internal sealed class Draw(ulong seed)
{
    private readonly Xoshiro256 _random = new(seed);

    /// <summary>A generator of its own for each of several numbers: what is drawn for one does not depend on how much was drawn for another.</summary>
    public static Draw For(ulong seed, params ReadOnlySpan<int> of)
    {
        foreach (var part in of)
            seed = (seed ^ (uint)part) * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019;
        return new(seed);
    }

    public double Unit() => _random.NextUnit();

    public int Below(int bound) => _random.NextBelow(bound);

    public bool Chance(double probability) => Unit() < probability;

    public double Between(double low, double high) => low + (high - low) * Unit();

    public T One<T>(params ReadOnlySpan<T> items) => items[Below(items.Length)];

    /// <summary>Standard normal (Box and Muller).</summary>
    public double Normal() => Math.Sqrt(-2 * Math.Log(Unit())) * Math.Cos(2 * Math.PI * Unit());

    public double LogNormal(double mu, double sigma) => Math.Exp(mu + sigma * Normal());

    public double Weibull(double shape, double scale) => scale * Math.Pow(-Math.Log(Unit()), 1 / shape);
}
