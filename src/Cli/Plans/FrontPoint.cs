using System.Text.Json.Nodes;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Plans;

/// <summary>
/// A non-dominated placement: seconds to the expected finish, credits charged, joules above idle (means over task replicas), risk of not ending well
/// (0–1) and variance of the devices' utilisation (0–1). <paramref name="Names"/> are the plans whose point it is, often none.
/// </summary>
/// <param name="Chosen">Whether the pass placed by this point.</param>
public sealed record FrontPoint(
    double FinishSeconds, double CostCredits, double? EnergyJoules, double? Risk, double? Imbalance, IReadOnlyList<string> Names, bool Chosen = false)
{
    /// <summary>Beyond it a figure is no figure: 30 million years, a billion times what all credits are worth.</summary>
    private const double Largest = 1e15;

    public bool IsNamed => Chosen || Names.Count > 0;

    /// <summary><c>knee, fast (chosen)</c>; empty for a point without a name.</summary>
    public string Label => (Names.Count, Chosen) switch
    {
        (0, true) => "chosen",
        (_, true) => $"{string.Join(", ", Names)} (chosen)",
        _ => string.Join(", ", Names),
    };

    /// <summary>The front of a pass as the server sent it. Points without a finish and a cost cannot be drawn and are left out.</summary>
    public static IReadOnlyList<FrontPoint> Read(JsonNode pass)
    {
        var chosen = pass.Integer("chosen");
        return [.. pass.Items("front").Select((p, i) => (Finish: Finite(p, "finishSeconds"), Cost: Finite(p, "costCredits"), Point: p, Index: i))
            .Where(p => p.Finish is not null && p.Cost is not null)
            .Select(p => new FrontPoint(p.Finish!.Value, p.Cost!.Value, Finite(p.Point, "energyJoules"), Finite(p.Point, "risk"), Finite(p.Point, "imbalance"),
                [.. p.Point.Items("names").Select(n => n.Text()).OfType<string>()], p.Index == chosen))];
    }

    private static double? Finite(JsonNode point, string name) => point.Number(name) is { } n && Math.Abs(n) <= Largest ? n : null;
}
