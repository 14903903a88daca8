using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FogCompute.Application;
using FogCompute.Application.Common.Messaging;
using FogCompute.Application.Tokenomics;
using FogCompute.Domain.Identity;
using FogCompute.Domain.Tokenomics;
using FogCompute.Infrastructure;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Embedded;
using FogCompute.Infrastructure.Persistence.Migrations;
using FogCompute.Infrastructure.Tokenomics;
using FogCompute.Ledger;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

// How many transfers a second does the ledger take through the port that the product uses (ILedger inside the unit of work, durable commits), against pgbench's
// TPC-B on the same cluster in the same run with as many connections? One transfer debits one account and credits another. "batch" posts 64 in a transaction: one
// report of a device settles up to 256 tasks. "hot": every transfer credits one and the same account.
// Usage: ./dev bench ledger [--quick]

const int Owners = 20_000, Batch = 64, Scale = 32;
int[] connections = [1, 8, 32];
var seconds = args.Contains("--quick") ? 1.5 : 4;
using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(5));
var home = Directory.CreateTempSubdirectory("fog-bench-").FullName;
// As root the database runs under an account of its own, which must be able to enter.
if (!OperatingSystem.IsWindows())
    File.SetUnixFileMode(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
try
{
    await using var cluster = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions(home), NullLogger.Instance, stop.Token);
    await using var host = DatabaseHost.At(cluster.ConnectionString, maxConnections: 40);
    await using var source = host.CreateDataSource();
    await Migrator.MigrateAsync(source);
    await using var services = new ServiceCollection().AddLogging().AddApplication().AddPlatform(host, []).AddTokenomics(Path.Combine(home, "ledger-key.pem")).BuildServiceProvider();
    var owners = await OpenAsync(services, source, stop.Token);
    var pgbench = new PgBench(cluster);
    await pgbench.SetUpAsync(Scale, stop.Token);

    // The compiler, the statement cache and the first pages.
    await PostAsync(services, owners, 8, Batch, hot: false, seconds / 2, stop.Token);
    await PostAsync(services, owners, 8, 1, hot: true, seconds / 2, stop.Token);
    var rows = new List<Row>();
    foreach (var count in connections)
    {
        rows.Add(new Row(
            count, await pgbench.TpcbAsync(count, seconds, stop.Token),
            await PostAsync(services, owners, count, Batch, hot: false, seconds, stop.Token), await PostAsync(services, owners, count, Batch, hot: true, seconds, stop.Token),
            await PostAsync(services, owners, count, 1, hot: false, seconds, stop.Token), await PostAsync(services, owners, count, 1, hot: true, seconds, stop.Token)));
        Console.Error.WriteLine($"{count} connections: done");
    }
    await using var scope = services.CreateAsyncScope();
    var balanced = (await scope.ServiceProvider.GetRequiredService<ILedgerAudit>().InspectAsync(stop.Token)).Differences.Count == 0;

    var pass = balanced && rows.TrueForAll(r => r.Uniform >= 2 * r.Tpcb && r.Hot >= r.Tpcb);
    Console.WriteLine($"""

        Transfers per second, durable; {Owners} accounts, pgbench `tpcb-like` prepared at scale {Scale}, {seconds} s each, {Environment.ProcessorCount} processors

        | connections | TPC-B tps | {Batch} a transaction, uniform | ÷ TPC-B (aim ≥ 2) | …, one hot account | ÷ TPC-B (aim ≥ 1) | 1 a transaction, uniform | ÷ TPC-B | …, one hot account | ÷ TPC-B |
        |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
        """);
    foreach (var r in rows)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {r.Connections} | {r.Tpcb:0} | {r.Uniform:0} | {r.Uniform / r.Tpcb:0.0} | {r.Hot:0} | {r.Hot / r.Tpcb:0.0} | {r.SingleUniform:0} | {r.SingleUniform / r.Tpcb:0.00} | {r.SingleHot:0} | {r.SingleHot / r.Tpcb:0.00} |"));
    }
    Console.WriteLine($"\nledger balances after the run: {balanced}\n");
    Console.WriteLine(JsonSerializer.Serialize(new
    {
        benchmark = "ledger", processors = Environment.ProcessorCount, batch = Batch,
        figures = rows.Select(r => new
        {
            connections = r.Connections, tpcb_tps = Math.Round(r.Tpcb, 1), uniform_per_s = Math.Round(r.Uniform, 1), hot_per_s = Math.Round(r.Hot, 1),
            single_uniform_per_s = Math.Round(r.SingleUniform, 1), single_hot_per_s = Math.Round(r.SingleHot, 1),
        }),
        ratios = rows.Select(r => new
        {
            connections = r.Connections, uniform = Math.Round(r.Uniform / r.Tpcb, 2), hot = Math.Round(r.Hot / r.Tpcb, 2),
            single_uniform = Math.Round(r.SingleUniform / r.Tpcb, 2), single_hot = Math.Round(r.SingleHot / r.Tpcb, 2),
        }),
        balanced, pass,
    }));
    return pass ? 0 : 1;
}
finally
{
    Directory.Delete(home, recursive: true);
}

