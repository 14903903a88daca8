using FogCompute.Infrastructure.Persistence.Embedded;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.Persistence;

/// <summary>Which database the control plane uses.</summary>
/// <param name="Url">DATABASE_URL; null: the embedded database.</param>
/// <param name="Home">FOG_HOME, where the embedded database lives.</param>
public sealed record DatabaseOptions(string? Url, string Home)
{
    /// <summary>Connections of this process at most. Default 40: two control planes and the tools fit into PostgreSQL's usual 100.</summary>
    public int MaxConnections { get; init; } = 40;

    /// <summary>Reads DATABASE_URL and FOG_HOME (default ~/.fogcompute).</summary>
    public static DatabaseOptions From(IConfiguration configuration)
    {
        var url = configuration["DATABASE_URL"];
        var home = configuration["FOG_HOME"];
        return new DatabaseOptions(
            string.IsNullOrWhiteSpace(url) ? null : url,
            string.IsNullOrWhiteSpace(home) ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".fogcompute") : home);
    }
}

/// <summary>The database of this process: an external one, or the embedded one that it keeps running until disposed.</summary>
public sealed class DatabaseHost : IAsyncDisposable
{
    private const int StatementTimeoutSeconds = 30;

    private readonly EmbeddedPostgres? _embedded;

    private DatabaseHost(string connectionString, EmbeddedPostgres? embedded, int maxConnections)
    {
        _embedded = embedded;
        ConnectionString = Tune(connectionString, maxConnections);
    }

    /// <summary>Npgsql connection string with the control plane's timeouts and statement cache.</summary>
    public string ConnectionString { get; }

    /// <summary>True: the private cluster under FOG_HOME; false: DATABASE_URL.</summary>
    public bool IsEmbedded => _embedded is not null;

    /// <summary>For people and /health: where the database is, without secrets.</summary>
    public string Description
    {
        get
        {
            var parts = new NpgsqlConnectionStringBuilder(ConnectionString);
            return _embedded is null ? $"{parts.Host}:{parts.Port}/{parts.Database}" : $"embedded PostgreSQL {_embedded.Binaries.Major} in {_embedded.DataFolder}";
        }
    }

    /// <summary>Starts or adopts the embedded database, or takes the external one as it is: that one may be down just now (<see cref="Migrations.MigrationService"/>).</summary>
    /// <exception cref="InvalidOperationException">DATABASE_URL makes no sense, or the embedded database cannot start; the message says what to do.</exception>
    public static async Task<DatabaseHost> StartAsync(DatabaseOptions options, ILogger log, CancellationToken cancel = default)
    {
        if (options.Url is { } url)
            return new DatabaseHost(DatabaseUrl.ToConnectionString(url), embedded: null, options.MaxConnections);
        var embedded = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions(options.Home), log, cancel);
        return new DatabaseHost(embedded.ConnectionString, embedded, options.MaxConnections);
    }

    /// <summary>A database that runs already.</summary>
    public static DatabaseHost At(string connectionString, int maxConnections = 40) => new(connectionString, embedded: null, maxConnections);

    /// <summary>The pool that everything but listeners and leases uses.</summary>
    public NpgsqlDataSource CreateDataSource(ILoggerFactory? logs = null)
    {
        // The name is what its metrics call this pool, instead of the connection string.
        var builder = new NpgsqlDataSourceBuilder(ConnectionString) { Name = "fogcompute" };
        if (logs is not null)
            builder.UseLoggerFactory(logs);
        return builder.Build();
    }

    /// <summary>A connection of its own, outside the pool, that somebody keeps for long: LISTEN, session locks.</summary>
    /// <param name="purpose">Shown in pg_stat_activity.</param>
    public NpgsqlConnection CreateDedicatedConnection(string purpose)
    {
        var builder = new NpgsqlConnectionStringBuilder(ConnectionString)
        {
            Pooling = false,
            MaxAutoPrepare = 0,
            // A server that vanished without a word is noticed by this probe, a vanished client by the server's own below.
            KeepAlive = 10,
            ApplicationName = purpose,
        };
        builder.Options += " -c idle_session_timeout=0 -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3";
        return new NpgsqlConnection(builder.ConnectionString);
    }

    public ValueTask DisposeAsync() => _embedded?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static string Tune(string connectionString, int maxConnections)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString)
        {
            // The server ends a statement first; the client's own limit is for a server that went silent.
            CommandTimeout = StatementTimeoutSeconds + 5,
            MaxPoolSize = maxConnections,
            // Statements that come back are planned once per connection, EF's and Sql.cs's alike.
            MaxAutoPrepare = 200,
            AutoPrepareMinUsages = 3,
            // Nothing here changes a pooled session (locks and settings belong to transactions or to dedicated connections): no reset between users.
            NoResetOnClose = true,
            // A migration that fails names its statement.
            IncludeFailedBatchedCommand = true,
            // This string keeps the password, for all connections are made from it; what the driver shows of them (log lines, names of pools in metrics) does not, whatever DATABASE_URL says.
            PersistSecurityInfo = false,
        };
        // Kerberos only for those who ask for it: trying costs every new connection a failure, and a line on stderr, where its library is missing, as in small images.
        if (builder.GssEncryptionMode == GssEncryptionMode.Prefer)
            builder.GssEncryptionMode = GssEncryptionMode.Disable;
        if (string.IsNullOrEmpty(builder.ApplicationName))
            builder.ApplicationName = "fogcompute";
        builder.Options = $"{builder.Options} -c statement_timeout={StatementTimeoutSeconds}s -c idle_in_transaction_session_timeout=60s -c TimeZone=UTC".Trim();
        return builder.ConnectionString;
    }
}
