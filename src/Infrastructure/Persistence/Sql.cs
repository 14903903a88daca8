using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using NpgsqlTypes;

namespace FogCompute.Infrastructure.Persistence;

/// <summary>
/// Set-based SQL inside the context's own connection and transaction. Values always travel as parameters: <c>$1</c>, <c>$2</c>, … in order.
/// </summary>
internal static class Sql
{
    /// <summary>Runs a statement; returns the number of rows it touched.</summary>
    public static Task<int> ExecuteSqlAsync(this FogDbContext db, string sql, CancellationToken cancel, params object?[] values) =>
        RunAsync(db, sql, values, command => command.ExecuteNonQueryAsync(cancel), cancel);

    /// <summary>Runs a query and maps each row.</summary>
    public static Task<List<T>> QuerySqlAsync<T>(this FogDbContext db, string sql, Func<NpgsqlDataReader, T> map, CancellationToken cancel, params object?[] values) =>
        RunAsync(db, sql, values, async command =>
        {
            await using var reader = await command.ExecuteReaderAsync(cancel);
            var rows = new List<T>();
            while (await reader.ReadAsync(cancel))
                rows.Add(map(reader));
            return rows;
        }, cancel);

    /// <summary>Runs statements that do not need each other's answers in one round trip, in this order.</summary>
    public static Task<int> ExecuteSqlAsync(this FogDbContext db, IEnumerable<(string Sql, object?[] Values)> statements, CancellationToken cancel) =>
        ConnectedAsync(db, async (connection, transaction) =>
        {
            await using var batch = new NpgsqlBatch(connection, transaction);
            foreach (var (sql, values) in statements)
            {
                var command = new NpgsqlBatchCommand(sql);
                foreach (var value in values)
                    command.Parameters.Add(Parameter(value));
                batch.BatchCommands.Add(command);
            }
            return await batch.ExecuteNonQueryAsync(cancel);
        }, cancel);

    /// <summary>First column of the first row; default when there is no row or it is null.</summary>
    /// <exception cref="InvalidCastException">The column is of another type.</exception>
    public static Task<T?> ScalarSqlAsync<T>(this FogDbContext db, string sql, CancellationToken cancel, params object?[] values) =>
        RunAsync(db, sql, values, async command => await command.ExecuteScalarAsync(cancel) is { } value and not DBNull ? (T?)value : default, cancel);

    private static Task<T> RunAsync<T>(FogDbContext db, string sql, object?[] values, Func<NpgsqlCommand, Task<T>> run, CancellationToken cancel) =>
        ConnectedAsync(db, async (connection, transaction) =>
        {
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            foreach (var value in values)
                command.Parameters.Add(Parameter(value));
            return await run(command);
        }, cancel);

    private static NpgsqlParameter Parameter(object? value) => value as NpgsqlParameter ?? new NpgsqlParameter { Value = value ?? DBNull.Value };

    private static async Task<T> ConnectedAsync<T>(FogDbContext db, Func<NpgsqlConnection, NpgsqlTransaction?, Task<T>> run, CancellationToken cancel)
    {
        // Counted by the context: inside a transaction this opens nothing; outside it the connection goes back to the pool right after,
        // so that a request which then waits for a signal does not sit on one.
        await db.Database.OpenConnectionAsync(cancel);
        try
        {
            return await run((NpgsqlConnection)db.Database.GetDbConnection(), (NpgsqlTransaction?)db.Database.CurrentTransaction?.GetDbTransaction());
        }
        finally
        {
            await db.Database.CloseConnectionAsync();
        }
    }

    /// <summary>A jsonb array parameter for <c>unnest</c>.</summary>
    public static NpgsqlParameter JsonArray(string?[] documents) => new() { Value = documents, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Jsonb };

    /// <summary>One jsonb parameter.</summary>
    public static NpgsqlParameter Json(string? document) => new() { Value = (object?)document ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Jsonb };

    /// <summary>A nullable value with its type named, for parameters whose type PostgreSQL cannot infer from null.</summary>
    public static NpgsqlParameter Typed(object? value, NpgsqlDbType type) => new() { Value = value ?? DBNull.Value, NpgsqlDbType = type };
}
