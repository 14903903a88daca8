using System.Numerics;

namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>Checks of bounds and of individuals that come from outside; what the operators make themselves needs none.</summary>
internal static class Bounds
{
    public static void Require<TGene>(ReadOnlySpan<TGene> lower, ReadOnlySpan<TGene> upper)
        where TGene : unmanaged, INumber<TGene>
    {
        if (lower.IsEmpty || lower.Length != upper.Length)
            throw new ArgumentException($"The problem has {lower.Length} lower and {upper.Length} upper bounds: give one of each per variable, and at least one variable.");
        for (var gene = 0; gene < lower.Length; gene++)
        {
            if (!(lower[gene] <= upper[gene]) || !TGene.IsFinite(lower[gene]) || !TGene.IsFinite(upper[gene]))
                throw new ArgumentException($"Variable {gene} has the bounds {lower[gene]} to {upper[gene]}: both must be finite, the lower first.");
        }
    }

    public static void RequireInside<TGene>(ReadOnlySpan<TGene> vectors, ReadOnlySpan<TGene> lower, ReadOnlySpan<TGene> upper)
        where TGene : unmanaged, INumber<TGene>
    {
        if (vectors.Length % lower.Length != 0)
            throw new ArgumentException($"The seeds hold {vectors.Length} genes, which is no multiple of the {lower.Length} variables.");
        for (var at = 0; at < vectors.Length; at++)
        {
            var gene = at % lower.Length;
            if (!(vectors[at] >= lower[gene] && vectors[at] <= upper[gene]))
                throw new ArgumentException($"Seed {at / lower.Length} has {vectors[at]} in variable {gene}, outside its bounds {lower[gene]} to {upper[gene]}.");
        }
    }
}
