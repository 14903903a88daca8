using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using FogCompute.Infrastructure.Persistence.Embedded;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace FogCompute.Dispatch;

/// <summary>What the machine can do without us: the figures are compared with these, never alone.</summary>
internal static partial class Floors
{
    private const string Setup =
        """
        CREATE TABLE public.bench_queue (id bigint PRIMARY KEY, state smallint NOT NULL);
        INSERT INTO public.bench_queue SELECT i, 0 FROM generate_series(1, 400000) AS i;
        CREATE INDEX bench_queue_open ON public.bench_queue (id) WHERE state = 0;
        ANALYZE public.bench_queue;
        """;

    private const string Dequeue =
        "UPDATE public.bench_queue SET state = 1 WHERE id = (SELECT id FROM public.bench_queue WHERE state = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);";

    /// <summary>Single-row dequeues per second with a durable commit each, on the control plane's own cluster.</summary>
    public static async Task<double> DequeuePerSecondAsync(string home, int clients, int seconds, CancellationToken cancel)
    {
        // A second user of the running cluster: attaches, and leaves it running.
        await using var cluster = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions(home), NullLogger.Instance, cancel);
        await using var source = NpgsqlDataSource.Create(cluster.ConnectionString);
        var script = Path.Combine(Path.GetTempPath(), $"dequeue-{Environment.ProcessId}.sql");
        await File.WriteAllTextAsync(script, Dequeue, cancel);
        try
        {
            await using (var setup = source.CreateCommand(Setup))
                await setup.ExecuteNonQueryAsync(cancel);
            var at = new NpgsqlConnectionStringBuilder(cluster.ConnectionString);
            var output = await RunAsync(Path.Combine(cluster.Binaries.Folder, "pgbench"),
                ["-h", at.Host!, "-U", at.Username!, "-n", "-M", "prepared", "-c", $"{clients}", "-j", "2", "-T", $"{seconds}", "-f", script, at.Database!], cancel);
            await using (var drop = source.CreateCommand("DROP TABLE public.bench_queue"))
                await drop.ExecuteNonQueryAsync(cancel);
            return double.Parse(Tps().Match(output).Groups[1].Value, CultureInfo.InvariantCulture);
        }
        finally
        {
            File.Delete(script);
        }
    }

    /// <summary>The least that bubblewrap does: everything shared read-only, all namespaces new.</summary>
    public const string LeastSandbox = "bwrap --ro-bind / / --unshare-all --die-with-parent --new-session";

    /// <summary>The sandbox that the agent gives a command, as a shell would start it: same namespaces, file systems and change of user.</summary>
    public const string SameSandbox = "bwrap --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --unshare-net --die-with-parent --new-session --hostname fog "
        + "--cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID "
        + "--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --ro-bind /etc /etc "
        + "--proc /proc --dev /dev --perms 1777 --size 16777216 --tmpfs /tmp --perms 1777 --size 16777216 --tmpfs /dev/shm --bind /tmp /work "
        + "--remount-ro /dev --remount-ro / --chdir /work --clearenv --setenv PATH /usr/bin:/bin "
        + "setpriv --reuid 1990000000 --regid 1990000000 --clear-groups --inh-caps=-all --";

    /// <summary><c>true</c> in the sandbox per second, started by <paramref name="parallel"/> shell loops.</summary>
    public static async Task<double> BareSandboxPerSecondAsync(string sandbox, int parallel, int count, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        await RunAsync("sh", ["-c", $"for p in $(seq {parallel}); do (i=0; while [ $i -lt {count / parallel} ]; do i=$((i+1)); {sandbox} true || exit 1; done) & done; wait"], cancel);
        return count / clock.Elapsed.TotalSeconds;
    }

    private static async Task<string> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancel)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var errors = process.StandardError.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {await errors}");
    }

    [GeneratedRegex(@"tps = ([0-9.]+)", RegexOptions.NonBacktracking)]
    private static partial Regex Tps();
}
