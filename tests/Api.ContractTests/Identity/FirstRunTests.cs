using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using FogCompute.Api.Http;
using FogCompute.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FogCompute.Api.ContractTests.Identity;

public sealed class FirstRunTests
{
    [Test]
    public async Task Offers_a_link_that_makes_the_first_admin_once()
    {
        var printed = new StringWriter();
        await using var server = await ApiServer.StartAsync(adjust: services => services.AddSingleton(new FirstRunNotice(TextWriter.Synchronized(printed))));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        Match link;
        while (!(link = Regex.Match(printed.ToString(), @"(http://127\.0\.0\.1:\d+)/setup\?token=(fogs_[0-9A-Za-z]{43})\n")).Success)
            await Task.Delay(20, patience.Token);
        Assert.That(new Uri(link.Groups[1].Value), Is.EqualTo(server.Url));

        using var page = await server.Client.GetAsync("/setup?token=" + link.Groups[2].Value);
        var html = await page.Content.ReadAsStringAsync();
        Assert.That(page.Content.Headers.ContentType?.MediaType, Is.EqualTo("text/html"));
        Assert.That(html, Does.Contain("/api/auth/setup").And.Not.Contain("fogs_"));
        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        var script = Regex.Match(html, "<script>(.*)</script>", RegexOptions.Singleline).Groups[1].Value;
        Assert.That(policy, Does.StartWith("default-src 'none'").And.Contain($"script-src 'sha256-{Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(script)))}'"));

        Task<HttpResponseMessage> UseAsync(string token, string name) => server.Client.PostAsync("/api/auth/setup",
            ApiServer.Json(JsonSerializer.Serialize(new { token, username = name, email = name + "@example.org", password = "a lighthouse made of bread" })));
        // Another start: the former link is not good any more.
        var next = await People.SetupTokenAsync(server);
        using (var former = await UseAsync(link.Groups[2].Value, "former"))
            await former.ProblemAsync(401, "identity.setup_invalid");
        var both = await Task.WhenAll(UseAsync(next, "first"), UseAsync(next, "second"));
        Assert.That(both.Select(a => (int)a.StatusCode).Order(), Is.EqualTo(new[] { 201, 401 }), "good once");
        var admin = (await both.Single(a => (int)a.StatusCode == 201).JsonAsync()).GetProperty("username").GetString()!;
        using var login = await People.LoginAsync(server, admin, "a lighthouse made of bread");
        using var client = server.NewClient((await login.JsonAsync()).GetProperty("access_token").GetString());
        using var users = await client.GetAsync("/api/identity/users");
        Assert.That((await users.JsonAsync()).GetProperty("users")[0].GetProperty("roles").EnumerateArray().Select(r => r.GetString()), Is.EqualTo(new[] { "admin" }));
        Assert.That(await People.SetupTokenAsync(server), Is.Null, "no link while there is an admin");
    }

    [Test]
    public async Task The_page_for_a_new_password_posts_to_the_api()
    {
        await using var server = await ApiServer.StartAsync();
        using var page = await server.Client.GetAsync("/reset-password?token=fogp_x");
        Assert.That(await page.Content.ReadAsStringAsync(), Does.Contain("/api/auth/reset-password/confirm").And.Contain("new_password"));
    }

    [Test]
    public async Task Refuses_to_run_beyond_loopback_without_an_admin_and_runs_with_one()
    {
        await using var database = await TestDatabase.CreateAsync();
        var refused = await RunAsync(database, "", new Dictionary<string, string> { ["API_HOST"] = "0.0.0.0", ["API_PORT"] = "0" });
        Assert.That(refused.Code, Is.EqualTo(1), refused.Error);
        Assert.That(refused.Error, Does.Contain("fogcompute cannot start: API_HOST is 0.0.0.0").And.Contain("API_HOST=127.0.0.1").And.Contain("create-admin --username NAME --email ADDRESS"));
        Assert.That(refused.Error, Does.Not.Contain("/setup?token"));

        var made = await RunAsync(database, "a lighthouse made of bread\n", [], "create-admin", "--username", "ada", "--email", "ada@example.org");
        Assert.That((made.Code, made.Out), Is.EqualTo((0, "ada is an admin now.\n")), made.Error);
        var again = await RunAsync(database, "another password entirely\n", [], "create-admin", "--username", "ada", "--email", "ada@example.org");
        Assert.That((again.Code, again.Out), Is.EqualTo((0, "ada is an admin already; nothing was changed.\n")), again.Error);

        await using var server = await ApiServer.StartAsync(database: await CopyAsync(database), adjust: services =>
        {
            var options = (ServerOptions)services.Single(s => s.ServiceType == typeof(ServerOptions)).ImplementationInstance!;
            services.AddSingleton(options with { Address = IPAddress.Any });
        });
        using var login = await People.LoginAsync(server, "ada", "a lighthouse made of bread");
        Assert.That(login.StatusCode, Is.EqualTo(HttpStatusCode.OK), "the password of the first call, hashed as in production");
    }

