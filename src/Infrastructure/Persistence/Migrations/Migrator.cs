using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.Persistence.Migrations;

/// <param name="Applied">Names applied now, in order.</param>
/// <param name="Version">Number of the last migration in the database.</param>
public sealed record MigrationOutcome(IReadOnlyList<string> Applied, int Version);

/// <summary>
/// Forward-only migrations in plain SQL, one transaction per file, under an advisory lock: of several processes that start at once one applies
/// and the others wait and find nothing to do. What was applied is kept with its checksum in platform.schema_migrations.
/// </summary>
public static partial class Migrator
{
    /// <summary>"FOGMIGRA" as a number; any other program that locks the same key in this database would only make us wait.</summary>
    private const long LockKey = 0x464F474D49475241;

    /// <summary>The migrations embedded in this assembly, in order.</summary>
    public static IReadOnlyList<Migration> Embedded => MigrationHistory.Embedded;

    /// <exception cref="MigrationRefusedException">A file changed after it was applied, a number is missing, or a file fails.</exception>
    public static Task<MigrationOutcome> MigrateAsync(NpgsqlDataSource database, ILogger? log = null, CancellationToken cancel = default) =>
        MigrateAsync(database, Embedded, log, cancel);

    internal static async Task<MigrationOutcome> MigrateAsync(NpgsqlDataSource database, IReadOnlyList<Migration> migrations, ILogger? log, CancellationToken cancel)
    {
        MigrationHistory.RequireSequence(migrations);
        await using var connection = await database.OpenConnectionAsync(cancel);
        // Waiting for another process's migrations, and our own, may take longer than a request may.
        await ExecuteAsync(connection, "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0", cancel);
        await ExecuteAsync(connection, $"SELECT pg_advisory_lock({LockKey})", cancel);
        try
        {
            await ExecuteAsync(connection, HistoryTable, cancel);
            var history = await MigrationHistory.ReadAsync(connection, cancel);
            MigrationHistory.RequireAgreement(migrations, history);
            var applied = new List<string>();
            foreach (var migration in migrations.Skip(history.Count))
            {
                var milliseconds = await ApplyAsync(connection, migration, cancel);
                applied.Add(migration.Name);
                if (log is not null)
                    Applied(log, migration.Name, milliseconds);
            }
            return new MigrationOutcome(applied, migrations.Count);
        }
        finally
        {
            if (connection.State == System.Data.ConnectionState.Open)
                await ExecuteAsync(connection, $"SELECT pg_advisory_unlock({LockKey})", CancellationToken.None);
        }
    }

    private const string HistoryTable = """
        CREATE SCHEMA IF NOT EXISTS platform;
        CREATE TABLE IF NOT EXISTS platform.schema_migrations (
            number      integer     PRIMARY KEY,
            name        text        NOT NULL UNIQUE,
            checksum    text        NOT NULL,
            applied_at  timestamptz NOT NULL DEFAULT now(),
            duration_ms bigint      NOT NULL
        );
        COMMENT ON TABLE platform.schema_migrations IS 'Migrations applied to this database; written by the migrator, never by hand';
        COMMENT ON COLUMN platform.schema_migrations.checksum IS 'SHA-256 of the file: one that changed after it was applied is refused';
        """;

    private static async Task<long> ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        await using var transaction = await connection.BeginTransactionAsync(cancel);
        try
        {
            await ExecuteAsync(connection, migration.Sql, cancel);
        }
        catch (PostgresException failure) when (!DatabaseFailures.IsOutage(failure))
        {
            var statement = failure.BatchCommand?.CommandText.Trim() ?? "";
            throw new MigrationRefusedException(
                $"Migration {migration.Name} failed and was rolled back: {failure.MessageText} ({failure.SqlState}){(failure.Detail is { } detail ? ": " + detail : "")}. "
                + $"Statement: {(statement.Length > 200 ? statement[..200] + " …" : statement)}", failure);
        }
        var milliseconds = (long)Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        await using var insert = new NpgsqlCommand(
            "INSERT INTO platform.schema_migrations (number, name, checksum, duration_ms) VALUES ($1, $2, $3, $4)", connection, transaction)
        {
            Parameters = { new() { Value = migration.Number }, new() { Value = migration.Name }, new() { Value = migration.Checksum }, new() { Value = milliseconds } },
        };
        await insert.ExecuteNonQueryAsync(cancel);
        await transaction.CommitAsync(cancel);
        return milliseconds;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancel);
    }

    [LoggerMessage(20, LogLevel.Information, "migration_applied {name} {elapsed_ms}")]
    private static partial void Applied(ILogger logger, string name, long elapsed_ms);
}
