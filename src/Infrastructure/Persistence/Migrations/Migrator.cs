using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.Persistence.Migrations;

/// <summary>One file of migrations/: <c>NNNN_module_what.sql</c>.</summary>
public sealed partial record Migration(int Number, string Name, string Sql)
{
    /// <summary>SHA-256 of the text with line feeds, so that a checkout with other line ends is the same migration.</summary>
    public string Checksum { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.Replace("\r\n", "\n", StringComparison.Ordinal))));

    /// <exception cref="InvalidOperationException">The file name is not <c>NNNN_module_what.sql</c>.</exception>
    public static Migration FromFile(string fileName, string sql) =>
        FileName().Match(fileName) is { Success: true } match
            ? new Migration(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), fileName[..^4], sql)
            : throw new InvalidOperationException($"The migration '{fileName}' is not named NNNN_module_what.sql.");

    [GeneratedRegex("^([0-9]{4})_[a-z0-9]+(_[a-z0-9]+)+\\.sql$", RegexOptions.NonBacktracking)]
    private static partial Regex FileName();
}

/// <param name="Applied">Names applied now, in order.</param>
/// <param name="Version">Number of the last migration in the database.</param>
public sealed record MigrationOutcome(IReadOnlyList<string> Applied, int Version);

/// <summary>The database and the migrations of this build do not fit; waiting does not help.</summary>
public sealed class MigrationRefusedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Forward-only migrations in plain SQL, one transaction per file, under an advisory lock: of several processes that start at once one applies
/// and the others wait and find nothing to do. What was applied is kept with its checksum in platform.schema_migrations.
/// </summary>
public static partial class Migrator
{
    /// <summary>"FOGMIGRA" as a number; any other program that locks the same key in this database would only make us wait.</summary>
    private const long LockKey = 0x464F474D49475241;

    /// <summary>The migrations embedded in this assembly, in order.</summary>
    public static IReadOnlyList<Migration> Embedded { get; } = LoadEmbedded();

    /// <exception cref="MigrationRefusedException">A file changed after it was applied, a number is missing, or a file fails.</exception>
    public static Task<MigrationOutcome> MigrateAsync(NpgsqlDataSource database, ILogger? log = null, CancellationToken cancel = default) =>
        MigrateAsync(database, Embedded, log, cancel);

    internal static async Task<MigrationOutcome> MigrateAsync(NpgsqlDataSource database, IReadOnlyList<Migration> migrations, ILogger? log, CancellationToken cancel)
    {
        RequireSequence(migrations);
        await using var connection = await database.OpenConnectionAsync(cancel);
        // Waiting for another process's migrations, and our own, may take longer than a request may.
        await ExecuteAsync(connection, "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0", cancel);
        await ExecuteAsync(connection, $"SELECT pg_advisory_lock({LockKey})", cancel);
        try
        {
            await ExecuteAsync(connection, HistoryTable, cancel);
            var history = await HistoryAsync(connection, cancel);
            RequireAgreement(migrations, history);
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

    /// <summary>Names of the migrations that a start of this build would apply to the database, in order. Changes nothing.</summary>
    /// <exception cref="MigrationRefusedException">A start would be refused.</exception>
    public static async Task<IReadOnlyList<string>> PendingAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var exists = new NpgsqlCommand("SELECT to_regclass('platform.schema_migrations') IS NOT NULL", connection);
        var history = await exists.ExecuteScalarAsync(cancel) is true ? await HistoryAsync(connection, cancel) : [];
        RequireAgreement(Embedded, history);
        return [.. Embedded.Skip(history.Count).Select(migration => migration.Name)];
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

    private static void RequireSequence(IReadOnlyList<Migration> migrations)
    {
        for (var i = 0; i < migrations.Count; i++)
        {
            if (migrations[i].Number != i + 1)
            {
                throw new MigrationRefusedException(
                    $"The migrations are not numbered 0001, 0002, … without gaps or doubles: {migrations[i].Name} stands where {i + 1:0000} should. Renumber the newest file.");
            }
        }
    }

    private static void RequireAgreement(IReadOnlyList<Migration> migrations, List<(int Number, string Name, string Checksum)> history)
    {
        for (var i = 0; i < history.Count; i++)
        {
            var (number, name, checksum) = history[i];
            if (number != i + 1)
                throw new MigrationRefusedException($"platform.schema_migrations lacks number {i + 1:0000} but has {name}. Restore the row or the database from a backup.");
            if (i >= migrations.Count)
            {
                throw new MigrationRefusedException(
                    $"The database is at {history[^1].Name}, newer than this build, which ends at {number - 1:0000}. Run the newer build; migrations only go forward.");
            }
            if (migrations[i].Name != name)
                throw new MigrationRefusedException($"Migration {number:0000} was applied as '{name}' but this build has '{migrations[i].Name}'. Use the build that belongs to this database, or another database.");
            if (migrations[i].Checksum != checksum)
            {
                throw new MigrationRefusedException(
                    $"Migration {name} changed after it was applied to this database (checksum {checksum[..12]}… then, {migrations[i].Checksum[..12]}… now). "
                    + "Undo the edit and write a new migration instead.");
            }
        }
    }

    private static async Task<List<(int Number, string Name, string Checksum)>> HistoryAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("SELECT number, name, checksum FROM platform.schema_migrations ORDER BY number", connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var rows = new List<(int, string, string)>();
        while (await reader.ReadAsync(cancel))
            rows.Add((reader.GetInt32(0), reader.GetString(1), reader.GetString(2)));
        return rows;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancel);
    }

    private static List<Migration> LoadEmbedded()
    {
        const string Folder = "migrations/";
        var assembly = Assembly.GetExecutingAssembly();
        return assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Folder, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
                return Migration.FromFile(name[Folder.Length..], reader.ReadToEnd());
            })
            .ToList();
    }

    [LoggerMessage(20, LogLevel.Information, "migration_applied {name} {elapsed_ms}")]
    private static partial void Applied(ILogger logger, string name, long elapsed_ms);
}
