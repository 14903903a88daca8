using System.Diagnostics;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using FogCompute.EndToEnd.Tests.Harness;
using FogCompute.Infrastructure.Persistence.Embedded;
using FogCompute.Testing;
using Npgsql;

namespace FogCompute.EndToEnd.Tests;

/// <summary>
/// <c>deploy/backup</c> and <c>deploy/restore</c>, run as an operator runs them: a pool that is written to is copied into a new PostgreSQL, that one into a new
/// embedded database, and each copy is the same and works.
/// </summary>
[TestFixture]
internal sealed class BackupTests
{
    private const string Label = "backup";
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = TestCluster.CreateHome();

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public async Task A_pool_at_work_is_copied_and_the_copy_works()
    {
        await using var pool = await Pool.OpenAsync(silence: 60);
        await pool.StartAgentsAsync(1, new AgentOptions { Label = Label, Slots = 8 });
        var tile = await pool.Client.SubmitAsync(new JobRequest { Name = "tile", Payload = JobRequest.Tile(across: 1, pixels: 64), Outputs = ["*.pgm"], Constraints = new([Label]), Deterministic = false });
        var output = (await pool.CompletedAsync(tile.JobId)).Result!.Outputs.Single();
        await File.WriteAllTextAsync(In("passphrase"), "correct horse battery staple\n");
        // The pool makes its key with its first checkpoint, which may be later than this.
        var keyFile = Path.Combine(pool.Plane.Home, "ledger-key.pem");
        if (!File.Exists(keyFile))
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            await File.WriteAllTextAsync(keyFile, key.ExportPkcs8PrivateKeyPem());
        }

        // ---- a backup of the embedded database, while jobs are submitted, run and paid ----
        using var stop = new CancellationTokenSource();
        var writing = WriteAsync(pool, stop.Token);
        var started = Stopwatch.GetTimestamp();
        var embedded = new Dictionary<string, string> { ["FOG_HOME"] = pool.Plane.Home };
        var first = await RunAsync("backup", embedded, "--key-passphrase", In("passphrase"), In("first"));
        Took("backup of a pool at work", started);
        await stop.CancelAsync();
        var submitted = await writing;
        Assert.That(first.Code, Is.Zero, first.Output);
        Assert.That(submitted, Is.GreaterThan(0), "it was written to meanwhile");
        var manifest = Manifest.Read(In("first"));

        // ---- what is not as it was written is not restored ----
        await using var cluster = await TestCluster.StartAsync();
        var external = new Dictionary<string, string> { ["FOG_HOME"] = In("second-home"), ["DATABASE_URL"] = UrlOf(cluster) };
        await RefusesWhatWasChangedAsync(external);

        // ---- restored into a new PostgreSQL ----
        started = Stopwatch.GetTimestamp();
        var restored = await RunAsync("restore", external, "--key-passphrase", In("passphrase"), In("first"));
        Took("restore into a new PostgreSQL, with the ledger verified", started);
        Assert.That(restored.Code, Is.Zero, restored.Output);
        Assert.That(restored.Output, Does.Contain($"the ledger verifies: head {manifest.LedgerHead}"));
        await SameTablesAsync(cluster, manifest);
        await SameHistoryAsync(cluster, pool);
        var again = await RunAsync("restore", external, "--key-passphrase", In("passphrase"), In("first"));
        Assert.That(again.Code, Is.EqualTo(2), "never into anything that is not empty: " + again.Output);

        // ---- a control plane on it ----
        await using (var plane = new ControlPlane("restored", In("second-home"), new Dictionary<string, string> { ["DATABASE_URL"] = UrlOf(cluster) }))
        {
            await plane.StartAsync();
            using var client = new FogClient(plane.Url, pool.Requester.ApiKey);
            using var local = new FogClient(plane.Url, null);
            Assert.That((await client.JobAsync(tile.JobId)).Status, Is.EqualTo("completed"));
            Assert.That(Convert.ToHexStringLower(SHA256.HashData(await client.DownloadAsync(output.Sha256))), Is.EqualTo(output.Sha256));
            var audit = await local.AuditAsync();
            Assert.That((audit.Balanced, audit.Supply), Is.EqualTo((true, audit.Cap)), FogClient.Show(audit));
            var start = TimeProvider.System.GetUtcNow();
            await local.PostAsync<object>("api/ops/jobs/ReconcileLedger/trigger", new { });
            await Wait.UntilAsync("the reconciler has run on the copy and found nothing",
                () => local.GetAsync<ReconciliationView>("api/tokenomics/reconciliation"), r => r is { Status: "healthy", DifferenceCount: 0 } && r.At > start.AddSeconds(-5));
            var next = await client.SubmitAsync(new JobRequest { Name = "after", Payload = JobRequest.Noop, Constraints = new(["nobody"]) });
            Assert.That((await client.CancelAsync(next.JobId)).Success);
            Assert.That(await plane.StopAsync(TimeSpan.FromSeconds(30)), Is.Not.Null);
        }

