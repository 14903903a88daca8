using FogCompute.Application.Tokenomics.Governance;
using FogCompute.Infrastructure.Persistence;

namespace FogCompute.Infrastructure.Tokenomics.Governance;

internal sealed class DatabaseSavepoint(FogDbContext db) : ISavepoint
{
    private const string Name = "part";

    public async Task<Exception?> TryAsync(Func<CancellationToken, Task> work, CancellationToken cancel)
    {
        var transaction = db.Database.CurrentTransaction ?? throw new InvalidOperationException("There is no transaction to go on with.");
        // What was tracked before must not be lost with the part.
        await db.SaveChangesAsync(cancel);
        await transaction.CreateSavepointAsync(Name, cancel);
        try
        {
            await work(cancel);
            await db.SaveChangesAsync(cancel);
        }
        catch (Exception failure) when (failure is not OperationCanceledException && !DatabaseFailures.IsContention(failure) && !DatabaseFailures.IsOutage(failure))
        {
            db.ChangeTracker.Clear();
            await transaction.RollbackToSavepointAsync(Name, cancel);
            return failure;
        }
        await transaction.ReleaseSavepointAsync(Name, cancel);
        return null;
    }
}
