using System.Net.Sockets;
using System.Security.Cryptography;
using FogCompute.Application.Common.Messaging;
using FogCompute.Domain.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace FogCompute.Infrastructure.Persistence;

/// <summary>One READ COMMITTED transaction per command: rows are locked explicitly where the rules need it.</summary>
internal sealed class UnitOfWork(FogDbContext db) : IUnitOfWork
{
    private const int Attempts = 8;

    public Task FlushAsync(CancellationToken cancel) => db.SaveChangesAsync(cancel);

    public async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> work, Func<CancellationToken, Task> beforeCommit, CancellationToken cancel)
    {
        if (db.Database.CurrentTransaction is not null)
            throw new InvalidOperationException("A command was sent from inside another command; raise an event instead.");
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                // One save per transaction: a savepoint around it would only cost two round trips.
                db.Database.AutoSavepointsEnabled = false;
                await using var transaction = await db.Database.BeginTransactionAsync(cancel);
                var result = await work(cancel);
                await beforeCommit(cancel);
                await db.SaveChangesAsync(cancel);
                await CommitAsync(transaction, cancel);
                return result;
            }
            catch (Exception failure) when (DatabaseFailures.IsContention(failure) && attempt < Attempts)
            {
                // Another transaction won; ours has had no effect, so it starts over with fresh eyes, after a moment by chance: those who lost
                // together must not meet again.
                db.ChangeTracker.Clear();
                await Task.Delay(RandomNumberGenerator.GetInt32(5 << attempt), cancel);
            }
            catch (Exception failure) when (failure is not FogException && DatabaseFailures.IsOutage(failure))
            {
                throw DatabaseFailures.Unavailable(failure);
            }
        }
    }

    private static async Task CommitAsync(IDbContextTransaction transaction, CancellationToken cancel)
    {
        try
        {
            await transaction.CommitAsync(cancel);
        }
        catch (Exception failure) when (DatabaseFailures.IsOutage(failure))
        {
            // The server may have committed and been lost before it could say so; claiming that nothing changed could be a lie.
            throw new FogException(DatabaseFailures.OutcomeUnknown, inner: failure) { RetryAfter = TimeSpan.FromSeconds(2) };
        }
    }
}

/// <summary>Tells a lost race and a database that is away from a defect.</summary>
public static class DatabaseFailures
{
    public static readonly FogError DatabaseDown = new("common.database_unavailable", ErrorKind.Unavailable,
        "The database does not answer, or has no room, just now. Nothing was changed; try again in a moment.");

    public static readonly FogError OutcomeUnknown = new("common.outcome_unknown", ErrorKind.Unavailable,
        "The database was lost while it was saving, so this may or may not have happened. Look before repeating it, or repeat it under the same Idempotency-Key.");

    public static bool IsContention(Exception failure) =>
        Postgres(failure)?.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.LockNotAvailable;

    public static bool IsOutage(Exception failure)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                // 53: out of disk, memory or connections.
                case PostgresException pg when pg.SqlState.StartsWith("57P0", StringComparison.Ordinal) || pg.SqlState.StartsWith("08", StringComparison.Ordinal)
                    || pg.SqlState.StartsWith("53", StringComparison.Ordinal):
                case NpgsqlException { InnerException: SocketException or IOException or TimeoutException }:
                case SocketException:
                    return true;
            }
        }
        return false;
    }

    public static FogException Unavailable(Exception failure) => new(DatabaseDown, inner: failure) { RetryAfter = TimeSpan.FromSeconds(2) };

    private static PostgresException? Postgres(Exception failure)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is PostgresException pg)
                return pg;
        }
        return null;
    }
}