    [TestCase("ada", "ada@example.org", "password1", 2, "everybody tries first", TestName = "create-admin refuses a common password")]
    [TestCase("Ada", "ada@example.org", "a lighthouse made of bread", 2, "username", TestName = "create-admin refuses a name")]
    [TestCase("ada", "ada@example.org", "", 2, "standard input", TestName = "create-admin needs a password")]
    [TestCase("system", "ada@example.org", "a lighthouse made of bread", 5, "exists already", TestName = "create-admin refuses a name of somebody else")]
    public async Task Create_admin_says_what_is_wrong(string username, string email, string password, int code, string says)
    {
        await using var database = await TestDatabase.CreateAsync();
        var ran = await RunAsync(database, password + "\n", [], "create-admin", "--username", username, "--email", email);
        Assert.That(ran.Code, Is.EqualTo(code), ran.Error);
        Assert.That(ran.Error, Does.Contain(says));
    }

    [Test]
    public async Task Lets_nobody_in_until_it_is_known_that_there_is_an_admin()
    {
        var database = await TestDatabase.CreateAsync();
        var builder = Program.NewBuilder(["--API_PORT=0", $"--FOG_HOME={Path.GetTempPath()}", "--Logging:LogLevel:Default=None"]);
        var ready = new TaskCompletionSource();
        await using var app = Program.Build(builder, database.Host, services =>
        {
            var options = (ServerOptions)services.Single(s => s.ServiceType == typeof(ServerOptions)).ImplementationInstance!;
            services.AddSingleton(options with { Address = IPAddress.Any });
            services.Remove(services.Last(s => s.ServiceType == typeof(Microsoft.Extensions.Hosting.IHostedService) && s.ImplementationFactory?.Method.DeclaringType?.DeclaringType == typeof(HttpServer)));
            services.AddOpening(_ => cancel => ready.Task.WaitAsync(cancel));
        });
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        using var early = await client.PostAsync("/api/auth/register", ApiServer.Json("""{"username":"eve","email":"eve@example.org","password":"an apple in the garden"}"""));
        Assert.That((int)early.StatusCode, Is.EqualTo(503));
        ready.SetResult();
        await app.WaitForShutdownAsync().WaitAsync(TimeSpan.FromSeconds(120));
        Assert.That(app.Services.GetRequiredService<FirstRun>().Refusal, Does.Contain("no admin yet"));
        await database.DisposeAsync();
    }

    /// <summary>A database of its own with the same users: the first one belongs to the test.</summary>
    private static async Task<TestDatabase> CopyAsync(TestDatabase from)
    {
        var copy = await TestDatabase.CreateAsync();
        foreach (var table in new[] { "identity.accounts", "identity.users" })
        {
            await using var read = from.DataSource.CreateCommand($"SELECT json_agg(x)::text FROM {table} x");
            var rows = (string)(await read.ExecuteScalarAsync())!;
            await using var write = copy.DataSource.CreateCommand($"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, $1::json)");
            write.Parameters.Add(new() { Value = rows });
            await write.ExecuteNonQueryAsync();
        }
        return copy;
    }

    /// <summary>The program itself, as it was built together with this assembly, until it ends.</summary>
    private static async Task<(int Code, string Out, string Error)> RunAsync(TestDatabase database, string input, Dictionary<string, string> settings, params string[] arguments)
    {
        var target = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        var program = Path.Combine(target.Parent!.Parent!.Parent!.Parent!.Parent!.FullName, "src", "Api", "bin", target.Parent.Name, target.Name, "FogCompute.Api.dll");
        var home = Directory.CreateTempSubdirectory("fog-first-run-").FullName;
        // In a network of its own where it would listen everywhere: no test opens a port to the real one. The database is reached by a Unix socket.
        List<string> command = [.. settings.ContainsKey("API_HOST") ? ["bwrap", "--dev-bind", "/", "/", "--unshare-net"] : Array.Empty<string>(), "dotnet", program, .. arguments];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = home,
        };
        foreach (var key in start.Environment.Keys.Where(k => k.StartsWith("FOG_", StringComparison.Ordinal) || k.StartsWith("API_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(key);
        start.Environment["FOG_PARENT_PID"] = Environment.ProcessId.ToString();
        start.Environment["FOG_HOME"] = home;
        start.Environment["DATABASE_URL"] = database.ConnectionString;
        foreach (var (key, value) in settings)
            start.Environment[key] = value;
        using var process = Process.Start(start)!;
        try
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(180));
            return (process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
            Directory.Delete(home, recursive: true);
        }
    }
}
