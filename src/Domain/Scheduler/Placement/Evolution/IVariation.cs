namespace FogCompute.Domain.Scheduler.Placement.Evolution;

/// <summary>
/// Makes individuals: random ones for the first population and children from pairs of parents. Works on whole generations at once, so that the
/// arithmetic of all pairs can share vector instructions.
/// </summary>
public interface IVariation<TGene>
    where TGene : unmanaged
{
    /// <summary>Fills <paramref name="vectors"/> (individuals × variables) with uniformly random individuals.</summary>
    void Sample(Span<TGene> vectors, Xoshiro256 random);

    /// <summary>Crosses and mutates: parents 2k and 2k + 1 give children 2k and 2k + 1.</summary>
    /// <param name="population">Individuals × variables.</param>
    /// <param name="parents">Rows of <paramref name="population"/>, an even number.</param>
    /// <param name="children">Parents × variables, written whole.</param>
    /// <param name="random">The only source of chance.</param>
    void Breed(ReadOnlySpan<TGene> population, ReadOnlySpan<int> parents, Span<TGene> children, Xoshiro256 random);
}
