using System.Security.Cryptography;
using System.Text;
using FogCompute.Application;
using FogCompute.Infrastructure;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Migrations;
using FogCompute.Infrastructure.RecurringJobs;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace FogCompute.Testing;

/// <summary>
/// A database of its own for one test fixture, on a real PostgreSQL. The server starts once per test process (or is the one that the
/// environment variable FOG_TEST_PG names, a connection string of a superuser); the migrations run once into a template, which every fixture
/// clones in some 50 ms. Nothing has to be cleaned up at the end of the run.
/// <code>
/// [OneTimeSetUp] public async Task SetUp() => _database = await TestDatabase.CreateAsync();
/// [OneTimeTearDown] public async Task TearDown() => await _database.DisposeAsync();
/// </code>
/// </summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private const int MaxConnections = 20;

    private static readonly SemaphoreSlim Starting = new(1, 1);
    private static TestCluster? _shared;
    private static string? _template;
    private static int _counter;

    private readonly TestCluster _cluster;
    private readonly bool _ownsCluster;
    private NpgsqlDataSource? _dataSource;

    private TestDatabase(TestCluster cluster, string name, bool ownsCluster)
    {
        _cluster = cluster;
        _ownsCluster = ownsCluster;
        Name = name;
        ConnectionString = On(cluster, name);
    }

    public string Name { get; }

    public string ConnectionString { get; }

    public TestCluster Cluster => _cluster;

    /// <summary>The database as the platform sees it: with its timeouts and statement cache.</summary>
    public DatabaseHost Host => DatabaseHost.At(ConnectionString, MaxConnections);

    /// <summary>A pool for the test's own looks into the database.</summary>
    public NpgsqlDataSource DataSource => _dataSource ??= Host.CreateDataSource();

    /// <summary>A migrated database on the shared server.</summary>
    public static async Task<TestDatabase> CreateAsync()
    {
        var (cluster, template) = await SharedAsync();
        return await CloneAsync(cluster, template, ownsCluster: false);
    }

    /// <summary>A database without any schema on the shared server.</summary>
    public static async Task<TestDatabase> CreateEmptyAsync()
    {
        var (cluster, _) = await SharedAsync();
        return await CloneAsync(cluster, "template0", ownsCluster: false);
    }

    /// <summary>A database on a server of its own, for tests that stop it (about a second).</summary>
    public static async Task<TestDatabase> CreatePrivateAsync(bool migrated = true)
    {
        var cluster = await TestCluster.StartAsync(maxConnections: 100);
        try
        {
            var database = await CloneAsync(cluster, "template0", ownsCluster: true);
            if (migrated)
                await Migrator.MigrateAsync(database.DataSource);
            return database;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Restarts a private server; every connection breaks, and it stays away until <paramref name="meanwhile"/> has ended.</summary>
    public Task RestartAsync(bool kill = false, Func<Task>? meanwhile = null) =>
        _ownsCluster ? _cluster.RestartAsync(kill, meanwhile) : throw new InvalidOperationException("Other fixtures use this server; create the database with CreatePrivateAsync.");

    /// <summary>
    /// The application's services on this database: every use case and the platform; adapters of modules are added by
    /// <paramref name="configure"/>. Hosted services are registered but not started (see <see cref="StartHostAsync"/>).
    /// </summary>
    public ServiceProvider BuildServices(Action<IServiceCollection>? configure = null, TimeProvider? time = null, IReadOnlyList<RecurringJob>? jobs = null)
    {
        var services = new ServiceCollection();
        Register(services, configure, time, jobs);
        return services.BuildServiceProvider(new ServiceProviderOptions { ValidateScopes = true });
    }

    /// <summary>The same with its hosted services (migrations, signals, recurring jobs) running. Dispose it after StopAsync.</summary>
    public async Task<IHost> StartHostAsync(Action<IServiceCollection>? configure = null, TimeProvider? time = null, IReadOnlyList<RecurringJob>? jobs = null)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        Register(builder.Services, configure, time, jobs ?? []);
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    private void Register(IServiceCollection services, Action<IServiceCollection>? configure, TimeProvider? time, IReadOnlyList<RecurringJob>? jobs)
    {
        services.AddLogging();
        if (time is not null)
            services.AddSingleton(time);
        services.AddApplication();
        services.AddPlatform(Host, jobs);
        configure?.Invoke(services);
    }

    public async ValueTask DisposeAsync()
    {
        if (_dataSource is not null)
            await _dataSource.DisposeAsync();
        if (_ownsCluster)
        {
            await _cluster.DisposeAsync();
            return;
        }
        // FORCE: a pool that a failed test forgot must not keep the database.
        await ExecuteAsync(_cluster, $"DROP DATABASE IF EXISTS {Name} WITH (FORCE)");
    }

    private static async Task<TestDatabase> CloneAsync(TestCluster cluster, string template, bool ownsCluster)
    {
        var name = $"fog_test_{Environment.ProcessId}_{Interlocked.Increment(ref _counter)}";
        await ExecuteAsync(cluster, $"CREATE DATABASE {name} TEMPLATE {template}");
        return new TestDatabase(cluster, name, ownsCluster);
    }

    private static async Task<(TestCluster Cluster, string Template)> SharedAsync()
    {
        await Starting.WaitAsync();
        try
        {
            if (_shared is null)
            {
                if (Environment.GetEnvironmentVariable("FOG_TEST_PG") is { Length: > 0 } external)
                {
                    _shared = TestCluster.At(DatabaseUrl.ToConnectionString(external));
                }
                else
                {
                    var cluster = await TestCluster.StartAsync();
                    AppDomain.CurrentDomain.ProcessExit += (_, _) => cluster.EndNow();
                    _shared = cluster;
                }
            }
            return (_shared, _template ??= await MakeTemplateAsync(_shared));
        }
        finally
        {
            Starting.Release();
        }
    }

    /// <summary>The template is named after the migrations, so test assemblies that share a server share it too.</summary>
    private static async Task<string> MakeTemplateAsync(TestCluster cluster)
    {
        var content = string.Concat(Migrator.Embedded.Select(migration => migration.Checksum));
        var name = "fog_template_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)))[..12];
        await using var connection = new NpgsqlConnection(cluster.ConnectionString);
        await connection.OpenAsync();
        await ExecuteAsync(connection, "SELECT pg_advisory_lock(7236)");
        await using var done = new NpgsqlCommand("SELECT datistemplate FROM pg_database WHERE datname = $1", connection) { Parameters = { new() { Value = name } } };
        if (await done.ExecuteScalarAsync() is true)
            return name;
        await ExecuteAsync(connection, $"DROP DATABASE IF EXISTS {name}");
        await ExecuteAsync(connection, $"CREATE DATABASE {name} TEMPLATE template0");
        await using (var target = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(On(cluster, name)) { Pooling = false }))
            await Migrator.MigrateAsync(target);
        await ExecuteAsync(connection, $"ALTER DATABASE {name} IS_TEMPLATE true");
        return name;
    }

    private static string On(TestCluster cluster, string database) =>
        new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Database = database, Pooling = true, PersistSecurityInfo = true }.ConnectionString;

    private static async Task ExecuteAsync(TestCluster cluster, string sql)
    {
        await using var connection = new NpgsqlConnection(cluster.ConnectionString);
        await connection.OpenAsync();
        await ExecuteAsync(connection, sql);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
