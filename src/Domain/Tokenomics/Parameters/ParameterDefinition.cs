namespace FogCompute.Domain.Tokenomics.Parameters;

public enum ParameterUnit
{
    /// <summary>10⁻⁶ credit.</summary>
    MicroCredits,
    /// <summary>Hundredths of a percent: 10 000 is all of it.</summary>
    BasisPoints,
    /// <summary>Tenths of a multiplier: 25 is × 2.5.</summary>
    Tenths,
    Seconds,
    Count,
    /// <summary>0 off, 1 on.</summary>
    Flag,
}

/// <summary>One tunable of the pool. Values are integers in <paramref name="Unit"/>, so that money and votes stay exact.</summary>
/// <param name="Name">Lower-case, <c>group.name_unit</c>; the key everywhere.</param>
/// <param name="Default">In force until a proposal, or the pool's founder at its first start, sets another.</param>
/// <param name="Min">Least value a proposal may set.</param>
/// <param name="Max">Greatest value anybody may set.</param>
/// <param name="Meaning">One sentence for voters.</param>
public sealed record ParameterDefinition(string Name, ParameterUnit Unit, long Default, long Min, long Max, string Meaning)
{
    /// <summary>
    /// Least value that the founder of a pool may set before its first start. Clocks may be shorter there (a pool for trying things out governs itself in
    /// seconds); no proposal gets below <see cref="Min"/>.
    /// </summary>
    public long FounderMin { get; init; } = Min;

    public bool Allows(long value) => value >= Min && value <= Max;
}