        // ---- from there into a new embedded database ----
        var second = await RunAsync("backup", external, In("second"));
        Assert.That((second.Code, second.Output.Contains("the ledger's key is not in it", StringComparison.Ordinal)), Is.EqualTo((0, true)), second.Output);
        Directory.CreateDirectory(In("third-home"));
        File.Copy(Path.Combine(In("second-home"), "ledger-key.pem"), Path.Combine(In("third-home"), "ledger-key.pem"));
        started = Stopwatch.GetTimestamp();
        var third = await RunAsync("restore", new Dictionary<string, string> { ["FOG_HOME"] = In("third-home") }, In("second"));
        Took("restore into a new embedded database", started);
        Assert.That(third.Code, Is.Zero, third.Output);
        Assert.That(third.Output, Does.Contain($"the ledger verifies: head {Manifest.Read(In("second")).LedgerHead}"));
        TestContext.Out.WriteLine($"{manifest.Tables.Count} tables, {manifest.Tables.Values.Sum(t => t.Rows)} rows, {submitted} jobs submitted during the backup\n{first.Output}{restored.Output}{third.Output}");
    }

    [TestCase("backup")]
    [TestCase("restore")]
    public async Task Explains_itself_and_refuses_what_it_does_not_know(string script)
    {
        var help = await RunAsync(script, new Dictionary<string, string>(), "--help");
        Assert.That(help.Code, Is.Zero);
        Assert.That(help.Output, Does.Contain("Exit codes:"));
        Assert.That((await RunAsync(script, new Dictionary<string, string>())).Code, Is.EqualTo(2));
        Assert.That((await RunAsync(script, new Dictionary<string, string>(), "--frobnicate")).Code, Is.EqualTo(2));
        var bad = await RunAsync(script, new Dictionary<string, string> { ["FOG_HOME"] = _folder, ["DATABASE_URL"] = "Host=somewhere;Password=hidden" }, In("nowhere"));
        Assert.That(bad.Code, Is.EqualTo(2));
        Assert.That(bad.Output, Does.Not.Contain("hidden"));
    }

    private async Task RefusesWhatWasChangedAsync(Dictionary<string, string> settings)
    {
        // The same length, so that nothing but the checksum can tell.
        foreach (var file in new[] { "database.dump", "MANIFEST" })
        {
            var path = Path.Combine(In("first"), file);
            var whole = await File.ReadAllBytesAsync(path);
            var changed = whole.ToArray();
            changed[changed.Length / 2] ^= 1;
            await File.WriteAllBytesAsync(path, changed);
            var refused = await RunAsync("restore", settings, In("first"));
            await File.WriteAllBytesAsync(path, whole);
            Assert.That(refused.Code, Is.EqualTo(1), file + ": " + refused.Output);
        }
        await File.WriteAllTextAsync(In("wrong"), "another\n");
        var wrong = await RunAsync("restore", settings, "--key-passphrase", In("wrong"), In("first"));
        Assert.That((wrong.Code, wrong.Output.Contains("decrypted", StringComparison.Ordinal)), Is.EqualTo((1, true)), wrong.Output);
    }

    /// <summary>Rows and checksum of each table, counted here, against those that the backup counted in the dump's snapshot.</summary>
    private static async Task SameTablesAsync(TestCluster cluster, Manifest manifest)
    {
        await using var database = NpgsqlDataSource.Create(On(cluster));
        var names = await RowsAsync(database, "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT LIKE 'pg\\_%' AND table_schema <> 'information_schema'");
        Assert.That(names, Is.EquivalentTo(manifest.Tables.Keys));
        foreach (var name in names)
        {
            var rows = await RowsAsync(database, $"SELECT t::text FROM {name} AS t");
            BigInteger left = 0, right = 0;
            foreach (var row in rows)
            {
                #pragma warning disable CA5351 // What the manifest has: a sum against accidents; its files have SHA-256.
                var hash = MD5.HashData(Encoding.UTF8.GetBytes(row));
#pragma warning restore CA5351
                left += System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(hash);
                right += System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(hash.AsSpan(8));
            }
            Assert.That((rows.Count, $"{left}/{right}"), Is.EqualTo((manifest.Tables[name].Rows, manifest.Tables[name].Sum)), name);
        }
        Assert.That(manifest.Tables["scheduler.jobs"].Rows, Is.GreaterThan(1));
    }

    /// <summary>What is only ever added to: every row of the copy is in the pool it was taken from.</summary>
    private static async Task SameHistoryAsync(TestCluster cluster, Pool pool)
    {
        await using var copy = NpgsqlDataSource.Create(On(cluster));
        await using var source = NpgsqlDataSource.Create(pool.Plane.ConnectionString);
        foreach (var name in new[] { "tokenomics.transfers", "tokenomics.postings", "tokenomics.blocks", "artifacts.blobs", "identity.accounts" })
        {
            var rows = await RowsAsync(copy, $"SELECT t::text FROM {name} AS t");
            Assert.That(rows, Is.Not.Empty.And.SubsetOf(await RowsAsync(source, $"SELECT t::text FROM {name} AS t")), name);
        }
    }

    private static async Task<int> WriteAsync(Pool pool, CancellationToken stop)
    {
        var submitted = 0;
        while (!stop.IsCancellationRequested)
        {
            await pool.Client.SubmitAsync(new JobRequest { Name = "meanwhile", Payload = JobRequest.Noop, Constraints = new([Label]), Deterministic = false });
            submitted++;
        }
        return submitted;
    }

    private static async Task<List<string>> RowsAsync(NpgsqlDataSource database, string sql)
    {
        await using var connection = await database.OpenConnectionAsync();
        await using (var settings = new NpgsqlCommand("SET timezone = 'UTC'", connection))
            await settings.ExecuteNonQueryAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
            rows.Add(reader.GetString(0));
        return rows;
    }

    /// <summary>Of its empty database.</summary>
    private static string On(TestCluster cluster) => new NpgsqlConnectionStringBuilder(cluster.ConnectionString) { Database = EmbeddedPostgres.Database }.ConnectionString;

    private static string UrlOf(TestCluster cluster)
    {
        var parts = new NpgsqlConnectionStringBuilder(cluster.ConnectionString);
        return $"postgresql:///fog?host={parts.Host}&port={parts.Port}&user={parts.Username}";
    }

    private string In(string name) => Path.Combine(_folder, name);

    private static void Took(string what, long since) => TestContext.Out.WriteLine($"{what}: {Stopwatch.GetElapsedTime(since).TotalSeconds:0.00} s");

    private static async Task<(int Code, string Output)> RunAsync(string script, Dictionary<string, string> settings, params string[] arguments)
    {
        var start = new ProcessStartInfo(Repository.Path("deploy", script), arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.GetTempPath() };
        foreach (var key in start.Environment.Keys.Where(k => k.StartsWith("FOG_", StringComparison.Ordinal) || k is "DATABASE_URL" || k.StartsWith("PG", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(key);
        start.Environment["FOG_API_DLL"] = ChildProcess.ProgramOf("Api", "FogCompute.Api.dll");
        foreach (var (key, value) in settings)
            start.Environment[key] = value;
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{script} could not be started.");
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(Wait.Patience);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException late)
        {
            process.Kill(entireProcessTree: true);
            throw new AssertionException($"{script} did not end. {await errors}", late);
        }
        return (process.ExitCode, await output + await errors);
    }

    private sealed record ReconciliationView(string Status, DateTimeOffset? At, int? DifferenceCount);

    private sealed record Manifest(string LedgerHead, IReadOnlyDictionary<string, (int Rows, string Sum)> Tables)
    {
        public static Manifest Read(string folder)
        {
            var lines = File.ReadLines(Path.Combine(folder, "MANIFEST")).Select(l => l.Split(' ')).ToList();
            return new Manifest(
                lines.Single(l => l[0] == "ledger")[2],
                lines.Where(l => l[0] == "table").ToDictionary(l => l[1], l => (int.Parse(l[2], System.Globalization.CultureInfo.InvariantCulture), l[3])));
        }
    }
}
