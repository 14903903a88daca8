using System.Diagnostics;
using FogCompute.Infrastructure.Persistence.Embedded;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace FogCompute.Testing;

/// <summary>
/// A throw-away PostgreSQL in a folder of its own. A guardian process waits for the end of its standard input, which the kernel closes whatever
/// way this process ends (also kill -9), then ends the server and removes the folder: no test run leaves a server behind.
/// </summary>
public sealed class TestCluster : IAsyncDisposable
{
    private readonly EmbeddedPostgres? _postgres;
    private readonly Process? _guardian;

    private TestCluster(string connectionString, EmbeddedPostgres? postgres, Process? guardian)
    {
        ConnectionString = connectionString;
        _postgres = postgres;
        _guardian = guardian;
    }

    /// <summary>Of the maintenance database, as superuser.</summary>
    public string ConnectionString { get; }

    /// <summary>Folder of pg_dump and friends.</summary>
    public string Binaries => _postgres?.Binaries.Folder ?? PostgresBinaries.Find().Folder;

    public static async Task<TestCluster> StartAsync(int maxConnections = 300)
    {
        var home = CreateHome();
        var postgres = await EmbeddedPostgres.StartAsync(
            new EmbeddedPostgresOptions(home) { Durable = false, MaxConnections = maxConnections, Watch = false }, NullLogger.Instance);
        try
        {
            var guardian = StartGuardian(home, postgres);
            return new TestCluster(Maintenance(postgres.ConnectionString), postgres, guardian);
        }
        catch
        {
            await postgres.DisposeAsync();
            Directory.Delete(home, recursive: true);
            throw;
        }
    }

    /// <summary>A server that somebody else runs.</summary>
    public static TestCluster At(string connectionString) => new(Maintenance(connectionString), null, null);

    /// <summary>A new folder that the server's account can pass through (temporary folders are closed to others by default).</summary>
    public static string CreateHome()
    {
        var home = Directory.CreateTempSubdirectory("fogtest-").FullName;
        UnixFolders.LetOthersPass(home);
        return home;
    }

    /// <summary>Stops and starts the server; every connection breaks.</summary>
    /// <param name="kill">kill -9 instead of a shutdown.</param>
    /// <param name="meanwhile">What is done while nobody answers; default: nothing.</param>
    public Task RestartAsync(bool kill = false, Func<Task>? meanwhile = null) =>
        (_postgres ?? throw new InvalidOperationException("A shared server is not restarted; use a private cluster."))
            .RestartAsync(kill, meanwhile ?? (() => Task.CompletedTask), CancellationToken.None);

    /// <summary>For the end of the process, where nothing can be awaited: tells the guardian and waits until it is done.</summary>
    internal void EndNow()
    {
        if (_guardian is null || _guardian.HasExited)
            return;
        _guardian.StandardInput.Close();
        _guardian.WaitForExit(TimeSpan.FromSeconds(10));
    }

    public async ValueTask DisposeAsync()
    {
        if (_postgres is not null)
            await _postgres.DisposeAsync();
        if (_guardian is null)
            return;
        if (!_guardian.HasExited)
        {
            // Removes the folder.
            _guardian.StandardInput.Close();
            await _guardian.WaitForExitAsync();
        }
        _guardian.Dispose();
    }

    private static string Maintenance(string connectionString) =>
        new NpgsqlConnectionStringBuilder(connectionString) { Database = "postgres", Pooling = false, PersistSecurityInfo = true }.ConnectionString;

    private static Process StartGuardian(string home, EmbeddedPostgres postgres)
    {
        // SIGQUIT is PostgreSQL's immediate shutdown. The folders are given as arguments, not pasted into the script.
        const string Script = """
            trap '' INT TERM HUP
            cat >/dev/null
            pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null)
            if [ -n "$pid" ]; then
                kill -QUIT "$pid" 2>/dev/null
                n=0
                while kill -0 "$pid" 2>/dev/null && [ $n -lt 400 ]; do sleep 0.02; n=$((n+1)); done
            fi
            rm -rf "$2" "$3" "$4"
            """;
        var start = new ProcessStartInfo("/bin/sh", ["-c", Script, "test-postgres-guardian", postgres.DataFolder, postgres.BaseFolder, postgres.SocketFolder, home])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start) ?? throw new InvalidOperationException("/bin/sh could not be started.");
    }
}
