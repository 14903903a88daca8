using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace FogCompute.Infrastructure.Persistence.Embedded;

/// <param name="Home">FOG_HOME; the cluster belongs to it.</param>
public sealed record EmbeddedPostgresOptions(string Home)
{
    /// <summary>False only in tests: no fsync, a crash of the machine may lose everything.</summary>
    public bool Durable { get; init; } = true;

    /// <summary>Connections the server accepts.</summary>
    public int MaxConnections { get; init; } = 100;

    /// <summary>Restart the server when somebody kills it while it is in use.</summary>
    public bool Watch { get; init; } = true;
}

/// <summary>What became of a request to stop the embedded database.</summary>
public enum EmbeddedStop
{
    Stopped,
    NotRunning,
    /// <summary>A control plane still uses it; it stops with the last one.</summary>
    InUse,
}

/// <summary>
/// A private PostgreSQL for people who have none: it belongs to one FOG_HOME, listens on a unix socket only, and lives as long as somebody
/// uses it.
/// <para>
/// Users hold a shared <c>flock</c> on <c>users.lock</c>; whoever can turn it into an exclusive one on leaving was the last and stops the server.
/// Start and stop exclude each other through <c>start.lock</c>. The kernel drops both locks of a process that is killed, so they cannot go stale.
/// A control plane that is killed leaves the server running (in its own session, so Ctrl-C does not reach it either); the next start adopts it,
/// and <see cref="StopAsync(string, CancellationToken)"/> ends it. A server that is killed is started again by its users and recovers from its
/// write-ahead log.
/// </para>
/// <para>Access: everyone who can enter the socket folder (0700, owned by the server's account) is trusted, that is the server's account and root.</para>
/// </summary>
public sealed partial class EmbeddedPostgres : IAsyncDisposable
{
    public const string User = "fog";
    public const string Database = "fog";

    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan WatchPeriod = TimeSpan.FromMilliseconds(500);

    private readonly EmbeddedPostgresOptions _options;
    private readonly ClusterLayout _layout;
    private readonly ServerAccount _account;
    private readonly PostgresBinaries _binaries;
    private readonly ILogger _log;
    private readonly FileStream _use;
    private readonly CancellationTokenSource _leaving = new();
    private Task _watching = Task.CompletedTask;
    private bool _left;

    private EmbeddedPostgres(EmbeddedPostgresOptions options, ClusterLayout layout, ServerAccount account, PostgresBinaries binaries, ILogger log, FileStream use)
    {
        _options = options;
        _layout = layout;
        _account = account;
        _binaries = binaries;
        _log = log;
        _use = use;
    }

    /// <summary>For Npgsql; database <see cref="Database"/>, user <see cref="User"/>, over the unix socket.</summary>
    public string ConnectionString => ConnectionStringOf(_layout, Database);

    /// <summary>The server programs in use, for pg_dump and friends.</summary>
    public PostgresBinaries Binaries => _binaries;

    /// <summary>Folder of the cluster's data.</summary>
    public string DataFolder => _layout.Data;

    /// <summary>Folder that contains everything of the cluster but the locks.</summary>
    internal string BaseFolder => _layout.Base;

    internal string SocketFolder => _layout.Sockets;

    /// <summary>Process id of the server as it is now; null when it does not run.</summary>
    public int? ServerProcessId => RunningServer(_layout);

