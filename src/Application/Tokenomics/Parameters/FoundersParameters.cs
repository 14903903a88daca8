using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Parameters;

/// <summary>What the founder of a pool sets before its first start (<c>FOG_PARAMETERS</c>): checked values by parameter, mostly none.</summary>
public sealed record FoundersParameters(IReadOnlyDictionary<ParameterDefinition, long> Values)
{
    public static readonly FoundersParameters None = new(new Dictionary<ParameterDefinition, long>());
}

/// <summary>Whether a pool is still its founder's alone.</summary>
public interface IPoolOrigin
{
    /// <summary>
    /// True while no parameter was ever changed, no account opened and nothing transferred after genesis. It stays so to the end of the transaction: who opens the
    /// first account meanwhile waits for it.
    /// </summary>
    Task<bool> IsUntouchedAsync(CancellationToken cancel);
}
