using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using FogCompute.Infrastructure.Persistence.Embedded;
using Npgsql;

namespace FogCompute.Ledger;

/// <param name="Tpcb">Transactions of pgbench a second.</param>
/// <param name="Uniform">Transfers a second in batches; the same with one hot account, and both with one transfer a transaction.</param>
internal sealed record Row(int Connections, double Tpcb, double Uniform, double Hot, double SingleUniform, double SingleHot);

/// <summary>The peer: PostgreSQL's own benchmark in a database of its own on the ledger's cluster.</summary>
internal sealed partial class PgBench(EmbeddedPostgres cluster)
{
    private readonly NpgsqlConnectionStringBuilder _at = new(cluster.ConnectionString);

    public async Task SetUpAsync(int scale, CancellationToken cancel)
    {
        await RunAsync("createdb", ["bench"], cancel);
        await RunAsync("pgbench", ["-i", "-q", "-s", $"{scale}", "bench"], cancel);
    }

    public async Task<double> TpcbAsync(int clients, double seconds, CancellationToken cancel) => double.Parse(
        Tps().Match(await RunAsync("pgbench", ["-n", "-b", "tpcb-like", "-M", "prepared", "-c", $"{clients}", "-j", $"{Math.Min(clients, 2)}", "-T", $"{Math.Ceiling(seconds)}", "bench"], cancel)).Groups[1].Value,
        CultureInfo.InvariantCulture);

    private async Task<string> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancel)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(cluster.Binaries.Folder, program), ["-h", _at.Host!, "-U", _at.Username!, .. arguments])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var errors = process.StandardError.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {await errors}");
    }

    [GeneratedRegex(@"tps = ([0-9.]+)", RegexOptions.NonBacktracking)]
    private static partial Regex Tps();
}
