using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using FogCompute.Cli.Diagnosis;
using FogCompute.Cli.Output;
using FogCompute.Cli.Processes;
using FogCompute.Infrastructure.Persistence;
using FogCompute.Infrastructure.Persistence.Migrations;
using Npgsql;

namespace FogCompute.Cli.Tests;

/// <summary><c>fog doctor</c> on set-ups that are really broken: each cause is named, and what to do.</summary>
[TestFixture]
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed class DoctorTests : CliFixture
{
    private static readonly string Version = typeof(FogCommandLine).Assembly.GetName().Version!.ToString(3);
    private long _freeBytes = 100L << 30;

    [SetUp]
    public void GiveAnswers()
    {
        _freeBytes = 100L << 30;
        Plane.On("GET", "/readyz", """{"status":"ready"}""").On("GET", "/api/tokenomics/balance", """{"address":"fog1me"}""");
    }

    private void Healthy(string checks = "{}", string status = "healthy", string? version = null) =>
        Plane.On("GET", "/health", $$"""{"status":"{{status}}","services":{},"version":"{{version ?? Version}}","checks":{{checks}}}""");

    private async Task<(int ExitCode, IReadOnlyList<JsonNode> Checks)> DiagnoseAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var host = new CliHost
        {
            Out = output, Error = error, In = new StringReader(""), Variable = name => Variables.GetValueOrDefault(name), CurrentDirectory = Folder, FreeBytes = _ => _freeBytes,
        };
        var code = await FogCommandLine.RunAsync(["--json", "doctor", .. args], host, TestContext.CurrentContext.CancellationToken);
        var document = JsonNode.Parse(output.ToString())!;
        Assert.That((bool)document["ok"]!, Is.EqualTo(code == 0), output.ToString());
        return (code, [.. document["checks"]!.AsArray().Select(c => c!)]);
    }

    /// <summary>The one problem of that name, in the words that a person reads; it ends with 1.</summary>
    private async Task<string> ProblemAsync(string check, params string[] args)
    {
        var (code, checks) = await DiagnoseAsync(args);
        var found = checks.SingleOrDefault(c => c.Text("check") == check && c.Text("state") == "fail");
        Assert.That(found, Is.Not.Null, string.Join("\n", checks.Select(c => c.ToJsonString())));
        Assert.That(code, Is.EqualTo(1));
        Assert.That(found.Text("next"), Is.Not.Null.And.Not.Empty, "it says what to do");
        return $"{found.Text("detail")} → {found.Text("next")}";
    }

    private static int ClosedPort() => LocalPool.FreePort();

    [Test]
    public async Task All_well_ends_with_0()
    {
        Healthy();
        var (code, checks) = await DiagnoseAsync();
        Assert.That(code, Is.Zero, string.Join("\n", checks.Select(c => c.ToJsonString())));
    }

    [Test]
    public async Task A_database_that_is_down()
    {
        Healthy();
        var port = ClosedPort();
        Variables["DATABASE_URL"] = $"postgresql://fog:secret@127.0.0.1:{port}/fog";
        Assert.That(await ProblemAsync("Database"), Does.Contain($"nothing listens at 127.0.0.1:{port}").And.Contain("Start PostgreSQL").And.Not.Contain("secret"));
    }

    [Test]
    public async Task A_DATABASE_URL_that_makes_no_sense()
    {
        Healthy();
        Variables["DATABASE_URL"] = "mysql://fog:secret@127.0.0.1/fog";
        Assert.That(await ProblemAsync("Database"), Does.Contain("starts with 'mysql://'").And.Not.Contain("secret"));
    }

    /// <summary>A real PostgreSQL with real passwords, which is then stopped.</summary>
    [Test]
    public async Task A_wrong_password_a_missing_database_and_a_stopped_server()
    {
        await using var postgres = await ThrowawayPostgres.StartAsync(Folder);
        Healthy();
        Variables["DATABASE_URL"] = postgres.Url("right", "postgres");
        var (_, checks) = await DiagnoseAsync();
        Assert.That(checks.Single(c => c.Text("check") == "Database").Text("state"), Is.EqualTo("ok"));
        Assert.That(checks.Single(c => c.Text("check") == "Database clock").Text("state"), Is.EqualTo("ok"));
        Assert.That(checks.Single(c => c.Text("check") == "Schema").Text("detail"), Does.StartWith("not there yet; the first start"));
        Variables["DATABASE_URL"] = postgres.Url("wrong", "postgres");
        Assert.That(await ProblemAsync("Database"), Does.Contain("refuses the password of 'fog'").And.Not.Contain("wrong"));
        Variables["DATABASE_URL"] = postgres.Url("right", "nowhere");
        Assert.That(await ProblemAsync("Database"), Does.Contain("has no database 'nowhere'").And.Contain("createdb"));
        await postgres.StopAsync();
        Variables["DATABASE_URL"] = postgres.Url("right", "postgres");
        Assert.That(await ProblemAsync("Database"), Does.Contain("nothing listens at"));
    }

    [Test]
    public async Task A_schema_that_is_older_newer_or_another_and_a_role_that_may_not_make_one()
    {
        await using var postgres = await ThrowawayPostgres.StartAsync(Folder);
        Healthy();
        Variables["DATABASE_URL"] = postgres.Url("right", "postgres");
        var url = DatabaseUrl.ToConnectionString(postgres.Url("right", "postgres"));
        await using var database = NpgsqlDataSource.Create(url);
        var newest = MigrationHistory.Embedded[^1];
        async Task<JsonNode> SchemaAsync() => (await DiagnoseAsync()).Checks.Single(c => c.Text("check") == "Schema");
        async Task ExecuteAsync(string sql)
        {
            await using var command = database.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
        await ExecuteAsync("CREATE SCHEMA platform; CREATE TABLE platform.schema_migrations (number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, duration_ms bigint NOT NULL)");
        foreach (var migration in MigrationHistory.Embedded)
            await ExecuteAsync($"INSERT INTO platform.schema_migrations VALUES ({migration.Number}, '{migration.Name}', '{migration.Checksum}', 1)");
        Assert.That((await SchemaAsync()).Text("detail"), Is.EqualTo($"is that of this build ({newest.Name})"));

        await ExecuteAsync($"DELETE FROM platform.schema_migrations WHERE number = {newest.Number}");
        var older = await SchemaAsync();
        Assert.That((older.Text("state"), older.Text("detail")), Is.EqualTo(("warn", $"is older than this build: 1 migration to {newest.Name} not applied yet")));
        Assert.That(older.Text("next"), Does.Contain("backup"));

        await ExecuteAsync($"INSERT INTO platform.schema_migrations (number, name, checksum, duration_ms) VALUES ({newest.Number}, '{newest.Name}', '{newest.Checksum}', 1), ({newest.Number + 1}, '9999_of_tomorrow', '', 1)");
        Assert.That(await ProblemAsync("Schema"), Does.Contain("9999_of_tomorrow, newer than this build").And.Contain("Run the newer build"));

        await ExecuteAsync($"DELETE FROM platform.schema_migrations WHERE number > {newest.Number}; UPDATE platform.schema_migrations SET checksum = repeat('0', 64) WHERE number = 1");
        Assert.That(await ProblemAsync("Schema"), Does.Contain("changed after it was applied"));

        await ExecuteAsync("CREATE DATABASE another; CREATE ROLE guest LOGIN PASSWORD 'right'");
        Variables["DATABASE_URL"] = postgres.Url("right", "another").Replace("fog:", "guest:", StringComparison.Ordinal);
        Assert.That(await ProblemAsync("Schema"), Does.Contain("'guest' may not make it").And.Contain("GRANT CREATE ON DATABASE \"another\" TO \"guest\""));
    }

    [Test]
    public async Task An_agent_whose_key_was_revoked()
    {
        Healthy();
        var folder = Directory.CreateDirectory(Path.Combine(Variables["FOG_HOME"], "node-lab-7"));
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "device.json"), $$"""{"Id":"lab-7","Server":"{{Plane.Url}}/"}""");
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "device.token"), "fogd_revoked");
        Plane.On("GET", "/api/idle-compute/devices/lab-7", """{"id":"lab-7"}""").On("GET", "/api/idle-compute/devices/lab-7", Problem(401, "identity.invalid_token", "Unknown."), 401);
        var (_, checks) = await DiagnoseAsync();
        Assert.That(checks.Single(c => c.Text("check") == "Agent").Text("state"), Is.EqualTo("ok"));
        Assert.That(await ProblemAsync("Agent"), Does.Contain("refuses the key of 'lab-7'").And.Contain("--enrolment-token").And.Not.Contain("fogd_"));
        Assert.That(Plane.Requests.Where(r => r.Path.EndsWith("/lab-7", StringComparison.Ordinal)).Select(r => r.Authorization), Has.All.EqualTo("Bearer fogd_revoked"));
    }

    [Test]
    public async Task A_token_that_is_refused()
    {
        await using var plane = await FakeControlPlane.StartAsync();
        plane.On("GET", "/health", $$"""{"status":"healthy","services":{},"version":"{{Version}}","checks":{} }""").On("GET", "/readyz", """{"status":"ready"}""")
            .On("GET", "/api/tokenomics/balance", Problem(401, "identity.invalid_token", "The token is not known."), 401);
        Assert.That(await ProblemAsync("Access", "--server", plane.Url, "--token", "fogk_old"), Does.Contain("not known").And.Contain("--token"));
    }

    [Test]
    public async Task An_embedded_database_that_did_not_start()
    {
        Healthy();
        var place = Path.Combine(Variables["FOG_HOME"], "postgres");
        Directory.CreateDirectory(Path.Combine(place, "log"));
        await File.WriteAllTextAsync(Path.Combine(place, "location"), place + "\n");
        await File.WriteAllTextAsync(Path.Combine(place, "log", "postgresql.log"),
            """
            2026-01-01 [7] LOG:  database system is ready to accept connections
            2026-01-01 [9] FATAL:  terminating connection due to administrator command
            2026-01-01 [7] LOG:  database system is shut down
            2026-01-02 [8] FATAL:  could not write lock file "postmaster.pid": No space left on device
            2026-01-02 [8] LOG:  database system is shut down

            """);
        Assert.That(await ProblemAsync("Embedded database"), Does.Contain("did not start: could not write lock file \"postmaster.pid\": No space left on device").And.Contain("postgresql.log"));
    }

    [Test]
    public void An_error_that_was_overcome_is_none() =>
        Assert.That(EmbeddedDatabaseCheck.LastError(["[1] FATAL:  disk on fire", "[2] LOG:  database system is ready to accept connections", "[3] FATAL:  the database system is shutting down"]), Is.Null);

    [Test]
    public async Task A_Redis_that_is_down()
    {
        Healthy();
        var port = ClosedPort();
        Variables["REDIS_URL"] = $"redis://:secret@127.0.0.1:{port}/0";
        Assert.That(await ProblemAsync("Redis"), Does.Contain($"nothing listens at 127.0.0.1:{port}").And.Contain("unset REDIS_URL").And.Not.Contain("secret"));
    }

    [TestCase("-NOAUTH Authentication required.\r\n", "wants a password")]
    [TestCase("-LOADING Redis is loading the dataset in memory\r\n", "loading")]
    [TestCase("HTTP/1.1 400 Bad Request\r\n", "is not Redis")]
    [TestCase("+PONG\r\n", null)]
    public async Task What_a_Redis_says(string says, string? problem)
    {
        Healthy();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync();
            var buffer = new byte[256];
            Assert.That(await client.GetStream().ReadAsync(buffer), Is.GreaterThan(0));
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(says));
        });
        Variables["REDIS_URL"] = $"redis://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        if (problem is not null)
            Assert.That(await ProblemAsync("Redis"), Does.Contain(problem));
        else
            Assert.That((await DiagnoseAsync()).Checks.Single(c => c.Text("check") == "Redis").Text("state"), Is.EqualTo("ok"));
        await serving;
    }

    [Test]
    public async Task A_disk_that_is_nearly_full()
    {
        Healthy();
        _freeBytes = 10L << 20;
        Assert.That(await ProblemAsync("Disk"), Does.Contain("10.0 MiB free").And.Contain("Free some space"));
    }

    [Test]
    public async Task A_FOG_HOME_that_others_may_write_and_a_key_that_others_may_read()
    {
        Healthy();
        var home = Directory.CreateDirectory(Variables["FOG_HOME"]);
        File.SetUnixFileMode(home.FullName, (UnixFileMode)0b111_111_111);
        Assert.That(await ProblemAsync("FOG_HOME"), Does.Contain("can be written by others").And.Contain("chmod go-w"));
        File.SetUnixFileMode(home.FullName, (UnixFileMode)0b111_000_000);
        var key = Path.Combine(home.FullName, "ledger-key.pem");
        await File.WriteAllTextAsync(key, "");
        File.SetUnixFileMode(key, (UnixFileMode)0b110_100_100);
        Assert.That(await ProblemAsync("FOG_HOME"), Does.Contain("can be read by others").And.Contain("chmod 600"));
    }

    [Test]
    public async Task A_FOG_HOME_that_cannot_be_made()
    {
        Healthy();
        Variables["FOG_HOME"] = "/proc/fog"; // Where nobody can write, root neither.
        Assert.That(await ProblemAsync("FOG_HOME"), Does.Contain("/proc"));
    }

    [TestCase(3600, "ahead of")]
    [TestCase(-3600, "behind")]
    public async Task A_server_whose_clock_is_wrong(int seconds, string word)
    {
        Plane.On("GET", "/health", async context =>
        {
            context.Response.Headers.Date = TimeProvider.System.GetUtcNow().AddSeconds(seconds).ToString("R", CultureInfo.InvariantCulture);
            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes($$"""{"status":"healthy","services":{},"version":"{{Version}}","checks":{} }"""));
        });
        Assert.That(await ProblemAsync("Clock"), Does.Contain($"60.0 min {word} this machine's").And.Contain("set-ntp"));
    }

    [Test]
    public async Task Parts_of_the_server_that_are_down_are_named_and_absent_ones_are_not()
    {
        Healthy(
            """
            {"database":{"status":"unavailable","durationMs":1000,"message":"The database does not answer."},"cache":{"status":"degraded","durationMs":1,"message":"Redis does not answer; each process has its own."},
             "dao":{"status":"unavailable","durationMs":1000,"message":"The database does not answer."},"betanet":{"status":"unavailable","durationMs":0,"message":"Not part of this installation."},"edge":{"status":"unknown","durationMs":1,"message":"No device is enrolled."}}
            """, "unhealthy");
        var (code, checks) = await DiagnoseAsync();
        Assert.That(code, Is.EqualTo(1));
        Assert.That(checks.Where(c => c.Text("check") == "Part").Select(c => $"{c.Text("state")} {c.Text("detail")}"),
            Is.EqualTo(new[] { "fail database: The database does not answer.", "warn cache: Redis does not answer; each process has its own." }));
    }

    [Test]
    public async Task A_server_that_is_not_ready()
    {
        Healthy();
        await using var plane = await FakeControlPlane.StartAsync();
        plane.On("GET", "/health", $$"""{"status":"unhealthy","services":{},"version":"{{Version}}","checks":{} }""")
            .On("GET", "/readyz", Problem(503, "common.not_ready", "Not now.", ""","errors":{"control_plane":["The control plane is still starting."]}"""), 503)
            .On("GET", "/api/tokenomics/balance", """{"address":"fog1me"}""");
        Assert.That(await ProblemAsync("Ready", "--server", plane.Url), Does.Contain("still starting"));
    }

    [Test]
    public async Task Another_version()
    {
        const string version = "999.0.0";
        Healthy(version: version);
        Assert.That(await ProblemAsync("Version"), Does.Contain($"this command is {Version}, the server {version}"));
    }

    [Test]
    public async Task Nobody_at_the_address_that_was_named()
    {
        var port = ClosedPort();
        Assert.That(await ProblemAsync("Control plane", "--server", $"http://127.0.0.1:{port}"), Does.Contain("No control plane answers").And.Contain("fog up"));
    }

    [Test]
    public async Task A_port_that_something_else_holds()
    {
        Plane.On("GET", "/health", async context => await context.Response.Body.WriteAsync("<html>hi</html>"u8.ToArray()));
        Assert.That(await ProblemAsync("Port"), Does.Contain("is taken by").And.Contain($"(process {Environment.ProcessId})").And.Contain("fog up --port "));
    }

    /// <summary>A cluster of this test alone, on a loopback port with a password; PostgreSQL refuses to run as root, so then another account runs it.</summary>
    private sealed class ThrowawayPostgres : IAsyncDisposable
    {
        private readonly string _folder;
        private readonly int _port = LocalPool.FreePort();
        private readonly string _programs;
        private bool _running;

        private ThrowawayPostgres(string folder, string programs) => (_folder, _programs) = (folder, programs);

        public static async Task<ThrowawayPostgres> StartAsync(string folder)
        {
            var programs = Directory.GetDirectories("/usr/lib/postgresql").OrderBy(d => int.Parse(Path.GetFileName(d), CultureInfo.InvariantCulture)).Select(d => Path.Combine(d, "bin")).Last();
            var postgres = new ThrowawayPostgres(Path.Combine(folder, "pg"), programs);
            Directory.CreateDirectory(postgres._folder);
            // The other account must get there.
            File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
            File.SetUnixFileMode(postgres._folder, (UnixFileMode)0b111_111_111);
            await File.WriteAllTextAsync(Path.Combine(postgres._folder, "password"), "right");
            await postgres.RunAsync("initdb", "-D", postgres.Data, "-U", "fog", "-A", "scram-sha-256", "--pwfile", Path.Combine(postgres._folder, "password"), "--no-sync");
            await postgres.RunAsync("pg_ctl", "-D", postgres.Data, "-w", "-l", Path.Combine(postgres._folder, "log"), "-o", $"-p {postgres._port} -h 127.0.0.1 -k {postgres._folder} -F", "start");
            postgres._running = true;
            return postgres;
        }

        private string Data => Path.Combine(_folder, "data");

        public string Url(string password, string database) => $"postgresql://fog:{password}@127.0.0.1:{_port}/{database}";

        public async Task StopAsync()
        {
            await RunAsync("pg_ctl", "-D", Data, "-m", "immediate", "-w", "stop");
            _running = false;
        }

        public async ValueTask DisposeAsync()
        {
            if (_running)
                await StopAsync();
        }

        private async Task RunAsync(string program, params string[] args)
        {
            var root = Environment.UserName == "root";
            var start = new ProcessStartInfo(root ? "setpriv" : Path.Combine(_programs, program)) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = "/" };
            if (root)
            {
                foreach (var arg in new[] { "--reuid", "postgres", "--regid", "postgres", "--clear-groups", Path.Combine(_programs, program) })
                    start.ArgumentList.Add(arg);
            }
            foreach (var arg in args)
                start.ArgumentList.Add(arg);
            using var process = Process.Start(start)!;
            // The server inherits these pipes from pg_ctl, so they stay open longer than it; its own output goes to the log.
            await process.WaitForExitAsync();
            Assert.That(process.ExitCode, Is.Zero, $"{program} ended with {process.ExitCode}");
        }
    }
}
