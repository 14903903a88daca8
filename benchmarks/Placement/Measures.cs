using System.Globalization;

namespace FogCompute.Placement;

/// <summary>One figure of the comparison.</summary>
/// <param name="Name">As the JSON line has it.</param>
/// <param name="Higher">Whether more is better.</param>
internal sealed record Measure(string Name, string Label, string Format, bool Higher, Func<Trial, double> Of)
{
    public static readonly Measure Misses = new("misses_percent", "missed deadlines, %", "0.0", false, t => 100 * t.Outcome.Misses);
    public static readonly Measure Aggregate = new("aggregate", "aggregate", "0.000", true, t => t.Aggregate);
    public static readonly Measure Volume = new("pass_hypervolume", "hypervolume per pass", "0.000", true, t => t.Volume);

    public static readonly Measure[] All =
    [
        Misses,
        new("p50_minutes", "p50 finish, min", "0", false, t => t.Outcome.P50),
        new("p99_minutes", "p99 finish, min", "0", false, t => t.Outcome.P99),
        new("priority_p90_minutes", "p90 finish, priority 80, min", "0", false, t => t.Outcome.UrgentP90),
        new("credits_per_core_hour", "credits / core h", "0.000", false, t => t.Outcome.Cost),
        new("watt_hours_per_core_hour", "Wh / core h", "0.0", false, t => t.Outcome.WattHours),
        new("lost_percent", "lost work, %", "0.0", false, t => 100 * t.Outcome.Lost),
        Volume,
        Aggregate,
    ];

    public string Text(double value) => value.ToString(Format, CultureInfo.InvariantCulture);
}

/// <summary>One policy on one seed.</summary>
/// <param name="Volume">See <see cref="Fronts"/>.</param>
internal sealed record Trial(string Policy, ulong Seed, Outcome Outcome, double Volume)
{
    /// <summary>
    /// Share of the box between nothing and 1.1 × the worst policy of the seed that is better than this policy's point in missed deadlines, p99 finish, cost and
    /// energy (the hypervolume that the point dominates), as its fourth root: the geometric mean of what is left on the four axes, 0–1.
    /// </summary>
    public double Aggregate { get; private init; }

    public static Trial[] WithAggregates(Trial[] ofOneSeed)
    {
        Func<Outcome, double>[] axes = [o => o.Misses, o => o.P99, o => o.Cost, o => o.WattHours];
        var worst = axes.Select(axis => 1.1 * ofOneSeed.Max(t => axis(t.Outcome))).ToArray();
        return [.. ofOneSeed.Select(t => t with { Aggregate = axes.Select((axis, i) => worst[i] > 0 ? 1 - axis(t.Outcome) / worst[i] : 1).Aggregate(1.0, (a, b) => a * b, product => Math.Pow(product, 0.25)) })];
    }
}

/// <summary>All trials of one size of pool.</summary>
internal sealed record SizeResult(int Devices, int Seeds, int Tasks, IReadOnlyList<Trial> Trials)
{
    public IReadOnlyList<Trial> Of(string policy) => [.. Trials.Where(t => t.Policy == policy).OrderBy(t => t.Seed)];

    public Spread Spread(string policy, Measure measure) => Placement.Spread.Of(Of(policy).Select(measure.Of));

    public (double P50, double P99) Decisions(string policy)
    {
        var all = Of(policy).SelectMany(t => t.Outcome.Decisions).Order().ToList();
        return (Statistics.Quantile(all, 0.5), Statistics.Quantile(all, 0.99));
    }

    /// <summary>Median over the seeds of how much one policy has more than another.</summary>
    public double MedianDifference(string one, string other, Measure measure) =>
        Placement.Spread.Of(Of(one).Zip(Of(other), (a, b) => measure.Of(a) - measure.Of(b))).Median;
}

/// <summary>Whether the product's engine keeps its aims in one size of pool.</summary>
/// <param name="FewestMisses">The baseline with the fewest missed deadlines on average.</param>
/// <param name="MissDifference">Median over the seeds of the product's missed deadlines less that baseline's, percentage points.</param>
/// <param name="SeedGain">Median over the seeds of the pass hypervolume less that without seeds.</param>
internal sealed record Verdict(
    string FewestMisses, double MissDifference, double Aggregate, double BestAggregate, string AggregateRival, double SeedGain, double DecisionP99, IReadOnlyList<string> Losses, bool Pass);
