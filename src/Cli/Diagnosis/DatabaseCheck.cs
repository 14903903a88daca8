using System.Net.Sockets;
using FogCompute.Cli.Output;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Migrations;
using Npgsql;

namespace FogCompute.Cli.Diagnosis;

/// <summary>Logs in to the database of DATABASE_URL as the control plane would, and says what stands in the way; then whether its schema fits this build.</summary>
internal static class DatabaseCheck
{
    private const string Check = "Database";
    private const int OldestVersion = 15;
    private const int PatienceSeconds = 5;

    public static async Task<IReadOnlyList<Finding>> RunAsync(string url, TimeProvider time, CancellationToken cancel)
    {
        NpgsqlConnectionStringBuilder address;
        try
        {
            address = new NpgsqlConnectionStringBuilder(DatabaseUrl.ToConnectionString(url)) { Pooling = false, Timeout = PatienceSeconds, CommandTimeout = PatienceSeconds, ApplicationName = "fog doctor" };
        }
        catch (InvalidOperationException unreadable)
        {
            return [Finding.Fail(Check, unreadable.Message, "Correct DATABASE_URL.")];
        }
        var where = $"{address.Host}:{address.Port}/{address.Database ?? address.Username}";
        try
        {
            await using var connection = new NpgsqlConnection(address.ConnectionString);
            await connection.OpenAsync(cancel);
            DateTimeOffset clock, asked;
            bool standby, mayCreate;
            await using (var command = new NpgsqlCommand("SELECT clock_timestamp(), pg_is_in_recovery(), has_database_privilege(current_database(), 'CREATE')", connection))
            {
                asked = time.GetUtcNow();
                await using var reader = await command.ExecuteReaderAsync(cancel);
                await reader.ReadAsync(cancel);
                (clock, standby, mayCreate) = (reader.GetFieldValue<DateTimeOffset>(0), reader.GetBoolean(1), reader.GetBoolean(2));
            }
            var version = connection.PostgreSqlVersion;
            return
            [
                version.Major < OldestVersion ? Finding.Fail(Check, $"{where} is PostgreSQL {version}, too old", $"Move to PostgreSQL {OldestVersion} or newer.")
                    : standby ? Finding.Fail(Check, $"{where} is a read-only standby", "Name the primary in DATABASE_URL.")
                    : Finding.Ok(Check, $"{where} takes the login, PostgreSQL {version}"),
                ClockCheck.Compare("Database clock", $"the clock of {where}", clock, asked),
                await SchemaAsync(connection, mayCreate, address, cancel),
            ];
        }
        catch (Exception failure) when (failure is NpgsqlException or SocketException or TimeoutException or IOException or ArgumentException)
        {
            return [Explain(failure, where, address)];
        }
    }

    private static async Task<Finding> SchemaAsync(NpgsqlConnection connection, bool mayCreate, NpgsqlConnectionStringBuilder address, CancellationToken cancel)
    {
        const string check = "Schema";
        try
        {
            var pending = await MigrationHistory.PendingAsync(connection, cancel);
            var newest = MigrationHistory.Embedded[^1].Name;
            return pending.Count == 0 ? Finding.Ok(check, $"is that of this build ({newest})")
                : pending.Count < MigrationHistory.Embedded.Count ? Finding.Warn(check, $"is older than this build: {Humane.Plural(pending.Count, "migration")} to {newest} not applied yet",
                    "The next start of the control plane applies them; make a backup before (deploy/backup). One of an older build that runs now goes on, but does not start again.")
                : mayCreate ? Finding.Ok(check, "not there yet; the first start of the control plane makes it")
                : Finding.Fail(check, $"not there yet, and '{address.Username}' may not make it", $"GRANT CREATE ON DATABASE \"{connection.Database}\" TO \"{address.Username}\"");
        }
        catch (MigrationRefusedException refused)
        {
            return Finding.Fail(check, refused.Message, "The control plane refuses to start on it until then.");
        }
    }

    private static Finding Explain(Exception failure, string where, NpgsqlConnectionStringBuilder address)
    {
        for (var cause = failure; cause is not null; cause = cause.InnerException!)
        {
            switch (cause)
            {
                case PostgresException { SqlState: PostgresErrorCodes.InvalidPassword }:
                    return Finding.Fail(Check, $"{where} refuses the password of '{address.Username}'", "Correct the password in DATABASE_URL (percent-encode special characters), or set it in the database: ALTER ROLE … PASSWORD …");
                case PostgresException { SqlState: PostgresErrorCodes.InvalidAuthorizationSpecification } refused:
                    return Finding.Fail(Check, $"{where} does not let '{address.Username}' in: {refused.MessageText}", "Create the role, or allow it in the server's pg_hba.conf.");
                case PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName }:
                    return Finding.Fail(Check, $"{address.Host}:{address.Port} has no database '{address.Database}'", $"Create it: createdb -h {address.Host} -p {address.Port} {address.Database}, or correct DATABASE_URL.");
                case PostgresException { SqlState: PostgresErrorCodes.TooManyConnections }:
                    return Finding.Fail(Check, $"{where} has no connection left", "Raise max_connections, or stop what holds them.");
                case PostgresException { SqlState: PostgresErrorCodes.CannotConnectNow } busy:
                    return Finding.Fail(Check, $"{where} does not take logins just now: {busy.MessageText}", "Wait until it has started; its log says what it does.");
                case PostgresException other:
                    return Finding.Fail(Check, $"{where} answers: {other.MessageText} ({other.SqlState})", "Its log says more.");
                case SocketException { SocketErrorCode: SocketError.ConnectionRefused }:
                    return Finding.Fail(Check, $"nothing listens at {address.Host}:{address.Port}: the database is down, or DATABASE_URL names another place", "Start PostgreSQL there, or correct DATABASE_URL; unset it to use the embedded database.");
                case SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain }:
                    return Finding.Fail(Check, $"the name {address.Host} is not known", "Correct the host in DATABASE_URL.");
                case TimeoutException:
                    return Finding.Fail(Check, $"{where} did not answer within {PatienceSeconds} s", "See whether it is overloaded, or a firewall is in the way.");
            }
        }
        return Finding.Fail(Check, $"{where}: {failure.Message}", "See the database's log.");
    }
}
