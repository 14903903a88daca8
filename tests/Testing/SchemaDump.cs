using System.Diagnostics;
using System.Text;
using Npgsql;

namespace FogCompute.Testing;

/// <summary>The schema of a database as text that is the same on every machine: pg_dump without settings, owners and remarks of the tool.</summary>
public static class SchemaDump
{
    public static async Task<string> OfAsync(TestDatabase database)
    {
        var parts = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        var start = new ProcessStartInfo(
            Path.Combine(database.Cluster.Binaries, "pg_dump"),
            ["--schema-only", "--no-owner", "--no-privileges", "--host", parts.Host!, "--port", $"{parts.Port}", "--username", parts.Username!, "--dbname", parts.Database!])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (parts.Password is { } password)
            start.Environment["PGPASSWORD"] = password;
        using var dump = Process.Start(start) ?? throw new InvalidOperationException("pg_dump could not be started.");
        var errors = dump.StandardError.ReadToEndAsync();
        var output = await dump.StandardOutput.ReadToEndAsync();
        await dump.WaitForExitAsync();
        return dump.ExitCode == 0 ? Normalise(output) : throw new InvalidOperationException("pg_dump failed: " + await errors);
    }

    internal static string Normalise(string dump)
    {
        var text = new StringBuilder("-- The whole current schema. Generated from the migrations by ./dev db schema; never edited by hand.\n");
        var blank = true;
        foreach (var line in dump.Split('\n').Select(line => line.TrimEnd()))
        {
            // Remarks carry versions, settings are the session's, \restrict carries a random token.
            if (line.StartsWith("--", StringComparison.Ordinal) || line.StartsWith("SET ", StringComparison.Ordinal) || line.StartsWith('\\')
                || line.StartsWith("SELECT pg_catalog.set_config", StringComparison.Ordinal))
                continue;
            if (line.Length == 0)
            {
                blank = true;
                continue;
            }
            if (blank)
                text.Append('\n');
            blank = false;
            text.Append(line).Append('\n');
        }
        return text.ToString();
    }
}
