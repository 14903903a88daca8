using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics.Parameters;

namespace FogCompute.Application.Tokenomics.Parameters;

/// <summary>Rehearsals that were made.</summary>
public interface IRehearsals
{
    Task AddAsync(RehearsalAnswer rehearsal, AccountId askedBy, CancellationToken cancel);

    /// <summary>The latest of a proposal; null: none was made.</summary>
    Task<RehearsalAnswer?> LatestAsync(string proposal, CancellationToken cancel);
}

/// <summary>Reads what was scheduled and settled. Set-based: three statements, whatever the days hold.</summary>
public interface IRecordedDays
{
    /// <param name="mostTasks">The latest so many are read; the others are counted.</param>
    Task<RecordedDays> ReadAsync(DateTimeOffset from, DateTimeOffset to, int mostTasks, CancellationToken cancel);
}
