namespace FogCompute.Application.Tokenomics.Governance;

/// <summary>A part of the transaction that happens wholly or not at all, while the transaction itself goes on.</summary>
public interface ISavepoint
{
    /// <summary>
    /// Null: done, and sent to the database. Otherwise what went wrong; then nothing of it is left. A lost race, a database that is away and a
    /// cancellation are not answers: they end the whole transaction.
    /// </summary>
    Task<Exception?> TryAsync(Func<CancellationToken, Task> work, CancellationToken cancel);
}
