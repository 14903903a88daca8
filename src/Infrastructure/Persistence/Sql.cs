using System.Data.Common;
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
    public static async Task<int> ExecuteSqlAsync(this FogDbContext db, string sql, CancellationToken cancel, params object?[] values)
    {
        await using var command = await CommandAsync(db, sql, values, cancel);
        return await command.ExecuteNonQueryAsync(cancel);
    }

    /// <summary>Runs a query and maps each row.</summary>
    public static async Task<List<T>> QuerySqlAsync<T>(this FogDbContext db, string sql, Func<NpgsqlDataReader, T> map, CancellationToken cancel, params object?[] values)
    {
        await using var command = await CommandAsync(db, sql, values, cancel);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var rows = new List<T>();
        while (await reader.ReadAsync(cancel))
            rows.Add(map(reader));
        return rows;
    }

    /// <summary>First column of the first row; default when there is no row or it is null.</summary>
    public static async Task<T?> ScalarSqlAsync<T>(this FogDbContext db, string sql, CancellationToken cancel, params object?[] values)
    {
        await using var command = await CommandAsync(db, sql, values, cancel);
        return await command.ExecuteScalarAsync(cancel) is T value ? value : default;
    }

    private static async Task<NpgsqlCommand> CommandAsync(FogDbContext db, string sql, object?[] values, CancellationToken cancel)
    {
        var connection = (NpgsqlConnection)db.Database.GetDbConnection();
        if (connection.State != System.Data.ConnectionState.Open)
            await db.Database.OpenConnectionAsync(cancel);
        var command = new NpgsqlCommand(sql, connection, (NpgsqlTransaction?)db.Database.CurrentTransaction?.GetDbTransaction());
        foreach (var value in values)
            command.Parameters.Add(value as NpgsqlParameter ?? new NpgsqlParameter { Value = value ?? DBNull.Value });
        return command;
    }

    /// <summary>A jsonb array parameter for <c>unnest</c>.</summary>
    public static NpgsqlParameter JsonArray(string?[] documents) => new() { Value = documents, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Jsonb };

    /// <summary>One jsonb parameter.</summary>
    public static NpgsqlParameter Json(string? document) => new() { Value = (object?)document ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Jsonb };

    /// <summary>A nullable value with its type named, for parameters whose type PostgreSQL cannot infer from null.</summary>
    public static NpgsqlParameter Typed(object? value, NpgsqlDbType type) => new() { Value = value ?? DBNull.Value, NpgsqlDbType = type };
}
