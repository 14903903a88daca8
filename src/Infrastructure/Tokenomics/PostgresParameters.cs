using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Tokenomics.Contracts;
using FogCompute.Application.Tokenomics.Parameters;
using FogCompute.Domain.Tokenomics.Parameters;
using FogCompute.Infrastructure.Persistence;
using Microsoft.EntityFrameworkCore;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Tokenomics;

/// <summary>The values in force are what the changes add up to; there are few of them, so no second table repeats the latest.</summary>
internal sealed class PostgresParameters(FogDbContext db, ParameterCache cache, ITransactionScope transaction) : IParameters, IParameterBook, IPoolOrigin
{
    /// <summary>What the running transaction has seen, and whether it has changed something itself.</summary>
    private (Guid Transaction, ParameterValues Values)? _seen;
    private Guid? _changedIn;

    public async Task<ParameterValues> CurrentAsync(CancellationToken cancel)
    {
        var running = db.Database.CurrentTransaction?.TransactionId;
        // Its own change is nobody else's until it commits.
        if (running is not null && running == _changedIn)
            return await ReadAsync(cancel);
        if (_seen is { } seen && seen.Transaction == running)
            return seen.Values;
        var values = cache.Fresh ?? await RefreshAsync(cancel);
        if (running is { } transactionId)
            _seen = (transactionId, values);
        return values;
    }

    private async Task<ParameterValues> RefreshAsync(CancellationToken cancel)
    {
        // First the connection (within a transaction it is there), then the turn: one that had the turn and waited for a connection could wait for those who wait for it.
        await db.Database.OpenConnectionAsync(cancel);
        try
        {
            return await cache.GetAsync(ReadAsync, cancel);
        }
        finally
        {
            await db.Database.CloseConnectionAsync();
        }
    }

    private async Task<ParameterValues> ReadAsync(CancellationToken cancel)
    {
        var rows = await db.QuerySqlAsync(
            "SELECT DISTINCT ON (name) version, name, value FROM tokenomics.parameter_changes ORDER BY name, version DESC",
            r => (Version: r.GetInt64(0), Name: r.GetString(1), Value: r.GetInt64(2)), cancel);
        return rows.Count == 0 ? ParameterValues.Defaults : new ParameterValues(rows.Max(r => r.Version), rows.ToDictionary(r => r.Name, r => r.Value));
    }

    public async Task<ParameterChange> SetAsync(ParameterDefinition parameter, long value, string? proposal, DateTimeOffset at, CancellationToken cancel)
    {
        // One writer at a time: versions are consecutive, and each knows what it replaced.
        await db.ExecuteSqlAsync("LOCK TABLE tokenomics.parameter_changes IN EXCLUSIVE MODE", cancel);
        _changedIn = db.Database.CurrentTransaction?.TransactionId;
        transaction.SignalAfterCommit(Topics.Parameters);
        return (await db.QuerySqlAsync(
            """
            INSERT INTO tokenomics.parameter_changes (version, name, previous, value, proposal, changed_at)
            SELECT (SELECT coalesce(max(version), 0) + 1 FROM tokenomics.parameter_changes), $1,
                   coalesce((SELECT value FROM tokenomics.parameter_changes WHERE name = $1 ORDER BY version DESC LIMIT 1), $2), $3, $4, $5
            RETURNING version, name, previous, value, proposal, changed_at
            """, Read, cancel, parameter.Name, parameter.Default, value, Sql.Typed(proposal, NpgsqlDbType.Text), at.ToUniversalTime())).Single();
    }

    public async Task<bool> IsUntouchedAsync(CancellationToken cancel)
    {
        await db.ExecuteSqlAsync("LOCK TABLE tokenomics.parameter_changes IN EXCLUSIVE MODE; LOCK TABLE tokenomics.owners IN SHARE MODE", cancel);
        return await db.ScalarSqlAsync<bool>(
            """
            SELECT NOT EXISTS (SELECT FROM tokenomics.parameter_changes) AND NOT EXISTS (SELECT FROM tokenomics.owners)
               AND NOT EXISTS (SELECT FROM tokenomics.transfers WHERE kind <> 'Genesis')
            """, cancel);
    }

    public async Task<IReadOnlyList<ParameterChange>> HistoryAsync(string? name, int limit, CancellationToken cancel) =>
        await db.QuerySqlAsync(
            """
            SELECT version, name, previous, value, proposal, changed_at FROM tokenomics.parameter_changes
            WHERE $1::text IS NULL OR name = $1 ORDER BY version DESC LIMIT $2
            """, Read, cancel, Sql.Typed(name, NpgsqlDbType.Text), limit);

    private static ParameterChange Read(Npgsql.NpgsqlDataReader r) =>
        new(r.GetInt64(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.IsDBNull(4) ? null : r.GetString(4), r.GetFieldValue<DateTimeOffset>(5));
}
