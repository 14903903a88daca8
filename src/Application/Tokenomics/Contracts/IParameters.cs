using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Contracts;

/// <summary>The tunables of the pool, for every module that follows them.</summary>
public interface IParameters
{
    /// <summary>The values in force. A change shows at once in the process that executes it and within a second in the others.</summary>
    Task<ParameterValues> CurrentAsync(CancellationToken cancel);
}
