using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Contracts;

/// <summary>The tunables of the pool, for every module that follows them.</summary>
public interface IParameters
{
    /// <summary>
    /// The values in force. A change shows at once in the process that executes it and within a second in the others. Within one transaction it is always the same
    /// version, unless that transaction makes the change. Cheap: a process asks the database once a second, whatever the number of callers.
    /// </summary>
    Task<ParameterValues> CurrentAsync(CancellationToken cancel);
}
