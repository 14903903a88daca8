using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
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

/// <summary>The database and the migrations of this build do not fit; waiting does not help.</summary>
public sealed class MigrationRefusedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The migrations of this build against those that a database has seen. Also a part of the fog command, which looks without changing anything.</summary>
public static class MigrationHistory
{
    /// <summary>The migrations embedded in this assembly, in order.</summary>
    public static IReadOnlyList<Migration> Embedded { get; } = LoadEmbedded();

    /// <summary>Names of the migrations that a start of this build would apply to the database, in order. Changes nothing.</summary>
    /// <exception cref="MigrationRefusedException">A start would be refused.</exception>
    public static async Task<IReadOnlyList<string>> PendingAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var exists = new NpgsqlCommand("SELECT to_regclass('platform.schema_migrations') IS NOT NULL", connection);
        var history = await exists.ExecuteScalarAsync(cancel) is true ? await ReadAsync(connection, cancel) : [];
        RequireAgreement(Embedded, history);
        return [.. Embedded.Skip(history.Count).Select(migration => migration.Name)];
    }

    internal static void RequireSequence(IReadOnlyList<Migration> migrations)
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

    internal static void RequireAgreement(IReadOnlyList<Migration> migrations, List<(int Number, string Name, string Checksum)> history)
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

    internal static async Task<List<(int Number, string Name, string Checksum)>> ReadAsync(NpgsqlConnection connection, CancellationToken cancel)
    {
        await using var command = new NpgsqlCommand("SELECT number, name, checksum FROM platform.schema_migrations ORDER BY number", connection);
        await using var reader = await command.ExecuteReaderAsync(cancel);
        var rows = new List<(int, string, string)>();
        while (await reader.ReadAsync(cancel))
            rows.Add((reader.GetInt32(0), reader.GetString(1), reader.GetString(2)));
        return rows;
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
}