// Accounts straight into the tables, credits through the ledger: 5 each out of the treasury.
static async Task<AccountId[]> OpenAsync(IServiceProvider services, NpgsqlDataSource source, CancellationToken cancel)
{
    var now = TimeProvider.System.GetUtcNow();
    var owners = Enumerable.Range(0, Owners).Select(_ => AccountId.New(now)).ToArray();
    await using (var open = source.CreateCommand(
        """
        WITH given AS (SELECT unnest($1::uuid[]) AS id),
             identity AS (INSERT INTO identity.accounts (id, name, address, created_at) SELECT id, id::text, 'fog1' || replace(id::text, '-', ''), now() FROM given),
             owners AS (INSERT INTO tokenomics.owners (id, address, opened_at) SELECT id, 'fog1' || replace(id::text, '-', ''), now() FROM given RETURNING id)
        INSERT INTO tokenomics.accounts (owner, kind, updated_at) SELECT id, kind, now() FROM owners, unnest(ARRAY['Available', 'Held', 'Staked', 'Unbonding']) AS kind
        """))
    {
        open.Parameters.Add(new NpgsqlParameter { Value = owners.Select(o => o.Value).ToArray() });
        await open.ExecuteNonQueryAsync(cancel);
    }
    foreach (var some in owners.Chunk(500))
        await CommitAsync(services, [.. some.Select(o => Move(LedgerAccount.System(AccountKind.Treasury), LedgerAccount.Available(o), Credits.ToMicro(5), now))], cancel);
    return owners;
}

static async Task<double> PostAsync(IServiceProvider services, AccountId[] owners, int workers, int batch, bool hot, double seconds, CancellationToken cancel)
{
    var done = 0L;
    var clock = Stopwatch.StartNew();
    await Task.WhenAll(Enumerable.Range(0, workers).Select(worker => Task.Run(async () =>
    {
        var random = new Random(worker);
        while (clock.Elapsed.TotalSeconds < seconds)
        {
            var now = TimeProvider.System.GetUtcNow();
            var transfers = new Transfer[batch];
            for (var i = 0; i < batch; i++)
            {
                var from = random.Next(owners.Length);
                var to = hot ? LedgerAccount.System(AccountKind.Fees) : LedgerAccount.Available(owners[(from + 1 + random.Next(owners.Length - 1)) % owners.Length]);
                transfers[i] = Move(LedgerAccount.Available(owners[from]), to, 1, now);
            }
            await CommitAsync(services, transfers, cancel);
            Interlocked.Add(ref done, batch);
        }
    }, cancel)));
    return done / clock.Elapsed.TotalSeconds;
}

static Transfer Move(LedgerAccount from, LedgerAccount to, long micro, DateTimeOffset at) =>
    Transfer.Create(TransferKind.TreasuryGrant, $"bench:{Guid.CreateVersion7(at):N}", [new(from, -micro), new(to, micro)], at);

static async Task CommitAsync(IServiceProvider services, Transfer[] transfers, CancellationToken cancel)
{
    await using var scope = services.CreateAsyncScope();
    var ledger = scope.ServiceProvider.GetRequiredService<ILedger>();
    await scope.ServiceProvider.GetRequiredService<IUnitOfWork>().RunAsync(c => ledger.PostAsync(transfers, [], c), _ => Task.CompletedTask, cancel);
}
