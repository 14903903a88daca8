using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Parameters;

/// <summary>Writes the tunables. Called by the execution of proposals, and once by the founder's settings at the first start.</summary>
public interface IParameterBook
{
    /// <summary>Puts a value in force within the current transaction; the next version. The caller has checked the bounds.</summary>
    /// <param name="proposal">Id of the proposal that decided it; null: the founder.</param>
    Task<ParameterChange> SetAsync(ParameterDefinition parameter, long value, string? proposal, DateTimeOffset at, CancellationToken cancel);

    /// <summary>Every change of one parameter, or of all (null), newest first.</summary>
    Task<IReadOnlyList<ParameterChange>> HistoryAsync(string? name, int limit, CancellationToken cancel);
}

/// <param name="Proposal">Hex id of the proposal; null: set by the founder at the first start.</param>
public sealed record ParameterChange(long Version, string Name, long Previous, long Value, string? Proposal, DateTimeOffset At);
