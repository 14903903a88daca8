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

    /// <summary>Bare <c>bwrap … true</c> per second, <paramref name="parallel"/> at a time, started by a shell.</summary>
    public static async Task<double> BareSandboxPerSecondAsync(int parallel, int count, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        await RunAsync("sh", ["-c", $"seq {count} | xargs -P {parallel} -I{{}} bwrap --ro-bind / / --unshare-all --die-with-parent --new-session true"], cancel);
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