    /// <summary>Starts the cluster of the home, or adopts it when it runs already. Makes it (about a second) when there is none.</summary>
    /// <exception cref="InvalidOperationException">PostgreSQL is not installed or does not start; the message says what to do.</exception>
    public static async Task<EmbeddedPostgres> StartAsync(EmbeddedPostgresOptions options, ILogger log, CancellationToken cancel = default)
    {
        var account = ServerAccount.ForThisProcess();
        var layout = ClusterLayout.Of(options.Home, account);
        var binaries = PostgresBinaries.Find(ClusterMajor(layout));
        var started = Stopwatch.GetTimestamp();
        FileStream use;
        EmbeddedPostgres postgres;
        using (await LockAsync(layout.StartLock, cancel))
        {
            // Under the start lock nobody can be trying for the exclusive use lock, so this never waits.
            use = OpenLock(layout.UsersLock, FileShare.ReadWrite);
            try
            {
                postgres = new EmbeddedPostgres(options, layout, account, binaries, log, use);
                var adopted = await postgres.EnsureRunningAsync(cancel);
                await postgres.EnsureDatabaseAsync(cancel);
                Ready(log, adopted ? "adopted" : "started", binaries.Major, layout.Data, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }
            catch
            {
                await use.DisposeAsync();
                throw;
            }
        }
        if (options.Watch)
            postgres._watching = Task.Run(() => postgres.WatchAsync(postgres._leaving.Token), CancellationToken.None);
        return postgres;
    }

    /// <summary>Stops the cluster of a home unless a control plane uses it: for what a killed control plane left behind.</summary>
    public static async Task<EmbeddedStop> StopAsync(string home, CancellationToken cancel = default)
    {
        if (!Directory.Exists(Path.Combine(Path.GetFullPath(home), "postgres")))
            return EmbeddedStop.NotRunning;
        var account = ServerAccount.ForThisProcess();
        var layout = ClusterLayout.Of(home, account);
        using var start = await LockAsync(layout.StartLock, cancel);
        if (RunningServer(layout) is null)
            return EmbeddedStop.NotRunning;
        using var alone = TryLock(layout.UsersLock);
        if (alone is null)
            return EmbeddedStop.InUse;
        await StopServerAsync(layout, account, PostgresBinaries.Find(ClusterMajor(layout)), cancel);
        return EmbeddedStop.Stopped;
    }

    /// <summary>Leaves the cluster; the last user stops it (fast shutdown: open transactions are rolled back, everything is flushed).</summary>
    public async ValueTask DisposeAsync()
    {
        if (_left)
            return;
        _left = true;
        await _leaving.CancelAsync();
        await _watching;
        using (await LockAsync(_layout.StartLock, CancellationToken.None))
        {
            await _use.DisposeAsync();
            using var alone = TryLock(_layout.UsersLock);
            if (alone is not null && RunningServer(_layout) is not null)
                await StopServerAsync(_layout, _account, _binaries, CancellationToken.None);
        }
        _leaving.Dispose();
    }

    /// <summary>Stops and starts the server under its users, as an upgrade or a crash would.</summary>
    /// <param name="kill">kill -9 instead of a fast shutdown.</param>
    /// <param name="meanwhile">It stays away until this has ended; begins when nothing of the server runs any more.</param>
    internal async Task RestartAsync(bool kill, Func<Task> meanwhile, CancellationToken cancel)
    {
        using (await LockAsync(_layout.StartLock, cancel))
        {
            if (kill && RunningServer(_layout) is { } pid)
            {
                using var server = Process.GetProcessById(pid);
                server.Kill();
                while (RunningServer(_layout) is not null)
                    await Task.Delay(TimeSpan.FromMilliseconds(5), cancel);
                EndLeftovers();
            }
            else
                await StopServerAsync(_layout, _account, _binaries, cancel);
            try
            {
                await meanwhile();
            }
            finally
            {
                await EnsureRunningAsync(cancel);
            }
        }
    }

    /// <summary>True when the server was running already. The start lock is held.</summary>
    private async Task<bool> EnsureRunningAsync(CancellationToken cancel)
    {
        if (RunningServer(_layout) is not null && await AnswersAsync(cancel))
            return true;
        await PrepareAsync(cancel);
        var deadline = Stopwatch.GetTimestamp() + (long)(StartPatience.TotalSeconds * Stopwatch.Frequency);
        while (true)
        {
            EndLeftovers();
            var (exitCode, output) = await _account.RunAsync(
                _binaries.Program("pg_ctl"),
                [
                    "start", "--pgdata", _layout.Data, "--log", _layout.LogFile, "--wait", "--silent", "--timeout", StartPatience.TotalSeconds.ToString(CultureInfo.InvariantCulture),
                    "--options", $"-c config_file='{_layout.Settings}' -c hba_file='{_layout.HostAccess}'",
                ],
                cancel);
            if (exitCode == 0)
                return false;
            // Backends of a killed server hold its shared memory until they notice; that passes.
            if (Stopwatch.GetTimestamp() >= deadline || !LogTail().Contains("shared memory block", StringComparison.Ordinal))
            {
                throw new InvalidOperationException(
                    $"The embedded PostgreSQL in {_layout.Data} did not start. {output}\nLast lines of {_layout.LogFile}:\n{LogTail()}\n"
                    + "Free the disk or memory it asks for, or set DATABASE_URL to another PostgreSQL.");
            }
            await Task.Delay(TimeSpan.FromMilliseconds(200), cancel);
        }
    }

    /// <summary>Whether a server whose process lives accepts connections; waits while it recovers, false when it goes away meanwhile.</summary>
    private async Task<bool> AnswersAsync(CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(ConnectionStringOf(_layout, "postgres"));
                await connection.OpenAsync(cancel);
                return true;
            }
            catch (Exception failure) when (DatabaseFailures.IsOutage(failure))
            {
                if (RunningServer(_layout) is null)
                    return false;
                if (Stopwatch.GetElapsedTime(started) > StartPatience)
                {
                    throw new InvalidOperationException(
                        $"The embedded PostgreSQL (process {RunningServer(_layout)}) runs but has not answered for {StartPatience.TotalSeconds:0} s. "
                        + $"See {_layout.LogFile}; end the process and start again.", failure);
                }
                await Task.Delay(TimeSpan.FromMilliseconds(20), cancel);
            }
        }
    }

    private async Task PrepareAsync(CancellationToken cancel)
    {
        Directory.CreateDirectory(_layout.Base);
        if (_account.IsOther)
        {
            // Root owns the base, so the server's account cannot swap the settings for a link to something else; it only passes through.
            UnixFolders.LetOthersPass(_layout.Base);
        }
        await _account.CreatePrivateFolderAsync(_layout.Logs, cancel);
        await _account.CreatePrivateFolderAsync(_layout.Sockets, cancel);
        if (!Directory.Exists(_layout.Data))
        {
            // Made aside and renamed: a kill in the middle leaves nothing that looks like a cluster.
            if (Directory.Exists(_layout.UnfinishedData))
                Directory.Delete(_layout.UnfinishedData, recursive: true);
            await _account.CreatePrivateFolderAsync(_layout.UnfinishedData, cancel);
            List<string> arguments = ["--pgdata", _layout.UnfinishedData, "--no-locale", "--encoding=UTF8", "--data-checksums", "--auth=trust", $"--username={User}"];
            if (!_options.Durable)
                arguments.Add("--no-sync");
            await _account.MustRunAsync(_binaries.Program("initdb"), arguments, cancel);
            Directory.Move(_layout.UnfinishedData, _layout.Data);
        }
        await File.WriteAllTextAsync(_layout.HostAccess, "# Written at every start. Whoever can enter the socket folder is trusted.\nlocal all all trust\n", cancel);
        await File.WriteAllTextAsync(_layout.Settings, Settings(), cancel);
    }

    private string Settings() => $"""
        # Written at every start of the embedded database; changes here do not last.
        listen_addresses = ''
        unix_socket_directories = '{_layout.Sockets}'
        unix_socket_permissions = 0700
        port = 5432
        max_connections = {_options.MaxConnections}
        shared_buffers = 128MB
        work_mem = 8MB
        maintenance_work_mem = 64MB
        fsync = {(_options.Durable ? "on" : "off")}
        full_page_writes = {(_options.Durable ? "on" : "off")}
        synchronous_commit = on
        wal_compression = on
        # Not minimal: there a sequence used in the transaction that created it (as our migrations do) is not logged afterwards, and kill -9
        # makes it hand out the same numbers again (PostgreSQL 15.18).
        wal_level = replica
        max_wal_senders = 0
        max_wal_size = 512MB
        min_wal_size = 80MB
        checkpoint_timeout = 10min
        random_page_cost = 1.1
        jit = off
        max_parallel_workers_per_gather = 0
        autovacuum_naptime = 15s
        dynamic_shared_memory_type = posix
        timezone = 'UTC'
        log_timezone = 'UTC'
        log_min_messages = warning
        log_line_prefix = '%m [%p] %a '
        log_checkpoints = off

        """;

    private async Task EnsureDatabaseAsync(CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(ConnectionStringOf(_layout, "postgres"));
        await connection.OpenAsync(cancel);
        await using var exists = new NpgsqlCommand("SELECT 1 FROM pg_database WHERE datname = $1", connection) { Parameters = { new() { Value = Database } } };
        if (await exists.ExecuteScalarAsync(cancel) is not null)
            return;
        await using var create = new NpgsqlCommand($"CREATE DATABASE {Database}", connection);
        await create.ExecuteNonQueryAsync(cancel);
    }

    private async Task WatchAsync(CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(WatchPeriod);
        var failures = 0;
        try
        {
            while (await timer.WaitForNextTickAsync(cancel))
            {
                if (RunningServer(_layout) is not null)
                    continue;
                try
                {
                    using var start = await LockAsync(_layout.StartLock, cancel);
                    if (RunningServer(_layout) is not null)
                        continue;
                    Vanished(_log, _layout.LogFile);
                    await EnsureRunningAsync(cancel);
                    failures = 0;
                    Recovered(_log, RunningServer(_layout));
                }
                catch (Exception failure) when (failure is not OperationCanceledException)
                {
                    RestartFailed(_log, failure);
                    failures++;
                    await Task.Delay(TimeSpan.FromSeconds(Math.Min(30, failures * 2)), cancel);
                }
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Leaving.
        }
    }

    private static async Task StopServerAsync(ClusterLayout layout, ServerAccount account, PostgresBinaries binaries, CancellationToken cancel)
    {
        var (exitCode, output) = await account.RunAsync(
            binaries.Program("pg_ctl"), ["stop", "--pgdata", layout.Data, "--mode", "fast", "--wait", "--silent", "--timeout", "30"], cancel);
        if (exitCode != 0 && RunningServer(layout) is { } pid)
        {
            // Hung: give up on a clean checkpoint, the write-ahead log has everything.
            (exitCode, output) = await account.RunAsync(
                binaries.Program("pg_ctl"), ["stop", "--pgdata", layout.Data, "--mode", "immediate", "--wait", "--silent", "--timeout", "15"], cancel);
            if (exitCode != 0 && RunningServer(layout) is not null)
                throw new InvalidOperationException($"The embedded PostgreSQL (process {pid}) does not stop: {output}. End it with 'kill -9 {pid}'; its data is safe.");
        }
    }

    /// <summary>
    /// Removes what a killed server left: a pid file whose process is gone or is another program by now (PostgreSQL itself would refuse in the
    /// second case), and backends that outlived it and hold its shared memory.
    /// </summary>
    private void EndLeftovers()
    {
        if (RunningServer(_layout) is not null || !Directory.Exists("/proc/self"))
            return;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) || !WorksIn(pid, _layout.Data))
                continue;
            try
            {
                using var backend = Process.GetProcessById(pid);
                backend.Kill();
                backend.WaitForExit(TimeSpan.FromSeconds(2));
            }
            catch (Exception gone) when (gone is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
            {
                // It ended by itself meanwhile; if it did not, pg_ctl says so next.
            }
        }
        // All three are only PostgreSQL's own notes of who holds the cluster; the start lock and the look above have settled that.
        foreach (var note in new[] { _layout.PidFile, _layout.Socket + ".lock", _layout.Socket })
            File.Delete(note);
    }

    /// <summary>The server process of the cluster: named by its pid file, alive, and a postgres that was started on this very data folder.</summary>
    private static int? RunningServer(ClusterLayout layout)
    {
        try
        {
            if (!File.Exists(layout.PidFile) || !int.TryParse(File.ReadLines(layout.PidFile).FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
                return null;
            if (Directory.Exists("/proc/self"))
            {
                // The command line is readable for every account, and empty for a zombie.
                var words = File.ReadAllText($"/proc/{pid}/cmdline").Split('\0');
                return Path.GetFileName(words[0]) == "postgres" && words.Contains(layout.Data) ? pid : null;
            }
            using var process = Process.GetProcessById(pid);
            return process.ProcessName.Contains("postgres", StringComparison.Ordinal) ? pid : null;
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return null; // The file or the process went away between two looks: not running.
        }
    }

    /// <summary>A postgres process whose current folder is the data folder, as PostgreSQL sets it for all its processes.</summary>
    private static bool WorksIn(int pid, string dataFolder)
    {
        try
        {
            return new DirectoryInfo($"/proc/{pid}/cwd").LinkTarget == dataFolder
                && File.ReadAllText($"/proc/{pid}/comm").StartsWith("postgres", StringComparison.Ordinal);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false; // Ended, or another account's: not ours.
        }
    }

    private string LogTail()
    {
        try
        {
            return File.Exists(_layout.LogFile) ? string.Join('\n', File.ReadLines(_layout.LogFile).TakeLast(8)) : "(no log yet)";
        }
        catch (IOException unreadable)
        {
            return $"(the log cannot be read: {unreadable.Message})";
        }
    }

    private static int? ClusterMajor(ClusterLayout layout)
    {
        var file = Path.Combine(layout.Data, "PG_VERSION");
        return File.Exists(file) && int.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : null;
    }

    private static string ConnectionStringOf(ClusterLayout layout, string database) =>
        new NpgsqlConnectionStringBuilder { Host = layout.Sockets, Port = 5432, Username = User, Database = database, Pooling = database == Database, Timeout = 5 }.ConnectionString;

    private static async Task<FileStream> LockAsync(string path, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (TryLock(path) is { } held)
                return held;
            if (Stopwatch.GetElapsedTime(started) > LockPatience)
                throw new InvalidOperationException($"Another process has been starting or stopping the embedded database for {LockPatience.TotalSeconds:0} s (it holds {path}). End it and try again.");
            await Task.Delay(TimeSpan.FromMilliseconds(20), cancel);
        }
    }

    /// <summary>An exclusive <c>flock</c>; null when somebody else holds it.</summary>
    private static FileStream? TryLock(string path)
    {
        try
        {
            return OpenLock(path, FileShare.None);
        }
        catch (IOException held) when (held is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException))
        {
            return null;
        }
    }

    // On Unix the runtime maps FileShare.None to flock(LOCK_EX) and every other share to flock(LOCK_SH), both without waiting.
    private static FileStream OpenLock(string path, FileShare share) => new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, share, bufferSize: 1);

    [LoggerMessage(10, LogLevel.Information, "embedded_database_{how} PostgreSQL {major} in {folder} {elapsed_ms}")]
    private static partial void Ready(ILogger logger, string how, int major, string folder, double elapsed_ms);

    [LoggerMessage(11, LogLevel.Warning, "embedded_database_vanished The embedded database was ended by somebody else; starting it again. Its log: {logFile}")]
    private static partial void Vanished(ILogger logger, string logFile);

    [LoggerMessage(12, LogLevel.Information, "embedded_database_recovered process {pid}")]
    private static partial void Recovered(ILogger logger, int? pid);

    [LoggerMessage(13, LogLevel.Error, "embedded_database_restart_failed Trying again soon")]
    private static partial void RestartFailed(ILogger logger, Exception failure);
}
