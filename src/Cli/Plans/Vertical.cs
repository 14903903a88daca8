namespace FogCompute.Cli.Plans;

/// <summary>
/// What a front's chart shows upwards: cost; or energy, where cost would only repeat the finish. It does when all work of a pass is of one kind,
/// since that is charged by the second.
/// </summary>
/// <param name="Name">Of the objective, for the axis: <c>cost</c> or <c>energy</c>.</param>
/// <param name="Of">A point's value.</param>
/// <param name="Axis">An axis for values and about so many ticks.</param>
public sealed record Vertical(string Name, Func<FrontPoint, double> Of, Func<IReadOnlyCollection<double>, int, Axis> Axis)
{
    /// <summary>Costs per second that differ by less than this share are one and the same.</summary>
    private const double Same = 0.005;

    private static readonly Vertical Cost = new("cost", p => p.CostCredits, Plans.Axis.OfCredits);
    private static readonly Vertical Energy = new("energy", p => p.EnergyJoules ?? 0, Plans.Axis.OfJoules);

    /// <summary>The one that says more about this front.</summary>
    public static Vertical For(IReadOnlyList<FrontPoint> front)
    {
        if (front.Count < 2 || front.Any(p => p.EnergyJoules is null || p.FinishSeconds <= 0 || p.CostCredits <= 0) || front.All(p => p.EnergyJoules == front[0].EnergyJoules))
            return Cost;
        var perSecond = front.Select(p => p.CostCredits / p.FinishSeconds).ToList();
        return perSecond.Max() - perSecond.Min() <= Same * perSecond.Max() ? Energy : Cost;
    }

    /// <summary>Whether cost is left out because it follows the finish.</summary>
    public bool HidesCost => this == Energy;
}
